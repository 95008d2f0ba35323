"""A record as a page that a person can work on: change fields, merge, delete. What it posts, the vendor's look-alike handles."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from html import escape
from urllib.parse import parse_qs

from hub.testkit.sandbox.exchange import Answer, Call
from hub.testkit.sandbox.pages.document import document, linked

_STYLE = """
.row { display: grid; grid-template-columns: 1fr 3rem; gap: .6rem; margin: .3rem 0; }
label { display: grid; grid-template-columns: 16rem 1fr; gap: .6rem; overflow-wrap: anywhere; }
input, select { padding: .2rem .4rem; } fieldset { margin: 1.5rem 0; border: 1px solid var(--line); }
"""


def record_form(
    heading: str,
    fields: Mapping[str, object],
    *,
    fixed: Iterable[str] = (),
    winners: Mapping[str, str] | None = None,
) -> Answer:
    """Show a record with a field for each value (`fixed` can only be read), merge into one of `winners` (id to name), delete.

    It posts to its own address: `do` is edit, merge (with `into`) or delete, and each field by its name after "field.".
    """
    locked = set(fixed)
    rows = "".join(_row(name, value, locked=name in locked) for name, value in fields.items())
    merge = ""
    if winners:
        options = "".join(f"<option value='{escape(id_)}'>{escape(name)}</option>" for id_, name in winners.items())
        merge = _form("merge", f"<label>Into <select name='into'>{options}</select></label>", "Merge")
    body = (
        f"<p><a href='/'>All records</a></p><h1>{escape(heading)}</h1>{_form('edit', rows, 'Save')}{merge}"
        f"{_form('delete', '', 'Delete')}"
    )
    return document(heading, body, style=_STYLE, forms=True)


def posted(call: Call) -> tuple[dict[str, str], dict[str, str]]:
    """Return what a form said: `do` and `into`, and the fields of the record by their names (an empty one is "").

    Raises Refused (403) if another site's page sends it.
    """
    call.refuse_foreign()
    form = parse_qs(call.body.decode("utf-8", "replace"), keep_blank_values=True)
    said = {name: values[-1] for name, values in form.items()}
    fields = {name.removeprefix("field."): value for name, value in said.items() if name.startswith("field.")}
    return said, fields


def back_to(path: str) -> Answer:
    """Return the answer after a form: show this page."""
    return Answer(303, None, {"Location": path})


def _row(name: str, value: object, *, locked: bool) -> str:
    said = "" if value is None else str(value)
    shown = f"<span>{linked(said)}</span>" if locked else f"<input name='field.{escape(name)}' value='{escape(said)}'>"
    link = f" <a href='{escape(said)}' rel='noopener noreferrer'>open</a>" if _is_link(said) and not locked else ""
    return f"<div class='row'><label>{escape(name)} {shown}</label>{link}</div>"


def _is_link(text: str) -> bool:
    return text.startswith(("http://", "https://"))


def _form(do: str, inner: str, button: str) -> str:
    return (
        f"<form method='post'><fieldset>{inner}<input type='hidden' name='do' value='{do}'>"
        f"<button>{button}</button></fieldset></form>"
    )
