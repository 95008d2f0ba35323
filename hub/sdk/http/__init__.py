"""The guard: one policy over all HTTP of a connection, and adapters that make vendors' clients use it.

with open_guard(("*.example.com",)) as http:
    http.send("GET", "https://api.example.com/me")
"""

from hub.sdk.http.guard import Guard, Policy, open_guard
from hub.sdk.http.usage import window_usage

__all__ = ["Guard", "Policy", "open_guard", "window_usage"]
