"""Words to people: alerts as one message, sent by a child process that may take its time, but not for ever."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Sequence

from hub.config.interpreter import module_command, safe_environment
from hub.config.secrets import read_secrets
from hub.config.settings import Settings
from hub.core.errors import HubError
from hub.runtime import Hub
from hub.store.monitor.alerts import Kept

PATIENCE_S = 60.0
NO_APPRISE = 3
MOST_SHOWN = 20


class NotTold(HubError):
    """The alert could not be sent."""


def message(hub: Hub, kept: Sequence[Kept]) -> tuple[str, str]:
    """Return title and body: what is wrong first, then what is over."""
    wrong, over = [one for one in kept if one.is_open], [one for one in kept if not one.is_open]
    lines = [f"{one.severity.upper()}: {one.text} (since {one.since:%Y-%m-%d %H:%M} UTC)" for one in wrong]
    lines += [f"OVER: {one.text}" for one in over]
    title = f"Hubbub: {len(wrong)} wrong" if len(wrong) > 1 else "Hubbub: something is wrong"
    shown = lines[:MOST_SHOWN] + ([f"and {len(lines) - MOST_SHOWN} more"] if len(lines) > MOST_SHOWN else [])
    return title if wrong else "Hubbub: all over", "\n".join([*shown, f"{hub.settings.public_url}/"])


def tell(settings: Settings, title: str, body: str) -> list[tuple[str, bool]]:
    """Send a message to each of `alerts.urls`; return its kind (mailto, slack, ...), and True if it was taken.

    Raises ConfigError if a secret cannot be read, NotTold if nothing could be tried.
    """
    urls = [secret.get_secret_value() for secret in read_secrets(settings, settings.alerts.urls, at="alerts.urls")]
    if not urls:
        return []
    taken = _in_child(json.dumps({"urls": urls, "title": title, "body": body}))
    return [(url.partition(":")[0], fine) for url, fine in zip(urls, taken, strict=True)]


def _in_child(given: str) -> list[bool]:
    command = module_command("hub.flow.monitor.post")
    try:
        # Its standard error is thrown away: a traceback could quote a URL.
        ended = subprocess.run(  # noqa: S603 - our own module
            command,
            input=given,
            env=safe_environment(),
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            timeout=PATIENCE_S,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise NotTold(f"alerts could not be sent within {PATIENCE_S:.0f} seconds") from None
    if ended.returncode == NO_APPRISE:
        raise NotTold("alerts need 'apprise': pip install 'hubbub[alerts]'")
    if ended.returncode:
        raise NotTold("alerts could not be sent: `hub alerts test` tries each address")
    taken: list[bool] = json.loads(ended.stdout)
    return taken
