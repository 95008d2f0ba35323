"""Templates to answers: autoescaped, with an ETag, so that a page that did not change costs nothing to ask for again."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urlsplit

import msgspec
from fastapi import Request, Response
from jinja2 import Environment, FileSystemLoader

from hub.core.ledger import STATES
from hub.web.console.menu import menu_of
from hub.web.forms import FIELD
from hub.web.serving import Serving

FOLDER = Path(__file__).parent.parent
# What turns a line around, or hides in it: shown as \uXXXX where the exact text matters.
_UNSEEN = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u00ad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb]"
)
MEANS: Mapping[str, str] = {
    "pending": "waits to be sent",
    "leased": "is being sent now",
    "retry": "failed for now: it is tried again when due",
    "delivered": "the destination has it",
    "blocked": "waits until its connection is authorised again: run `hub check`",
    "parked": "a quota is used up: it goes on when due",
    "uncertain": "sent, and no answer came: looked into before anything is sent again",
    "approval": "waits for a person to let it out, or to refuse it",
    "review": "it may have been done, and the hub cannot tell: a person decides",
    "dead": "given up: refused by the destination, or out of attempts",
    "discarded": "given up: by a person, or since nothing is left to do",
    "superseded": "a newer version took its place before it was sent",
}
assert set(MEANS) == set(STATES)


SECRETIVE = frozenset({"key.html", "link.html", "recovery.html", "second_factor.html", "welcome.html"})
"""Pages that show a secret once: no browser keeps them."""


class Renderer:
    """Render the templates; the forms of the hub that is served put their token into those that hold a form."""

    def __init__(self, serving: Serving) -> None:
        self.serving = serving

    def show(self, request: Request, name: str, values: Mapping[str, Any], *, status: int = 200) -> Response:
        """Return a page; 304 if the browser has it already."""
        forms, found = self.serving.forms, getattr(request.state, "asker", None)
        me, people = (found.user, found.people) if found is not None else (None, ())
        menu = menu_of(found.actor) if found is not None else ()
        page = environment().get_template(name)
        body = page.render(values, token=forms.token(request), status=status, me=me, people=people, menu=menu).encode(
            "utf-8", "replace"
        )
        etag = f'"{sha256(body).hexdigest()[:32]}"'
        same = status == 200 and request.headers.get("if-none-match") == etag
        response = Response(b"" if same else body, 304 if same else status, {"etag": etag}, "text/html; charset=utf-8")
        if name in SECRETIVE:
            response.headers["cache-control"] = "no-store"
        forms.give(request, response)
        return response


@cache
def environment() -> Environment:
    """Return the process's one set of templates: each is compiled once."""
    env = Environment(
        loader=FileSystemLoader(FOLDER / "templates"), autoescape=True, trim_blocks=True, lstrip_blocks=True
    )
    env.globals.update(MEANS=MEANS, FIELD=FIELD, link=link)
    filters = (brief, utc, short, web_url, cut, visible, pretty, amount, score, agent)
    env.filters.update({one.__name__: one for one in filters})
    return env


def utc(iso: str) -> str:
    """Return a time in full."""
    return f"{datetime.fromisoformat(iso):%Y-%m-%d %H:%M:%S} UTC"


def short(iso: str) -> str:
    """Return a time in a few characters; a script turns it into "5 min ago"."""
    return f"{datetime.fromisoformat(iso):%d %b %H:%M}"


def web_url(url: str | None) -> str:
    """Return the URL if it is http(s) with a host, else nothing: no other scheme becomes a link."""
    try:
        parts = urlsplit(url or "")
    except ValueError:
        return ""
    return url or "" if parts.scheme in {"http", "https"} and parts.netloc else ""


def cut(text: str | None, length: int) -> str:
    """Return the beginning of a text."""
    given = text or ""
    return given if len(given) <= length else f"{given[:length].rstrip()}…"


def visible(text: str) -> str:
    """Return a text in which nothing hides: controls, zero-width and direction marks as `\\uXXXX`."""
    return _UNSEEN.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


def pretty(value: Any) -> str:
    """Return a value as indented JSON in which nothing hides."""
    return visible(msgspec.json.format(msgspec.json.encode(value), indent=2).decode())


def brief(value: Any) -> str:
    """Return a value as JSON on one line in which nothing hides."""
    return visible(msgspec.json.encode(value).decode())


def amount(number: int) -> str:
    """Return a count with thousands apart."""
    return f"{number:,}"


def score(number: float | None) -> str:
    """Return a score with its sign, as -0.62 (with a true minus)."""
    return "" if number is None else f"{round(number, 2) + 0.0:+.2f}".replace("+0.00", "0.00").replace("-", "\u2212")


def agent(name: str) -> str:
    """Return a person at a desk by name: "agent 12" if the desk tells a number only."""
    return f"agent {name}" if name.isdecimal() else name


def link(path: str, **query: Any) -> str:
    """Return a path with the parameters that say something."""
    said = {name: str(value).lower() if isinstance(value, bool) else value for name, value in query.items()}
    text = urlencode({name: value for name, value in said.items() if value not in {None, ""}})
    return f"{path}?{text}" if text else path
