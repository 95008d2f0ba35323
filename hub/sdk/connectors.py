"""The plugin API: what a connector's author subclasses, and the values that pass between a connector and the engine.

A connector is constructed once for each connection and process with its validated options; every call that may do I/O gets a
`Context`. Classes with default bodies, not protocols: they can grow without breaking anyone.
"""

from __future__ import annotations

import logging
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Annotated, Any, ClassVar, Generic, TypeVar

import msgspec
from pydantic import AfterValidator, BaseModel, ConfigDict, ValidationInfo

from hub.core.errors import ConnectorError, TranslationError
from hub.core.model import Delivery, Ignored, Label, RawItem, RemoteRef, Signal, Translated


def _from_folder(path: Path, info: ValidationInfo) -> Path:
    folder = (info.context or {}).get("folder")
    return Path(folder) / path if folder else path


ConfigPath = Annotated[Path, AfterValidator(_from_folder)]
"""A path in options: a relative one starts at the configuration file's folder."""


class Options(BaseModel):
    """The base of a connector's options: unknown keys are refused, values are frozen. Secrets are `SecretStr`."""

    model_config = ConfigDict(extra="forbid", frozen=True)


# ---------------------------------------------------------------------------------------------------------------- HTTP


@dataclass(frozen=True, slots=True)
class HttpResponse:
    """An answer, read whole within the size cap; header names are lower case."""

    status: int
    headers: Mapping[str, str]
    content: bytes
    url: str

    def json(self) -> Any:
        """The body as JSON, None where it is empty or no JSON (an HTML error page)."""
        try:
            return msgspec.json.decode(self.content) if self.content else None
        except (msgspec.DecodeError, UnicodeDecodeError):
            return None

    @property
    def text(self) -> str:
        """The body as text; bytes that are no UTF-8 become U+FFFD."""
        return self.content.decode("utf-8", "replace")


class Http(ABC):
    """The one door to the network: the guard of `hub.sdk.http` behind a narrow face (tests pass a fake)."""

    @abstractmethod
    def send(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        content: bytes | None = None,
        timeout: float | None = None,
    ) -> HttpResponse:
        """Send one request under the policy of this connection.

        Any status is an answer. Raises Unavailable where nothing was sent or the call only read, Uncertain where a write was
        sent and no answer came, Rejected where egress rules or size caps forbid it. Never follows a redirect of a write.
        """


class State(ABC):
    """A connection's small durable memory (a session, a capability learnt): JSON values by name."""

    @abstractmethod
    def get(self, name: str) -> Any:
        """The value, None where there is none."""

    @abstractmethod
    def set(self, name: str, value: Any) -> None:
        """Keep the value, committed before the call returns."""


@dataclass(frozen=True, slots=True)
class Context:
    """What the engine lends a connector for a call."""

    connection: str
    http: Http
    now: Callable[[], datetime]
    state: State
    log: logging.Logger | logging.LoggerAdapter[logging.Logger] = field(
        default_factory=lambda: logging.getLogger("hub.plugin")
    )
    public_url: str | None = None


@dataclass(frozen=True, slots=True)
class Request:
    """An inbound request, raw: header names are lower case, `url` is the public one, `body` the exact bytes."""

    method: str
    url: str
    headers: Mapping[str, str]
    body: bytes
    received_at: datetime


# ---------------------------------------------------------------------------------------------------------- connectors

OptionsT = TypeVar("OptionsT", bound=Options)


class Connector(ABC, Generic[OptionsT]):
    """The base of sources, destinations and enrichers.

    `name` is the plugin's name in the configuration. `egress_hosts` are the hosts that the connector may reach: exact names,
    `*.example.com`, or `*` for any public host; override `egress` where they depend on options. `inherits` names options
    that take their default from the key of the same name in `[hub]` (such as `languages`).
    """

    name: ClassVar[str]
    Options: ClassVar[type[Options]] = Options
    egress_hosts: ClassVar[tuple[str, ...]] = ()
    inherits: ClassVar[tuple[str, ...]] = ()

    def __init__(self, options: OptionsT) -> None:
        self.options = options

    def egress(self) -> tuple[str, ...]:
        """The hosts that this connection may reach."""
        return self.egress_hosts

    def check(self, ctx: Context) -> str:
        """Try the connection (credentials, rights) and say in a few words who we are there; raise a ConnectorError if not."""
        return "no check needed"


@dataclass(frozen=True, slots=True)
class Page:
    """Raw items and the cursor that stands behind them: both are committed in one transaction."""

    items: tuple[RawItem, ...]
    cursor: Any


@dataclass(frozen=True, slots=True)
class Compliance:
    """A network's duties: how soon a deletion must follow, how long content may be kept (None: no limit stated)."""

    delete_within: timedelta
    keep: timedelta | None = None
    terms: str = ""


class Source(Connector[OptionsT]):
    """A network, forum, feed or system that says things.

    `network` names where signals come from (also the prefix of their keys). `whole_documents` is True where a document holds
    many items (a feed), False where it is one item a line.
    """

    network: ClassVar[str]
    capabilities: ClassVar[frozenset[str]] = frozenset()
    compliance: ClassVar[Compliance]
    whole_documents: ClassVar[bool] = False

    @abstractmethod
    def translate(self, raw: RawItem) -> Translated | Ignored:
        """Read a raw item: pure, the same answer for ever. Raises TranslationError where the item is broken."""

    def unpack(self, document: bytes, realm: str = "") -> Iterator[bytes]:
        """The payloads of a document, as `translate` wants them; one line is one payload unless `whole_documents`."""
        yield from (line for line in document.splitlines() if line.strip())

    def identify(self, payload: bytes) -> tuple[str, str]:
        """`(external_id, revision)` of a payload, for raw items that come from a file; the engine falls back to a digest."""
        return "", ""


