"""Mappings: from facts to the fields of a record, with a closed vocabulary and the mapping's own tests.

A null is left out of the record, so that a field at the destination is never wiped by accident. More than the vocabulary is
code and belongs into the destination's translate.
"""

from __future__ import annotations

import math
import re
from bisect import bisect_right
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from hashlib import sha256
from typing import Any

import msgspec
from msgspec import UNSET

from hub.core.errors import InvalidMapping, Problem
from hub.core.grammar.facts import LANGUAGES, did_you_mean, leaf_hint, merge, missing_name, skeleton
from hub.core.grammar.grapheme import cut
from hub.core.languages import base_language
from hub.core.spec import FieldSpec, MappingSpec, MappingTest, version_of

_SINGLE = re.compile(
    r"(?<!\{)\{\s*((?:signal|author|labels|person|account|conversation|stats|hub|rule)\.[\w.]+)\s*\}(?!\})"
)
Getter = Callable[[Mapping[str, Any]], Any]


class Mapped(msgspec.Struct, frozen=True):
    """The fields of a record (dotted names nested, no None) and the digest of those that may cause a write."""

    fields: dict[str, Any]
    stable: str


class MappingFailed(msgspec.Struct, frozen=True):
    """A required field without a value, or a template that failed."""

    field: str
    reason: str


class MappingTestResult(msgspec.Struct, frozen=True):
    """A mapping's own test: `got` and `want` hold the fields that the test names, or the failure's text."""

    name: str
    passed: bool
    got: Any
    want: Any


class _Field(msgspec.Struct, frozen=True):
    """A field ready to make: its path, how it gets its value, and what of the value may cause a write."""

    name: str
    parts: tuple[str, ...]
    get: Getter
    required: bool
    weigh: Callable[[Any], Any] | None


class CompiledMapping:
    """A mapping ready to apply; `version` is a digest of what it says, its tests left out; `once` names such fields."""

    def __init__(self, spec: MappingSpec, *, name: str, labels: Iterable[str] = ()) -> None:
        self.name = name
        self.spec = spec
        self.version = version_of(msgspec.structs.replace(spec, test=()))
        self.once = tuple(field for field, how in spec.fields.items() if how.once)
        self._labels = tuple(labels)
        self._fields = tuple(_compile_field(field, how) for field, how in spec.fields.items())

    def apply(self, facts: Mapping[str, Any]) -> Mapped | MappingFailed:
        """Make the fields from full facts (see `pipeline.facts`); the facts stay as they are."""
        fields: dict[str, Any] = {}
        stable: list[tuple[str, Any]] = []
        for field in self._fields:
            try:
                value = field.get(facts)
            except ValueError as error:
                return MappingFailed(field.name, str(error))
            if value is None or value == "":
                if field.required:
                    return MappingFailed(field.name, "required, but there is no value")
                if value is None:
                    continue
            _put(fields, field.parts, value)
            if field.weigh is not None:
                stable.append((field.name, field.weigh(value)))
        return Mapped(fields, sha256(msgspec.json.encode(stable, order="sorted")).hexdigest()[:32])

    def only(self, names: Collection[str], facts: Mapping[str, Any]) -> dict[str, Any]:
        """Return the values of some fields alone, by their dotted names; those without a value, or that fail, are left out."""
        found: dict[str, Any] = {}
        for field in self._fields:
            if field.name in names:
                with suppress(ValueError):
                    found[field.name] = field.get(facts)
        return {name: value for name, value in found.items() if value is not None}

    def reading(self, paths: Collection[str]) -> tuple[str, ...]:
        """Return the fields that read one of these facts."""
        texts = ((name, how.from_ or how.template or "") for name, how in self.spec.fields.items())
        return tuple(name for name, text in texts if any(path in text for path in paths))

    def run_tests(self) -> tuple[MappingTestResult, ...]:
        """Run the mapping's own tests: `given` is laid over a skeleton of nulls, `expect` names the fields to look at.

        An expected "" means that the field is left out or empty (TOML has no null).
        """
        return tuple(self._run(test) for test in self.spec.test)

    def _run(self, test: MappingTest) -> MappingTestResult:
        given = merge(msgspec.to_builtins(test.given), skeleton(self._labels) | {"topics": []})
        outcome = self.apply(given)
        if isinstance(outcome, MappingFailed):
            said = f"{outcome.field}: {outcome.reason}"
            is_wanted = test.expect_error is not None and test.expect_error in said
            return MappingTestResult(test.name, is_wanted, said, test.expect_error or dict(test.expect))
        if test.expect_error is not None:
            return MappingTestResult(test.name, passed=False, got=outcome.fields, want=test.expect_error)
        want = dict(_flat(msgspec.to_builtins(test.expect)))
        made = dict(_flat(outcome.fields))
        got = {name: made.get(name, "") for name in want}
        return MappingTestResult(test.name, got == want, got, want)


