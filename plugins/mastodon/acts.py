"""What our account does to a post besides answering it: likes and takes them back, deletes what it said. Each may be repeated.

Mastodon knows no hiding of others' answers: muting a conversation or filtering concern only what we see ourselves.
"""

from __future__ import annotations

from hub import Act, Context, Outcome, Rejected, RemoteRef
from plugins.mastodon.client import Instance, Json
from plugins.mastodon.config import MastodonOptions
from plugins.mastodon.reply import find_status

ACTS = frozenset(("like", "unlike", "delete_own"))
_FAVOURITES = "write:favourites"


def perform(ctx: Context, options: MastodonOptions, act: Act) -> Outcome:
    """Do it; what is done already is done. Raises Rejected if the post is gone (a like) or is not ours (a deletion)."""
    instance = Instance(ctx, options)
    status = find_status(instance, options, act.to, act.raw)
    if act.kind == "like":
        return _like(instance, act, status)
    if status is not None and act.kind == "unlike":
        id_ = str(status["id"])
        instance.write(lambda library: library.status_unfavourite(id_), scope=_FAVOURITES)
    elif status is not None:
        _delete(instance, status)
    return Outcome.delivered(act)  # a post that is gone bears no like, and is deleted


def _like(instance: Instance, act: Act, status: Json | None) -> Outcome:
    if status is None:
        raise Rejected("the post is gone, or is not shown to us any more", code="gone")
    id_ = str(status["id"])
    instance.write(lambda library: library.status_favourite(id_), scope=_FAVOURITES)
    return Outcome.delivered(act, RemoteRef(act.to.native_id, act.to.url))


def _delete(instance: Instance, status: Json) -> None:
    account = status.get("account")
    if not isinstance(account, dict) or str(account.get("id")) != instance.own_id():
        raise Rejected("the post is not ours: only its author can delete it", code="not_ours")
    id_ = str(status["id"])
    try:
        instance.write(lambda library: library.status_delete(id_))
    except Rejected as error:
        if error.code != "gone":
            raise
        # Not found may also mean that the server knows no such call (snac).
        if not instance.is_gone(id_):
            raise Rejected("the server deletes no posts by its API", code="no_delete") from error
