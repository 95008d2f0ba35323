"""The plugin API: what a connector's author subclasses, and the values that pass between a connector and the engine.

A connector is constructed once for each connection and process with its validated options; every call that may do I/O gets a
`Context`. Classes with default bodies, not protocols: they can grow without breaking anyone.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any, ClassVar, Generic, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict, PrivateAttr, ValidationInfo

from hub.core.errors import ConnectorError, Rejected, TranslationError, Uncertain
from hub.core.grammar.grapheme import graphemes
from hub.core.model import (
    Act,
    ActKind,
    Change,
    Delivery,
    Ignored,
    Label,
    RawItem,
    RemoteRef,
    Reply,
    Signal,
    Tombstone,
    Translated,
    Unread,
)
from hub.sdk.context import Context, Http, HttpResponse, Request, State
from hub.sdk.paths import written_path
from hub.sdk.rates import Limit, Usage
from hub.sdk.traits import (
    Compliance,
    FieldInfo,
    Idempotency,
    Lookup,
    Native,
    NoIdempotency,
    ObjectInfo,
    ReplyRules,
    Upsert,
)


def _from_folder(path: Path, info: ValidationInfo) -> Path:
    folder = (info.context or {}).get("folder")
    return Path(folder) / written_path(path) if folder else path


ConfigPath = Annotated[Path, AfterValidator(_from_folder)]
"""A path in options: a relative one starts at the configuration file's folder."""


