"""Holding requests (and our own answers) to a vendor's OpenAPI document."""

from __future__ import annotations

import json
import lzma
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from hub.testkit.sandbox.exchange import Answer, Call
from hub.testkit.sandbox.routes import compile_path

_METHODS = ("get", "put", "post", "delete", "patch", "head", "options")
_URI = "contract:document"


def _same(path: str) -> str:
    return path


@dataclass(frozen=True, slots=True)
class Terms:
    """How a document is read.

    `nullable_everywhere` lets null through wherever a type is asked for (Zendesk sends it everywhere); `json_twin` gives each
    path a twin with ".json" at its end; `answers` checks the sandbox's own answers too if their status is described;
    `rewrite` maps a request's path to the document's (dated API versions); `free_query` names further query parameters.
    """

    nullable_everywhere: bool = False
    json_twin: bool = False
    answers: bool = False
    rewrite: Callable[[str], str] = _same
    free_query: frozenset[str] = field(default_factory=frozenset)


@dataclass(frozen=True, slots=True)
class _Operation:
    """A path and method of the document."""

    template: str
    regex: Any
    method: str
    pointer: str
    spec: Mapping[str, Any]
    parameters: tuple[Mapping[str, Any], ...]


class Contract:
    """An OpenAPI 3.0 or 3.1 document, ready to check calls: strict on paths, methods, required things and types."""

    def __init__(self, document: dict[str, Any], terms: Terms) -> None:
        # Imported here: a sandbox without a contract runs without jsonschema (a development dependency).
        from jsonschema import Draft202012Validator  # type: ignore[import-untyped] # noqa: PLC0415 - as said; it has no types
        from referencing import Registry, Resource  # noqa: PLC0415 - as said
        from referencing.jsonschema import DRAFT202012  # noqa: PLC0415 - as said

        self.terms = terms
        self.document = _to_json_schema(document, nullable=terms.nullable_everywhere)
        resource: Any = Resource.from_contents(self.document, default_specification=DRAFT202012)
        registry: Any = Registry().with_resource(_URI, resource)
        self._validator = lru_cache(maxsize=None)(
            lambda pointer: Draft202012Validator({"$ref": f"{_URI}#{pointer}"}, registry=registry)
        )
        self._operations = sorted(
            self._read_operations(), key=lambda item: (item.template.count("{"), -len(item.template))
        )

    @staticmethod
    def read(path: Path, terms: Terms = Terms()) -> Contract:
        """Return the contract of a document (`.json` or `.json.xz`); one that was read before is shared."""
        return _read(path, path.stat().st_mtime_ns, terms)

    def check(self, call: Call) -> list[str]:
        """Return what is wrong with a request; an empty list is a good one."""
        operation = self._find(call)
        if isinstance(operation, str):
            return [operation]
        return [*self._check_parameters(operation, call), *self._check_body(operation, call)]

    def check_answer(self, call: Call, answer: Answer) -> list[str]:
        """Return what is wrong with our own answer; nothing is said if the document does not describe its status."""
        operation = self._find(call) if self.terms.answers else ""
        if isinstance(operation, str):
            return []
        status = str(answer.status) if str(answer.status) in operation.spec.get("responses", {}) else "default"
        pointer = self._resolve(f"{operation.pointer}/responses/{status}")
        schema = f"{pointer}/content/application~1json/schema"
        return self._errors(schema, answer.body, "answer") if self._at(schema) is not None else []

    # ---------------------------------------------------------------------------------------------------- requests

    def _find(self, call: Call) -> _Operation | str:
        """Find the operation of a call, or say what is unknown about it."""
        path = self.terms.rewrite(call.path)
        if self.terms.json_twin:
            path = path.removesuffix(".json")
        fitting = [item for item in self._operations if item.regex.fullmatch(path)]
        for item in fitting:
            # A more literal path wins, but only among those that know the method.
            if item.method == call.method:
                return item
        return f"unknown method {call.method} of {fitting[0].template}" if fitting else f"unknown path {path}"

    def _check_parameters(self, operation: _Operation, call: Call) -> Iterator[str]:
        path = self.terms.rewrite(call.path)
        match = operation.regex.fullmatch(path.removesuffix(".json") if self.terms.json_twin else path)
        segments = {name: unquote(value) for name, value in match.groupdict().items()} if match else {}
        known = {item["name"].removesuffix("[]") for item in operation.parameters if item["in"] == "query"}
        for name in call.query:
            if name.split("[")[0] not in known | self.terms.free_query:
                yield f"unknown query parameter {name}"
        for item in operation.parameters:
            values = _given(item, call, segments)
            if not values and item.get("required") and item["in"] != "path":
                yield f"missing {item['in']} parameter {item['name']}"
            for value in values:
                yield from self._check_value(item, value)

    def _check_value(self, item: Mapping[str, Any], text: str) -> Iterator[str]:
        """Check a parameter's text against its schema, read as the type that the schema asks for."""
        schema = item.get("schema", {})
        wanted = schema.get("type", "string")
        kinds = {wanted} if isinstance(wanted, str) else set(wanted)
        good = {
            "integer": lambda: text.lstrip("-").isdecimal(),
            "number": lambda: text.lstrip("-").replace(".", "", 1).isdecimal(),
            "boolean": lambda: text in {"true", "false"},
        }
        if not any(good.get(kind, lambda: True)() for kind in kinds):
            yield f"{item['in']} parameter {item['name']} is no {wanted}: {text[:80]}"
        elif "enum" in schema and text not in {str(value) for value in schema["enum"]}:
            yield f"{item['in']} parameter {item['name']} is none of its values: {text[:80]}"

    def _check_body(self, operation: _Operation, call: Call) -> list[str]:
        if "requestBody" not in operation.spec:
            return ["a body where none is described"] if call.body.strip() not in {b"", b"{}"} else []
        pointer = self._resolve(f"{operation.pointer}/requestBody")
        body = self._at(pointer) or {}
        if not call.body:
            return ["missing body"] if body.get("required") else []
        content = body.get("content", {})
        kind = call.headers.get("content-type", "").split(";")[0].strip().lower()
        if kind not in content and "*/*" not in content:
            return [f"content type {kind or '(none)'} is none of {', '.join(content)}"]
        if kind != "application/json":
            return []
        try:
            value = json.loads(call.body)
        except (ValueError, RecursionError):
            return ["the body is not JSON"]
        return self._errors(f"{pointer}/content/application~1json/schema", value, "body")

    def _errors(self, pointer: str, value: Any, what: str) -> list[str]:
        errors = self._validator(pointer).iter_errors(value)
        return [
            f"{what}{error.json_path[1:]}: {error.message[:300]}" for _, error in zip(range(20), errors, strict=False)
        ]

    # ---------------------------------------------------------------------------------------------------- document

    def _read_operations(self) -> Iterator[_Operation]:
        for template, item in self.document["paths"].items():
            base = f"/paths/{_escape(template)}"
            for method in _METHODS:
                if method in item:
                    parameters = self._parameters(item.get("parameters", []), item[method].get("parameters", []))
                    pattern = compile_path(_plain_names(template))
                    yield _Operation(template, pattern, method.upper(), f"{base}/{method}", item[method], parameters)

    def _parameters(self, *lists: list[Mapping[str, Any]]) -> tuple[Mapping[str, Any], ...]:
        """Return parameters of path and operation, references followed; the operation's win."""
        resolved = [self._follow(item) for items in lists for item in items]
        return tuple({(item["in"], item["name"]): item for item in resolved}.values())

    def _follow(self, item: Mapping[str, Any]) -> Mapping[str, Any]:
        while "$ref" in item:
            item = self._at(item["$ref"].removeprefix("#"))
        schema = item.get("schema", {})
        return {**item, "schema": self._follow(schema)} if "$ref" in schema else item

    def _resolve(self, pointer: str) -> str:
        """Return a pointer with a reference at its end followed."""
        value = self._at(pointer)
        return str(value["$ref"]).removeprefix("#") if isinstance(value, dict) and "$ref" in value else pointer

    def _at(self, pointer: str) -> Any:
        value: Any = self.document
        for step in pointer.split("/")[1:]:
            name = unquote(step).replace("~1", "/").replace("~0", "~")
            value = value.get(name) if isinstance(value, dict) else None
        return value


