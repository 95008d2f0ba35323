"""The people who ask for tickets: found by the author's key, made if they are missing, made nameless on request."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Any

from hub import ConnectorError, Delivery, Rejected, Retryable, Uncertain
from hub.sdk.batches import FOR_ALL, chunks
from hub.sdk.doc import Doc
from plugins.zendesk import translate
from plugins.zendesk.client import Jobs, ZendeskClient
from plugins.zendesk.config import ZendeskOptions

BULK_USERS = "zendesk.bulk_users_refused_at"
ASK_AGAIN = timedelta(days=7)
NAMELESS = "Deleted author"

Users = dict[str, int | ConnectorError]


class Requesters:
    """The users of an account who are authors, for the length of a call."""

    def __init__(self, client: ZendeskClient, options: ZendeskOptions, pause: Callable[[float], None]) -> None:
        self._client = client
        self._jobs = Jobs(client, options, pause)

    def of(self, batch: Sequence[Delivery]) -> Users:
        """Return the id of each requester by external id, or the error that kept it from having one.

        Those who exist are only read: a user may be updated 5 times a minute, and an agent may have corrected the name.
        """
        wanted = {user["external_id"]: user for user in map(translate.requester_of, batch) if user is not None}
        known = self._found(list(wanted))
        # An author who was erased and speaks again is a new one, with a name.
        users: Users = {key: one.get("id") for key, one in known.items() if one.text("name") != NAMELESS}
        missing = [key for key in wanted if key not in users]
        if len(missing) > 1 and self._make_many([wanted[key] for key in missing]):
            users |= self._known(missing)
        for key in missing:
            if key not in users:
                users[key] = self._make(wanted[key])
        return users

    def forget_names(self, keys: Sequence[str]) -> None:
        """Take the names of those users whose external ids these are; they stay, as their tickets need one."""
        for id_ in self._known(keys).values():
            self._client.put(f"users/{id_}", {"user": {"name": NAMELESS}})

    def _make_many(self, users: list[dict[str, Any]]) -> bool:
        """Try the bulk import of users, which most accounts have not enabled: a 403 is remembered for a week."""
        ctx = self._client.ctx
        refused = ctx.state.get(BULK_USERS)
        if refused and ctx.now() < datetime.fromisoformat(refused) + ASK_AGAIN:
            return False
        bodies = [{"users": list(part)} for part in chunks(users, translate.MOST)]
        for answer in self._jobs.run("users/create_or_update_many", bodies):
            if isinstance(answer, Rejected) and answer.details.get("status") == 403:
                ctx.state.set(BULK_USERS, ctx.now().isoformat())
                return False
            if isinstance(answer, FOR_ALL):
                raise answer
        return True

    def _known(self, keys: Sequence[str]) -> dict[str, int]:
        return {key: one.get("id") for key, one in self._found(keys).items()}

    def _found(self, keys: Sequence[str]) -> dict[str, Doc]:
        known: dict[str, Doc] = {}
        for part in chunks(keys, translate.MOST):
            users = self._client.get("users/show_many", external_ids=",".join(part)).docs("users")
            known |= {
                one.id("external_id").lower(): one
                for one in users
                if one.id("external_id") and translate.is_id(one.get("id"))
            }
        return known

    def _make(self, user: dict[str, Any]) -> int | ConnectorError:
        """Create or update one user; a Rejected or a doubt is about this one, anything else is raised."""
        try:
            id_ = self._client.post("users/create_or_update", {"user": user}).get("user.id")
        except (Rejected, Uncertain) as error:
            # Sending it again does no harm, so a doubt is no doubt for the ticket that was not yet sent.
            return error if isinstance(error, Rejected) else Retryable(f"user not yet there: {error}")
        return int(id_) if translate.is_id(id_) else Retryable("Zendesk's answer names no user")


def user_of(delivery: Delivery, users: Users) -> int | None:
    """Return the requester's id, None if the mapping names none. Raises the error that kept it from having one."""
    requester = translate.requester_of(delivery)
    found = users[requester["external_id"]] if requester else None
    if isinstance(found, ConnectorError):
        raise found
    return found
