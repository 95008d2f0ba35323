"""A source's file: its tables, what is refused in them, and the options of a connection that names one.

A file holds dotted paths and `{holes}`, comparisons for equality and tables of words; no expression, loop or script.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Self
from urllib.parse import urlsplit

import msgspec
from pydantic import Field, PrivateAttr, SecretStr, ValidationInfo, model_validator

from hub import Options
from hub.sdk.doc import steps_of
from hub.sdk.fields import HOLE, Fields, filled
from hub.sdk.rates import Limit
from plugins.http.tables import OptionTable, SourceFile, is_span, known_keys, span
from plugins.http.translate import native_id_frame

SHIPPED = Path(__file__).parent / "files"
LARGEST_FILE = 64 * 1024
LONGEST_OPTION = 200
_NETWORK = re.compile(r"[a-z0-9][a-z0-9_-]{0,30}")
_PATTERNS = {
    "text": re.compile(r"[^\x00-\x1f\x7f]+"),
    "name": re.compile(r"[\w.-]+"),
    "digits": re.compile(r"[0-9]+"),
    "host": re.compile(
        r"(?=.{1,253}$)[a-z0-9](?:[a-z0-9-]*[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9-]*[a-z0-9])?)*(?::[0-9]{1,5})?"
    ),
}
_OF_REQUESTS = frozenset(("since", "page", "offset", "before", "token", "now"))
_OF_RECHECKS = frozenset(("id", "ids"))
_LOOPBACK = ("127.0.0.1", "localhost")


# ------------------------------------------------------------------------------------------------------------- reading


def read_file(path: Path) -> tuple[SourceFile, Fields]:
    """Return a checked file and its compiled fields. Raises ValueError that names the file, the place and the way out."""
    try:
        file = msgspec.convert(tomllib.loads(_text_of(path)), SourceFile)
        fields = Fields.compile(file.fields)
        _refuse(_complaints(file))
    except OSError as error:
        raise ValueError(f"{path}: {error.strerror}; the shipped ones are {', '.join(shipped())}") from None
    except msgspec.ValidationError as error:
        raise ValueError(f"{path.name}: {_told(str(error))}") from None
    except ValueError as error:
        raise ValueError(f"{path.name}: {error}") from None
    return file, fields


def _text_of(path: Path) -> str:
    if path.stat().st_size > LARGEST_FILE:
        raise ValueError("it is larger than 64 KB")
    return path.read_text("utf-8-sig")


def _refuse(complaints: Iterable[str]) -> None:
    """Raise ValueError with all of them, if there are any."""
    if found := list(complaints):
        raise ValueError("; ".join(found))


def shipped() -> list[str]:
    """Return the names of the files that come with the plugin."""
    return sorted(path.stem for path in SHIPPED.glob("*.toml"))


def _told(error: str) -> str:
    """Return an error of msgspec with the nearest name that is known."""
    found = re.search(r"unknown field `(\w+)`", error)
    near = get_close_matches(found[1], known_keys(), n=1) if found else []
    return f"{error}; did you mean `{near[0]}`?" if near else error


def _complaints(file: SourceFile) -> Iterator[str]:
    """Return what a program can see that is wrong with a file."""
    if not _NETWORK.fullmatch(file.source.network):
        yield f"source.network: {file.source.network!r} must be letters, digits, - and _"
    yield from _broken_spans(file)
    for place, path in _paths(file):
        try:
            steps_of(path)
        except ValueError as error:
            yield f"{place}: {error}"
    yield from _wrong_hosts(file)
    yield from _wrong_holes(file)
    if file.recheck and native_id_frame(file.fields.get("native_id"), file.items.id) is None:
        yield f"recheck: fields.native_id must be `{file.items.id}`, or text with {{{file.items.id}}} and options in it"
    if file.recheck and "{ids}" in file.recheck.url and not file.recheck.id:
        yield "recheck.id: name the path of the id in each item of the answer"


def _broken_spans(file: SourceFile) -> Iterator[str]:
    named = {
        "source.every": file.source.every,
        "source.delete_within": file.source.delete_within,
        "source.keep": file.source.keep,
    }
    if file.cursor.as_ != "number":
        named |= {"cursor.overlap": file.cursor.overlap, "cursor.backfill": file.cursor.backfill}
    for place, text in named.items():
        try:
            span(text or "0")
        except ValueError as error:
            yield f"{place}: {error}"
    if file.source.rate:
        Limit.parse(file.source.rate)
    if file.cursor.as_ == "number" and not f"{file.cursor.overlap}{file.cursor.backfill}".isdecimal():
        yield "cursor: overlap and backfill of a number are numbers"


def _paths(file: SourceFile) -> Iterator[tuple[str, str]]:
    """Yield each path of the tables with its place."""
    named: dict[str, str] = {
        "items.at": file.items.at,
        "items.id": file.items.id,
        "items.revision": file.items.revision,
    }
    named |= {"cursor.at": file.cursor.at, "answer.wait": file.answer.wait, "answer.left": file.answer.left}
    named |= {f"items.only.{number}.at": one.at for number, one in enumerate(file.items.only)}
    if file.paging:
        named |= {f"paging.{name}": getattr(file.paging, name) for name in ("at", "more", "last")}
    yield from ((place, path) for place, path in named.items() if path)


def _wrong_hosts(file: SourceFile) -> Iterator[str]:
    """Yield addresses without a literal scheme and a host that is literal or one option of type host.

    So what a connection reaches can be told beforehand.
    """
    for place, url in _urls(file):
        scheme, _, rest = url.partition("://")
        host = re.split(r"[/?#]", rest, maxsplit=1)[0]
        option = file.options.get(host.strip("{}")) if host.startswith("{") and host.endswith("}") else None
        if scheme != "https":
            yield f"{place}: the address begins with https://"
        elif not _PATTERNS["host"].fullmatch(host) and not (option and option.type == "host"):
            yield f"{place}: the host is written out, or is one option of type host"


def _urls(file: SourceFile) -> Iterator[tuple[str, str]]:
    yield "request.url", file.request.url
    if file.recheck:
        yield "recheck.url", file.recheck.url


def _wrong_holes(file: SourceFile) -> Iterator[str]:
    """Yield holes that nothing fills, and secrets anywhere but in `auth`."""
    plain = {name for name, one in file.options.items() if one.type != "secret"}
    secret = set(file.options) - plain
    request = file.request
    texts = {"request.url": request.url, **{f"request.query.{name}": text for name, text in request.query.items()}}
    texts |= {f"request.headers.{name}": text for name, text in request.headers.items()}
    texts |= {"request.json": msgspec.json.encode(request.json).decode()} if request.json is not None else {}
    yield from _unfilled(texts, plain | _OF_REQUESTS, secret)
    if file.recheck:
        yield from _unfilled({"recheck.url": file.recheck.url}, plain | _OF_RECHECKS, secret)
    yield from _unfilled({"source.realm": file.source.realm}, {f"options.{name}" for name in plain}, secret)
    for name, hole in ((name, hole) for name, rule in file.fields.items() for hole in _holes_in(rule)):
        if hole.startswith("options.") and hole.removeprefix("options.") not in plain:
            yield f"fields.{name}: {{{hole}}} is no option that may stand here"
    if request.auth and request.auth.secret.strip("{}") not in secret:
        yield "request.auth.secret: a hole that names an option of type secret"


def _unfilled(texts: Mapping[str, str], known: Iterable[str], secret: set[str]) -> Iterator[str]:
    for place, text in texts.items():
        for hole in HOLE.findall(text):
            if hole in secret or hole.removeprefix("options.") in secret:
                yield f"{place}: a secret stands in request.auth only"
            elif hole not in set(known):
                near = get_close_matches(hole, list(known), n=1)
                yield f"{place}: nothing fills {{{hole}}}" + (f"; did you mean {{{near[0]}}}?" if near else "")


def _holes_in(rule: object) -> Iterator[str]:
    if isinstance(rule, str):
        yield from HOLE.findall(rule)
    elif isinstance(rule, Mapping):
        yield from _holes_in(str(rule.get("from", "")))
    elif isinstance(rule, list):
        for one in rule:
            yield from _holes_in(one)


# ------------------------------------------------------------------------------------------------------------- options


class HttpOptions(Options):
    """Which file is read, and the values of its options."""

    file: str = Field(description="A shipped file's name, or the path of one of your own")
    given: dict[str, str] = Field(default_factory=dict, description="The file's options by name")
    secret: SecretStr | None = Field(default=None, description="The file's option of type secret")
    backfill: str = Field(default="", description="How far the first poll looks back, if not as far as the file says")
    timeout: float = Field(default=30.0, gt=0, le=300, description="Seconds for one request")
    _file: SourceFile = PrivateAttr()
    _fields: Fields = PrivateAttr()

    @model_validator(mode="after")
    def _read(self, info: ValidationInfo) -> Self:
        folder = (info.context or {}).get("folder") or "."
        known = self.file in shipped()
        self._file, self._fields = read_file(SHIPPED / f"{self.file}.toml" if known else Path(folder) / self.file)
        _refuse(self._wrong_values())
        return self

    def _wrong_values(self) -> Iterator[str]:
        options, is_number = self._file.options, self._file.cursor.as_ == "number"
        if self.backfill and not (self.backfill.isdecimal() if is_number else is_span(self.backfill)):
            yield f"backfill: {self.backfill!r} must be {'a number' if is_number else 'text such as 12h or 3d'}"
        for name in self.given.keys() - options.keys():
            near = get_close_matches(name, list(options), n=1)
            yield f"given.{name}: the file has no such option" + (f"; did you mean {near[0]}?" if near else "")
        for name, rule in options.items():
            if rule.type == "secret":
                if rule.required and not (self.secret and self.secret.get_secret_value().strip()):
                    yield f'secret: the file needs {name} ({rule.help}): secret = {{ env = "NAME" }}'
                if name in self.given:
                    yield f'given.{name}: a secret is written as secret = {{ env = "NAME" }}'
            elif complaint := _wrong_value(name, rule, self.given.get(name)):
                yield complaint

    @property
    def spec(self) -> SourceFile:
        """The file."""
        return self._file

    @property
    def fields(self) -> Fields:
        """The compiled field rules."""
        return self._fields

    @property
    def values(self) -> dict[str, str]:
        """The values that fill holes, defaults included; the secret is none of them."""
        named = ((name, self.given.get(name, rule.default)) for name, rule in self._file.options.items())
        return {name: value for name, value in named if value is not None}

    def address(self, url: str) -> str:
        """Return an address of the file with its host filled in; a host of this machine is asked by http."""
        scheme, _, rest = url.partition("://")
        host, mark, tail = rest.partition("/")
        host = filled(host, self.values) or ""
        return f"{'http' if host.partition(':')[0] in _LOOPBACK else scheme}://{host}{mark}{tail}"

    def hosts(self) -> tuple[str, ...]:
        """Return the hosts that the file's addresses name."""
        named = (urlsplit(self.address(url).partition("?")[0]).netloc for _, url in _urls(self._file))
        return tuple(dict.fromkeys(host.partition(":")[0] for host in named))


def _wrong_value(name: str, rule: OptionTable, value: str | None) -> str:
    """Return what is wrong with an option's value, "" if nothing is."""
    if value is None:
        needed = rule.required and rule.default is None
        return f"given.{name}: the file needs it ({rule.help or rule.type})" if needed else ""
    if len(value) > LONGEST_OPTION:
        return f"given.{name}: longer than {LONGEST_OPTION} characters"
    if not _PATTERNS[rule.type].fullmatch(value):
        return f"given.{name}: {value[:40]!r} is no {rule.type}"
    return ""
