"""A guest book on this machine: stateful, over real HTTP."""

import json
from typing import Any

from hub.testkit.sandbox import Answer, Call, Event, Refused, Sandbox, SandboxOptions, route
from hubbub_echo.inbound import SCHEME

PAGE = 2
OURS = "us"
SEED = (
    ("Ana", "The echo in the hall is lovely"),
    ("Ben", "Nice coffee"),
    ("Ana", "No echo today, what happened?"),
)


class EchoSandbox(Sandbox):
    """Entries to read and to answer, and room for notes; `say`, `edit`, `delete`, `hide` and `mark` are what people do."""

    title = "Guest book"

    def seed(self) -> None:
        """Begin with three entries, unless the option `empty` says otherwise; no two notes have one key."""
        self.store.declare("entries", unique=("key",))
        self.store.declare("notes", unique=("key",))
        for name, text in () if self.options.extra.get("empty") else SEED:
            self.say(name, text)

    # ------------------------------------------------------------------------------------------------ what people do

    def say(self, name: str, text: str, *, answers: str = "", key: str = "") -> str:
        """Write an entry; returns its id."""
        id_, at = self.store.next_id("entries"), self.now().isoformat()
        entry = {"id": id_, "seq": self._next_seq(), "version": 1, "name": name, "text": text, "written": at}
        self.store.insert("entries", id_, {**entry, "changed": at, "answers": answers, "key": key or id_})
        return id_

    def edit(self, id_: str, text: str) -> None:
        """Change an entry: it stands at the top of the list again."""
        entry = self.store.get("entries", id_) or {}
        change = {"text": text, "seq": self._next_seq(), "changed": self.now().isoformat()}
        self.store.put("entries", id_, {**entry, **change, "version": int(entry["version"]) + 1})

    def delete(self, id_: str) -> None:
        """Take an entry away."""
        self.store.remove("entries", id_)

    def hide(self, id_: str) -> None:
        """Hide an entry for a while."""
        self.store.put("entries", id_, {**(self.store.get("entries", id_) or {}), "hidden": True})

    def mark(self, note: str, state: str) -> None:
        """Give a note a state, and tell the hub where `[sandbox.options.echo]` says."""
        at = self.now().isoformat()
        event = {"what": "state", "id": f"{note}-{at}", "note": note, "state": state, "by": "kim", "at": at}
        url, secret = (str(self.options.extra.get(name, "")) for name in ("webhook_url", "webhook_secret"))
        body = json.dumps(event).encode()
        headers = {"x-echo-time": at, "x-echo-signature": SCHEME.sign(at.encode() + body, secret)}
        if url:
            self.teller.send(Event("state", url, lambda _: (headers, body), lambda _: None))

    # ----------------------------------------------------------------------------------------------------- the API

    @route("GET", "/me")
    def me(self, call: Call) -> Answer:
        """Say whose token it is."""
        return Answer(200, {"name": OURS})

    @route("GET", "/entries", object="entries")
    def entries(self, call: Call) -> Answer:
        """List entries, the newest change first; `own` lists ours only; `next` names the page after this one."""
        before, own = int(call.param("before", "0")), bool(call.param("own", ""))
        found = [one for one in self._visible() if (not own or one["name"] == OURS)]
        found = [one for one in found if not before or int(one["seq"]) < before]
        more = str(found[PAGE - 1]["seq"]) if len(found) > PAGE else None
        return Answer(200, {"entries": [_shown(one) for one in found[:PAGE]], "next": more})

    @route("GET", "/entries/{id}", object="entries")
    def entry(self, call: Call) -> Answer:
        """Give one entry."""
        return Answer(200, _shown(self._entry(call.args["id"])))

    @route("POST", "/entries", object="entries")
    def answer(self, call: Call) -> Answer:
        """Write an answer of ours; the same key gives the same entry."""
        said, key = call.json(), call.headers.get("idempotency-key", "")
        if found := self.store.find("entries", "key", key):
            return Answer(200, _shown(found[1]))
        parent = self._entry(str(said["answers"]))
        id_ = self.say(OURS, str(said["text"]), answers=str(parent["id"]), key=key)
        self.journal.record("create", "entries", id_, key=key)
        return Answer(201, {"id": id_})

    @route("PUT", "/notes/{key}", object="notes")
    def put_note(self, call: Call) -> Answer:
        """Make or change a note."""
        key = call.args["key"]
        if call.fails(int(call.json().get("number", 0)) - 1, 3):
            return Answer(422, {"error": "refused by the sandbox"})
        found = self.store.find("notes", "key", key)
        id_ = found[0] if found else self.store.next_id("notes")
        note = self.store.put("notes", id_, {**call.json(), "key": key})
        self.journal.record("update" if found else "create", "notes", id_, key=key, fields=note)
        return Answer(200, {"id": id_})

    @route("DELETE", "/notes/{key}", object="notes")
    def delete_note(self, call: Call) -> Answer:
        """Delete a note; deleting it again is fine."""
        if found := self.store.find("notes", "key", call.args["key"]):
            self.store.remove("notes", found[0])
            self.journal.record("delete", "notes", found[0], key=call.args["key"])
        return Answer(204)

    def _visible(self) -> list[dict[str, Any]]:
        found = (entry for _, entry in self.store.all("entries") if not entry.get("hidden"))
        return sorted(found, key=lambda entry: -int(entry["seq"]))

    def _entry(self, id_: str) -> dict[str, Any]:
        found = self.store.get("entries", id_)
        if found is None or found.get("hidden"):
            raise Refused(
                Answer(403 if found else 404, {"error": "the entry is hidden" if found else "the entry is gone"})
            )
        return found

    def _next_seq(self) -> int:
        return 1 + max((int(entry["seq"]) for _, entry in self.store.all("entries")), default=0)


def _shown(entry: dict[str, Any]) -> dict[str, Any]:
    """Return an entry as the API shows it."""
    return {name: value for name, value in entry.items() if name not in {"key", "hidden"}}


def build(options: SandboxOptions) -> Sandbox:
    """Build the guest book: the entry point that the classes name."""
    return EchoSandbox(options)