class PollingSource(Source[OptionsT]):
    """A source that is asked: `interval` is the usual pause between two polls."""

    interval: ClassVar[timedelta] = timedelta(seconds=60)

    @abstractmethod
    def pull(self, ctx: Context, cursor: Any) -> Iterable[Page]:
        """Everything since the cursor (None at first), page by page, oldest first where the network allows it.

        Each page is committed before the next is asked for, so a page's cursor must never stand before items not yet given.
        """


class WebhookSource(Source[OptionsT]):
    """A source that calls us. Both methods are pure; `verify` sees the raw bytes before anything parses them."""

    max_body: ClassVar[int] = 2 * 1024 * 1024

    @abstractmethod
    def verify(self, request: Request) -> bool:
        """Whether the request is genuine: signature over raw bytes, constant time, inside its time tolerance."""

    def event_id(self, request: Request) -> str:
        """The sender's own id of the event where it has one, "" where the body's digest serves."""
        return ""

    @abstractmethod
    def parse(self, body: bytes) -> Sequence[bytes]:
        """The payloads in a body, as `translate` wants them; raises TranslationError where it is broken."""


class StreamingSource(Source[OptionsT]):
    """A source that is listened to."""

    @abstractmethod
    def stream(self, ctx: Context, cursor: Any) -> Iterable[Page]:
        """Pages as they come, until the engine stops iterating; raises a Retryable when the connection is lost."""


# -------------------------------------------------------------------------------------------------------- destinations


@dataclass(frozen=True, slots=True)
class Upsert:
    """Sending the same record again changes nothing: resend after a doubt."""


@dataclass(frozen=True, slots=True)
class Native:
    """The vendor keeps our idempotency key for `window`: resend inside it, look up after it."""

    window: timedelta


@dataclass(frozen=True, slots=True)
class Lookup:
    """No key at the vendor, but what was written can be found by our mark, `lag` after the write at the latest."""

    lag: timedelta


@dataclass(frozen=True, slots=True)
class NoIdempotency:
    """Nobody can tell: after a doubt a person decides."""


Idempotency = Upsert | Native | Lookup | NoIdempotency


@dataclass(frozen=True, slots=True)
class FieldInfo:
    """A field of a destination's object. `type`: string, text, number, integer, boolean, datetime, url, picklist, reference."""

    name: str
    type: str = "string"
    max_length: int | None = None
    required: bool = False
    writable: bool = True
    unique: bool = False
    values: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ObjectInfo:
    """An object of a destination; `open_fields` is True where any field name is taken."""

    name: str
    fields: Mapping[str, FieldInfo] = field(default_factory=dict)
    open_fields: bool = False


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one delivery: a reference, or the error that the engine acts on."""

    delivery_id: int
    ref: RemoteRef | None = None
    error: ConnectorError | None = None
    response: Mapping[str, Any] | None = None

    @classmethod
    def delivered(cls, delivery: Delivery, ref: RemoteRef | None = None) -> Outcome:
        """It landed; `ref` is the record there where the vendor names it."""
        return cls(delivery.id, ref=ref)

    @classmethod
    def failed(cls, delivery: Delivery, error: ConnectorError) -> Outcome:
        """It did not land, and the error says what to do."""
        return cls(delivery.id, error=error)


class Destination(Connector[OptionsT]):
    """A system where records land.

    `mappings` names the folder of default mappings as `package:folder`, `sandbox` the local look-alike as
    `module:function` (see `hub.sdk.sandbox`).
    """

    idempotency: ClassVar[Idempotency] = NoIdempotency()
    batch_size: ClassVar[int] = 1
    mappings: ClassVar[str] = ""
    sandbox: ClassVar[str] = ""
    capabilities: ClassVar[frozenset[str]] = frozenset()

    def idempotency_of(self, object_: str, operation: str) -> Idempotency:
        """The class of one kind of write; override where objects differ."""
        return self.idempotency

    def batch_size_of(self, object_: str, operation: str) -> int:
        """How many records `deliver` takes at once."""
        return self.batch_size

    @abstractmethod
    def describe(self, ctx: Context) -> Mapping[str, ObjectInfo]:
        """The objects that mappings may write, with their fields as they are at the vendor now."""

    @abstractmethod
    def deliver(self, ctx: Context, batch: Sequence[Delivery]) -> list[Outcome]:
        """Write a batch of one object and operation; exactly one outcome an item, in any order.

        An error that hits the whole request may be raised: it then counts for each item that has no outcome.
        """

    def lookup(self, ctx: Context, delivery: Delivery) -> RemoteRef | None:
        """Find what an earlier attempt may have written, by our mark. Raises Uncertain where nobody can tell."""
        raise ConnectorError(f"{self.name} cannot look up {delivery.object}")


# ----------------------------------------------------------------------------------------------------------- enrichers


class Enricher(Connector[OptionsT]):
    """Judges signals. `labels` names what it may say; `local` is False where it calls a service."""

    labels: ClassVar[tuple[str, ...]] = ()

    def load(self) -> None:
        """Load models; called once in a process worker before the first batch, never in the web process."""

    @abstractmethod
    def enrich(self, signals: Sequence[Signal]) -> list[tuple[Label, ...]]:
        """One tuple of labels a signal, in order; the same text always gets the same labels, whatever its neighbours."""


__all__ = [
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
    "Lookup",
    "Native",
    "NoIdempotency",
    "ObjectInfo",
    "Options",
    "Outcome",
    "Page",
    "PollingSource",
    "Request",
    "Source",
    "State",
    "StreamingSource",
    "TranslationError",
    "Upsert",
    "WebhookSource",
]
