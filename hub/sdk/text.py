"""Text from networks made safe: HTML to plain text, sanitised HTML, times. Pure, so translate modules may use it.

Everything here takes hostile input: nothing raises, and time grows with the length of the input only.
"""

from __future__ import annotations

import json
from typing import Any

from hub.core.grammar.markup import clean, html_to_text, safe_html
from hub.sdk.times import parse_time

__all__ = ["clean", "excerpt", "html_to_text", "parse_time", "safe_html"]


def excerpt(answer: Any, most: int = 2_000) -> str:
    """Return what a vendor answered as kept beside a failure: its text, or its JSON as text, at most `most` characters."""
    try:
        text = answer if isinstance(answer, str) else json.dumps(answer, ensure_ascii=False, default=str)
    except (ValueError, RecursionError):
        text = "(nested too deep to be shown)"
    text = clean(text)
    return text if len(text) <= most else text[: most - 1] + "…"
