"""The configuration file: what it may hold, and what is said about what it may not."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.config.settings import Settings, load_settings
from hub.config.values import duration
from hub.core.errors import ConfigError
from hub.sdk.rates import Limit

ROOT = Path(__file__).resolve().parents[3]


def load(folder: Path, text: str) -> Settings:
    (folder / "config.toml").write_text(text, "utf-8")
    return load_settings(folder / "config.toml")


def problems(folder: Path, text: str) -> list[tuple[str, str, str]]:
    with pytest.raises(ConfigError) as caught:
        load(folder, text)
    return [(one.path, one.message, one.hint) for one in caught.value.problems]


def test_an_empty_file_is_all_defaults(tmp_path: Path) -> None:
    settings = load(tmp_path, "")
    assert settings.data == tmp_path / "data"
    assert settings.database_url == f"sqlite:///{tmp_path / 'data' / 'hubbub.db'}"
    assert settings.public_url == "http://127.0.0.1:8600"


def test_the_example_names_defaults_only() -> None:
    example = load_settings(ROOT / "config.example.toml")
    plain = Settings(file=example.file)
    for name in ("hub", "files", "web", "database", "redis", "workers", "sandbox"):
        assert getattr(example, name) == getattr(plain, name), name


@pytest.mark.parametrize(
    ("written", "seconds"),
    [
        ("500ms", 0.5),
        ("30s", 30),
        ("5m", 300),
        ("2h", 7200),
        ("7d", 604800),
        ("1.5m", 90),
        (" 3 s ", 3),
        ("12", 12),
        (7, 7),
        (0.25, 0.25),
    ],
)
def test_a_duration_is_seconds_or_text(written: Any, seconds: float) -> None:
    assert duration(written) == timedelta(seconds=seconds)


@pytest.mark.parametrize("written", ["soon", "", "5 minutes", "-3s", "3w", "m5", "1e3s"])
def test_any_other_text_is_no_duration(written: str) -> None:
    with pytest.raises(ValueError, match="a duration is"):
        duration(written)


@given(st.integers(min_value=0, max_value=36_500), st.sampled_from(["s", "m", "h", "d"]))
def test_a_duration_reads_what_it_says(number: int, unit: str) -> None:
    assert duration(f"{number}{unit}") == number * duration(f"1{unit}")


WRONG = {
    "a section": ("[hubb]", "hubb", "unknown", "did you mean 'hub'?"),
    "a key": ("[hub]\ndate = 1", "hub.date", "unknown", "did you mean 'data'?"),
    "a key of a source": (
        '[sources.a]\nplugin = "rss"\nevry = 1',
        "sources.a.evry",
        "unknown",
        "did you mean 'every'?",
    ),
    "a key far from all": ("[redis]\nzzz = 1", "redis.zzz", "unknown", "known: url"),
    "a port": ("[web]\nport = 70000", "web.port", "less than or equal to 65535", ""),
    "a share": ("[hub]\nuncertain_below = 1.5", "hub.uncertain_below", "less than or equal to 1", ""),
    "a batch": ("[workers]\nbatch = 0", "workers.batch", "greater than or equal to 1", ""),
    "a pause": ('[sources.a]\nplugin = "rss"\nevery = "often"', "sources.a.every", "a duration is", ""),
    "a pause of no time": ('[sources.a]\nplugin = "rss"\nevery = 0', "sources.a.every", "no time at all", ""),
    "a pause that is true": ('[sources.a]\nplugin = "rss"\nevery = true', "sources.a.every", "a duration is", ""),
    "a pause without an end": ('[sources.a]\nplugin = "rss"\nevery = inf', "sources.a.every", "a hundred years", ""),
    "a pause before now": ("[alerts]\ncooldown = -5", "alerts.cooldown", "a duration is", ""),
    "a network": ('[sources.a]\nplugin = "rss"\nallow_private = ["10.0.0.0/33"]', "allow_private", "10.0.0.0/33", ""),
    "an address": ('[web]\npublic_url = "hub.example.com"', "web.public_url", "https://", ""),
    "an address without a host": ('[web]\npublic_url = "https://"', "web.public_url", "https://", ""),
    "a proxy": ('[sources.a]\nplugin = "rss"\nproxy = "proxy:3128"', "sources.a.proxy", "a plain forward proxy", ""),
    "a language": ('[hub]\nlanguages = ["klingon"]', "hub.languages", "ISO 639-1", ""),
    "a type": ('[hub]\nlanguages = "en"', "hub.languages", "this must be a list", ""),
    "no plugin": ("[destinations.a]", "destinations.a.plugin", "missing", "write plugin = ..."),
    "a name": ('[sources."A b"]\nplugin = "rss"', "sources.A b", "such as a_b", ""),
}


@pytest.mark.parametrize(("text", "path", "message", "hint"), WRONG.values(), ids=WRONG)
def test_what_is_wrong_has_its_path_and_a_hint(tmp_path: Path, text: str, path: str, message: str, hint: str) -> None:
    found = problems(tmp_path, text)
    assert any(path in one[0] and message in one[1] and hint in one[2] for one in found), found


def test_all_that_is_wrong_is_told_at_once(tmp_path: Path) -> None:
    text = "\n".join(one[0] for name, one in WRONG.items() if name in {"a section", "a port", "a batch", "no plugin"})
    assert len(problems(tmp_path, text)) == 4


@pytest.mark.parametrize("text", ["[web", "port = ", 'a = "\\q"', "[web]\n[web]"])
def test_what_is_no_toml_names_the_file(tmp_path: Path, text: str) -> None:
    ((path, message, hint),) = problems(tmp_path, text)
    assert (path, "toml.io" in hint) == ("", True)
    assert message


def test_a_file_that_is_not_utf8_is_no_traceback(tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_bytes(b"[hub]\ndata = '\xff'")
    with pytest.raises(ConfigError):
        load_settings(tmp_path / "config.toml")


def test_a_missing_file_says_how_to_get_one(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="hub init"):
        load_settings(tmp_path / "config.toml")


def test_relative_folders_start_at_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    load(tmp_path, '[hub]\ndata = "store"')
    monkeypatch.chdir("/")
    assert load_settings(tmp_path / "config.toml").data == tmp_path / "store"


@pytest.mark.parametrize(
    ("written", "url"), [("https://hub.example/", "https://hub.example"), ("", "http://0.0.0.0:80")]
)
def test_the_public_url_is_the_one_given_without_a_slash(tmp_path: Path, written: str, url: str) -> None:
    assert load(tmp_path, f'[web]\nhost = "0.0.0.0"\nport = 80\npublic_url = "{written}"').public_url == url


def test_a_connection_may_have_a_rate_of_its_own(tmp_path: Path) -> None:
    settings = load(tmp_path, '[sources.a]\nplugin = "rss"\nrate = "100/m"\n[destinations.b]\nplugin = "webhook"\n')
    assert (settings.sources["a"].rate, settings.destinations["b"].rate) == (Limit(100, 60), None)


@pytest.mark.parametrize("written", ['"fast"', '"0/s"', "10", "true", '["10/s"]'])
def test_what_is_no_rate_is_told_with_its_place_and_an_example(tmp_path: Path, written: str) -> None:
    ((path, message, _),) = problems(tmp_path, f'[destinations.b]\nplugin = "webhook"\nrate = {written}\n')
    assert path == "destinations.b.rate"
    assert '"10/s", "100/m", "5000/h"' in message
