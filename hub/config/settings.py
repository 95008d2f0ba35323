"""The configuration file: settings with defaults; a plugin's options stay raw until the plugin's own model checks them."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from datetime import timedelta
from difflib import get_close_matches
from ipaddress import ip_address
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import (
    BaseModel,
    Field,
    Strict,
    ValidationError,
)

from hub.config.logs import Form, Level
from hub.config.people import AccountsSection, DemoSection, OidcSection
from hub.config.references import SecretReference, read_address
from hub.config.section import Address, ProxyPlace, Section
from hub.config.text import read_text, syntax_hint
from hub.config.values import (
    AllowPrivate,
    Currency,
    Duration,
    Host,
    Language,
    Lasting,
    Name,
    Patience,
    Pause,
    Place,
    Port,
    ProxyNetwork,
    Rate,
    Share,
    Span,
    Switch,
    WebAddress,
    Whole,
)
from hub.core.errors import ConfigError, Problem
from hub.core.model import ConversationState

Readers = Literal["all", "machine", "none"]


class HubSection(Section):
    """`[hub]`: folders and what all steps share.

    `keep_unread` is how long a destination's call that could not be read is kept for a repair. `erasures` is the register of
    erasures, which a restore must not overwrite: empty is `erasures.jsonl` in the data folder.
    """

    data: Place = Path("data")
    erasures: str = ""
    languages: Annotated[tuple[Language, ...], Field(min_length=1)] = ("en", "de", "fr", "es", "it", "pt", "nl")
    uncertain_below: Share = Field(default=0.55, ge=0)
    private_rules: tuple[str, ...] = ()
    keep_unread: Duration = timedelta(days=30)


class FilesSection(Section):
    """`[files]`: the paths of rules, topics and own mappings, relative to the configuration file."""

    rules: Place = Path("rules.toml")
    topics: Place = Path("topics.toml")
    mappings: Place = Path("mappings")


class CallersSection(Section):
    """`[callers]`: how many callers the web process serves at once, and how slow one of them may be.

    When all places are taken, the idlest caller goes. `unverified_mb` is held of bodies whose signature is not checked yet.
    """

    connections: Whole = Field(default=1000, ge=16)
    connections_per_client: Whole = Field(default=250, ge=4)
    header_within: Span = timedelta(seconds=10)
    body_within: Span = timedelta(seconds=60)
    answer_within: Span = timedelta(seconds=30)
    idle_within: Span = timedelta(seconds=75)
    header_kb: Whole = Field(default=32, ge=8, le=1024)
    unverified_mb: Whole = Field(default=32, ge=1)


class WebSection(Section):
    """`[web]`: host and port of the page, the API and the inbound door.

    `console` says who may see the page and the API: "local" is this machine, "open" is everybody who reaches the hub (put a
    proxy that asks for a password before it), "auto" is this machine, and not even that if a proxy passes on what the world
    asks. `proxies` are the addresses whose X-Forwarded-For is believed.
    """

    host: Host = "127.0.0.1"
    port: Port = 8600
    public_url: WebAddress = ""
    console: Literal["auto", "local", "open"] = "auto"
    proxies: tuple[ProxyNetwork, ...] = ()
    max_waiting_mb: Whole = Field(default=32, ge=1)


class DatabaseSection(Section):
    """`[database]`: empty is SQLite in the data folder. An address with a password is best a reference to a secret."""

    url: Address = ""


class RedisSection(Section):
    """`[redis]`: empty is a private server under the data folder. An address with a password is best a reference to a secret."""

    url: Address = ""


class LogSection(Section):
    """`[log]`: how much is written to standard error, and how: `auto` is text at a terminal, one JSON object a line elsewhere."""

    level: Level = "info"
    format: Form = "auto"


class WorkersSection(Section):
    """`[workers]`: how many processes `hub up` starts, and how much they take at once."""

    process: Whole = Field(default=1, ge=0, le=1000)
    deliver: Whole = Field(default=1, ge=0, le=1000)
    batch: Whole = Field(default=500, ge=1, le=5000)


class SandboxSection(Section):
    """`[sandbox]`: vendors' look-alikes that `hub up` and `hub sandbox` start, the first on `port`, the next on the next.

    `[sandbox.options.NAME]` holds what a look-alike of its own understands, such as the address that it tells of events.
    """

    plugins: tuple[str, ...] = ()
    options: Mapping[Name, Mapping[str, Any]] = {}
    port: Port = 8701
    token: str = "sandbox"  # noqa: S105 - the look-alikes' public password, not a secret


class AlertsSection(Section):
    """`[alerts]`: who is told what is wrong, and from when on it is.

    `quota` is a share of a vendor's window; `dead_letters` in an hour; a source is never silent before `silence` has passed.
    """

    urls: tuple[SecretReference, ...] = ()
    cooldown: Duration = timedelta(hours=1)
    repeat: Lasting = timedelta(days=1)
    quota: Share = Field(default=0.8, gt=0)
    dead_letters: Whole = Field(default=5, ge=1)
    silence: Lasting = timedelta(minutes=30)


class DeliverySection(Section):
    """`[delivery]`: how many may wait behind one record that does not land, and for how long, before they are let go."""

    hold_most: Whole = Field(default=1000, ge=1)
    hold_for: Lasting = timedelta(hours=6)


Price = Annotated[float, Strict(), Field(ge=0, allow_inf_nan=False)]


class PricesSection(Section):
    """`[prices]`: what vendors ask, by connection: a destination's call, a source's item. What is not named has no price."""

    currency: Currency = "EUR"
    destinations: Mapping[Name, Price] = {}
    sources: Mapping[Name, Price] = {}


class ConnectionSection(Section):
    """What all connections share; `rate` takes the place of the plugin's own limits; `options` belongs to the plugin."""

    plugin: str
    enabled: Switch = True
    timeout: Patience = timedelta(seconds=20)
    rate: Rate | None = None
    proxy: ProxyPlace = ""
    allow_private: AllowPrivate = False
    options: Mapping[str, Any] = {}