class Options(BaseModel):
    """The base of a connector's options: unknown keys are refused, values are frozen. Secrets are `SecretStr`.

    Members of a list may be written as references to secrets too: `is_secret` tells which, and they are never shown.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)
    _hidden: frozenset[str] = PrivateAttr(default=frozenset())

    def is_secret(self, value: str) -> bool:
        """Return True if a member of a list was read from a reference to a secret."""
        return value in self._hidden

    def hide(self, values: Iterable[str]) -> None:
        """Remember what was read from references in lists; called by the hub once the options are read."""
        self._hidden = frozenset(values)

    @property
    def hidden(self) -> frozenset[str]:
        """What was read from references in lists, for redaction."""
        return self._hidden


# ---------------------------------------------------------------------------------------------------------- connectors

OptionsT = TypeVar("OptionsT", bound=Options)


class Connector(ABC, Generic[OptionsT]):
    """The base of sources, destinations and enrichers.

    `name` is the plugin's name in the configuration. `egress_hosts` are the hosts that the connector may reach: exact names,
    `*.example.com`, or `*` for any public host; override `egress` where they depend on options. `inherits` names options
    that take their default from the key of the same name in `[hub]` (such as `languages`). `limits` are what the vendor allows
    a connection at least; `rate` in the configuration takes their place. `libraries` are modules of an extra that are imported
    when they are first needed: without them the plugin is quarantined, with the extra to install.
    """

    name: ClassVar[str]
    Options: ClassVar[type[Options]] = Options
    egress_hosts: ClassVar[tuple[str, ...]] = ()
    inherits: ClassVar[tuple[str, ...]] = ()
    limits: ClassVar[tuple[Limit, ...]] = ()
    libraries: ClassVar[tuple[str, ...]] = ()

    def __init__(self, options: OptionsT) -> None:
        self.options = options

    def egress(self) -> tuple[str, ...]:
        """Return the hosts that this connection may reach."""
        return self.egress_hosts

    def usage(self, headers: Mapping[str, str]) -> Usage | None:
        """Return how much of a window an answer says is used; `RateLimit-Limit`, `-Remaining`, `-Reset` are read without it."""
        return None

    def is_throttled(self, status: int, headers: Mapping[str, str]) -> bool:
        """Return True if an answer asks the whole connection to slow down; override it if a 429 may be about one record only."""
        return status == 429

    def check(self, ctx: Context) -> str:
        """Try the connection (credentials, rights) and say in a few words who we are there; raise a ConnectorError if not."""
        return "no check needed"


@dataclass(frozen=True, slots=True)
class Page:
    """Raw items and the cursor that stands behind them: both are committed in one transaction."""

    items: tuple[RawItem, ...]
    cursor: Any


class Source(Connector[OptionsT]):
    """A network, forum, feed or system that says things.

    `network` names where signals come from (also the prefix of their keys); `sandbox` is a local look-alike of it as
    `module:function` (see `hub.testkit.sandbox`). `whole_documents` is True if a document holds many items (a feed), False
    if each line is one. A source that answers sets `reply_rules` and has `reply`; one that
    can ask whether posts still exist sets `recheck_size` (posts a call) and has `recheck`; one that can like, hide or delete
    names these acts among its `capabilities` and has `act`. With `own_ids` the ids are those of each sender, not of a network
    that all share: a connection's name is its realm unless its option `realm` says otherwise, and what one connection
    brought no other changes. `item_realm` is the realm of an item that is imported, for a source whose options name it.
    """

    network: ClassVar[str]
    own_ids: ClassVar[bool] = False
    capabilities: ClassVar[frozenset[str]] = frozenset()
    compliance: ClassVar[Compliance]
    whole_documents: ClassVar[bool] = False
    sandbox: ClassVar[str] = ""
    reply_rules: ClassVar[ReplyRules | None] = None
    reply_idempotency: ClassVar[Idempotency] = NoIdempotency()
    recheck_size: ClassVar[int] = 0

    @property
    def item_realm(self) -> str:
        """Return the realm of an item that comes alone; "" where the item or its document tells it."""
        return ""

    @abstractmethod
    def translate(self, raw: RawItem) -> Translated | Ignored:
        """Read a raw item: pure, the same answer for ever. Raises TranslationError if the item is broken."""

    def measure(self, text: str) -> int:
        """Return the length of a text as this network counts it, in the unit of `reply_rules.max_length`: by what readers see."""
        return graphemes(text)

    def compose(self, reply: Reply) -> str:
        """Return the text as it will be posted, with what the network needs around it (a mention of the author first): pure."""
        return reply.text

    def reply(self, ctx: Context, reply: Reply) -> RemoteRef:
        """Post the composed text as an answer to `reply.to`, under `reply.key` if the network keeps such keys.

        The reference's id is the native id that a signal of this post would have, so that it is known when it comes back.
        Raises Rejected if the network forbids it (the reason is shown to the agent), Uncertain if no answer came.
        """
        raise Rejected(f"{self.name} cannot reply", code="no_reply")

    def find_reply(self, ctx: Context, reply: Reply) -> RemoteRef | None:
        """Find what an earlier attempt may have posted. Raises Uncertain if it cannot be told."""
        raise Uncertain(f"{self.name} cannot look for a reply")

    def act(self, ctx: Context, act: Act) -> Outcome:
        """Do to a post what `capabilities` name; what is done already is done.

        The reference is that of what was made (a like, a message), None if nothing was. An error that is raised is the
        act's outcome: Rejected if the network forbids it or the post is gone, Uncertain if no answer came.
        """
        raise Rejected(f"{self.name} has no {act.kind}", code="no_act")

    def act_idempotency(self, kind: ActKind) -> Idempotency:
        """Return what the engine may do after a doubt: all acts may be repeated, a private reply as other replies may."""
        return self.reply_idempotency if kind == "private_reply" else Upsert()

    def recheck(self, ctx: Context, signals: Sequence[Signal]) -> Sequence[Tombstone]:
        """Return which of these signals are gone at the network; what cannot be told is left out. At most `recheck_size`."""
        return ()

    def unpack(self, document: bytes, realm: str = "") -> Iterator[bytes]:
        """Yield the payloads of a document, as `translate` wants them; one line is one payload unless `whole_documents`."""
        yield from (line for line in document.splitlines() if line.strip())

    def identify(self, payload: bytes) -> tuple[str, str]:
        """Return `(external_id, revision)` of a payload, for raw items of a file; the engine falls back to a digest."""
        return "", ""


class PollingSource(Source[OptionsT]):
    """A source that is asked: `interval` is the usual pause between two polls."""

    interval: ClassVar[timedelta] = timedelta(seconds=60)

    @abstractmethod
    def pull(self, ctx: Context, cursor: Any) -> Iterable[Page]:
        """Yield everything since the cursor (None at first), page by page, oldest first if the network allows it.

        Each page is committed before the next is asked for, so a page's cursor must never stand before items not yet given.
        """


class WebhookSource(Source[OptionsT]):
    """A source that calls us. Both methods are pure; `verify` sees the raw bytes before anything parses them."""

    max_body: ClassVar[int] = 2 * 1024 * 1024

    @abstractmethod
    def verify(self, request: Request) -> bool:
        """Return True if the request is genuine: signature over raw bytes, constant time, inside its time tolerance."""

    def open_to(self) -> Sequence[str] | None:
        """Return the networks that may call without a proof; None, as usual, if each call proves that it is genuine.

        A source whose `verify` takes everything must name some: the door also refuses what a page in a browser posts there.
        """
        return None

    def event_id(self, request: Request) -> str:
        """Return the sender's own id of the event if it has one, "" if the body's digest serves."""
        return ""

    @abstractmethod
    def parse(self, body: bytes) -> Sequence[bytes]:
        """Return the payloads in a body, as `translate` wants them; raises TranslationError if it is broken.

        TooManyItems is told to the sender, with status 413; any other body that is broken is kept, and shown as failed.
        """


class StreamingSource(Source[OptionsT]):
    """A source that is listened to."""

    @abstractmethod
    def stream(self, ctx: Context, cursor: Any) -> Iterable[Page]:
        """Yield pages as they come, until the engine stops iterating; raises a Retryable when the connection is lost."""


# -------------------------------------------------------------------------------------------------------- destinations


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one delivery or act: a reference, or the error that the engine acts on.

    `moved` names a parent's place now, by kind, if the vendor sent us on: a closed ticket's follow-up, a merge's winner. `left`
    names what of a tombstone only a person can remove there; the receipt says so.
    """

    delivery_id: int
    ref: RemoteRef | None = None
    error: ConnectorError | None = None
    response: Mapping[str, Any] | None = None
    moved: Mapping[str, RemoteRef] = field(default_factory=dict)
    left: tuple[str, ...] = ()

    @classmethod
    def delivered(cls, delivery: Delivery | Act, ref: RemoteRef | None = None) -> Outcome:
        """Return the outcome of what landed; `ref` is the record there if the vendor names it."""
        return cls(delivery.id, ref=ref)

    @classmethod
    def failed(cls, delivery: Delivery | Act, error: ConnectorError) -> Outcome:
        """Return the outcome of what did not land; the error says what to do."""
        return cls(delivery.id, error=error)


