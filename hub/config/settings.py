"""The configuration file: settings with defaults; a plugin's options stay raw until the plugin's own model checks them."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from datetime import timedelta
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from hub.core.changes import ConversationState
from hub.core.errors import ConfigError, Problem
from hub.sdk.rates import Limit

_DURATION = re.compile(r"(\d+(?:\.\d+)?)\s*(ms|s|m|h|d)?")
_SECONDS = {"ms": 0.001, "s": 1, "m": 60, "h": 3600, "d": 86400, None: 1}


def duration(value: Any) -> Any:
    """Read a number of seconds, or text such as "500ms", "30s", "5m", "2h", "7d", as a timedelta."""
    if isinstance(value, str):
        found = _DURATION.fullmatch(value.strip())
        if not found:
            raise ValueError('a duration is a number of seconds or text such as "30s", "5m", "2h", "7d"')
        return timedelta(seconds=float(found[1]) * _SECONDS[found[2]])
    return timedelta(seconds=value) if isinstance(value, int | float) else value


def rate(value: Any) -> Any:
    """Read text such as "10/s", "100/m", "5000/h" as a limit."""
    if isinstance(value, Limit):
        return value
    return Limit.parse(value if isinstance(value, str) else "")


Duration = Annotated[timedelta, BeforeValidator(duration)]
Rate = Annotated[Limit, BeforeValidator(rate)]
Name = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,47}$")]


class Section(BaseModel):
    """A table of the file: an unknown key is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class HubSection(Section):
    """`[hub]`: folders and what all steps share.

    `keep_unread` is how long a destination's call that could not be read is kept for a repair.
    """

    data: Path = Path("data")
    languages: tuple[str, ...] = ("en", "de", "fr", "es", "it", "pt", "nl")
    uncertain_below: float = Field(default=0.55, ge=0, le=1)
    private_rules: tuple[str, ...] = ()
    keep_unread: Duration = timedelta(days=30)


class FilesSection(Section):
    """`[files]`: the paths of rules, topics and own mappings, relative to the configuration file."""

    rules: Path = Path("rules.toml")
    topics: Path = Path("topics.toml")
    mappings: Path = Path("mappings")


class WebSection(Section):
    """`[web]`: host and port of the page, the API and the inbound door."""

    host: str = "127.0.0.1"
    port: int = Field(default=8600, ge=0, le=65535)
    public_url: str = ""
    max_waiting_mb: int = Field(default=32, ge=1)


class DatabaseSection(Section):
    """`[database]`: empty is SQLite in the data folder."""

    url: str = ""


class RedisSection(Section):
    """`[redis]`: empty is a private server under the data folder."""

    url: str = ""


class LogSection(Section):
    """`[log]`: how much is written to standard error, and how: `auto` is text at a terminal, one JSON object a line elsewhere."""

    level: Literal["debug", "info", "warning", "error"] = "info"
    format: Literal["auto", "text", "json"] = "auto"


class WorkersSection(Section):
    """`[workers]`: how many processes `hub up` starts, and how much they take at once."""

    process: int = Field(default=1, ge=0)
    deliver: int = Field(default=1, ge=0)
    batch: int = Field(default=500, ge=1, le=5000)


class SandboxSection(Section):
    """`[sandbox]`: vendors' look-alikes that `hub up` and `hub sandbox` start, the first on `port`, the next on the next.

    `[sandbox.options.NAME]` holds what a look-alike of its own understands, such as the address that it tells of events.
    """

    plugins: tuple[str, ...] = ()
    options: Mapping[Name, Mapping[str, Any]] = {}
    port: int = Field(default=8701, ge=0, le=65535)
    token: str = "sandbox"  # noqa: S105 - the look-alikes' public password, not a secret


class SecretReference(Section):
    """`{ env = "NAME" }` or `{ file = "path" }`: the place that a secret is read from."""

    env: str = ""
    file: str = ""

    @model_validator(mode="before")
    @classmethod
    def _no_secret_itself(cls, value: Any) -> Any:
        if isinstance(value, str):
            raise ValueError('a secret must not stand in this file: write { env = "NAME" } or { file = "path" }')  # noqa: TRY004 - pydantic's way
        return value

    @model_validator(mode="after")
    def _one_place(self) -> SecretReference:
        if bool(self.env) == bool(self.file):
            raise ValueError('write { env = "NAME" } or { file = "path" }')
        return self


class AlertsSection(Section):
    """`[alerts]`: who is told what is wrong, and from when on it is.

    `quota` is a share of a vendor's window; `dead_letters` in an hour; a source is never silent before `silence` has passed.
    """

    urls: tuple[SecretReference, ...] = ()
    cooldown: Duration = timedelta(hours=1)
    repeat: Duration = timedelta(days=1)
    quota: float = Field(default=0.8, gt=0, le=1)
    dead_letters: int = Field(default=5, ge=1)
    silence: Duration = timedelta(minutes=30)


class DeliverySection(Section):
    """`[delivery]`: how many may wait behind one record that does not land, and for how long, before they are let go."""

    hold_most: int = Field(default=1000, ge=1)
    hold_for: Duration = timedelta(hours=6)


Price = Annotated[float, Field(ge=0)]


