"""The town's page: a person plays its people. Threads with the newest on top, forms to post, answer, edit and delete."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from html import escape
from typing import Any

from hub.testkit.sandbox import Answer, Call, Refused, document, route
from plugins.mastodon.sandbox.api import TownApi
from plugins.mastodon.sandbox.statuses import PEOPLE

_Post = tuple[str, Mapping[str, Any]]
_STYLE = """
:root { --ours: #59f2; }
body { font-size: 16px; max-width: 46rem; }
article, form.say { border: 1px solid var(--line); border-radius: .5rem; padding: .6rem 1rem; margin: .6rem 0; }
article.ours { background: var(--ours); } article article, .answers { margin-left: 1.5rem; }
article:target { outline: 2px solid #59f; } header { color: var(--soft); } header b { color: CanvasText; }
p { overflow-wrap: anywhere; margin: .3rem 0; } .soft, summary { color: var(--soft); font-size: .9rem; }
button.idea { margin: .15rem 0; text-align: left; cursor: pointer; }
textarea { width: 100%; box-sizing: border-box; }
details form { margin: .4rem 0; } .invisible { font-size: 0; } details { display: inline-block; margin-right: 1rem; }
details[open] { display: block; }
"""
_IDEAS = (
    ("ann", "@{brand} the app throws me out every time I open it. I am really angry."),
    ("ben", "@{brand} where do I find the IBAN of a savings jar?"),
    ("dario", "I love what {brand} does and want to open an account with them!"),
    ("dario", "@{brand} I tried to open an account three times today and it failed. I am fed up."),
)


class TownSandbox(TownApi):
    """The whole instance, with a page for people."""

    home = ("the town", "/town")

    @route("GET", "/town", open=True)
    def page(self, call: Call) -> Answer:
        """Show all threads."""
        below: dict[str, list[_Post]] = {}
        for id_, one in sorted(self.store.all("status"), key=lambda pair: int(pair[0])):
            below.setdefault(one["in_reply_to_id"] or "", []).append((id_, one))
        threads = "".join(self._thread(root, below) for root in reversed(below.get("", ())))
        ideas = "".join(self._idea(name, said.format(brand=self.brand)) for name, said in _IDEAS)
        say = (
            f"<form class='say' method='post' action='/town/posts'>{self._people()}<label class='soft'> "
            "<select name='visibility'><option value='public'>public<option value='direct'>direct message</select></label>"
            f"<textarea name='text' rows='3' required placeholder='@{escape(self.brand)} ...'></textarea>"
            "<button>Post</button></form>"
        )
        body = (
            "<h1>The town</h1><p class='soft'>A look-alike of a Mastodon instance. You are its people; "
            f"@{escape(self.brand)} is the brand that the hub listens and answers for. Say something, or one of these:</p>"
            f"{ideas}{say}<p><a href='/town'>Look again</a></p>{threads or '<p>No one has said anything yet.</p>'}"
        )
        return _page("The town", body)

    @route("GET", "/@{name}/{id}", open=True)
    @route("GET", "/users/{name}/statuses/{id}", open=True)
    def post_page(self, call: Call) -> Answer:
        """Answer at a status's address: programs get its ActivityPub object, people its thread."""
        status = self.store.get("status", call.args["id"])
        known = status is not None and status["visibility"] in ("public", "unlisted")
        if "json" in call.headers.get("accept", ""):
            found = (
                {"id": status["uri"], "type": "Note", "content": self.html(status["text"])}
                if known and status
                else None
            )
            return Answer(200, found) if found else Answer(404, {"error": "Record not found"})
        if status is None:
            return _page("Gone", "<h1>This post is gone</h1><p><a href='/town'>The town</a></p>", 404)
        return Answer(303, None, {"Location": f"/town#{call.args['id']}"})

    @route("GET", "/@{name}", open=True)
    def profile(self, call: Call) -> Answer:
        """Return an account's own page; here all is on one."""
        return Answer(303, None, {"Location": "/town"})

    def _idea(self, name: str, said: str) -> str:
        """Offer something to say with one click."""
        hidden = (
            f"<input type='hidden' name='as' value='{name}'><input type='hidden' name='text' value='{escape(said)}'>"
        )
        return f"<form method='post' action='/town/posts'>{hidden}<button class='idea'>{name}: {escape(said)}</button></form>"

    def _thread(self, post: _Post, below: Mapping[str, Sequence[_Post]]) -> str:
        """Return a post with all that was said below it."""
        answers = "".join(self._thread(one, below) for one in below.get(post[0], ()))
        return f"{self._post(*post)}<div class='answers'>{answers}</div>"

    def _post(self, id_: str, status: Mapping[str, Any]) -> str:
        name = status["account"]
        who = escape((self.store.get("account", name) or {}).get("display_name", name))
        marks = [" · direct message"] * (status["visibility"] == "direct") + [" · edited"] * bool(status["edited_at"])
        head = (
            f"<header><b>{who}</b> @{escape(name)} · {escape(status['created_at'][11:19])} UTC{''.join(marks)}</header>"
        )
        ours = " class='ours'" if name == self.brand else ""
        return (
            f"<article id='{id_}'{ours}>{head}{self.html(status['text'])}{''.join(self._forms(id_, status))}</article>"
        )

    def _forms(self, id_: str, status: Mapping[str, Any]) -> Iterator[str]:
        """Return what people may do with a post: answer it; and with one of theirs, edit and delete it."""
        # Clients begin an answer with all who take part: without it no one is told.
        named = dict.fromkeys((status["account"], *self.mentioned(status["text"]), self.brand))
        author = next((one for one in named if one != self.brand), PEOPLE[0][0])
        words = "".join(f"@{name} " for name in named if name != author)
        hidden = f"<input type='hidden' name='parent' value='{id_}'>"
        yield _fold("Answer", "/town/posts", f"{hidden}{self._people(author)}{_area(words)}<button>Answer</button>")
        if status["account"] != self.brand:
            yield _fold("Edit", f"/town/posts/{id_}/edit", f"{_area(status['text'])}<button>Save</button>")
            yield _fold("Delete", f"/town/posts/{id_}/delete", "<button>Delete this post</button>")

    def _people(self, chosen: str = "") -> str:
        options = "".join(
            f"<option value='{name}'{' selected' if name == chosen else ''}>{escape(shown)} ({followers:,} followers)</option>"
            for name, shown, followers, _ in PEOPLE
        )
        return f"<label class='soft'>as <select name='as'>{options}</select></label>"

    # ------------------------------------------------------------------------------------------------------------- orders

    @route("POST", "/town/posts", object="status", open=True)
    def say_here(self, call: Call) -> Answer:
        """Post, or answer, as one of the people."""
        form = call.form()
        return self._obey(call, lambda: self._said(form))

    def _said(self, form: Mapping[str, str]) -> str:
        name, parent = form.get("as", ""), form.get("parent")
        if name == self.brand or self.store.get("account", name) is None:
            raise Refused(Answer(422, {"error": "choose one of the town's people"}))
        visibility = self.existing(parent)["visibility"] if parent else form.get("visibility", "public")
        text = form.get("text", "").replace("\r\n", "\n").strip()
        return self.say(name, text, parent=parent, visibility=visibility)

    @route("POST", "/town/posts/{id}/edit", object="status", open=True)
    def edit_here(self, call: Call) -> Answer:
        """Let the author find other words."""
        text = call.form().get("text", "").replace("\r\n", "\n").strip()
        return self._obey(call, lambda: self.edit(call.args["id"], text))

    @route("POST", "/town/posts/{id}/delete", object="status", open=True)
    def delete_here(self, call: Call) -> Answer:
        """Let the author take the post back."""
        return self._obey(call, lambda: self.take_back(call.args["id"]))

    def _obey(self, call: Call, act: Callable[[], str | None]) -> Answer:
        """Do it and show the town; orders come from this page and from programs only. Programs may ask for JSON."""
        if call.is_foreign:
            return _page("Refused", "<p>This order comes from another site.</p>", 403)
        try:
            made = act()
        except Refused as refused:
            said = refused.answer.body.get("error", "")
            return _page("Refused", f"<p>{escape(said)}</p><p><a href='/town'>The town</a></p>", refused.answer.status)
        if "json" in call.headers.get("accept", ""):
            return Answer(200, {"id": made, "uri": self.existing(made)["uri"]} if made else {})
        return Answer(303, None, {"Location": f"/town#{made}" if made else "/town"})


def _area(text: str) -> str:
    return f"<textarea name='text' rows='3' required>{escape(text)}</textarea>"


def _fold(title: str, action: str, body: str) -> str:
    return f"<details><summary>{title}</summary><form method='post' action='{action}'>{body}</form></details>"


def _page(title: str, body: str, status: int = 200) -> Answer:
    return document(title, body, style=_STYLE, forms=True, status=status)