def compile_mapping(spec: MappingSpec, *, name: str, file: str = "", labels: Iterable[str] = ()) -> CompiledMapping:
    """Compile a mapping; `labels` are label names beyond the usual. Raises InvalidMapping with all problems at once."""
    labels = tuple(labels)
    tree = skeleton(labels)
    found = [*_head_faults(spec, name), *_field_faults(spec, tree), *_clashes(spec), *_test_faults(spec, tree)]
    if found:
        raise InvalidMapping([Problem(file or f"{name}.toml", path, message, hint) for path, message, hint in found])
    return CompiledMapping(spec, name=name, labels=labels)


# --------------------------------------------------------------------------------------------------------------- faults

MappingFault = tuple[str, str, str]
"""A path in the file, what is wrong there, and a hint."""


def _head_faults(spec: MappingSpec, name: str) -> Iterator[MappingFault]:
    if not spec.object.strip():
        yield "object", "a mapping needs the destination's object", ""
    if spec.key_field and not spec.key_field.strip():
        yield "key_field", "it is empty", "name the field that holds the key, or leave it out"
    if not spec.fields:
        yield "fields", "a mapping needs at least one field", ""
    if spec.then is not None and spec.keyed_by != "conversation":
        yield "then", f"keyed_by is {spec.keyed_by}", 'then is for keyed_by = "conversation"'
    if spec.then is not None and spec.operation != "create":
        # of what is written again and again there is no first record that the next post could follow
        yield "then", f"the operation is {spec.operation}", 'then is for operation = "create"'
    if spec.keyed_by in ("author", "person", "account") and spec.operation != "upsert":
        yield (
            "operation",
            f"a record of a{'n' * spec.keyed_by.startswith('a')} {spec.keyed_by} is written again",
            'use "upsert"',
        )
    elif spec.operation == "comment" and spec.keyed_by != "signal":
        yield "keyed_by", f"one comment for all posts of the {spec.keyed_by}", 'a comment is keyed_by = "signal"'
    for key, others in (("requires", spec.requires), ("then", (spec.then,))):
        if name in others:
            yield key, "names the mapping itself", ""


def _field_faults(spec: MappingSpec, tree: Mapping[str, Any]) -> Iterator[MappingFault]:
    for name, how in spec.fields.items():
        for key, message, hint in _faults_of(how, tree):
            yield f"fields.{name}" + (f".{key}" if key else ""), message, hint
        if not all(part.strip() for part in name.split(".")):
            yield f"fields.{name}", "an empty part in the field's name", ""


def _faults_of(how: FieldSpec, tree: Mapping[str, Any]) -> Iterator[MappingFault]:
    origins = [key for key, is_set in _origins(how) if is_set]
    if len(origins) != 1:
        yield "", f"has {' and '.join(origins)}" if origins else "has no value", "give one of from, value and template"
    if how.from_ is not None:
        yield from _fact_faults(how.from_, how.table or {}, tree)
    if how.template is not None:
        yield from _template_faults(how.template, tree)
    yield from _shape_faults(how)


def _fact_faults(path: str, table: Mapping[str, Any], tree: Mapping[str, Any]) -> Iterator[MappingFault]:
    if missing := missing_name(tree, path):
        yield "from", f"unknown fact {missing[0]}", missing[1]
    elif hint := leaf_hint(tree, path):
        yield "from", f"{path} is {hint.partition(';')[0]}", hint.partition("; ")[2]
    elif table:
        yield from _dead_words(path, table)


def _template_faults(template: str, tree: Mapping[str, Any]) -> Iterator[MappingFault]:
    from hub.core.grammar.template import template_faults  # noqa: PLC0415 - who only looks at records compiles none

    yield from (("template", message, hint) for message, hint in template_faults(template, tree))
    if not template:
        yield "template", "it is empty", "write something, or take the field out"
    if single := _SINGLE.search(template):
        yield "template", f"{single[0]} is text as it stands", f"write {{{{ {single[1]} }}}} for its value"


def _shape_faults(how: FieldSpec) -> Iterator[MappingFault]:
    if how.table is not None and how.from_ is None:
        yield "table", "a table translates a fact", "add from"
    if how.html and how.template is None:
        yield "html", "html escapes what a template inserts", "add template"
    if how.limit is not None and how.limit < 1:
        yield "limit", f"{how.limit} is no number of characters", ""
    if how.steps and not how.volatile:
        yield "steps", "steps say when a volatile number causes a write", "add volatile = true"
    if not all(map(math.isfinite, how.steps)):
        yield "steps", "they are no numbers", "write numbers that have an end"
    elif list(how.steps) != sorted(set(how.steps)):
        yield "steps", "they do not rise", "write each number once, the smallest first"


