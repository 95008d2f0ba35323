"""Lines of files as raw items: growth, rotation, truncation, bad lines."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from hub import Page, RawItem, TranslationError, Unavailable
from hub.testkit.fakes import START, context
from plugins.file.client import LONGEST_LINE, Found, Place, read_lines
from plugins.file.config import FileOptions
from plugins.file.source import FileSource


class Reader:
    """A source with the cursor that it left."""

    def __init__(self, path: Path, **options: Any) -> None:
        given_ = {"path": str(path), "as_plugin": "mastodon", "follow": True, **options}
        self.source = FileSource(FileOptions(**given_))
        self.cursor: Any = None

    def pages(self) -> list[Page]:
        found = list(self.source.pull(context(), self.cursor))
        if found:
            self.cursor = msgspec.json.decode(msgspec.json.encode(found[-1].cursor))
        return found

    def lines(self) -> list[bytes]:
        return [item.payload for page in self.pages() for item in page.items]


def append(path: Path, text: bytes) -> None:
    with path.open("ab") as file:
        file.write(text)


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "log.jsonl"


def test_a_line_is_a_raw_item_of_the_other_plugin(log: Path) -> None:
    log.write_bytes(b'{"id": 1}\n')
    (page,) = Reader(log, as_plugin="rss", realm="https://x.example/feed").pages()
    (item,) = page.items
    assert item == RawItem("test", "rss", b'{"id": 1}', START, item.external_id, realm="https://x.example/feed")


def test_the_same_line_is_the_same_item_and_another_is_not(log: Path) -> None:
    log.write_bytes(b"a\na\nb\n")
    first, again, other = (item.external_id for page in Reader(log).pages() for item in page.items)
    assert first == again != other


def test_lines_come_once(log: Path) -> None:
    reader = Reader(log)
    log.write_bytes(b"a\nb\n")
    assert reader.lines() == [b"a", b"b"]
    assert reader.pages() == []
    append(log, b"c\n")
    assert reader.lines() == [b"c"]


def test_a_partial_last_line_waits_for_its_end(log: Path) -> None:
    reader = Reader(log)
    log.write_bytes(b'a\n{"half": ')
    assert reader.lines() == [b"a"]
    append(log, b"1}\n")
    assert reader.lines() == [b'{"half": 1}']


def test_the_last_line_of_a_finished_file_needs_no_end(log: Path) -> None:
    reader = Reader(log, follow=False)
    log.write_bytes(b"a\nb")
    assert reader.lines() == [b"a", b"b"]
    append(log, b"ignored\n")
    assert reader.pages() == []


def test_a_file_that_is_still_empty_is_not_finished(log: Path) -> None:
    reader = Reader(log, follow=False)
    log.touch()
    assert reader.lines() == []
    log.write_bytes(b"a\n")
    assert reader.lines() == [b"a"]


@pytest.mark.parametrize(
    ("content", "lines"),
    [
        (b"a\r\nb\r\n", [b"a", b"b"]),
        (b"\n  \na\n\n", [b"a"]),
        (b"\xef\xbb\xbfa\nb\n", [b"a", b"b"]),
        (b"{broken\n\xff\xfe\n[]\n", [b"{broken", b"\xff\xfe", b"[]"]),
        ('{"a": "\u2028\x0b"}\n'.encode(), ['{"a": "\u2028\x0b"}'.encode()]),
        (b"", []),
    ],
)
def test_lines_stay_as_they_are_but_for_their_ends(log: Path, content: bytes, lines: list[bytes]) -> None:
    log.write_bytes(content)
    assert Reader(log).lines() == lines


def test_pages_hold_500_lines_and_each_carries_its_place(log: Path) -> None:
    log.write_bytes(b"".join(b"%04d\n" % number for number in range(1200)))
    pages = Reader(log).pages()
    assert [len(page.items) for page in pages] == [500, 500, 200]
    assert [page.cursor[str(log)]["offset"] for page in pages] == [2500, 5000, 6000]


def test_nothing_is_lost_when_a_pull_breaks_off(log: Path) -> None:
    log.write_bytes(b"".join(b"%04d\n" % number for number in range(1200)))
    reader = Reader(log)
    first = next(iter(reader.source.pull(context(), None)))
    reader.cursor = first.cursor
    assert len(first.items) + len(reader.lines()) == 1200


@pytest.mark.parametrize("new_name", ["log.jsonl.1", "old-elsewhere"])
def test_rotation_loses_no_line_and_repeats_none(log: Path, new_name: str) -> None:
    reader = Reader(log)
    log.write_bytes(b"a\n")
    assert reader.lines() == [b"a"]
    append(log, b"b\n")
    log.rename(log.with_name(new_name))
    log.write_bytes(b"c\n")
    assert sorted(reader.lines()) == [b"b", b"c"]
    append(log, b"d\n")
    assert reader.lines() == [b"d"]


def test_a_truncated_file_is_read_from_its_start(log: Path) -> None:
    reader = Reader(log)
    log.write_bytes(b"a\nb\n")
    reader.lines()
    log.write_bytes(b"c\n")
    assert reader.lines() == [b"c"]


def test_a_truncated_file_that_has_grown_past_the_old_end_is_read_from_its_start(log: Path) -> None:
    reader = Reader(log)
    log.write_bytes(b"a\nb\n")
    reader.lines()
    log.write_bytes(b"c\nd\ne\nf\n")
    assert reader.lines() == [b"c", b"d", b"e", b"f"]


def test_a_new_file_with_an_old_inode_is_read_from_its_start(log: Path) -> None:
    log.write_bytes(b"new1\nnew2\n")
    reader = Reader(log)
    reader.cursor = {"/gone": {"inode": log.stat().st_ino, "offset": 4, "head_size": 4, "head": "of another file"}}
    assert reader.lines() == [b"new1", b"new2"]


def test_a_neighbour_that_was_never_named_is_not_read(log: Path) -> None:
    secret = log.with_name("secret")
    secret.write_bytes(b"not for you\n")
    reader = Reader(log)
    reader.cursor = {str(log): {"inode": secret.stat().st_ino}}
    assert reader.lines() == []


def test_a_pattern_names_many_files_oldest_first(tmp_path: Path) -> None:
    for age, name in enumerate(("b", "a", "c")):
        path = tmp_path / f"{name}.jsonl"
        path.write_bytes(name.encode() + b"\n")
        _set_time(path, 1_000_000 + age)
    (tmp_path / "x.txt").write_bytes(b"x\n")
    (tmp_path / "folder.jsonl").mkdir()
    assert Reader(tmp_path / "*.jsonl").lines() == [b"b", b"a", b"c"]


def _set_time(path: Path, seconds: int) -> None:
    os.utime(path, (seconds, seconds))


def test_two_names_of_one_file_are_one_file(log: Path) -> None:
    log.write_bytes(b"a\n")
    log.with_name("link.jsonl").hardlink_to(log)
    assert Reader(log.with_name("*.jsonl")).lines() == [b"a"]


def test_a_file_that_is_gone_is_forgotten(log: Path) -> None:
    reader = Reader(log.with_name("*.jsonl"))
    log.write_bytes(b"a\n")
    reader.lines()
    log.unlink()
    log.with_name("other.jsonl").write_bytes(b"b\n")
    assert reader.lines() == [b"b"]
    assert list(reader.cursor) == [str(log.with_name("other.jsonl"))]


@pytest.mark.parametrize("cursor", [{"x": 5}, "text", 7, {"x": {"inode": "one"}}])
def test_a_cursor_that_cannot_be_read_begins_anew(log: Path, cursor: Any) -> None:
    log.write_bytes(b"a\n")
    reader = Reader(log)
    reader.cursor = cursor
    assert reader.lines() == [b"a"]


def test_a_line_too_long_for_memory_is_cut(log: Path) -> None:
    log.write_bytes(b"x" * (LONGEST_LINE + 5) + b"\nshort\n")
    assert [len(line) for line in Reader(log).lines()] == [LONGEST_LINE, 5, 5]


def test_an_item_that_comes_here_to_be_translated_is_a_mistake_that_shows(log: Path) -> None:
    item = RawItem("test", "file", b"{}", START, "1")
    with pytest.raises(TranslationError, match="mastodon"):
        Reader(log).source.translate(item)


def test_the_check_counts_the_files(log: Path) -> None:
    reader = Reader(log)
    with pytest.raises(Unavailable):
        reader.source.check(context())
    log.write_bytes(b"")
    assert reader.source.check(context()) == "1 file, read as mastodon"


@pytest.mark.parametrize("options", [{"path": "", "as_plugin": "x"}, {"path": "x"}, {"path": "x", "as_plugin": ""}])
def test_options_that_cannot_work_are_refused(options: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        FileOptions(**options)


@given(st.lists(st.binary(max_size=12), max_size=8), st.integers(1, 5))
def test_however_a_file_grows_its_lines_come_once_and_in_order(parts: list[bytes], most: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "log")
        path.touch()
        place, found = Place(path.stat().st_ino), []
        for part in parts:
            append(path, part)
            for lines, after in read_lines(Found(path, place), whole=False, most=most):
                found += lines
                place = after
    complete = b"".join(parts).removeprefix(b"\xef\xbb\xbf").split(b"\n")[:-1]
    assert found == [line.rstrip(b"\r\n") for line in complete if line.strip()]
