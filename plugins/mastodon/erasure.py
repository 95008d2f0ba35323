"""Posts that are gone: a silent server, a suspended account or a page for people is no proof that one is gone."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from hub import Context, HttpResponse, Rejected, Retryable, Signal, Tombstone
from plugins.mastodon.client import Instance
from plugins.mastodon.config import MastodonOptions
from plugins.mastodon.reply import local_id

BATCH = 20
_ACTIVITY = 'application/ld+json; profile="https://www.w3.org/ns/activitystreams", application/activity+json'
_OPEN = frozenset(("public", "unlisted"))


def find_gone(ctx: Context, options: MastodonOptions, signals: Sequence[Signal]) -> list[Tombstone]:
    """Return tombstones of those that are gone. The API knows posts of other servers by ids that their signals do not hold."""
    own = {signal.key: found for signal in signals if (found := local_id(signal.native_id, options.instance))}
    gone = set(_gone_here(Instance(ctx, options), own))
    if options.recheck_origins:
        others = [signal for signal in signals if signal.key not in own and signal.visibility in _OPEN]
        gone.update(signal.key for signal in others if _gone_there(ctx, signal.native_id))
    return [Tombstone(signal.key, "user_deleted", ctx.now()) for signal in signals if signal.key in gone]


def _gone_here(instance: Instance, own: dict[str, tuple[str, str]]) -> Iterable[str]:
    """Return the keys of those that our instance has no more, although their author is there."""
    there = _there(instance, [id_ for _, id_ in own.values()]) if own else frozenset()
    for key, (account, id_) in own.items():
        if id_ not in there and instance.is_gone(id_) and not _is_suspended(instance, account):
            yield key


def _there(instance: Instance, ids: list[str]) -> frozenset[str]:
    """Return those that one call shows; none if the server knows no such call (Mastodon before 4.3)."""
    try:
        return frozenset(str(status.get("id")) for status in instance.statuses(ids))
    except Rejected:
        return frozenset()


def _is_suspended(instance: Instance, account: str) -> bool:
    """Return True if the author is suspended: the posts are hidden then, and may come back."""
    found = instance.account_named(account)
    return bool(found and found.get("suspended"))


def _gone_there(ctx: Context, uri: str) -> bool:
    """Return what the post's own server says to everyone: gone (410), not there (404, by a program's answer), or a Tombstone."""
    try:
        answer = ctx.http.send("GET", uri, headers={"accept": _ACTIVITY})
    except (Retryable, Rejected) as error:
        ctx.log.info("a post's own server cannot be asked whether it still exists: %s", type(error).__name__)
        return False
    body = answer.json()
    if answer.status == 200:
        return isinstance(body, dict) and body.get("type") == "Tombstone" and body.get("id") == uri
    return answer.status == 410 or (answer.status == 404 and _by_program(answer) and isinstance(body, dict))


def _by_program(answer: HttpResponse) -> bool:
    return "json" in answer.headers.get("content-type", "")
