"""Acts: what a source does to a post, as the engine sees it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import msgspec
import pytest

from hub import (
    Act,
    Compliance,
    Native,
    Options,
    Outcome,
    RawItem,
    Rejected,
    RemoteRef,
    Signal,
    Source,
    Upsert,
    signal_key,
)
from hub.core.model import ACTS, ActKind, Ignored
from hub.testkit.fakes import context

NOON = datetime(2026, 1, 2, 12, tzinfo=UTC)
POST = Signal(
    key=signal_key("mute", "1"),
    network="mute",
    native_id="1",
    kind="post",
    text="?",
    author_key=None,
    published_at=NOON,
    observed_at=NOON,
)


class MuteSource(Source[Options]):
    """A source that can only listen."""

    name = "mute"
    network = "mute"
    compliance = Compliance(delete_within=timedelta(days=1))
    reply_idempotency = Native(timedelta(hours=1))

    def translate(self, raw: RawItem) -> Ignored:
        return Ignored("no signal")


@pytest.mark.parametrize("kind", ACTS)
def test_a_source_refuses_each_act_that_it_does_not_have(kind: ActKind) -> None:
    with pytest.raises(Rejected, match=f"mute has no {kind}"):
        MuteSource(Options()).act(context(), Act(7, kind, "key", POST))


def test_all_acts_may_be_repeated_and_a_private_reply_as_other_replies() -> None:
    source = MuteSource(Options())
    repeated = {kind: source.act_idempotency(kind) for kind in ACTS}
    assert repeated.pop("private_reply") == MuteSource.reply_idempotency
    assert set(repeated.values()) == {Upsert()}


def test_an_act_survives_json() -> None:
    act = Act(7, "private_reply", "key", POST, text="Hello", agent="Kim", attempt=2, first_sent_at=NOON)
    assert msgspec.json.decode(msgspec.json.encode(act), type=Act) == act


def test_an_act_has_an_outcome_as_a_delivery_has() -> None:
    act = Act(7, "like", "key", POST)
    assert Outcome.delivered(act, RemoteRef("like/1")) == Outcome(7, ref=RemoteRef("like/1"))
    assert Outcome.failed(act, Rejected("gone")).delivery_id == 7
