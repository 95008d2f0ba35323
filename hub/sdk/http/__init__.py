"""The guard: one policy over all HTTP of a connection, and adapters that make vendors' clients use it.

with open_guard(("*.example.com",)) as http:
    http.send("GET", "https://api.example.com/me")

The guard and its client are imported when they are first asked for: reading an answer needs neither.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from hub.sdk.http.guard import Guard, Policy, open_guard
    from hub.sdk.http.usage import window_usage

__all__ = ["Guard", "Policy", "open_guard", "window_usage"]


def __getattr__(name: str) -> Any:
    """Import a public name from its home. Raises AttributeError if it is none of `__all__`."""
    if name in __all__:
        return getattr(import_module(f"hub.sdk.http.{'usage' if name == 'window_usage' else 'guard'}"), name)
    raise AttributeError(f"module 'hub.sdk.http' has no attribute {name!r}")
