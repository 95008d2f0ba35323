"""What all of the look-alike shares: credentials, refusals, job statuses, custom objects and their jobs."""

from __future__ import annotations

import json
import lzma
from base64 import b64encode
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from functools import lru_cache
from pathlib import Path
from typing import Any

from hub.testkit.sandbox import Answer, Call, Contract, Refused, Sandbox, SandboxOptions, route
from hub.testkit.sandbox.contract import Terms

_WORDS = ("handle", "network", "profile_url", "avatar_url")
_SIGNAL = (
    "title",
    "url",
    "network",
    "kind",
    "language",
    "published_at",
    "state",
    "hub_url",
    "rule",
    "topics",
    "sentiment",
)
OBJECTS: Mapping[str, Mapping[str, str]] = {
    "social_author": {
        **dict.fromkeys(_WORDS, "text"),
        "bio": "textarea",
        "followers": "integer",
        "verified": "checkbox",
    },
    "social_signal": {
        **dict.fromkeys(_SIGNAL, "text"),
        **dict.fromkeys(("likes", "replies", "shares"), "integer"),
        "text": "textarea",
        "sentiment_score": "decimal",
        "author": "lookup",
    },
}
AGENT = 26_155_588_900_001
PERSON = 26_155_588_900_000  # who sits before the agent's pages; the token stands for AGENT, the hub's own user
COLLEAGUE = 26_155_588_899_999
MOST_JOBS = 30
JOB_ENDS = timedelta(seconds=10)  # a job that no one looks at ends too
RECORD_BYTES = 32 * 1024
_REDACT_STRING = "/api/v2/tickets/{ticket_id}/comments/{ticket_comment_id}/redact"


def invalid(field: str, said: str) -> Answer:
    """Answer with Zendesk's 422 about one field."""
    details = {field: [{"description": f"{field.capitalize()}: {said}", "error": "InvalidValue"}]}
    return Answer(422, {"error": "RecordInvalid", "description": "Record validation errors", "details": details})


def not_found() -> Answer:
    """Answer with Zendesk's 404."""
    return Answer(404, {"error": "RecordNotFound", "description": "Not found"})


def listed(call: Call, name: str) -> list[str]:
    """Read a comma-separated query parameter; more than 100 values are refused."""
    values = [value for value in call.param(name).split(",") if value]
    if len(values) > 100:
        said = "Parameter  cannot specify more than 100 values"
        raise Refused(Answer(400, {"error": "TooManyValues", "description": said, "max_count": 100}))
    return values


def paged(call: Call, name: str, items: Sequence[Any]) -> Answer:
    """Return a list by cursor if `page[size]` is given, else its first hundred with a count."""
    size = min(int(call.param("page[size]") or 100), 100)
    start = int(call.param("page[after]") or 0)
    page, more = list(items[start : start + size]), len(items) > start + size
    if "page[size]" not in call.query:
        return Answer(200, {name: page, "count": len(items), "next_page": None, "previous_page": None})
    after = str(start + size) if more else None
    meta = {"has_more": more, "after_cursor": after, "before_cursor": None}
    return Answer(200, {name: page, "meta": meta, "links": {"next": None, "prev": None}})


