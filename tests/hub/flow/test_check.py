"""`hub check`: every kind of problem and misfit is told, all at once."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from hub.config.settings import Settings, load_settings
from hub.core.access import HUB
from hub.core.errors import QuotaExhausted, RateLimited, Unauthorised
from hub.core.mapping import CompiledMapping
from hub.core.pipeline import in_use
from hub.core.spec import FieldSpec
from hub.flow.actions.connections import check
from hub.flow.check import Tried, misfits, notes_of, problems_of, try_connections
from hub.queue.bell import RedisBell
from hub.registry import Plugin, Registry
from hub.sdk.connectors import FieldInfo, ObjectInfo, Options
from tests.hub.core.given import mapping
from tests.hubs import NOON, FakeRegistry, LineSource, Made, Memo, Mood

NewHub = Callable[..., Made]

NOTE = {
    name: FieldInfo(name, **more)  # type: ignore[arg-type]  # passed through
    for name, more in {
        "text": {"required": True},
        "key": {"required": True},
        "made_at": {"writable": False},
        "Author__r": {},
    }.items()
}
OBJECTS = {"note": ObjectInfo("note", NOTE), "free": ObjectInfo("free", open_fields=True)}


def written(object_: str = "note", key_field: str = "key", *fields: str) -> CompiledMapping:
    specs = {field: FieldSpec(from_="signal.text") for field in fields or ("text",)}
    return mapping(object=object_, key_field=key_field, fields=specs)


@pytest.mark.parametrize(
    ("given", "told"),
    [
        (written(), []),
        (written("free", "", "anything"), []),
        (written("note", "key", "text", "Author__r.key"), []),
        (written("memo"), ["the destination has no object 'memo'; it has: free, note"]),
        (
            written("note", "key", "text", "texd"),
            ["'note' has no field 'texd': make it there, or take it out of the mapping"],
        ),
        (written("note", "id"), ["'note' has no field 'id'", "'note.key' is required there"]),
        (written("note", "key", "text", "made_at"), ["'note.made_at' cannot be written"]),
        (written("note", "", "text", "key"), []),
        (
            written("note", "", "Author__r.key"),
            ["'note.text' is required there and the mapping does not fill it", "'note.key' is required there"],
        ),
    ],
)
def test_each_misfit_is_told(given: CompiledMapping, told: list[str]) -> None:
    found = list(misfits(given, OBJECTS))
    assert len(found) == len(told)
    assert all(one.startswith(start) for one, start in zip(found, told, strict=True))


def test_a_destination_without_any_object_says_none() -> None:
    assert list(misfits(written(), {})) == ["the destination has no object 'note'; it has: none"]


def test_a_star_describes_every_object() -> None:
    assert list(misfits(written("anything"), {"*": ObjectInfo("*", open_fields=True)})) == []


# --------------------------------------------------------------------------------------------------------------- files


class Strict(Memo):
    """A destination that can be described with closed fields."""

    objects: Mapping[str, ObjectInfo] = {}
    fails: Exception | None = None

    def describe(self, ctx: Any) -> Mapping[str, ObjectInfo]:
        if type(self).fails:
            raise type(self).fails
        return type(self).objects


REGISTRY = FakeRegistry(
    [
        Plugin("lines", "tests", "1", sources={"lines": LineSource}),
        Plugin("memo", "tests", "1", destinations={"memo": Memo}),
        Plugin("mood", "tests", "1", enrichers={"mood": Mood}),
        Plugin("broken", "tests", "1", reason="plugin 'broken' needs 'x'"),
    ]
)


def problems(folder: Path, config: str, rules: str = "", registry: Registry = REGISTRY) -> list[str]:
    (folder / "config.toml").write_text(config)
    (folder / "rules.toml").write_text(rules)
    (folder / "topics.toml").touch()
    settings: Settings = load_settings(folder / "config.toml")
    return [str(one) for one in problems_of(settings, registry)]


@pytest.mark.parametrize(
    ("config", "rules", "told"),
    [
        ("", "", []),
        ('[sources.a]\nplugin = "nobody"\n', "", ["no installed package provides this plugin"]),
        ('[destinations.a]\nplugin = "broken"\n', "", ["needs 'x'"]),
        ('[sources.a]\nplugin = "memo"\n', "", ["the plugin offers no source"]),
        ('[enrichers.a]\nplugin = "mood"\noptions.sped = 1\n', "", ["enrichers.a.options.sped: this key is unknown"]),
        ("", '[[rule]]\nname = "r"\nwhen = ["signal.txt == 1"]\n', ["did you mean signal.text?"]),
        (
            "",
            '[[rule]]\nname = "r"\ndeliver = [{destination = "crm", mapping = "note"}]\n',
            ["there is no destination crm with a mapping (is it configured?)"],
        ),
    ],
)
def test_each_kind_of_problem_is_told(tmp_path: Path, config: str, rules: str, told: list[str]) -> None:
    found = problems(tmp_path, config, rules)
    assert len(found) == len(told)
    assert all(words in one for one, words in zip(found, told, strict=True))


def test_all_problems_are_told_at_once_and_each_once(tmp_path: Path) -> None:
    config = '[sources.a]\nplugin = "nobody"\n[destinations.b]\nplugin = "broken"\n[enrichers.c]\nplugin = "none"\n'
    found = problems(tmp_path, config, '[[rule]]\nname = "r"\nwhen = ["nonsense =="]\n')
    assert len(found) == len(set(found)) == 4


@pytest.mark.parametrize(("private", "noted"), [("[]", 1), ('["dm"]', 0)])
def test_a_rule_that_asks_for_messages_and_may_not_act_on_direct_ones_is_noted(
    tmp_path: Path, private: str, noted: int
) -> None:
    (tmp_path / "config.toml").write_text(f"[hub]\nprivate_rules = {private}\n")
    (tmp_path / "rules.toml").write_text(
        "[[rule]]\nname = 'dm'\nwhen = ['signal.kind == \"message\"']\nassign = 'bea'\n"
    )
    (tmp_path / "topics.toml").touch()
    found = [str(one) for one in notes_of(load_settings(tmp_path / "config.toml"), REGISTRY)]
    assert len(found) == noted
    assert all('private_rules = ["dm"] lets it act' in one for one in found)


def test_a_wrong_mapping_is_told_with_its_file_and_field(tmp_path: Path) -> None:
    (tmp_path / "mappings" / "memo").mkdir(parents=True)
    (tmp_path / "mappings" / "memo" / "note.toml").write_text('object = "note"\n[fields.text]\nfrom = "signal.txet"\n')
    (found,) = problems(tmp_path, '[destinations.crm]\nplugin = "memo"\n')
    assert "note" in found
    assert "signal.text" in found


# --------------------------------------------------------------------------------------------------------- connections


def tried(made: Made) -> dict[str, Tried]:
    return {one.connection: one for one in check(made.hub, HUB)}


def strict(made: Made, *, fails: Exception | None = None, **objects: ObjectInfo) -> None:
    cls = type("StrictOne", (Strict,), {"objects": objects, "fails": fails})
    made.hub._made["destinations", "memo"] = cls(made.hub.destination("memo").options)


def test_each_connection_is_tried(new_hub: NewHub) -> None:
    found = tried(new_hub())
    assert {name: one.fine for name, one in found.items()} == {
        "redis": True,
        "lines": True,
        "mood": True,
        "memo": True,
    }


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (Unauthorised("token expired"), "Unauthorised: token expired"),
        (ZeroDivisionError("oops"), "bug: ZeroDivisionError: oops"),
    ],
)
def test_a_connection_that_fails_is_told_and_the_others_are_tried(new_hub: NewHub, error: Exception, told: str) -> None:
    made = new_hub()

    def check(self: object, ctx: object) -> str:
        raise error

    made.source.check = check  # type: ignore[method-assign]  # a source of its own
    found = tried(made)
    assert (found["lines"].fine, found["lines"].message, found["memo"].fine) == (False, told, True)


@pytest.mark.parametrize(
    "error",
    [RateLimited("used up", retry_after=12 * 3600), QuotaExhausted("used up", until=NOON + timedelta(hours=12))],
)
def test_a_used_up_quota_is_told_with_its_end(new_hub: NewHub, error: Exception) -> None:
    made = new_hub()

    def check(self: object, ctx: object) -> str:
        raise error

    made.source.check = check  # type: ignore[method-assign]  # a source of its own
    again = NOON + timedelta(hours=12)
    assert tried(made)["lines"].message.endswith(f"used up (asked again from {again:%Y-%m-%d %H:%M} UTC on)")


class Keyed(Options):
    """Options that hold a secret."""

    token: SecretStr = SecretStr("hush-hush-1234")


@pytest.mark.parametrize("error", [Unauthorised("no: hush-hush-1234"), KeyError("hush-hush-1234")])
def test_what_a_check_says_holds_no_secret(new_hub: NewHub, error: Exception) -> None:
    made = new_hub()

    def check(self: object, ctx: object) -> str:
        raise error

    keyed = type("KeyedSource", (LineSource,), {"Options": Keyed, "check": check})
    made.hub._made["sources", "lines"] = keyed(Keyed())
    assert "***" in tried(made)["lines"].message
    assert "hush" not in tried(made)["lines"].message


def test_a_connection_that_works_again_is_no_longer_paused(new_hub: NewHub) -> None:
    made = new_hub()
    made.hub.store.connections.pause("memo", reason="x", until=made.clock().replace(hour=13), now=made.clock())
    tried(made)
    assert made.hub.store.connections.paused(now=made.clock()) == {}


@pytest.mark.parametrize(
    ("url", "fine", "told"),
    [
        ("", True, "the private Redis is not running: `hub up` starts it"),
        ("redis://127.0.0.1:1/0", False, "connection refused"),
    ],
)
def test_a_redis_that_is_away_is_told(new_hub: NewHub, url: str, fine: bool, told: str) -> None:
    made = new_hub()
    section = made.hub.settings.redis.model_copy(update={"url": url})
    made.hub.settings = made.hub.settings.model_copy(update={"redis": section})
    made.hub.bell = RedisBell("redis://127.0.0.1:1/0")
    said = tried(made)["redis"]
    assert said.fine is fine
    assert told in said.message.lower() or told in said.message


def test_mappings_that_do_not_fit_are_told_by_name(new_hub: NewHub) -> None:
    made = new_hub()
    strict(made, note=ObjectInfo("note", {"text": FieldInfo("text")}))
    assert "has no field 'mood'" in tried(made)["memo/note"].message


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (Unauthorised("no right to look"), "its fields cannot be read: no right to look"),
        (KeyError("fields"), "its fields cannot be read: bug: KeyError: 'fields'"),
    ],
)
def test_fields_that_cannot_be_read_are_told(new_hub: NewHub, error: Exception, told: str) -> None:
    made = new_hub()
    strict(made, fails=error)
    assert [one.message for one in try_connections(made.hub)][-1] == told


@pytest.mark.parametrize(
    ("mapping_", "used"), [("note", ["note"]), ("said", ["said", "person"]), ("ticket", ["ticket", "comment"])]
)
def test_mappings_that_are_used_are_those_of_rules_with_what_they_need(
    new_hub: NewHub, mapping_: str, used: list[str]
) -> None:
    assert in_use(new_hub(mapping=mapping_).hub.book) == {("memo", one) for one in used}
