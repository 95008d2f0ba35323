"""The child that sends alerts: `python -m hub.flow.monitor.post` reads {urls, title, body} and writes which URLs took it.

Apprise opens connections of its own (not through the guard), is 40 MB heavy, and a mail server may hang: none of this belongs
into the scheduler. URLs hold passwords, so they come on standard input and are never written anywhere.
"""

from __future__ import annotations

import json
import logging
import sys
from typing import Any


def send(urls: list[str], title: str, body: str) -> list[bool]:
    """Tell each URL; True if it was taken."""
    import apprise  # noqa: PLC0415 - an extra, and heavy

    logging.getLogger("apprise").disabled = True
    return [_tell(apprise.Apprise(), url, title, body) for url in urls]


def is_address(url: str) -> bool:
    """Return True if Apprise knows how to tell this URL; it is not called."""
    import apprise  # noqa: PLC0415 - see above

    logging.getLogger("apprise").disabled = True
    return apprise.Apprise.instantiate(url, suppress_exceptions=True) is not None


def _tell(teller: Any, url: str, title: str, body: str) -> bool:
    return bool(teller.add(url)) and bool(teller.notify(body=body, title=title))


def main() -> int:
    """Send what standard input says."""
    given = json.load(sys.stdin)
    try:
        taken = send(given["urls"], given["title"], given["body"])
    except ImportError:
        return 3
    json.dump(taken, sys.stdout)
    return 0


if __name__ == "__main__":
    sys.exit(main())