@dataclass(frozen=True, slots=True)
class ChangePage:
    """Changes and the cursor that stands behind them: both are committed in one transaction."""

    changes: tuple[Change, ...]
    cursor: Any


class Destination(Connector[OptionsT]):
    """A system where records land.

    `mappings` names the folder of default mappings as `package:folder`, `sandbox` the local look-alike as
    `module:function` (see `hub.testkit.sandbox`). `capabilities` tells what the engine may ask beyond records:

    - `tombstone`: operation "tombstone" leaves nothing of what was written of a record (`fields["operation"]` is what made it,
      `ref` is the record's, `written` the fields that were written); `Outcome.left` says what only a person can remove;
    - `requesters`: a tombstone with `fields["operation"]` "author" makes the user nameless who asks for an author's tickets;
    - `note`: operation "note" adds `fields["text"]` to the record `parents["conversation"]` for agents only, never in public;
    - `inbound`: the vendor calls `/in/NAME`: `verify`, `event_id`, `acknowledge` and `parse` are there;
    - `changes`: `changes` is there, and asked `every` so often;
    - `without_author`: a record may land without `parents["author"]`, where the author's own record never did.
    """

    idempotency: ClassVar[Idempotency] = NoIdempotency()
    batch_size: ClassVar[int] = 1
    mappings: ClassVar[str] = ""
    sandbox: ClassVar[str] = ""
    capabilities: ClassVar[frozenset[str]] = frozenset()
    max_body: ClassVar[int] = 2 * 1024 * 1024
    every: ClassVar[timedelta] = timedelta(seconds=60)

    def idempotency_of(self, object_: str, operation: str) -> Idempotency:
        """Return the class of one kind of write; override it if objects differ."""
        return self.idempotency

    def batch_size_of(self, object_: str, operation: str) -> int:
        """Return how many records `deliver` takes at once."""
        return self.batch_size

    def calls_of(self, object_: str, operation: str, count: int) -> int:
        """Return how many calls `deliver` makes for so many records in full batches, for a forecast; override it if they vary."""
        return -(-count // max(self.batch_size_of(object_, operation), 1))

    @abstractmethod
    def describe(self, ctx: Context) -> Mapping[str, ObjectInfo]:
        """Return the objects that mappings may write, with their fields as they are at the vendor now."""

    @abstractmethod
    def deliver(self, ctx: Context, batch: Sequence[Delivery]) -> list[Outcome]:
        """Write a batch of one object and operation; exactly one outcome an item, in any order.

        An error that hits the whole request may be raised: it then counts for each item that has no outcome.
        """

    def whoami(self, ctx: Context) -> str:
        """Return our own user's id there, "" if there is none: what this actor does never comes back as a person's change."""
        return ""

    def verify(self, request: Request) -> bool:
        """Return True if an inbound request is genuine: signature over raw bytes, constant time, inside its tolerance; pure."""
        return False

    def event_id(self, request: Request) -> str:
        """Return the vendor's own id of a delivery of events, "" if the body's digest serves: the same one is stored once."""
        return ""

    def acknowledge(self, request: Request) -> tuple[str, bytes]:
        """Return content type and body of the answer once the request is stored (status 200)."""
        return "application/json", b"{}"

    def parse(self, body: bytes) -> Sequence[Change | Unread]:
        """Return what a stored request says: pure, and the same for ever. Raises TranslationError if it is broken.

        If it holds several events, one that is broken is an `Unread` among the changes of the others.
        """
        return ()

    def changes(self, ctx: Context, cursor: Any) -> Iterable[ChangePage]:
        """Yield what happened since the cursor (None at first: from now on), page by page; with overlap if stamps come late."""
        return ()

    def lookup(self, ctx: Context, delivery: Delivery) -> RemoteRef | None:
        """Find what an earlier attempt may have written, by our mark. Raises Uncertain if it cannot be told."""
        raise ConnectorError(f"{self.name} cannot look up {delivery.object}")


# ----------------------------------------------------------------------------------------------------------- enrichers


class Enricher(Connector[OptionsT]):
    """Judges signals. `labels` names what it may say."""

    labels: ClassVar[tuple[str, ...]] = ()

    def load(self) -> None:
        """Load models; called once in a process worker before the first batch, never in the web process."""

    @abstractmethod
    def enrich(self, signals: Sequence[Signal]) -> list[tuple[Label, ...]]:
        """Return one tuple of labels a signal, in order; the same text always gets the same labels, whatever its neighbours."""


__all__ = [
    "Act",
    "Change",
    "ChangePage",
    "Compliance",
    "ConfigPath",
    "Connector",
    "ConnectorError",
    "Context",
    "Destination",
    "Enricher",
    "FieldInfo",
    "Http",
    "HttpResponse",
    "Idempotency",
    "Limit",
    "Lookup",
    "Native",
    "NoIdempotency",
    "ObjectInfo",
    "Options",
    "Outcome",
    "Page",
    "PollingSource",
    "Reply",
    "ReplyRules",
    "Request",
    "Source",
    "State",
    "StreamingSource",
    "TranslationError",
    "Upsert",
    "Usage",
    "WebhookSource",
]
