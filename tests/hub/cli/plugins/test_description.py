"""What `hub plugins show` tells of a class: hosts, capabilities, limits, duties, what happens after a doubt, options."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import timedelta
from typing import Any, Literal

import pytest
from pydantic import Field, SecretStr

from hub import (
    Compliance,
    Context,
    Delivery,
    Destination,
    Ignored,
    Limit,
    Lookup,
    Native,
    NoIdempotency,
    ObjectInfo,
    Options,
    Outcome,
    Page,
    PollingSource,
    RawItem,
    RemoteRef,
    Reply,
    Upsert,
)
from hub.cli.plugins.description import (
    BY_OPTIONS,
    after_a_doubt,
    described,
    duty,
    hosts_of,
    options_of,
    overrides,
    span,
)
from hub.sdk.connectors import Idempotency
from tests.hub.cli.conftest import Cli


class PierOptions(Options):
    url: str = Field(default="https://pier.example", description="Address")
    token: SecretStr | None = None
    mode: Literal["in", "out"] = "in"
    tags: tuple[str, ...] = ()
    berth: int


class Pier(PollingSource[PierOptions]):
    """Tells of ships."""

    name = "pier"
    network = "pier"
    Options = PierOptions
    limits = (Limit(300, 300),)
    compliance = Compliance(timedelta(hours=24), keep=timedelta(days=30), terms="the harbour's")
    reply_idempotency = Native(timedelta(hours=1))

    def egress(self) -> tuple[str, ...]:
        return (self.options.url.partition("://")[2],)

    def pull(self, ctx: Context, cursor: Any) -> Iterator[Page]:
        yield from ()

    def translate(self, raw: RawItem) -> Ignored:
        return Ignored("a ship")

    def reply(self, ctx: Context, reply: Reply) -> RemoteRef:
        return RemoteRef("1")


class Quay(Destination[Options]):
    """Takes cargo."""

    name = "quay"
    egress_hosts = ("quay.example",)
    capabilities = frozenset({"tombstone"})

    def describe(self, ctx: Context) -> Mapping[str, ObjectInfo]:
        return {}

    def deliver(self, ctx: Context, batch: Sequence[Delivery]) -> list[Outcome]:
        return []


def test_a_source_tells_what_it_declares() -> None:
    said = described("source", Pier)
    assert {name: said[name] for name in ("kind", "name", "network", "about")} == {
        "kind": "source",
        "name": "pier",
        "network": "pier",
        "about": "Tells of ships.",
    }
    assert said["capabilities"] == ["poll", "reply"]
    assert said["limits"] == ["300 calls in 5 min"]
    assert said["compliance"] == "a deletion is followed within 1 d; kept 30 d at most; terms: the harbour's"
    assert said["idempotency"] == after_a_doubt(Native(timedelta(hours=1)))


def test_a_destination_tells_its_batch_and_what_it_can_take_back() -> None:
    said = described("destination", Quay)
    assert (said["batch_size"], said["capabilities"], said["hosts"]) == (1, ["tombstone"], ["quay.example"])
    assert said["idempotency"] == "a person decides"


def test_hosts_that_options_set_are_shown_with_their_default() -> None:
    assert hosts_of(Pier) == ["pier.example", BY_OPTIONS]


def test_hosts_that_only_options_tell_are_left_to_them() -> None:
    class Jetty(Pier):
        def egress(self) -> tuple[str, ...]:
            return (f"berth-{self.options.berth}.example",)

    assert hosts_of(Jetty) == [BY_OPTIONS]


def test_a_default_body_is_no_override_and_a_body_in_between_is_one() -> None:
    class Jetty(Pier):
        pass

    assert [overrides(Jetty, name) for name in ("reply", "recheck", "check")] == [True, False, False]


@pytest.mark.parametrize(
    ("length", "said"), [(60, "1 min"), (90, "90 s"), (7200, "2 h"), (86_400, "1 d"), (0, "0 d"), (604_800, "7 d")]
)
def test_a_span_is_told_in_its_largest_whole_unit(length: int, said: str) -> None:
    assert span(timedelta(seconds=length)) == said


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        (Upsert(), "sent again: the same record again changes nothing"),
        (Native(timedelta(hours=2)), "sent again within 2 h"),
        (Lookup(timedelta(minutes=1)), "looked up by our mark after 1 min"),
        (NoIdempotency(), "a person decides"),
    ],
)
def test_what_happens_after_a_doubt_is_told_in_words(kind: Idempotency, words: str) -> None:
    assert after_a_doubt(kind).startswith(words)


def test_a_duty_without_terms_is_told_alone() -> None:
    assert duty(Compliance(timedelta(days=7))) == "a deletion is followed within 7 d"


def test_options_are_rows_with_type_default_and_help() -> None:
    rows = options_of(PierOptions.model_json_schema())
    assert [(row["name"], row["type"], row["default"], row["about"]) for row in rows] == [
        ("url", "string", '"https://pier.example"', "Address"),
        ("token", "secret", "null", None),
        ("mode", '"in" or "out"', '"in"', None),
        ("tags", "array of string", "[]", None),
        ("berth", "integer", "required", None),
    ]


def names(found: Iterable[Mapping[str, Any]]) -> list[tuple[str, str]]:
    return [(one["kind"], one["name"]) for one in found]


def test_each_class_of_a_plugin_is_shown(cli: Cli) -> None:
    assert names(cli("plugins", "show", "webhook", "--json").json) == [
        ("source", "webhook"),
        ("destination", "webhook"),
    ]


def test_modules_of_an_extra_are_named(cli: Cli) -> None:
    assert [one["libraries"] for one in cli("plugins", "show", "bluesky", "--json").json] == [["atproto"]]
    assert "mastodon of hubbub" in cli("plugins", "show", "mastodon").out


@pytest.mark.parametrize(
    "words", ["300 calls in 5 min", "poll, recheck, reply", "a deletion is followed within 1 d", "Address, like"]
)
def test_the_text_has_limits_capabilities_duties_and_help(cli: Cli, words: str) -> None:
    assert words in cli("plugins", "show", "mastodon").out