class SourceSection(ConnectionSection):
    """`[sources.NAME]`; `every` is the pause between two polls (the plugin's own if it is absent).

    `reply` tells what becomes of agents' public replies to what this source brought; `recheck_every` is how often posts are
    looked for again (if it is absent, as the network's duty to follow deletions asks).
    """

    every: Pause | None = None
    recheck_every: Pause | None = None
    reply: Literal["off", "approve", "send"] = "approve"


class InboundSection(Section):
    """`[destinations.NAME.inbound]`: what flows back. `status` says which of the vendor's words is which state of ours."""

    status: Mapping[str, ConversationState] = {}
    assignee: Switch = False
    tags: Switch = False


class DestinationSection(ConnectionSection):
    """`[destinations.NAME]`."""

    inbound: InboundSection = InboundSection()


class EnricherSection(ConnectionSection):
    """`[enrichers.NAME]`; they run in the file's order, and language comes first.

    `topics_only` leaves out what is about no topic: a model's time goes to the texts that are asked for.
    """

    topics_only: Switch = False


class Settings(Section):
    """The whole file. `[plugins]` names the distribution of a plugin, if several installed ones provide it."""

    hub: HubSection = HubSection()
    files: FilesSection = FilesSection()
    web: WebSection = WebSection()
    callers: CallersSection = CallersSection()
    accounts: AccountsSection = AccountsSection()
    oidc: OidcSection = OidcSection()
    demo: DemoSection = DemoSection()
    database: DatabaseSection = DatabaseSection()
    redis: RedisSection = RedisSection()
    log: LogSection = LogSection()
    workers: WorkersSection = WorkersSection()
    sandbox: SandboxSection = SandboxSection()
    prices: PricesSection = PricesSection()
    alerts: AlertsSection = AlertsSection()
    delivery: DeliverySection = DeliverySection()
    plugins: Mapping[Name, str] = {}
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
    def erasures(self) -> Path:
        """The register of erasures, absolute."""
        return self.folder / self.hub.erasures if self.hub.erasures else self.data / "erasures.jsonl"

    @property
    def database_url(self) -> str:
        """The database's URL, the default filled in. Raises ConfigError if it stands in a secret that cannot be read."""
        return self._address(self.database.url, "database.url") or f"sqlite:///{self.data / 'hubbub.db'}"

    @property
    def redis_url(self) -> str:
        """The URL of the configured Redis, "" for the private one. Raises ConfigError as `database_url`."""
        return self._address(self.redis.url, "redis.url")

    def _address(self, value: str | SecretReference, at: str) -> str:
        return read_address(value, Problem(str(self.file), at, ""), self.folder)

    @property
    def public_url(self) -> str:
        """The URL under which the hub is reached."""
        host = f"[{self.web.host}]" if ":" in self.web.host else self.web.host
        return (self.web.public_url or f"http://{host}:{self.web.port}").rstrip("/")

    @property
    def is_reached_from_beyond(self) -> bool:
        """True if others than this machine reach the hub, by its own address or through a proxy."""
        return not (is_loopback(self.web.host) and is_loopback(urlsplit(self.public_url).hostname or ""))

    @property
    def console_for(self) -> Readers:
        """Who may see the page and the API: there are no users.

        A hub that listens on loopback only and has a public address is reached through a proxy. What a proxy passes on cannot
        always be told from a request of this machine (some keep the Host that a stranger wrote), so "auto" closes it then.
        """
        if self.web.console != "auto":
            return "all" if self.web.console == "open" else "machine"
        return "none" if self.is_reached_from_beyond and is_loopback(self.web.host) else "machine"


def is_loopback(host: str) -> bool:
    """Return True if a host is this machine's own name or a loopback address."""
    try:
        return ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host.lower().removesuffix(".") == "localhost"


