"""The values that flow through the hub: frozen, typed, JSON both ways.

Words are ActivityStreams 2.0's for posts and their authors, schema.org's for reviews and counts. Times are UTC and aware,
ids are strings, unknown is None (never 0 or ""). A step changes a value by copy: `msgspec.structs.replace(signal, lang="fr")`.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Literal, NamedTuple, get_args

import msgspec

Kind = Literal[
    "post", "comment", "reply", "repost", "quote", "mention", "message", "review", "question", "issue", "article"
]
Visibility = Literal["public", "unlisted", "followers", "direct", "internal"]
SignalState = Literal["live", "edited", "deleted", "hidden", "expired"]
Origin = Literal["source", "hub"]
CanReply = Literal["yes", "no", "unknown"]
ActKind = Literal["like", "unlike", "hide", "unhide", "delete_own", "private_reply"]
LabelledBy = Literal["enricher", "person"]
ConversationState = Literal["open", "pending", "closed"]
ChangeKind = Literal["reply", "note", "status", "assignee", "tags", "merged", "deleted", "field"]
Basis = Literal["opt_in", "given_by_person", "public_self_link", "order_reference", "agent_decision"]
TombstoneReason = Literal["user_deleted", "account_deleted", "erasure", "expired"]

ACTS: tuple[ActKind, ...] = get_args(ActKind)
"""What may be done to a post besides answering it; a source names those that its network has among its capabilities."""

GONE: tuple[SignalState, ...] = ("deleted", "expired")
"""States of a post that is not there any more."""


class Value(msgspec.Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=False):
    """The base of all values: defaults are left out of the JSON."""


class RawItem(Value, frozen=True):
    """What a network sent, as exact as it can be had; immutable, kept, and what replay reads.

    `payload` is the item's exact bytes if obtainable, else canonical JSON. `external_id` tells items of a source apart
    (not yet the signal's native id); `revision` is the network's version of the item if it has one (a CID, an edit time).
    """

    source: str
    plugin: str
    payload: bytes
    received_at: datetime
    external_id: str
    realm: str = ""
    revision: str = ""


class Media(Value, frozen=True):
    """An attachment: `kind` is image, video, audio, link or file."""

    kind: str
    url: str
    alt: str | None = None
    mime: str | None = None


class Counts(Value, frozen=True):
    """Interaction counts as the network gave them; None if it gives none."""

    likes: int | None = None
    replies: int | None = None
    shares: int | None = None
    quotes: int | None = None
    views: int | None = None


class Rating(Value, frozen=True):
    """A review's rating on its own scale."""

    value: float
    best: float = 5.0
    worst: float = 1.0


class Provenance(Value, frozen=True):
    """The origin of a signal: the source's name, its plugin, and the raw row (0 before it is stored)."""

    source: str
    plugin: str
    raw_id: int = 0


class Signal(Value, frozen=True):
    """One thing that a person said, on any network.

    `published_at` is trusted (for networks whose authors claim the time: the claim unless it lies in the future of
    `observed_at`); `claimed_at` keeps an untrusted claim. `content_hash` covers content only, never counts.
    `conversation_key` is the root's key (its own if it is the root); None from translate means "the root is myself".
    `aliases` are further keys of this post: what a network calls it in some place only (an instance's local id);
    `parent_alias` is such a key of the post answered, if the network names it by nothing else.
    """

    key: str
    network: str
    native_id: str
    kind: Kind
    text: str
    author_key: str | None
    published_at: datetime
    observed_at: datetime
    realm: str = ""
    url: str | None = None
    html: str | None = None
    title: str | None = None
    lang: str | None = None
    claimed_at: datetime | None = None
    updated_at: datetime | None = None
    in_reply_to: str | None = None
    conversation_key: str | None = None
    quotes: str | None = None
    mentions: tuple[str, ...] = ()
    hashtags: tuple[str, ...] = ()
    media: tuple[Media, ...] = ()
    visibility: Visibility = "public"
    counts: Counts = Counts()
    rating: Rating | None = None
    can_reply: CanReply = "unknown"
    state: SignalState = "live"
    origin: Origin = "source"
    revision: str = ""
    content_hash: str = ""
    provenance: Provenance | None = None
    aliases: tuple[str, ...] = ()
    parent_alias: str | None = None


class Author(Value, frozen=True):
    """One account on one network; `key` comes from the immutable id, `handle` may change."""

    key: str
    network: str
    native_id: str
    realm: str = ""
    handle: str | None = None
    display_name: str | None = None
    url: str | None = None
    avatar_url: str | None = None
    bio: str | None = None
    followers: int | None = None
    verified: bool | None = None
    is_bot: bool | None = None
    handle_history: tuple[str, ...] = ()


class Person(Value, frozen=True):
    """The hub's own: a person behind one or more authors. `merged_into` names the person that this one was merged into.

    `company_domain` says for which company this person speaks: `account_key` is its key, `company` only its name.
    """

    key: str
    display_name: str
    emails: tuple[str, ...] = ()
    owner: str | None = None
    merged_into: str | None = None
    company: str | None = None
    company_domain: str | None = None
    account_key: str | None = None


class IdentityLink(Value, frozen=True):
    """Says that an author is a person, on what ground, and who says so.

    `evidence` is for people: a link to the ground (a message, an order, a profile page).
    """

    author_key: str
    person_key: str
    basis: Basis
    evidence: str
    by: str
    at: datetime
    confidence: float = 1.0
    revoked_at: datetime | None = None


class Tombstone(Value, frozen=True):
    """A post that is gone: only the hashed key stays, so that a later crawl cannot bring it back."""

    key: str
    reason: TombstoneReason
    at: datetime


class Translated(Value, frozen=True):
    """What a raw item says; `left_out` is what it also held and no value holds, in a few words: it is told on the raw item."""

    signals: tuple[Signal, ...] = ()
    authors: tuple[Author, ...] = ()
    tombstones: tuple[Tombstone, ...] = ()
    left_out: str = ""


class Ignored(Value, frozen=True):
    """A raw item that is no signal (a like, a follow), with the reason."""

    reason: str


class Label(Value, frozen=True):
    """A judgement of a signal; `score` in [-1, 1] or [0, 1] by name, `confidence` in [0, 1]."""

    name: str
    value: str
    model: str
    score: float | None = None
    confidence: float | None = None
    version: str = ""
    by: LabelledBy = "enricher"


class RemoteRef(Value, frozen=True):
    """A record at a destination: its id there, and its link for people."""

    id: str
    url: str | None = None


class Change(Value, frozen=True):
    """Something that was done to a record at a destination, by a person or a program there.

    `object` is named as mappings do, `remote_id` is the record's id there. `event_id` is unique within the connection: each is
    handled once. `part_id` is the id of what was added (a comment). `value` by kind: "status" and "assignee" a word, "tags" the
    whole list, "merged" the winner's id, "field" names to values; "reply" (public) and "note" carry `text`, plain. `deleted`
    has none. `ours` is true if the plugin can tell that the hub itself did it.
    """

    kind: ChangeKind
    object: str
    remote_id: str
    event_id: str
    at: datetime | None = None
    actor_id: str = ""
    actor: str = ""
    value: Any = None
    text: str = ""
    part_id: str = ""
    ours: bool = False


class Unread(Value, frozen=True):
    """A part of a destination's call that cannot be read, and why; `payload` is a body of its own, with this part alone.

    It is kept by itself, so that it can be tried again after a fix, while the others are handled.
    """

    payload: bytes
    reason: str


class Reply(Value, frozen=True):
    """What an agent wants to say to the author of a signal, as a source gets it.

    `key` is the same for every attempt; `raw` is the item that `to` was made of (a network's local ids are in it);
    `first_sent_at` is set from the second attempt on.
    """

    key: str
    text: str
    to: Signal
    author: Author | None = None
    raw: RawItem | None = None
    agent: str = ""
    attempt: int = 1
    first_sent_at: datetime | None = None


class Act(Value, frozen=True):
    """What an agent wants done to a post, as a source gets it: a delivery as any other.

    `like` and `unlike` are our account's own; `hide` and `unhide` concern what others see below a post of ours, and exist only
    if the network has that very thing; `delete_own` takes back the post `to`, which is ours; `private_reply` says `text` to
    the author alone. `id` is the delivery's, `key` the same for every attempt; each act may be repeated without harm.
    """

    id: int
    kind: ActKind
    key: str
    to: Signal
    text: str = ""
    author: Author | None = None
    raw: RawItem | None = None
    agent: str = ""
    attempt: int = 1
    first_sent_at: datetime | None = None


class Record(Value, frozen=True):
    """What a mapping made: the wish that `object` at `destination` holds `fields` under `key`.

    `stable` is a hash over the fields that may cause a write (never counts). `provides` and `needs` order deliveries: one
    waits while another of the same destination that provides what it needs is open. `key_field` is the destination's field
    that holds `key`; `once` names fields that are written only when the record is made (a person may change them after).
    `written` is for tombstones, see `Delivery`.
    """

    destination: str
    object: str
    key: str
    operation: str
    fields: Mapping[str, Any]
    mapping: str
    mapping_version: str
    stable: str
    key_field: str = ""
    once: tuple[str, ...] = ()
    provides: str = ""
    needs: tuple[str, ...] = ()
    written: Mapping[str, str] = {}


class Planned(NamedTuple):
    """A record that a signal asks for, with the rule that asked; `state` dead or approval tells why not in `error`.

    `forced`: it is written though nothing that weighs has changed, and weighs what the record weighed before.
    """

    record: Record
    signal_key: str
    rule: str
    state: str = "pending"
    error: dict[str, Any] | None = None
    forced: bool = False


class Delivery(Value, frozen=True):
    """One row of the ledger, as a destination gets it.

    `ref` is the record's own reference if an earlier delivery made it, `parents` maps what `needs` names by kind
    ("author", "conversation") to the references that the destination gave. `first_sent_at` is set from the second attempt on.
    `once` names the fields that may only fill what is empty, if the record turns out to be there already. `written` is for
    tombstones: the fields that were ever written, by name; of a field that people may change after (`once`) a digest of what
    was written (`hub.core.erasure.fingerprint`), else "".
    """

    id: int
    destination: str
    object: str
    record_key: str
    operation: str
    seq: int
    key: str
    fields: Mapping[str, Any]
    key_field: str = ""
    attempt: int = 1
    signal_key: str | None = None
    ref: RemoteRef | None = None
    parents: Mapping[str, RemoteRef] = {}
    first_sent_at: datetime | None = None
    once: tuple[str, ...] = ()
    written: Mapping[str, str] = {}
