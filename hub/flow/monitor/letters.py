"""The addresses of alerts, as far as they can be told wrong before there is an alert."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from importlib.util import find_spec

from hub.config.secrets import read_secrets
from hub.config.settings import Settings
from hub.core.errors import Problem
from hub.flow.monitor.post import is_address
from hub.wiring import collect


def unheard_alerts(settings: Settings) -> Iterator[Problem]:
    """Yield why alerts would be sent to no address: secrets that cannot be read, a library that is not there."""
    if settings.alerts.urls and find_spec("apprise") is None:
        yield Problem(str(settings.file), "alerts.urls", "alerts need 'apprise'", "pip install 'hubbub[alerts]'")
    found: list[Problem] = []
    urls = collect(found, partial(read_secrets, settings, settings.alerts.urls, at="alerts.urls"))
    yield from found
    if urls and find_spec("apprise") is not None:
        for number, url in enumerate(urls):
            if not is_address(url.get_secret_value()):
                message = "what this leads to is no address that alerts can be sent to"
                hint = "such as mailtos://USER:PASSWORD@HOST or slack://TOKEN: see https://appriseit.com"
                yield Problem(str(settings.file), f"alerts.urls.{number}", message, hint)