class PricesSection(Section):
    """`[prices]`: what vendors ask, by connection: a destination's call, a source's item. What is not named has no price."""

    currency: str = "EUR"
    destinations: Mapping[Name, Price] = {}
    sources: Mapping[Name, Price] = {}


class ConnectionSection(Section):
    """What all connections share; `rate` takes the place of the plugin's own limits; `options` belongs to the plugin."""

    plugin: str
    enabled: bool = True
    timeout: Duration = timedelta(seconds=20)
    rate: Rate | None = None
    proxy: str = ""
    allow_private: bool | tuple[str, ...] = False
    options: Mapping[str, Any] = {}


class SourceSection(ConnectionSection):
    """`[sources.NAME]`; `every` is the pause between two polls (the plugin's own if it is absent).

    `reply` tells what becomes of agents' public replies to what this source brought; `recheck_every` is how often posts are
    looked for again (if it is absent, as the network's duty to follow deletions asks).
    """

    every: Duration | None = None
    recheck_every: Annotated[Duration, Field(ge=timedelta(seconds=1))] | None = None
    reply: Literal["off", "approve", "send"] = "approve"


class InboundSection(Section):
    """`[destinations.NAME.inbound]`: what flows back. `status` says which of the vendor's words is which state of ours."""

    status: Mapping[str, ConversationState] = {}
    assignee: bool = False
    tags: bool = False


class DestinationSection(ConnectionSection):
    """`[destinations.NAME]`."""

    inbound: InboundSection = InboundSection()


class EnricherSection(ConnectionSection):
    """`[enrichers.NAME]`; they run in the file's order, and language comes first.

    `topics_only` leaves out what is about no topic: a model's time goes to the texts that are asked for.
    """

    topics_only: bool = False


class Settings(Section):
    """The whole file."""

    hub: HubSection = HubSection()
    files: FilesSection = FilesSection()
    web: WebSection = WebSection()
    database: DatabaseSection = DatabaseSection()
    redis: RedisSection = RedisSection()
    log: LogSection = LogSection()
    workers: WorkersSection = WorkersSection()
    sandbox: SandboxSection = SandboxSection()
    prices: PricesSection = PricesSection()
    alerts: AlertsSection = AlertsSection()
    delivery: DeliverySection = DeliverySection()
    sources: Mapping[Name, SourceSection] = {}
    destinations: Mapping[Name, DestinationSection] = {}
    enrichers: Mapping[Name, EnricherSection] = {}
    file: Path = Field(default=Path("config.toml"), exclude=True)

    @property
    def folder(self) -> Path:
        """The folder of the configuration file: relative paths start here."""
        return self.file.resolve().parent

    @property
    def data(self) -> Path:
        """The data folder, absolute."""
        return self.folder / self.hub.data

    @property
    def database_url(self) -> str:
        """The database's URL, the default filled in."""
        return self.database.url or f"sqlite:///{self.data / 'hubbub.db'}"

    @property
    def public_url(self) -> str:
        """The URL under which the hub is reached."""
        return (self.web.public_url or f"http://{self.web.host}:{self.web.port}").rstrip("/")


def load_settings(file: Path) -> Settings:
    """Read a configuration file. Raises ConfigError with all that is wrong in it, each with path and hint."""
    raw = read_toml(file)
    try:
        return Settings.model_validate({**raw, "file": file})
    except ValidationError as error:
        raise ConfigError(problems(error, file=str(file), model=Settings)) from None


def read_toml(file: Path) -> dict[str, Any]:
    """Read a TOML file into a dict. Raises ConfigError that names the file and the line."""
    try:
        return tomllib.loads(file.read_text("utf-8"))
    except FileNotFoundError:
        hint = "`hub init` writes one; -c FILE or HUBBUB_CONFIG names another"
        raise ConfigError([Problem(str(file), "", "there is no such file", hint)]) from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, OSError) as error:
        raise ConfigError([Problem(str(file), "", str(error), "see https://toml.io for the syntax")]) from None


def problems(error: ValidationError, *, file: str, model: type[BaseModel], at: str = "") -> list[Problem]:
    """Return Pydantic's errors as problems: the path in the file, what is wrong, and the nearest known key."""
    found = []
    for one in error.errors(include_url=False, include_input=False):
        path = ".".join(str(part) for part in (at, *one["loc"]) if part != "")
        hint = _nearest(str(one["loc"][-1]), _known(model, one["loc"][:-1])) if one["type"] == "extra_forbidden" else ""
        message = (
            "this key is unknown" if one["type"] == "extra_forbidden" else one["msg"].removeprefix("Value error, ")
        )
        found.append(Problem(file, path, message, hint))
    return found


def _known(model: type[BaseModel] | None, loc: tuple[int | str, ...]) -> list[str]:
    """Return the keys of the table at a place in the file."""
    for part in loc:
        field = model.model_fields.get(str(part)) if model else None
        inner = field.annotation if field else None
        if inner is None:
            continue  # a connection's own name: the table below it is its section
        model = next((one for one in (inner, *getattr(inner, "__args__", ())) if _is_model(one)), None)
    return list(model.model_fields) if model else []


def _is_model(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, BaseModel)


def _nearest(word: str, known: list[str]) -> str:
    near = get_close_matches(word, known, n=1)
    return f"did you mean '{near[0]}'?" if near else (f"known: {', '.join(known)}" if known else "")
