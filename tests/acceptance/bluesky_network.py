"""Bluesky's own network on this machine, and the few XRPC calls that a person's app would make there."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import datetime
from itertools import count
from typing import Any

import httpx

from hub.runtime import system_clock
from tests.acceptance.servers import until

PDS = "http://localhost:12583"
_PASSWORD = "hunter2pw"
_NUMBERS = count(1)


@dataclass(frozen=True)
class BlueskyAccount:
    """An account; `app_password` is what a connection of the hub gets."""

    handle: str
    did: str
    token: str = field(repr=False)
    app_password: str = field(repr=False)


@dataclass(frozen=True)
class Posted:
    """A post as its author's app knows it."""

    uri: str
    cid: str

    @property
    def ref(self) -> dict[str, str]:
        """A strong reference, for replies and quotes."""
        return {"uri": self.uri, "cid": self.cid}


@dataclass
class BlueskyNetwork:
    """The running network: `pds` is the URL that a connection's `service` takes; brand is ours, customer is somebody else."""

    client: httpx.Client
    brand: BlueskyAccount
    customer: BlueskyAccount
    pds: str = PDS
    took: dict[str, float] = field(default_factory=dict)

    def post(
        self,
        account: BlueskyAccount,
        text: str,
        *,
        reply_to: tuple[Posted, Posted] | None = None,
        quote: Posted | None = None,
        created_at: datetime | None = None,
    ) -> Posted:
        """Write a post; every `@handle` of a known account becomes a mention. `reply_to` is (root, parent)."""
        at = (created_at or system_clock()).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        record: dict[str, Any] = {"$type": "app.bsky.feed.post", "text": text, "createdAt": at, "langs": ["en"]}
        record["facets"] = self._facets(text)
        if reply_to:
            record["reply"] = {"root": reply_to[0].ref, "parent": reply_to[1].ref}
        if quote:
            record["embed"] = {"$type": "app.bsky.embed.record", "record": quote.ref}
        written = self._write(account, "createRecord", collection="app.bsky.feed.post", record=record)
        return Posted(written["uri"], written["cid"])

    def like(self, account: BlueskyAccount, post: Posted) -> None:
        """Like a post."""
        at = system_clock().isoformat(timespec="milliseconds").replace("+00:00", "Z")
        record = {"$type": "app.bsky.feed.like", "subject": post.ref, "createdAt": at}
        self._write(account, "createRecord", collection="app.bsky.feed.like", record=record)

    def delete(self, account: BlueskyAccount, post: Posted) -> None:
        """Take a post back."""
        self._write(account, "deleteRecord", collection="app.bsky.feed.post", rkey=post.uri.rpartition("/")[2])

    def notifications(self, account: BlueskyAccount) -> list[dict[str, Any]]:
        """What the account's app would show, newest first."""
        found: list[dict[str, Any]] = self._get(account, "app.bsky.notification.listNotifications")["notifications"]
        return found

    def thread(self, account: BlueskyAccount, post: Posted) -> dict[str, Any]:
        """A post with its replies as the AppView shows them; empty where it is gone."""
        found: dict[str, Any] = self._get(account, "app.bsky.feed.getPostThread", uri=post.uri).get("thread", {})
        return found

    def _facets(self, text: str) -> list[dict[str, Any]]:
        known = {account.handle: account.did for account in (self.brand, self.customer)}
        return [
            {
                # Facets count bytes.
                "index": {"byteStart": len(text[: at.start()].encode()), "byteEnd": len(text[: at.end()].encode())},
                "features": [{"$type": "app.bsky.richtext.facet#mention", "did": known[at[1]]}],
            }
            for at in re.finditer(r"@([a-z0-9.-]+[a-z0-9])", text)
            if at[1] in known
        ]

    def _write(self, account: BlueskyAccount, method: str, **body: Any) -> Any:
        return _call(self.client, f"com.atproto.repo.{method}", {"repo": account.did, **body}, token=account.token)

    def _get(self, account: BlueskyAccount, method: str, **params: str) -> Any:
        headers = {"authorization": f"Bearer {account.token}"}
        return self.client.get(f"{PDS}/xrpc/{method}", params=params, headers=headers).json()


def _call(client: httpx.Client, method: str, body: dict[str, Any], *, token: str = "") -> Any:
    headers = {"authorization": f"Bearer {token}"} if token else {}
    answer = client.post(f"{PDS}/xrpc/{method}", json=body, headers=headers)
    answer.raise_for_status()
    return answer.json() if answer.content else {}


def is_up(client: httpx.Client) -> bool:
    """Whether the PDS answers."""
    return client.get(f"{PDS}/xrpc/_health").is_success


def make_account(client: httpx.Client, name: str) -> BlueskyAccount:
    """A new account that the AppView knows too (it indexes accounts a moment after the PDS made them)."""
    handle = f"{name}{next(_NUMBERS)}.test"
    body = {"handle": handle, "email": f"{handle}@example.com", "password": _PASSWORD}
    made = _call(client, "com.atproto.server.createAccount", body)
    token, profile = made["accessJwt"], f"{PDS}/xrpc/app.bsky.actor.getProfile"
    headers = {"authorization": f"Bearer {token}"}
    until(
        lambda: client.get(profile, params={"actor": made["did"]}, headers=headers).is_success,
        seconds=20,
        what=f"profile of {handle}",
    )
    secret = _call(client, "com.atproto.server.createAppPassword", {"name": "hub"}, token=token)["password"]
    return BlueskyAccount(handle, made["did"], token, secret)