class Account(Sandbox):
    """An account with an agent, custom objects and jobs; `plugins.zendesk.sandbox` says what `extra` may hold."""

    title = "Zendesk"
    json_twin = True

    def __init__(self, options: SandboxOptions) -> None:
        self._open: list[str] = []
        super().__init__(options)

    def seed(self) -> None:
        """Make the hub's agent, two people's, the account's custom objects and nothing else."""
        self.store.declare("user", unique=("external_id", "email"), fold=True)
        for key in self.objects:
            self.store.declare(key, unique=("external_id",))
        hub = {"name": "Hubbub", "email": "hubbub@example.com", "role": "admin", "external_id": None}
        self.store.put("user", str(AGENT), hub)
        for id_, name in ((PERSON, "Bea Berg"), (COLLEAGUE, "Ada Agent")):
            email = f"{name.split()[0].lower()}@example.com"
            self.store.put("user", str(id_), {"name": name, "email": email, "role": "agent", "external_id": None})

    @property
    def objects(self) -> Mapping[str, Mapping[str, str]]:
        """Field types of the custom objects by key."""
        return {**OBJECTS, **self.options.extra.get("objects", {})}

    def contract(self) -> Contract | None:
        """Read Zendesk's own document, with null let through and a ticket's custom fields as the service takes them."""
        folder = self.options.contracts
        return _contract(folder / "zendesk/support.openapi.json.xz") if folder else None

    def authenticate(self, call: Call) -> Answer | None:
        """Take an OAuth bearer token, or `<email>/token` with an API token."""
        basic = b64encode(f"agent@example.com/token:{self.options.token}".encode()).decode()
        good = (f"Bearer {self.options.token}", f"Basic {basic}")
        return None if call.headers.get("authorization") in good else self.unauthorised(call)

    def unauthorised(self, call: Call) -> Answer:
        """Answer with Zendesk's 401."""
        said = "The access token provided is expired, revoked, malformed or invalid for other reasons."
        return Answer(401, {"error": "invalid_token", "error_description": said})

    def limited(self, call: Call, seconds: float) -> Answer:
        """Answer with Zendesk's 429."""
        said = "Number of allowed API requests per minute exceeded"
        headers = {"Retry-After": str(max(1, int(seconds)))}
        return Answer(429, {"error": "APIRateLimitExceeded", "description": said}, headers)

    def unknown(self, call: Call) -> Answer:
        """Answer as Zendesk does for a path that does not exist."""
        return Answer(404, {"error": {"title": "Not found", "message": "No such endpoint"}})

    def broken(self, call: Call, message: str) -> Answer:
        """Answer with Zendesk's 500."""
        return Answer(500, {"error": "InternalError", "description": message})

    def heading_of(self, object_: str, record: Mapping[str, Any]) -> str:
        """Return a subject, a name or the beginning of a comment."""
        return str(record.get("subject") or record.get("name") or record.get("body") or "")[:120]

    def handle(self, call: Call) -> Answer:
        """Tell in every answer of the API how much of the minute's allowance is left."""
        answer = super().handle(call)
        if not call.path.startswith("/api/"):
            return answer
        headers = {
            "x-rate-limit": "700",
            "x-rate-limit-remaining": "699",
            "ratelimit-limit": "700",
            "ratelimit-reset": "60",
        }
        return replace(answer, headers={**headers, **answer.headers})

    def stamp(self) -> str:
        """Write the time now as Zendesk does."""
        return self.now().strftime("%Y-%m-%dT%H:%M:%SZ")

    # ------------------------------------------------------------------------------------------------------------ jobs

    def queue(self, call: Call, items: Sequence[Any], work: Callable[[Any], dict[str, Any]]) -> dict[str, Any]:
        """Take a job of at most 100 items; refused if 30 are open. It is done at once, and said to be done later."""
        if len(items) > 100:
            said = "Parameter  cannot specify more than 100 values"
            raise Refused(Answer(400, {"error": "TooManyValues", "description": said, "max_count": 100}))
        if len(self.open_jobs()) >= MOST_JOBS:
            said = "Too many jobs are queued or running"
            raise Refused(Answer(429, {"error": "TooManyJobs", "description": said}, {"Retry-After": "5"}))
        results = [self.attempt(call, place, item, work) for place, item in enumerate(items)]
        id_ = f"V3-{int(self.store.next_id('job')):032x}"
        self.store.insert("_jobs", id_, {"looks": 0, "at": self.now().isoformat(), "total": len(items)})
        self.store.insert("_results", id_, {"results": results})  # apart: whether a job is open is asked often
        self._open.append(id_)
        return {"job_status": self.job(id_)}

    def open_jobs(self) -> list[str]:
        """Return the jobs that are queued or working now."""
        self._open = [id_ for id_ in self._open if self.is_open(self.store.get("_jobs", id_))]
        return self._open

    def attempt(self, call: Call, place: int, item: Any, work: Callable[[Any], dict[str, Any]]) -> dict[str, Any]:
        """Try one item: what became of it, or why not; the others of the job go on."""
        total = len(call.json().get("job", {}).get("items", ())) if call.body else 1
        if call.fails(place, total or 1):
            return {
                "index": place,
                "status": "Failed",
                "success": False,
                "error": "RecordInvalid",
                "details": "made to fail",
            }
        try:
            return {"index": place, **work(item)}
        except Refused as refused:
            body = refused.answer.body
            return {"index": place, "status": "Failed", "success": False, **body}

    def is_open(self, job: Mapping[str, Any] | None) -> bool:
        """Return True if a job is still queued or working: until it was looked at often enough, or for ten seconds."""
        if job is None:
            return False
        young = self.now() - datetime.fromisoformat(job["at"]) < JOB_ENDS
        return bool(young and job["looks"] < self.options.extra.get("job_looks", 2))

    def job(self, id_: str) -> dict[str, Any]:
        """Return a job's status: queued, working, completed."""
        held = self.store.get("_jobs", id_) or {}
        done = not self.is_open(held)
        status = "completed" if done else "working" if held["looks"] else "queued"
        message = f"Completed at {self.stamp()}" if done else None
        shown = {"id": id_, "url": f"/api/v2/job_statuses/{id_}.json", "status": status, "message": message}
        progress = held["total"] if done else None
        results = (self.store.get("_results", id_) or {}).get("results") if done else None
        return {**shown, "total": held["total"], "progress": progress, "results": results}

    def look(self, id_: str) -> dict[str, Any]:
        """Return a job's status, one look further."""
        held = self.store.get("_jobs", id_) or {}
        self.store.update("_jobs", id_, {"looks": held["looks"] + 1})
        return self.job(id_)

    @route("GET", "/api/v2/job_statuses/show_many", object="job")
    def show_jobs(self, call: Call) -> Answer:
        """Return statuses of jobs by ids."""
        known = [id_ for id_ in listed(call, "ids") if self.store.get("_jobs", id_)]
        return Answer(200, {"job_statuses": [self.look(id_) for id_ in known]})

    @route("GET", "/api/v2/job_statuses/{id}", object="job")
    def show_job(self, call: Call) -> Answer:
        """Return the status of one job."""
        known = self.store.get("_jobs", call.args["id"])
        return Answer(200, {"job_status": self.look(call.args["id"])}) if known else not_found()

    # -------------------------------------------------------------------------------------------------- custom objects

    @route("GET", "/api/v2/custom_objects", object="custom_object")
    def list_objects(self, call: Call) -> Answer:
        """Return the account's custom objects."""
        named = [(key, key.replace("_", " ").capitalize()) for key in self.objects]
        shown = [{"key": key, "title": title, "title_pluralized": f"{title}s"} for key, title in named]
        return paged(call, "custom_objects", shown)

    @route("GET", "/api/v2/custom_objects/{key}/fields", object="custom_object")
    def list_fields(self, call: Call) -> Answer:
        """Return the fields of a custom object, with the standard ones if asked for."""
        types = self.fields_of(call)
        shown = [{"key": key, "type": kind, "title": key, "active": True} for key, kind in types.items()]
        if call.param("include_standard_fields") == "true":
            standard = [("name", "Name"), ("external_id", "External ID")]
            shown += [
                {"key": f"standard::{key}", "type": "text", "title": title, "active": True} for key, title in standard
            ]
        return Answer(200, {"custom_object_fields": [{"id": 900 + n, **one} for n, one in enumerate(shown)]})

    def fields_of(self, call: Call) -> Mapping[str, str]:
        """Return the types of the object that a call names; 404 if the account has none such."""
        if (types := self.objects.get(call.args["key"])) is None:
            raise Refused(not_found())
        return types

    @route("GET", "/api/v2/custom_objects/{key}/records", object="{key}")
    def list_records(self, call: Call) -> Answer:
        """Return records, by ids or external ids if asked for."""
        self.fields_of(call)
        key, wanted, ids = call.args["key"], listed(call, "filter[external_ids]"), listed(call, "filter[ids]")
        if not (wanted or ids):
            return paged(
                call, "custom_object_records", [self.record(key, id_, one) for id_, one in self.store.all(key)]
            )
        found = [self.store.find(key, "external_id", value) for value in wanted]
        asked = [one for one in found if one] + [(id_, one) for id_ in ids if (one := self.store.get(key, id_))]
        return paged(call, "custom_object_records", [self.record(key, id_, one) for id_, one in asked])

    @route("POST", "/api/v2/custom_objects/{key}/jobs", object="{key}")
    def run_job(self, call: Call) -> Answer:
        """Run a bulk job: create_or_update_by_external_id or delete_by_external_id."""
        types, key, job = self.fields_of(call), call.args["key"], call.json().get("job") or {}
        if job.get("action") == "delete_by_external_id":
            return Answer(201, self.queue(call, job.get("items") or [], lambda item: self.delete(key, item)))
        if job.get("action") != "create_or_update_by_external_id":
            return invalid("action", "is not included in the list")
        return Answer(201, self.queue(call, job.get("items") or [], lambda item: self.save(key, types, item)))

    def save(self, key: str, types: Mapping[str, str], item: Mapping[str, Any]) -> dict[str, Any]:
        """Create or update a record; its fields are merged, each value checked against its field."""
        fields, external_id = item.get("custom_object_fields") or {}, str(item.get("external_id") or "")
        for name, value in fields.items():
            if (problem := self.problem(types.get(name), value)) is not None:
                raise Refused(invalid(name, problem))
        if not external_id or len(json.dumps(item, ensure_ascii=False).encode()) > RECORD_BYTES:
            raise Refused(
                invalid("external_id" if not external_id else "base", "is missing or the record is over 32 KB")
            )
        found = self.store.find(key, "external_id", external_id)
        if found is None and not item.get("name"):
            raise Refused(invalid("name", "cannot be blank"))
        id_ = found[0] if found else f"01SANDBOX{int(self.store.next_id(key)):017d}"
        base: dict[str, Any] = found[1] if found else {"custom_object_fields": {}, "created_at": self.stamp()}
        merged = {**base, **item, "custom_object_fields": {**base["custom_object_fields"], **fields}}
        self.store.put(key, id_, {**merged, "updated_at": self.stamp()})
        self.journal.record("update" if found else "create", key, id_, key=external_id, fields={**item, **fields})
        done = {"status": "Updated" if found else "Created", "success": True}
        return {**done, "id": id_, "external_id": external_id}

    def problem(self, kind: str | None, value: Any) -> str | None:
        """Say why a field does not take a value, None if it does."""
        if kind is None:
            return "is no field of this object"
        if value is None:
            return None
        if kind == "lookup" and self.store.get("social_author", str(value)) is None:
            return "is not the id of a record"
        good: dict[str, type | tuple[type, ...]] = {"integer": int, "decimal": (int, float), "checkbox": bool}
        return None if isinstance(value, good.get(kind, str)) else f"is not of type {kind}"

    def delete(self, key: str, external_id: Any) -> dict[str, Any]:
        """Delete a record by its external id."""
        if (found := self.store.find(key, "external_id", external_id)) is None:
            raise Refused(not_found())
        self.store.remove(key, found[0])
        self.journal.record("delete", key, found[0], key=str(external_id))
        return {"id": found[0], "external_id": external_id, "status": "Deleted", "success": True}

    def record(self, key: str, id_: str, held: Mapping[str, Any]) -> dict[str, Any]:
        """Return a record as Zendesk shows it."""
        return {"id": id_, "custom_object_key": key, "url": f"/api/v2/custom_objects/{key}/records/{id_}.json", **held}


@lru_cache(maxsize=2)
def _contract(path: Path) -> Contract:
    document = json.loads(lzma.decompress(path.read_bytes()))
    schemas = document["components"]["schemas"]
    # It asks for key, type and title as in a field's definition; a ticket's value is {id, value}, as answers show it.
    custom = schemas["TicketUpdateInput"]["properties"]["custom_fields"]
    custom["items"] = {"type": "object", "required": ["id", "value"]}
    # It says "list or object, numeric ids"; recorded jobs give a list or null, custom objects have ids of letters.
    schemas["JobStatusObject"]["properties"]["results"] = {}
    # Its texts ask for these bodies, its schemas leave them out: redactions, and deletions by external id.
    for redaction in ("/api/v2/comment_redactions/{ticket_comment_id}", _REDACT_STRING):
        document["paths"][redaction]["put"]["requestBody"] = {"content": {"application/json": {"schema": {}}}}
    schemas["CustomObjectRecordsBulkCreateRequest"]["properties"]["job"]["properties"]["items"]["items"] = {}
    query = frozenset({"page", "sort", "filter", "include_standard_fields"})
    return Contract(document, Terms(nullable_everywhere=True, json_twin=True, answers=True, free_query=query))
