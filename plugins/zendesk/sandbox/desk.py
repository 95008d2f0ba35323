"""The agent's desk of the look-alike: tickets to read, answer, set, merge and delete, and where its webhook points to."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from html import escape
from typing import Any
from urllib.parse import urlsplit

from hub.testkit.sandbox import Answer, Call, Refused, linked, route
from hub.testkit.sandbox.pages.document import document
from hub.testkit.sandbox.pages.forms import back_to, posted
from plugins.zendesk.sandbox.account import COLLEAGUE, PERSON
from plugins.zendesk.sandbox.erasures import BLACK, DeskErasures

STATUSES = ("new", "open", "pending", "hold", "solved", "closed")
_STYLE = """
body { font-size: 16px; max-width: 46rem; }
article, form { border: 1px solid var(--line); border-radius: .5rem; padding: .5rem 1rem; margin: 1rem 0; }
article.note { background: #fc02; } article h2 { font-size: 1rem; margin: 0; }
p { white-space: pre-wrap; overflow-wrap: anywhere; } label { display: block; margin: .4rem 0; }
textarea, input[type=text], input[type=url] { width: 100%; box-sizing: border-box; }
"""


class ZendeskSandbox(DeskErasures):
    """The whole account, with a person before it."""

    home = ("the agent's desk", "/agent/tickets")

    def address_of(self, object_: str, id_: str) -> str:
        """Return the address of a ticket's page at the desk."""
        return f"/agent/tickets/{id_}" if object_ == "ticket" else super().address_of(object_, id_)

    @route("GET", "/agent/tickets", open=True, contract=False)
    def list_page(self, call: Call) -> Answer:
        """Show all tickets, newest first."""
        rows = "".join(
            f"<tr><td><a href='/agent/tickets/{escape(id_)}'>#{escape(id_)}</a></td><td>{_said(one['status'])}</td>"
            f"<td>{_said(one['subject'])}</td><td>{_said(self.name_of(one['requester_id']))}</td></tr>"
            for id_, one in reversed(self.store.all("ticket"))
        )
        return _page("Tickets", f"<h1>Tickets</h1><table>{rows}</table><p><a href='/agent/webhook'>Webhook</a></p>")

    @route("GET", "/agent/tickets/{id}", open=True, contract=False)
    def agent_page(self, call: Call) -> Answer:
        """Show the ticket as an agent sees it, with forms to answer it and to change it."""
        id_ = call.args["id"]
        ticket = self.held(id_)
        if ticket is None:
            return _page("No such ticket", "<p>No such ticket</p>", 404)
        subject = _said(ticket["subject"] or "(no subject)")
        said = "".join(self._comment(one) for _, one in self.said_in(id_))
        top = f"<p><a href='/agent/tickets'>Tickets</a> / #{escape(id_)}</p><h1>{subject}</h1>{self._facts(ticket)}"
        forms = "<p>This ticket is closed.</p>" if ticket["status"] == "closed" else self._forms(id_, ticket)
        return _page(str(ticket["subject"]), f"{top}{said}{forms}{_delete_form(id_)}")

    def _facts(self, ticket: Mapping[str, Any]) -> str:
        named = {name: ticket[name] for name in ("status", "priority", "external_id")}
        named |= {"requester": self.name_of(ticket["requester_id"]), "tags": " ".join(ticket["tags"])}
        named |= {"follow-ups": ", ".join(f"#{one}" for one in ticket["followup_ids"])}
        rows = "".join(f"<tr><th>{name}</th><td>{_said(value)}</td></tr>" for name, value in named.items() if value)
        return f"<table>{rows}</table>"

    def _comment(self, comment: Mapping[str, Any]) -> str:
        text = str(comment["plain_body"])
        marks = [
            word for word, is_so in (("internal note", not comment["public"]), ("redacted", BLACK in text)) if is_so
        ]
        told = f" ({', '.join(marks)})" if marks else ""
        kind = "public" if comment["public"] else "note"
        head = f"<h2>{_said(self.name_of(comment['author_id']))}{told}</h2>"
        return f"<article class='{kind}'>{head}<p>{linked(text)}</p></article>"

    def _forms(self, id_: str, ticket: Mapping[str, Any]) -> str:
        statuses = _options(((one, one) for one in STATUSES), ticket["status"])
        agents = [("", "nobody"), *((str(one), self.name_of(one)) for one in (PERSON, COLLEAGUE))]
        assignee = _options(agents, str(ticket["assignee_id"] or ""))
        say = (
            "<label>Words<textarea name='text' rows='4' required></textarea></label>"
            "<label><input type='radio' name='public' value='yes' checked> public reply</label>"
            "<label><input type='radio' name='public' value='no'> internal note</label><button>Submit</button>"
        )
        change = (
            f"<label>Status <select name='status'>{statuses}</select></label>"
            f"<label>Assignee <select name='assignee'>{assignee}</select></label>"
            f"<label>Tags<input type='text' name='tags' value='{_said(' '.join(ticket['tags']))}'></label><button>Set</button>"
        )
        merge = "<label>Merge into ticket number<input type='text' name='into' required></label><button>Merge</button>"
        return "".join(
            _form(f"/agent/tickets/{id_}/{what}", body)
            for what, body in (("say", say), ("set", change), ("merge", merge))
        )

    # ------------------------------------------------------------------------------------------------------------ orders

    @route("POST", "/agent/tickets/{id}/say", object="comment", open=True, contract=False)
    def say(self, call: Call) -> Answer:
        """Reply in public, or note for agents."""
        form = call.form()
        comment = {"body": form.get("text", "").replace("\r\n", "\n"), "public": form.get("public") == "yes"}
        return self._obey(call, lambda id_: self.change(id_, {"comment": comment}, PERSON))

    @route("POST", "/agent/tickets/{id}/set", object="ticket", open=True, contract=False)
    def set(self, call: Call) -> Answer:
        """Set status, assignee and tags, each if it is given."""
        form, _ = posted(call)
        given: dict[str, Any] = {}
        if form.get("status") in STATUSES:
            given["status"] = form["status"]
        if "assignee" in form:
            given["assignee_id"] = int(form["assignee"]) if form["assignee"].isdecimal() else None
        if "tags" in form:
            given["tags"] = form["tags"].split()
        return self._obey(call, lambda id_: self.change(id_, given, PERSON))

    @route("POST", "/agent/tickets/{id}/merge", object="ticket", open=True, contract=False)
    def merge_here(self, call: Call) -> Answer:
        """Merge this ticket into another, and go there."""
        into = call.form().get("into", "").strip().lstrip("#")
        return self._obey(call, lambda id_: self.merge(id_, into, PERSON), then=f"/agent/tickets/{into}")

    @route("POST", "/agent/tickets/{id}/delete", object="ticket", open=True, contract=False)
    def delete_here(self, call: Call) -> Answer:
        """Delete this ticket."""
        return self._obey(call, lambda id_: self.bury(id_, PERSON), then="/agent/tickets")

    def _obey(self, call: Call, act: Callable[[str], Any], then: str = "") -> Answer:
        """Do it and show what came of it; orders come from this sandbox's own pages and from programs only."""
        id_ = call.args["id"]
        call.refuse_foreign()
        if self.held(id_) is None:
            return _page("No such ticket", "<p>No such ticket</p>", 404)
        try:
            act(id_)
        except Refused as refused:
            return _page("Refused", f"<p>{_said(refused.answer.body)}</p>", refused.answer.status)
        return back_to(then or f"/agent/tickets/{id_}")

    # ----------------------------------------------------------------------------------------------------------- webhook

    @route("GET", "/agent/webhook", open=True, contract=False)
    def webhook_page(self, call: Call) -> Answer:
        """Show where events go, and what came of the last ones; the secret is not shown again."""
        held = self.store.get("_webhook", "target") or self.options.extra.get("webhook") or {}
        tried = [(one.at, one.kind, one.number, one.status or "no answer") for one in reversed(self.teller.attempts)]
        rows = "".join(f"<tr>{''.join(f'<td>{_said(cell)}</td>' for cell in row)}</tr>" for row in tried)
        form = (
            f"<label>Endpoint URL<input type='url' name='url' value='{_said(held.get('url'))}' required></label>"
            "<label>Signing secret<input type='text' name='secret' required></label><button>Set</button>"
        )
        head = "<p><a href='/agent/tickets'>Tickets</a></p><h1>Webhook</h1>"
        table = f"<h2>Last attempts</h2><table><tr><th>at<th>event<th>attempt<th>status</tr>{rows}</table>"
        return _page("Webhook", f"{head}{_form('/agent/webhook', form)}{table}")

    @route("POST", "/agent/webhook", object="webhook", open=True, contract=False)
    def set_webhook(self, call: Call) -> Answer:
        """Set where all ticket events go; by form, or by JSON `{"url", "secret"}`."""
        call.refuse_foreign()
        is_json = call.headers.get("content-type", "").startswith("application/json")
        given = call.json() if is_json else call.form()
        url, secret = (str(given.get(name, "")).strip() for name in ("url", "secret"))
        if urlsplit(url).scheme not in ("http", "https") or not secret:
            return Answer(400, {"error": "InvalidWebhook", "description": "an http(s) url and a secret are needed"})
        self.store.put("_webhook", "target", {"url": url, "secret": secret})
        return Answer(200, {"webhook": {"endpoint": url}}) if is_json else back_to("/agent/webhook")


def _said(value: Any) -> str:
    return "" if value is None else escape(str(value))


def _options(choices: Iterable[tuple[str, str]], chosen: str) -> str:
    return "".join(
        f"<option value='{_said(value)}'{' selected' if value == chosen else ''}>{_said(name)}</option>"
        for value, name in choices
    )


def _form(action: str, body: str) -> str:
    return f"<form method='post' action='{_said(action)}'>{body}</form>"


def _delete_form(id_: str) -> str:
    return _form(f"/agent/tickets/{id_}/delete", "<button>Delete this ticket</button>")


def _page(title: str, body: str, status: int = 200) -> Answer:
    return document(title, body, style=_STYLE, forms=True, status=status)