def _dead_words(path: str, table: Mapping[str, Any]) -> Iterator[MappingFault]:
    """Yield the words of a table that the fact never is: they translate nothing."""
    from hub.core.grammar.sense import kind_of  # noqa: PLC0415 - it brings the evaluator

    kind = kind_of(path)
    words = kind.words or (("true", "false") if kind.name == "truth" else ())
    for word in table:
        if words and word not in words:
            yield "table", f'{path} is never "{word}"', did_you_mean(word, words)
        elif path in LANGUAGES and base_language(word) != word:
            yield "table", f'{path} is never "{word}"', f'write "{base_language(word) or "fr"}"'


def _origins(how: FieldSpec) -> tuple[tuple[str, bool], ...]:
    return ("from", how.from_ is not None), ("value", how.value is not UNSET), ("template", how.template is not None)


def _clashes(spec: MappingSpec) -> Iterator[MappingFault]:
    for name in spec.fields:
        parts = name.split(".")
        for length in range(1, len(parts)):
            if (above := ".".join(parts[:length])) in spec.fields:
                yield f"fields.{name}", f"{above} is a field with a value, it cannot have parts", ""


def _test_faults(spec: MappingSpec, tree: Mapping[str, Any]) -> Iterator[MappingFault]:
    for test in spec.test:
        where = f'test "{test.name}"'
        if not test.expect and test.expect_error is None:
            yield where, "expects nothing", "add expect or expect_error"
        for path, _ in _flat(test.given):
            if missing := missing_name(tree, path):
                yield f"{where}.given", f"unknown fact {missing[0]}", missing[1]
        for path, _ in _flat(test.expect):
            if path not in spec.fields and not any(path.startswith(f"{name}.") for name in spec.fields):
                yield f"{where}.expect", f"the mapping has no field {path}", ""


# ------------------------------------------------------------------------------------------------------------- getting


def _compile_field(name: str, how: FieldSpec) -> _Field:
    get = _shaped(_origin(how), how)
    return _Field(name, tuple(name.split(".")), get, how.required, _weight(how))


def _weight(how: FieldSpec) -> Callable[[Any], Any] | None:
    """Return what of a value counts when records are compared: the whole, the step that a number stands on, or nothing."""
    if how.volatile and how.steps:
        return lambda value: _step(how.steps, value)
    return None if how.volatile or how.once else lambda value: value


def _step(steps: Sequence[float], value: Any) -> int | None:
    return bisect_right(steps, value) if isinstance(value, int | float) else None


def _origin(how: FieldSpec) -> Getter:
    if how.template is not None:
        from hub.core.grammar.template import Template  # noqa: PLC0415 - see above

        return Template(how.template, escape=how.html).render
    if how.from_ is not None:
        return _reader(tuple(how.from_.split(".")), how.table)
    constant = msgspec.to_builtins(how.value)
    return lambda _: constant


def _reader(parts: tuple[str, ...], table: Mapping[str, Any] | None) -> Getter:
    def read(facts: Mapping[str, Any]) -> Any:
        node: Any = facts
        for part in parts:
            if node is None:
                return None
            node = node.get(part)
        return node

    return read if table is None else lambda facts: _translated(read(facts), table)


def _translated(value: Any, table: Mapping[str, Any]) -> Any:
    """Return the table's word for a value (of each in a list, those without one left out), None if it has none."""
    if isinstance(value, list | tuple):
        return [word for word in (_translated(part, table) for part in value) if word is not None] or None
    if isinstance(value, bool):
        return table.get("true" if value else "false")
    return None if value is None else table.get(str(value))


def _shaped(get: Getter, how: FieldSpec) -> Getter:
    default, limit = msgspec.to_builtins(how.default), how.limit
    if default is None and limit is None:
        return get

    def shape(facts: Mapping[str, Any]) -> Any:
        value = get(facts)
        if value is None:
            value = default
        return cut(value, limit) if limit is not None and isinstance(value, str) else value

    return shape


def _put(fields: dict[str, Any], parts: tuple[str, ...], value: Any) -> None:
    for part in parts[:-1]:
        fields = fields.setdefault(part, {})
    fields[parts[-1]] = value


def _flat(tree: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Yield dotted paths to the leaves; names that are dotted already stay so."""
    for name, value in tree.items():
        if isinstance(value, Mapping) and value:
            yield from _flat(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", value
