"""The sandbox's own endpoints: page, journal, counts, violations, faults, reset."""

from __future__ import annotations

from typing import Any

from hub.testkit.sandbox.app import Sandbox
from hub.testkit.sandbox.exchange import Answer, Call, Refused
from hub.testkit.sandbox.pages import front
from hub.testkit.sandbox.routes import compile_path

_RECORD = compile_path("/_sandbox/records/{object}/{id}")


def answer(sandbox: Sandbox, call: Call) -> Answer:
    """Answer a call to `/` or `/_sandbox/...`; nothing here is counted, checked or disturbed by faults."""
    if call.method == "GET":
        return _read(sandbox, call)
    try:
        call.refuse_foreign()
        return _order(sandbox, call)
    except Refused as refused:
        return refused.answer


def _read(sandbox: Sandbox, call: Call) -> Answer:
    if call.path == "/":
        return front.front_page(sandbox)
    if match := _RECORD.fullmatch(call.path):
        return _record(sandbox, call, match["object"], match["id"])
    readers = {
        "/_sandbox/journal": lambda: sandbox.journal.show(call.param("object"), _number(call.param("since", "0"))),
        "/_sandbox/counts": lambda: counts(sandbox),
        "/_sandbox/violations": sandbox.show_violations,
        "/_sandbox/faults": sandbox.faults.show,
    }
    reader = readers.get(call.path)
    return Answer(200, reader()) if reader else Answer(404, {"message": f"the sandbox has no {call.path}"})


def _record(sandbox: Sandbox, call: Call, object_: str, id_: str) -> Answer:
    if "application/json" not in call.headers.get("accept", ""):
        return front.record_page(sandbox, object_, id_)
    record = sandbox.store.get(object_, id_)
    return Answer(404, {"message": "no such record"}) if record is None else Answer(200, record)


def _order(sandbox: Sandbox, call: Call) -> Answer:
    if (call.method, call.path) == ("POST", "/_sandbox/reset"):
        sandbox.reset()
        return Answer(204)
    if (call.method, call.path) == ("POST", "/_sandbox/faults"):
        try:
            sandbox.faults.set(call.json())
        except (ValueError, TypeError, AttributeError) as error:
            return Answer(400, {"message": f"not a list of faults: {error}"})
        return Answer(200, sandbox.faults.show())
    return Answer(404, {"message": f"the sandbox has no {call.method} {call.path}"})


def counts(sandbox: Sandbox) -> dict[str, Any]:
    """Return the journal's counts with connections and violations."""
    return {**sandbox.journal.counts(), "connections": sandbox.connections, "violations": len(sandbox.violations)}


def _number(text: str) -> int:
    return int(text) if text.isdecimal() else 0
