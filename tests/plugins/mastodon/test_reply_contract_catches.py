"""The contract of answering sources finds the defects that it is there for."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import uuid4

import msgspec
import pytest

from hub import ConnectorError, Context, RemoteRef, Reply, Signal, Tombstone
from hub.core.errors import Rejected
from plugins.mastodon.source import MastodonSource
from tests.plugins.mastodon.test_reply_contract import TestMastodonReplies as Contract


class Doubling(MastodonSource):
    def compose(self, reply: Reply) -> str:
        return f"@ann@m.example {reply.text}"


class Forgetful(MastodonSource):
    def reply(self, ctx: Context, reply: Reply) -> RemoteRef:
        return super().reply(ctx, msgspec.structs.replace(reply, key=uuid4().hex, attempt=1))


class Misnaming(MastodonSource):
    def reply(self, ctx: Context, reply: Reply) -> RemoteRef:
        return RemoteRef(super().reply(ctx, reply).url or "")


class Loud(MastodonSource):
    def reply(self, ctx: Context, reply: Reply) -> RemoteRef:
        try:
            return super().reply(ctx, reply)
        except ConnectorError as error:
            assert self.options.token is not None
            raise Rejected(f"{error}: {self.options.token.get_secret_value()}") from error


class Blind(MastodonSource):
    def find_reply(self, ctx: Context, reply: Reply) -> RemoteRef | None:
        return None


class Guessing(MastodonSource):
    def find_reply(self, ctx: Context, reply: Reply) -> RemoteRef | None:
        return RemoteRef("https://m.example/users/brand/statuses/1")


class Hasty(MastodonSource):
    def recheck(self, ctx: Context, signals: Sequence[Signal]) -> Sequence[Tombstone]:
        return [Tombstone(one.key, "user_deleted", ctx.now()) for one in signals]


@pytest.mark.parametrize(
    ("broken", "test"),
    [
        (Doubling, "test_composing_is_pure_and_adds_nothing_twice"),
        (Forgetful, "test_the_same_key_twice_is_one_post"),
        (Forgetful, "test_after_a_lost_answer_there_is_one_post"),
        (Misnaming, "test_an_answer_is_posted_under_the_id_that_its_signal_will_have"),
        (Loud, "test_a_post_that_is_gone_cannot_be_answered"),
        (Blind, "test_after_the_networks_memory_a_post_is_found_again"),
        (Guessing, "test_what_was_never_posted_is_not_found"),
        (Hasty, "test_a_recheck_finds_what_is_gone_and_nothing_else"),
        (Hasty, "test_what_is_only_hidden_is_not_gone"),
        (Hasty, "test_a_network_that_is_down_has_lost_nothing"),
    ],
)
def test_a_broken_source_is_found_out(broken: type[MastodonSource], test: str) -> None:
    suite = type("Suite", (Contract,), {"source": broken})()
    with pytest.raises(AssertionError):
        getattr(suite, test)()
