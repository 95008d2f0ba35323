"""Requests and answers held to a vendor's OpenAPI document."""

from __future__ import annotations

import json
import lzma
from pathlib import Path
from typing import Any

import pytest

from hub.testkit.sandbox import Answer, Call, Contract, Sandbox, SandboxOptions, Terms, route
from tests.material import shared

DOCUMENT = {
    "openapi": "3.0.3",
    "paths": {
        "/v1/things": {
            "get": {
                "parameters": [
                    {"in": "query", "name": "limit", "schema": {"type": "integer"}},
                    {"in": "query", "name": "ids", "schema": {"type": "array"}},
                    {
                        "in": "query",
                        "name": "sort",
                        "required": True,
                        "schema": {"type": "string", "enum": ["up", "down"]},
                    },
                ],
                "responses": {"200": {"content": {"application/json": {"schema": {"type": "array"}}}}},
            },
            "post": {"requestBody": {"$ref": "#/components/requestBodies/thing"}},
        },
        "/v1/things/{thing-id}": {"get": {"parameters": [{"in": "path", "name": "thing-id", "required": True}]}},
    },
    "components": {
        "requestBodies": {
            "thing": {
                "required": True,
                "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Thing"}}},
            }
        },
        "schemas": {
            "Thing": {
                "type": "object",
                "required": ["name"],
                "properties": {
                    "name": {"type": "string"},
                    "note": {"type": "string", "nullable": True},
                    "size": {"type": "integer", "minimum": 0, "exclusiveMinimum": True},
                },
            }
        },
    },
}


def call(method: str, path: str, body: Any = None, **query: str) -> Call:
    """A call as the server would hand it over."""
    content = b"" if body is None else json.dumps(body).encode()
    return Call(
        method, path, {name: [value] for name, value in query.items()}, {"content-type": "application/json"}, content
    )


@pytest.mark.parametrize(
    ("request_", "problem"),
    [
        (call("GET", "/v1/things", sort="up", limit="5", ids="1,2"), ""),
        (call("POST", "/v1/things", {"name": "a", "note": None, "size": 1}), ""),
        (call("GET", "/v1/things/a%2Fb"), ""),
        (call("GET", "/v1/thing"), "unknown path"),
        (call("GET", "/v1/things.json", sort="up"), "unknown path"),
        (call("DELETE", "/v1/things"), "unknown method"),
        (call("GET", "/v1/things"), "missing query parameter sort"),
        (call("GET", "/v1/things", sort="left"), "none of its values"),
        (call("GET", "/v1/things", sort="up", limit="many"), "no integer"),
        (call("GET", "/v1/things", sort="up", page="1"), "unknown query parameter page"),
        (call("POST", "/v1/things"), "missing body"),
        (call("POST", "/v1/things", {"note": "x"}), "'name' is a required property"),
        (call("POST", "/v1/things", {"name": None}), "is not of type 'string'"),
        (call("POST", "/v1/things", {"name": "a", "size": 0}), "0"),
    ],
)
def test_a_request_is_held_to_the_document(request_: Call, problem: str) -> None:
    problems = Contract(DOCUMENT, Terms()).check(request_)
    assert any(problem in item for item in problems) if problem else problems == []


def test_null_may_be_let_through_everywhere() -> None:
    terms = Terms(nullable_everywhere=True)
    assert Contract(DOCUMENT, terms).check(call("POST", "/v1/things", {"name": None})) == []
    assert Contract(DOCUMENT, terms).check(call("POST", "/v1/things", {})) != []


def test_each_path_may_have_a_json_twin() -> None:
    assert Contract(DOCUMENT, Terms(json_twin=True)).check(call("GET", "/v1/things.json", sort="up")) == []


def test_a_dated_path_is_rewritten_to_the_documents() -> None:
    terms = Terms(rewrite=lambda path: path.replace("/2026-03/", "/v1/"))
    assert Contract(DOCUMENT, terms).check(call("GET", "/2026-03/things", sort="up")) == []


def test_answers_are_checked_where_wanted() -> None:
    asked, answer = call("GET", "/v1/things", sort="up"), Answer(200, {"not": "a list"})
    assert Contract(DOCUMENT, Terms()).check_answer(asked, answer) == []
    assert "not of type 'array'" in Contract(DOCUMENT, Terms(answers=True)).check_answer(asked, answer)[0]


def test_a_compressed_document_is_read(tmp_path: Path) -> None:
    path = tmp_path / "x.json.xz"
    path.write_bytes(lzma.compress(json.dumps(DOCUMENT).encode()))
    assert Contract.read(path).check(call("GET", "/v1/things", sort="up")) == []


class Things(Sandbox):
    """Takes anything."""

    def contract(self) -> Contract:
        return Contract(DOCUMENT, Terms())

    @route("POST", "/v1/things", object="things")
    def post(self, call: Call) -> Answer:
        return Answer(201, {})

    @route("GET", "/v1/account", contract=False)
    def account(self, call: Call) -> Answer:
        return Answer(200, {})


def _handled(method: str, path: str, body: Any, *, contracts: Path | None) -> Things:
    things = Things(SandboxOptions(contracts=contracts))
    asked = call(method, path, body)
    things.handle(Call(method, path, {}, {**asked.headers, "authorization": "Bearer sandbox-token"}, asked.body))
    return things


def test_a_request_that_breaks_the_contract_is_recorded(tmp_path: Path) -> None:
    violations = _handled("POST", "/v1/things", {}, contracts=tmp_path).violations
    assert [(item.kind, item.message) for item in violations] == [("contract", "body: 'name' is a required property")]


def test_without_contracts_nothing_is_checked() -> None:
    assert _handled("POST", "/v1/things", {}, contracts=None).violations == []


def test_a_route_outside_the_contract_is_exempt(tmp_path: Path) -> None:
    assert _handled("GET", "/v1/account", None, contracts=tmp_path).violations == []


@pytest.mark.parametrize(
    ("file", "terms", "asked"),
    [
        (
            "contracts/hubspot/hubspot.openapi.json",
            Terms(),
            call("POST", "/crm/v3/objects/2-1/batch/upsert", {"inputs": [{"id": "a", "properties": {"b": "c"}}]}),
        ),
        (
            "contracts/zendesk/support.openapi.json.xz",
            Terms(nullable_everywhere=True, json_twin=True),
            call("POST", "/api/v2/tickets.json", {"ticket": {"comment": {"body": "a"}, "external_id": None}}),
        ),
    ],
)
def test_the_vendors_documents_can_be_used(file: str, terms: Terms, asked: Call) -> None:
    assert Contract.read(shared(file), terms).check(asked) == []
