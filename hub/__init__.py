"""Hubbub's public plugin API.

    from hub import Options, PollingSource, RawItem, Signal, Translated, hookimpl

`hub.sdk.http` (the guard and its adapters), `hub.testkit.sandbox` and `hub.testkit` are imported by name.
Each name is imported when it is first asked for: every process and every command passes through this file.
"""

import sys
from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from hub.core.errors import (
        ConfigError,
        ConnectorError,
        HubError,
        PartlyRefused,
        QuotaExhausted,
        RateLimited,
        Rejected,
        Retryable,
        TooManyItems,
        TranslationError,
        Unauthorised,
        Unavailable,
        Uncertain,
    )
    from hub.core.keys import author_key, idempotency_key, signal_key
    from hub.core.model import (
        Act,
        Author,
        Change,
        Counts,
        Delivery,
        Ignored,
        Label,
        Media,
        Rating,
        RawItem,
        RemoteRef,
        Reply,
        Signal,
        Tombstone,
        Translated,
        Unread,
    )
    from hub.sdk.connectors import (
        ChangePage,
        Compliance,
        ConfigPath,
        Connector,
        Context,
        Destination,
        Enricher,
        FieldInfo,
        Http,
        HttpResponse,
        Limit,
        Lookup,
        Native,
        NoIdempotency,
        ObjectInfo,
        Options,
        Outcome,
        Page,
        PollingSource,
        ReplyRules,
        Request,
        Source,
        State,
        StreamingSource,
        Upsert,
        Usage,
        WebhookSource,
    )
    from hub.sdk.hookspecs import hookimpl
    from hub.sdk.version import API_VERSION

__all__ = [
    "API_VERSION",
    "Act",
    "Author",
    "Change",
    "ChangePage",
    "Compliance",
    "ConfigError",
    "ConfigPath",
    "Connector",
    "ConnectorError",
    "Context",
    "Counts",
    "Delivery",
    "Destination",
    "Enricher",
    "FieldInfo",
    "Http",
    "HttpResponse",
    "HubError",
    "Ignored",
    "Label",
    "Limit",
    "Lookup",
    "Media",
    "Native",
    "NoIdempotency",
    "ObjectInfo",
    "Options",
    "Outcome",
    "Page",
    "PartlyRefused",
    "PollingSource",
    "QuotaExhausted",
    "RateLimited",
    "Rating",
    "RawItem",
    "Rejected",
    "RemoteRef",
    "Reply",
    "ReplyRules",
    "Request",
    "Retryable",
    "Signal",
    "Source",
    "State",
    "StreamingSource",
    "Tombstone",
    "TooManyItems",
    "Translated",
    "TranslationError",
    "Unauthorised",
    "Unavailable",
    "Uncertain",
    "Unread",
    "Upsert",
    "Usage",
    "WebhookSource",
    "author_key",
    "hookimpl",
    "idempotency_key",
    "signal_key",
]
# The evaluator of conditions brings a terminal program of its own (0.1 s and 17 MB in each process), which is never opened here.
sys.modules.setdefault("cel.cli", ModuleType("cel.cli"))
_HOMES = (
    "hub.core.errors",
    "hub.core.keys",
    "hub.core.model",
    "hub.sdk.version",
    "hub.sdk.hookspecs",
    "hub.sdk.connectors",
)


def __getattr__(name: str) -> Any:
    """Import a public name from its home. Raises AttributeError if it is none of `__all__`."""
    if name in __all__:
        for home in _HOMES:
            found = getattr(import_module(home), name, None)
            if found is not None:
                globals()[name] = found
                return found
    raise AttributeError(f"module 'hub' has no attribute {name!r}")
