"""What a plugin's classes declare, as `hub plugins show` prints it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import timedelta
from typing import Any

import msgspec

from hub.registry import Plugin
from hub.sdk.connectors import (
    Connector,
    Destination,
    Enricher,
    PollingSource,
    Source,
    StreamingSource,
    WebhookSource,
)
from hub.sdk.rates import Limit
from hub.sdk.traits import Compliance, Idempotency, Lookup, Native, Upsert

BY_OPTIONS = "set by options"
_DEFAULT_BODIES = "hub.sdk.connectors"
_UNITS = (("d", 86_400), ("h", 3_600), ("min", 60), ("s", 1))


def classes_of(plugin: Plugin) -> Iterator[tuple[str, type[Connector[Any]]]]:
    """Yield kind (source, destination, enricher) and class of each connector."""
    kinds = {"source": plugin.sources, "destination": plugin.destinations, "enricher": plugin.enrichers}
    for kind, classes in kinds.items():
        for cls in classes.values():
            yield kind, cls


def overrides(cls: type[Connector[Any]], method: str) -> bool:
    """Return True if a method has a body of its own: in the class, or in a class between it and the plugin API's."""
    owner = next(one for one in cls.__mro__ if method in vars(one))
    return owner.__module__ != _DEFAULT_BODIES


def described(kind: str, cls: type[Connector[Any]]) -> dict[str, Any]:
    """Return what a class declares, ready for JSON; its options as a JSON schema."""
    about = "\n".join(line.strip() for line in (cls.__doc__ or "").strip().splitlines())
    return {
        "kind": kind,
        "name": cls.name,
        "about": about,
        "libraries": list(cls.libraries) or None,
        "hosts": hosts_of(cls),
        "limits": [_rate(limit) for limit in cls.limits],
        **_declared(cls),
        "options": cls.Options.model_json_schema(),
    }


def hosts_of(cls: type[Connector[Any]]) -> list[str]:
    """Return the hosts that a connection may reach; BY_OPTIONS is among them if its options may change them."""
    if not overrides(cls, "egress"):
        return list(cls.egress_hosts)
    try:
        return [*cls(cls.Options.model_construct()).egress(), BY_OPTIONS]
    except Exception:  # noqa: BLE001 - a required option is not there; whatever this raises, the options tell
        return [BY_OPTIONS]


def _declared(cls: type[Connector[Any]]) -> dict[str, Any]:
    if issubclass(cls, Source):
        return {
            "network": getattr(cls, "network", None),
            "capabilities": sorted({*cls.capabilities, *_ways_in(cls)}),
            "compliance": duty(cls.compliance) if hasattr(cls, "compliance") else None,
            "idempotency": after_a_doubt(cls.reply_idempotency) if overrides(cls, "reply") else None,
        }
    if issubclass(cls, Destination):
        more = ["lookup"] if overrides(cls, "lookup") else []
        return {
            "capabilities": sorted({*cls.capabilities, *more}),
            "batch_size": BY_OPTIONS if overrides(cls, "batch_size_of") else cls.batch_size,
            "idempotency": after_a_doubt(cls.idempotency),
        }
    return {"labels": list(cls.labels)} if issubclass(cls, Enricher) else {}


def _ways_in(cls: type[Source[Any]]) -> Iterator[str]:
    for base, way in ((PollingSource, "poll"), (WebhookSource, "push"), (StreamingSource, "stream")):
        if issubclass(cls, base):
            yield way
    if overrides(cls, "reply"):
        yield "reply"
    if cls.recheck_size:
        yield "recheck"


def duty(compliance: Compliance) -> str:
    """Return a network's duties as one line."""
    kept = f"; kept {span(compliance.keep)} at most" if compliance.keep else ""
    terms = f"; terms: {compliance.terms}" if compliance.terms else ""
    return f"a deletion is followed within {span(compliance.delete_within)}{kept}{terms}"


def after_a_doubt(kind: Idempotency) -> str:
    """Return what the engine does with a write whose answer was lost."""
    if isinstance(kind, Upsert):
        return "sent again: the same record again changes nothing"
    if isinstance(kind, Native):
        return f"sent again within {span(kind.window)}, for which the vendor keeps our key; looked up after that"
    if isinstance(kind, Lookup):
        return f"looked up by our mark after {span(kind.lag)}; sent again if it is not found"
    return "a person decides"


def span(length: timedelta) -> str:
    """Return a length of time in its largest whole unit: "7 d", "90 min"."""
    seconds = int(length.total_seconds())
    name, size = next(((name, size) for name, size in _UNITS if seconds % size == 0), ("s", 1))
    return f"{seconds // size} {name}"


def _rate(limit: Limit) -> str:
    return f"{limit.calls} calls in {span(timedelta(seconds=limit.per))}"


def options_of(schema: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the rows of the table of options: name, type, default, help."""
    required = schema.get("required", [])
    return [
        {
            "name": name,
            "type": _type(one, schema.get("$defs", {})),
            "default": "required" if name in required else msgspec.json.encode(one.get("default")).decode(),
            "about": one.get("description"),
        }
        for name, one in schema.get("properties", {}).items()
    ]


def _type(option: Mapping[str, Any], definitions: Mapping[str, Any]) -> str:
    choices = [_resolved(one, definitions) for one in option.get("anyOf", [option])]
    if any(one.get("format") == "password" for one in choices):
        return "secret"
    return " or ".join(dict.fromkeys(name for one in choices if (name := _type_name(one))))


def _resolved(option: Mapping[str, Any], definitions: Mapping[str, Any]) -> Mapping[str, Any]:
    found: Mapping[str, Any] = definitions.get(str(option.get("$ref", "")).rpartition("/")[2], option)
    return found


def _type_name(option: Mapping[str, Any]) -> str:
    if "enum" in option:
        return " or ".join(msgspec.json.encode(one).decode() for one in option["enum"])
    kind = str(option.get("type", ""))
    inner = option.get("items")
    of = f" of {inner['type']}" if kind == "array" and isinstance(inner, Mapping) and "type" in inner else ""
    return "" if kind == "null" else f"{kind}{of}"