@lru_cache(maxsize=8)
def _read(path: Path, _changed: int, terms: Terms) -> Contract:
    data = path.read_bytes()
    return Contract(json.loads(lzma.decompress(data) if path.suffix == ".xz" else data), terms)


def _given(item: Mapping[str, Any], call: Call, segments: Mapping[str, str]) -> list[str]:
    """Return the values that a call gives for a parameter."""
    name = item["name"]
    if item["in"] == "query":
        values = call.query.get(name, [])
        # Vendors write lists as "a,b" as well as by repetition.
        return (
            [part for value in values for part in value.split(",")] if item["schema"].get("type") == "array" else values
        )
    source = call.headers if item["in"] == "header" else segments if item["in"] == "path" else {}
    value = source.get(name.lower() if item["in"] == "header" else _plain(name))
    return [] if value is None else [value]


def _plain_names(template: str) -> str:
    """Return a template whose names are regular-expression names too."""
    return re.sub(r"\{[^}]*\}", lambda match: "{" + _plain(match[0][1:-1]) + "}", template)


def _plain(name: str) -> str:
    return re.sub(r"\W", "_", name)


def _escape(template: str) -> str:
    """Return a JSON pointer's step, as a URI fragment."""
    return template.replace("~", "~0").replace("/", "~1").replace("{", "%7B").replace("}", "%7D")


def _to_json_schema(node: Any, *, nullable: bool) -> Any:
    """Return a copy of the document in which OpenAPI 3.0's `nullable` and boolean limits are JSON Schema's words."""
    if isinstance(node, list):
        return [_to_json_schema(item, nullable=nullable) for item in node]
    if not isinstance(node, dict):
        return node
    made = {
        name: value if name in {"example", "examples"} else _to_json_schema(value, nullable=nullable)
        for name, value in node.items()
    }
    for name, limit in (("exclusiveMinimum", "minimum"), ("exclusiveMaximum", "maximum")):
        if isinstance(made.get(name), bool) and made.pop(name) and limit in made:
            made[name] = made.pop(limit)
    if made.pop("nullable", False) is True or (nullable and isinstance(made.get("type"), str) and "in" not in made):
        _admit_null(made)
    return made


def _admit_null(schema: dict[str, Any]) -> None:
    """Let null through a schema."""
    if isinstance(schema.get("type"), str):
        schema["type"] = [schema["type"], "null"]
    if isinstance(schema.get("enum"), list) and None not in schema["enum"]:
        schema["enum"] = [*schema["enum"], None]