UNSPECIFIED = frozenset({"0.0.0.0", "::"})  # noqa: S104 - compared, not bound


def unaddressed(settings: Settings) -> list[Problem]:
    """Return what is wrong with a hub that others reach and that does not know its own address."""
    named = urlsplit(settings.web.public_url).hostname
    if named in UNSPECIFIED:
        message = f"{named} is where the hub listens, no address by which others reach it"
        return [Problem(str(settings.file), "web.public_url", message, 'write public_url = "https://hub.example"')]
    if settings.web.public_url or is_loopback(settings.web.host):
        return []
    message = f"the hub listens at {settings.web.host}, and links to it would not say how others reach it"
    return [Problem(str(settings.file), "web.public_url", message, 'write public_url = "https://hub.example"')]


_KINDS = {
    "bool_type": "this must be true or false, without quotes",
    "int_type": "this must be a whole number, without quotes",
    "int_from_float": "this must be a whole number",
    "tuple_type": "this must be a list, in [ ]",
    "list_type": "this must be a list, in [ ]",
    "dict_type": "this must be a table, such as { key = ... }",
    "model_type": "this must be a table, such as { key = ... }",
    "model_attributes_type": "this must be a table, such as { key = ... }",
    "string_type": "this must be a text, in quotes",
    "path_type": "this must be a path, in quotes",
    "float_type": "this must be a number, without quotes",
    "finite_number": "this must be a number that is not infinite",
    "too_short": "list one at least",
}
_PATTERNS = {
    r"^[A-Z]{3}$": 'a currency is three capital letters, such as "EUR"',
    r"^\d+$": 'digits alone, in quotes, such as "1234567"',
    r"^\S+$": "a word without spaces",
}


def load_settings(file: Path) -> Settings:
    """Read a configuration file. Raises ConfigError with all that is wrong in it, each with path and hint."""
    raw = read_toml(file)
    flat = nameless(raw, str(file))
    rest = {name: table for name, table in raw.items() if name not in {one.path for one in flat}}
    try:
        settings = Settings.model_validate({**rest, "file": file})
    except ValidationError as error:
        flat += problems(error, file=str(file), model=Settings)
    if flat:
        raise ConfigError(flat)
    return settings


def nameless(raw: Mapping[str, Any], file: str) -> list[Problem]:
    """Return the tables of connections that are written without a name: `[sources]`, `[[sources]]`."""
    found = []
    for table in ("sources", "destinations", "enrichers"):
        value = raw.get(table, {})
        if isinstance(value, list) or (isinstance(value, Mapping) and isinstance(value.get("plugin"), str)):
            found.append(
                Problem(file, table, "each of these has a name", f"write [{table}.NAME]; the name is yours to choose")
            )
    return found


def read_toml(
    file: Path, *, missing: str = "`hub init` writes one; -c FILE or HUBBUB_CONFIG names another"
) -> dict[str, Any]:
    """Read a TOML file into a dict. Raises ConfigError with file and line; `missing` is the way out if there is none."""
    text = read_text(file, missing)
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError([Problem(str(file), "", str(error), syntax_hint(text, str(error)))]) from None


def problems(error: ValidationError, *, file: str, model: type[BaseModel], at: str = "") -> list[Problem]:
    """Return Pydantic's errors as problems: the path in the file, what is wrong, and the nearest known key."""
    found = []
    errors = error.errors(include_url=False, include_input=False)
    inside = {one["loc"][: len(one["loc"]) - 1] for one in errors}
    for one in (one for one in errors if one["type"] != "too_short" or one["loc"] not in inside):
        path = ".".join(str(part) for part in (at, *one["loc"]) if part != "")
        found.append(Problem(file, path, *_told(one, _known(model, one["loc"][:-1]))))
    return found


def _told(error: Mapping[str, Any], known: list[str]) -> tuple[str, str]:
    """Return one of Pydantic's errors in plain words, and the way out."""
    last = str(error["loc"][-1]) if error["loc"] else ""
    match error["type"]:
        case "extra_forbidden":
            outside = "options" in known and not get_close_matches(last, known, n=1)
            return (
                "this key is unknown",
                f"the plugin's own keys stand in options = {{ {last} = ... }}" if outside else nearest(last, known),
            )
        case "missing":
            return "this key is missing", f"write {last} = ..."
        case kind if kind in _KINDS:
            return _KINDS[kind], ""
        case "string_pattern_mismatch":
            return f"this does not look right: {error['ctx']['pattern']}", _PATTERNS.get(error["ctx"]["pattern"], "")
    return error["msg"].removeprefix("Value error, ").replace("Input should be", "this must be"), ""


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


def nearest(word: str, known: list[str]) -> str:
    """Return a hint that names the key that was probably meant, else those that there are."""
    near = get_close_matches(word, known, n=1)
    return f"did you mean '{near[0]}'?" if near else (f"known: {', '.join(known)}" if known else "")
