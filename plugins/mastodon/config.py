"""Options of the Mastodon source."""

from __future__ import annotations

import re
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, SecretStr, model_validator

from hub import Options
from hub.sdk.addresses import is_host, web_parts

VISIBILITIES = ("public", "unlisted", "private", "direct")
"""Mastodon's words for who may see a status, the widest first."""
NOTIFICATIONS = (
    *(
        "mention",
        "status",
        "reblog",
        "favourite",
        "poll",
        "update",
        "quote",
        "quoted_update",
        "reaction",
        "emoji_reaction",
    ),
    *("follow", "follow_request", "move", "severed_relationships", "moderation_warning", "annual_report"),
)
"""Types of notifications; those of forks and of moderators hold a dot or a colon (admin.report, pleroma:report)."""


def _instance(url: str) -> str:
    """Return the address without a path. Raises ValueError if it is none."""
    url = url.strip().rstrip("/")
    parts = web_parts(url if "://" in url else f"https://{url}")
    if parts.path or parts.query or parts.fragment or parts.username:
        raise ValueError("the address of an instance, like https://mastodon.example")
    return f"{parts.scheme}://{parts.netloc}"


def _hashtag(name: str) -> str:
    """Return the tag without `#`. Raises ValueError if it is no hashtag."""
    name = name.strip().removeprefix("#")
    if not re.fullmatch(r"[\w·\u200c]+", name):
        raise ValueError("a hashtag holds letters, digits and _ only")
    return name


def _account(text: str) -> str:
    """Return an account without what is written around it. Raises ValueError if it can name none."""
    name = text.strip().removeprefix("acct:").removeprefix("@")
    user, at, server = name.partition("@")
    if name.startswith(("https://", "http://")):
        fits = bool(web_parts(name).path.strip("/"))
    else:
        fits = bool(re.fullmatch(r"[\w.-]+", user)) and is_host(server) == bool(at)
    if not fits:
        raise ValueError("an account is acme, acme@mastodon.example, its address or its id")
    return name


def _notification_type(word: str) -> str:
    if word not in NOTIFICATIONS and not re.fullmatch(r"\w+[.:]\w+", word):
        raise ValueError(f'"{word}" is none of {", ".join(NOTIFICATIONS)}')
    return word


class MastodonOptions(Options):
    """Which instance is asked, by which account, and for what."""

    instance: Annotated[str, AfterValidator(_instance)] = Field(description="Address, like https://mastodon.example")
    token: SecretStr | None = Field(default=None, description="Access token; the README names its scopes")
    hashtags: tuple[Annotated[str, AfterValidator(_hashtag)], ...] = Field(default=(), description="Tags to follow")
    public: bool = Field(default=False, description="The federated timeline")
    local: bool = Field(default=False, description="The timeline of the instance's own accounts")
    notifications: bool = Field(default=False, description="Mentions of the account of the token")
    notification_types: tuple[Annotated[str, AfterValidator(_notification_type)], ...] = Field(
        default=("mention",), min_length=1, description="Types of notifications to ask for"
    )
    conversations: bool = Field(default=False, description="Direct conversations of the account of the token")
    own_account: Annotated[str, AfterValidator(_account)] | None = Field(
        default=None, description="Our account: acct, address or id; its posts are ours"
    )
    reply_visibility: Literal["public", "unlisted", "private", "direct"] = Field(
        default="public", description="Who may see an answer at most; never more than may see the post"
    )
    recheck_origins: bool = Field(default=False, description="Ask a post's own server whether it still exists")
    backfill: int = Field(default=40, ge=0, le=4000, description="Items a stream taken at the first fetch")
    timeout: float = Field(default=30.0, gt=0, le=300, description="Seconds for one request")

    @model_validator(mode="after")
    def _check(self) -> MastodonOptions:
        if not self.streams():
            raise ValueError("choose at least one of hashtags, public, local, notifications, conversations")
        if (self.notifications or self.conversations) and not self.token:
            raise ValueError("notifications and conversations belong to an account: a token is needed")
        return self

    def streams(self) -> tuple[str, ...]:
        """Return the names of the chosen streams, as the cursor uses them; what is closest to us comes first."""
        chosen = {
            "notifications": self.notifications,
            "conversations": self.conversations,
            "local": self.local,
            "public": self.public,
        }
        tags = tuple(f"tag:{name}" for name in dict.fromkeys(self.hashtags))
        return tuple(name for name, wanted in chosen.items() if wanted) + tags
