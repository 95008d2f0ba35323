"""The shell of a page: one look, one policy. Styles by their hash only, no scripts; forms only where a page has them."""

from __future__ import annotations

import re
from base64 import b64encode
from functools import cache
from hashlib import sha256
from html import escape

from hub.testkit.sandbox.exchange import Answer

_LINK = re.compile(r"https?://[^\s<>\"']+[\w/]")
_STYLE = """
:root { color-scheme: light dark; --line: #8884; --soft: #888; }
body { font: 15px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 60rem; padding: 0 1rem; }
input, select, textarea, button { font: inherit; }
table { border-collapse: collapse; } td, th { border-bottom: 1px solid var(--line); padding: .35rem .6rem; text-align: left; }
.soft { color: var(--soft); }
"""


def document(title: str, body: str, *, style: str = "", forms: bool = False, status: int = 200) -> Answer:
    """Return a page; `title` is text, `body` HTML. `style` adds to the common look, `forms` lets it post to its own site."""
    html = (
        "<!doctype html><html lang='en'><head><meta charset='utf-8'><meta name='viewport' content='width=device-width'>"
        f"<title>{escape(title)}</title><style>{_STYLE}{style}</style></head><body>{body}</body></html>"
    )
    return Answer(status, html.encode("utf-8", "replace"), _headers(style, forms=forms))


@cache
def _headers(style: str, *, forms: bool) -> dict[str, str]:
    allowed = b64encode(sha256(f"{_STYLE}{style}".encode()).digest()).decode()
    action = "'self'" if forms else "'none'"
    policy = f"default-src 'none'; style-src 'sha256-{allowed}'; base-uri 'none'; form-action {action}; frame-ancestors 'none'"
    return {
        "Content-Type": "text/html; charset=utf-8",
        "Content-Security-Policy": policy,
        "X-Content-Type-Options": "nosniff",
        # A form on a page that hides where it came from would be taken for another site's: see `Call.is_foreign`.
        "Referrer-Policy": "same-origin",
    }


def linked(text: str) -> str:
    """Return a text as HTML, its web addresses as links that do not tell where the reader comes from."""
    parts, end = [], 0
    for found in _LINK.finditer(text):
        url = escape(found[0])
        parts += [escape(text[end : found.start()]), f"<a href='{url}' rel='noopener noreferrer'>{url}</a>"]
        end = found.end()
    return "".join((*parts, escape(text[end:])))
