"""A guest book on this machine: stateful, over real HTTP."""

from hub.testkit.sandbox import Answer, Call, Sandbox, SandboxOptions, route

ENTRIES = (
    {"id": 1, "name": "Ana", "text": "The echo in the hall is lovely", "written": "2026-11-01T10:00:00Z"},
    {"id": 2, "name": "Ben", "text": "Nice coffee", "written": "2026-11-02T10:00:00Z"},
    {"id": 3, "name": "Ana", "text": "No echo today, what happened?", "written": "2026-11-03T10:00:00Z"},
)


class EchoSandbox(Sandbox):
    """Three entries to read, and room for notes."""

    title = "Guest book"

    def seed(self) -> None:
        """Entries that are there from the start; notes are found by their key."""
        self.store.declare("notes", unique=("key",))
        for entry in ENTRIES:
            self.store.put("entries", str(entry["id"]), entry)

    @route("GET", "/me")
    def me(self, call: Call) -> Answer:
        """Who we are."""
        return Answer(200, {"title": self.title})

    @route("GET", "/entries", object="entries")
    def entries(self, call: Call) -> Answer:
        """The entries after a number, two a page."""
        after = int(call.param("after", "0"))
        return Answer(200, [entry for _, entry in self.store.all("entries") if entry["id"] > after][:2])

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


def build(options: SandboxOptions) -> Sandbox:
    """The entry point that the destination names."""
    return EchoSandbox(options)
