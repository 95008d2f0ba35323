"""Options of a Bluesky connection."""

from __future__ import annotations

import re
from typing import Annotated, Self
from unicodedata import normalize

from pydantic import AfterValidator, Field, SecretStr, StringConstraints, model_validator

from hub import Options
from hub.core.grammar.fold import plain
from hub.sdk.addresses import is_host, web_parts


def _check_service(url: str) -> str:
    if web_parts(url).query:
        raise ValueError("must be the http(s) URL of a PDS, such as https://bsky.social")
    return url.rstrip("/").removesuffix("/xrpc")


# The page's URL is what people copy; the API takes the at-uri.
_THREAD = re.compile(r"(?:at:/|https?://[^/]+/profile)/([^/]+)/(?:app\.bsky\.feed\.)?post/([^/?#]+)/?")


def _check_thread(uri: str) -> str:
    if found := _THREAD.fullmatch(uri):
        return f"at://{found[1]}/app.bsky.feed.post/{found[2]}"
    raise ValueError("must be a post: at://DID/app.bsky.feed.post/RKEY or https://bsky.app/profile/WHO/post/RKEY")


# What people paste: a handle with its @, an address of a profile, an at-uri.
_ACCOUNT = re.compile(r"(?:(?:https?://)?[^/@]+/profile/|at://|@)?([^/?#]+?)[./]*(?:[?#].*)?", re.IGNORECASE)


def _plain_account(account: str) -> str:
    text = normalize("NFKC", plain(account)).strip()  # the app copies handles with marks of direction
    found = _ACCOUNT.fullmatch(text)
    name = found[1] if found else text
    return name if name.casefold().startswith("did:") else name.casefold()  # the letters of a DID count


_DID = re.compile(r"did:[a-z]+:[\w.:%-]+")


def _check_handle(text: str) -> str:
    is_mail = "@" in text.strip("@")  # the log-in takes one too; what is ours is known by the account's DID then
    host = text.rpartition("@")[2] if is_mail else text
    if not _DID.fullmatch(text) and not ("." in host and ":" not in host and is_host(host)):
        raise ValueError("must be a handle alone, such as acme.bsky.social, or a DID")
    return text


Query = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=500)]


class BlueskyOptions(Options):
    """Which account reads, and what it reads.

    `backfill_hours` is how far the first poll of a search or of the notifications looks back; `max_pages` bounds one poll of
    one of them, in pages of 100 posts, newest first. Answers go to those who tagged us, unless `reply_to_all`; `bot_label`
    marks each of them as a bot's.
    """

    service: Annotated[str, AfterValidator(_check_service)] = Field(
        default="https://bsky.social", description="URL of the account's PDS"
    )
    handle: Annotated[str, AfterValidator(_plain_account), AfterValidator(_check_handle)] = Field(
        description="Handle or DID of the account that reads; what it wrote is ours"
    )
    app_password: SecretStr = Field(description="An app password, not the account's own")
    mentions: bool = Field(default=True, description="Read the notifications: mentions, replies, quotes")
    searches: tuple[Query, ...] = Field(default=(), description="Queries in Bluesky's search syntax")
    threads: tuple[Annotated[str, AfterValidator(_check_thread)], ...] = Field(
        default=(), description="Posts whose threads are read, as at-uri or URL"
    )
    backfill_hours: Annotated[float, Field(ge=0, le=24 * 365)] = Field(
        default=24, description="How far the first poll of mentions and searches looks back"
    )
    max_pages: Annotated[int, Field(ge=1, le=500)] = Field(
        default=50, description="Pages of 100 posts that one poll of one search reads at most"
    )
    reply_to_all: bool = Field(default=False, description="Answer posts too that did not call us")
    bot_label: bool = Field(default=False, description="Mark each answer as a bot's")

    @model_validator(mode="after")
    def _reads_something(self) -> Self:
        if not (self.mentions or self.searches or self.threads):
            raise ValueError("nothing to read: set mentions = true, or name searches or threads")
        return self
