"""What refutes a claim: for each rule that a program can judge, a look at the plugin itself.

A prover yields what stands against its rule, with file and way out; silence means that nothing was found.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib import import_module
from typing import Any

from hub.cli.plugins.description import overrides
from hub.cli.plugins.quality.claims import FROM_DOCUMENTATION, Claims
from hub.cli.plugins.quality.evidence import Evidence
from hub.cli.plugins.quality.scale import BY_ID
from hub.cli.plugins.quality.statuses import unmapped
from hub.core.errors import Problem
from hub.sdk.connectors import Connector, Destination, PollingSource, Source, StreamingSource, WebhookSource
from hub.sdk.traits import NoIdempotency

SECTIONS = {
    "credentials and their scopes": ("credential", "scope", "permission"),
    "limits": ("limit",),
    "price": ("price", "cost"),
    "terms": ("terms", "duties"),
}
"""What a README must have a section for, and the words by which its heading is known."""

UNWRITTEN = "To be written"
"""What the README of a new plugin says where its author knows more."""

_CREDENTIAL = re.compile(r"(?:^|_)(?:token|secret|password|passphrase|api_key|private_key|credentials?)$|^(?:api)?key$")
# What is read by the field rules of `hub.sdk.fields` has can_reply = "no" already.
_READ_ONLY = re.compile(r"can_reply\s*=\s*[\"']no[\"']|\bhub\.sdk\.fields\b")
_SUITES = {"source": "SourceContract", "destination": "DestinationContract", "enricher": "EnricherContract"}


@dataclass(frozen=True, slots=True)
class Refutation:
    """What stands against a claim: where, what, and the way out."""

    file: str
    message: str
    way_out: str


Prover = Callable[[Evidence], Iterator[Refutation]]
PROVERS: dict[str, Prover] = {}
"""The provers by the id of their rule."""


def refuted(evidence: Evidence, claims: Claims) -> list[Problem]:
    """Return what stands against the claims, in the order of the scale."""
    found = []
    for id_ in BY_ID:
        if id_ in claims.done and id_ in PROVERS:
            found += [Problem(one.file, id_, one.message, one.way_out) for one in PROVERS[id_](evidence)]
    return found + list(_unsaid(evidence, claims))


def _unsaid(evidence: Evidence, claims: Claims) -> Iterator[Problem]:
    """Demand that the README says so if no real item was recorded."""
    if claims.items == FROM_DOCUMENTATION and FROM_DOCUMENTATION not in evidence.readme.lower():
        way_out = (
            f'say "{FROM_DOCUMENTATION}" where the README tells what was tried; or record items and test with them'
        )
        message = "no real items were read, and the README does not say so"
        yield Problem(str(evidence.subject.readme), "recorded_items", message, way_out)


def _proves(rule: str) -> Callable[[Prover], Prover]:
    def keep(prover: Prover) -> Prover:
        PROVERS[rule] = prover
        return prover

    return keep


def _in_readme(evidence: Evidence, message: str, way_out: str) -> Refutation:
    return Refutation(str(evidence.subject.readme), message, way_out)


def _in_class(cls: type[Connector[Any]], message: str, way_out: str) -> Refutation:
    return Refutation(cls.__module__, f"{cls.__name__}: {message}", way_out)


def _in_tests(evidence: Evidence, message: str, way_out: str) -> Refutation:
    return Refutation(str(evidence.subject.tests), message, way_out)


# -------------------------------------------------------------------------------------------------------------- bronze


@_proves("options_documented")
def options_documented(evidence: Evidence) -> Iterator[Refutation]:
    """Demand that every option has a description in its model, and stands in a table of the README."""
    tabled = evidence.tabled()
    for _, cls in evidence.classes:
        silent = [name for name, field in cls.Options.model_fields.items() if not field.description]
        if silent:
            yield _in_class(cls, f"options without a description: {', '.join(silent)}", "give Field(description=...)")
        absent = [name for name in cls.Options.model_fields if name not in tabled]
        if absent:
            yield _in_readme(
                evidence, f"options in no table: {', '.join(absent)}", "add a row: | `name` | default | text |"
            )


@_proves("check")
def check(evidence: Evidence) -> Iterator[Refutation]:
    """Demand a `check` of its own of each class, but for one that is only called."""
    for _, cls in evidence.classes:
        if not (overrides(cls, "check") or issubclass(cls, WebhookSource)):
            yield _in_class(cls, "it has no `check` of its own", "make the cheapest call that needs the credentials")


@_proves("contract_suites")
def contract_suites(evidence: Evidence) -> Iterator[Refutation]:
    """Demand a test class on the suite of its kind of each class; a source that is asked needs that of streams too."""
    try:
        held = {cls: evidence.suites_of(cls) for _, cls in evidence.classes}
    except ImportError as error:
        yield _in_tests(evidence, str(error), "mend the module; pip install pytest if that is what it lacks")
        return
    for kind, cls in evidence.classes:
        asked = ("StreamsContract",) if issubclass(cls, PollingSource) else ()
        for suite in (_SUITES[kind], *asked):
            if not _stands_on(held[cls], suite):
                way_out = f"class Test{cls.__name__}({suite}): {kind} = {cls.__name__}"
                yield _in_tests(evidence, f"no {suite} tests {cls.__name__}", way_out)


def _stands_on(suites: list[type[Any]], contract: str) -> bool:
    return any(base.__name__ == contract for suite in suites for base in suite.__mro__)


@_proves("look_alike")
def look_alike(evidence: Evidence) -> Iterator[Refutation]:
    """Demand that a class names a look-alike, and that it starts."""
    named = [where for _, cls in evidence.classes if (where := getattr(cls, "sandbox", ""))]
    if not named:
        yield Refutation(
            str(evidence.subject.package), "no class names a look-alike", 'sandbox = "package.sandbox:build"'
        )
    for where in dict.fromkeys(named):
        try:
            _start(where)
        except Exception as error:  # noqa: BLE001 - whatever a stranger's look-alike raises is what is told
            message = f"the look-alike {where} does not start: {type(error).__name__}: {error}"
            yield Refutation(str(evidence.subject.package), message, f"try: python -m hub.testkit.sandbox {where}")


def _start(where: str) -> None:
    from hub.testkit.sandbox import SandboxOptions, serve

    module, _, function = where.partition(":")
    serve(getattr(import_module(module), function)(SandboxOptions())).stop()


@_proves("readme")
def readme(evidence: Evidence) -> Iterator[Refutation]:
    """Demand the sections of the README that a person needs before the first poll."""
    for what, words in SECTIONS.items():
        text = evidence.section(*words)
        if text is None:
            yield _in_readme(evidence, f"no section on {what}", f"add a heading with the word {' or '.join(words)}")
        elif UNWRITTEN in text:
            yield _in_readme(
                evidence, f"the section on {what} is not written", f"write it in the place of '{UNWRITTEN}'"
            )


# -------------------------------------------------------------------------------------------------------------- silver


@_proves("edits")
def edits(evidence: Evidence) -> Iterator[Refutation]:
    """Demand that a source tells revisions apart, and that a destination can send a record again."""
    for kind, cls in evidence.classes:
        if kind == "source" and not re.search(r"\brevision\b|\bupdated_at\b", evidence.source):
            yield _in_class(
                cls, "it gives no `revision` and no `updated_at`", "take the edit's time or number as revision"
            )
        if issubclass(cls, Destination) and isinstance(cls.idempotency, NoIdempotency):
            yield _in_class(cls, "a record that was sent cannot be sent again", "declare `idempotency`")


@_proves("deletions")
def deletions(evidence: Evidence) -> Iterator[Refutation]:
    """Demand that a source is told of deletions or asks for them, and that a destination takes back what it wrote."""
    for _, cls in evidence.classes:
        if issubclass(cls, Source) and not (_rechecks(cls) or "Tombstone(" in evidence.source):
            yield _in_class(cls, "it gives no Tombstone and has no `recheck`", "set `recheck_size` and write `recheck`")
        if issubclass(cls, Destination) and "tombstone" not in cls.capabilities:
            yield _in_class(cls, 'its capabilities lack "tombstone"', 'take operation "tombstone" in `deliver`')


def _rechecks(cls: type[Source[Any]]) -> bool:
    return cls.recheck_size > 0 and overrides(cls, "recheck")


@_proves("errors_mapped")
def errors_mapped(evidence: Evidence) -> Iterator[Refutation]:
    """Demand that `check` of each class that a suite can make turns each status into its error."""
    for _, cls in evidence.classes:
        if overrides(cls, "check"):
            for complaint in _tried(evidence, cls):
                yield _in_class(cls, complaint, "hub.sdk.http.errors.error_for reads statuses in the usual way")


def _tried(evidence: Evidence, cls: type[Connector[Any]]) -> list[str]:
    try:
        suites = [suite for suite in evidence.suites_of(cls) if hasattr(suite, "given_options")]
    except ImportError as error:
        return [str(error)]
    return unmapped(cls, suites[0].given_options()) if suites else ["no contract suite gives options to try it with"]


@_proves("backfill_bounded")
def backfill_bounded(evidence: Evidence) -> Iterator[Refutation]:
    """Demand that a source that is asked has an option for how far the first poll goes back."""
    for _, cls in evidence.classes:
        if issubclass(cls, PollingSource) and not any("backfill" in name for name in cls.Options.model_fields):
            yield _in_class(cls, "no option bounds the first poll", "add `backfill_days` or the like, with a default")


@_proves("secrets_hidden")
def secrets_hidden(evidence: Evidence) -> Iterator[Refutation]:
    """Demand that what is named like a credential is a SecretStr."""
    for _, cls in evidence.classes:
        for name, field in cls.Options.model_fields.items():
            if _CREDENTIAL.search(name) and "SecretStr" not in str(field.annotation):
                yield _in_class(cls, f"the option `{name}` is no secret", f"write {name}: SecretStr")


@_proves("hostile_bodies")
def hostile_bodies(evidence: Evidence) -> Iterator[Refutation]:
    """Demand that the suites that throw hostile bodies test each class, also what a vendor sends to a destination."""
    yield from contract_suites(evidence)
    for _, cls in evidence.classes:
        told = issubclass(cls, Destination) and "inbound" in cls.capabilities
        if told and not _stands_on(evidence.suites_of(cls), "ReturnsContract"):
            yield _in_tests(evidence, f"no ReturnsContract tests {cls.__name__}", "it throws hostile bodies at `parse`")


# ---------------------------------------------------------------------------------------------------------------- gold


@_proves("replies")
def replies(evidence: Evidence) -> Iterator[Refutation]:
    """Demand that a source that answers is held to the contract of replies; one that does not says so in its signals."""
    for _, cls in evidence.classes:
        if not issubclass(cls, Source):
            continue
        if not overrides(cls, "reply"):
            if not _READ_ONLY.search(evidence.source):
                yield _in_class(cls, "it has no `reply`, and its signals do not say so", 'give can_reply="no"')
        elif not _stands_on(evidence.suites_of(cls), "ReplyContract"):
            yield _in_tests(evidence, f"no ReplyContract tests {cls.__name__}", "it kills a reply after the post")


@_proves("push")
def push(evidence: Evidence) -> Iterator[Refutation]:
    """Demand that what is pushed or streamed is taken, and what was missed can be asked for."""
    for _, cls in evidence.classes:
        if issubclass(cls, Source) and not issubclass(cls, WebhookSource | StreamingSource):
            yield _in_class(cls, "it is only asked", "stand on StreamingSource or WebhookSource as well")
        if issubclass(cls, Destination):
            for want in sorted({"inbound", "changes"} - cls.capabilities):
                yield _in_class(
                    cls, f'its capabilities lack "{want}"', "`inbound` takes calls, `changes` fills the gaps"
                )


@_proves("reauthorised")
def reauthorised(evidence: Evidence) -> Iterator[Refutation]:
    """Demand that a refused credential is told as Unauthorised: the connection waits, and burns no attempt."""
    for one in errors_mapped(evidence):
        if "401" in one.message:
            yield one


@_proves("recorded_items")
def recorded_items(evidence: Evidence) -> Iterator[Refutation]:
    """Demand that tests read recordings, or a real server."""
    subject = evidence.subject
    recorded = any("record" in str(path.relative_to(subject.root)) for path in subject.test_files())
    if not (recorded or subject.acceptance()):
        way_out = "put what the service sent under tests/recorded and read it in test_recordings.py, or claim "
        way_out += f'{{ exempt = "{FROM_DOCUMENTATION}: ..." }}'
        yield _in_tests(evidence, "no test reads recorded items", way_out)


@_proves("paced")
def paced(evidence: Evidence) -> Iterator[Refutation]:
    """Demand that each class that calls a vendor declares limits, or reads what the vendor counts."""
    for _, cls in evidence.classes:
        reads = any(overrides(cls, name) for name in ("usage", "is_throttled"))
        if not (cls.limits or reads or issubclass(cls, WebhookSource)):
            yield _in_class(cls, "it declares no limits", "limits = (Limit(calls, seconds),), or read `usage`")


@_proves("cost")
def cost(evidence: Evidence) -> Iterator[Refutation]:
    """Demand that the README's section on price says what takes how many calls, or how much time."""
    if not re.search(r"\b(?:calls?|requests?|m?s|us|minutes?)\b", evidence.section(*SECTIONS["price"]) or ""):
        yield _in_readme(evidence, "the section on price names no calls", "say how many calls a poll or a batch takes")


# ------------------------------------------------------------------------------------------------------------ platinum


@_proves("real_server")
def real_server(evidence: Evidence) -> Iterator[Refutation]:
    """Demand tests under a folder `acceptance` that run against a real server."""
    if not evidence.subject.acceptance():
        yield _in_tests(evidence, "no test stands in a folder `acceptance`", "start the vendor's server there")


@_proves("measured_rate")
def measured_rate(evidence: Evidence) -> Iterator[Refutation]:
    """Demand that the README has a section on what was measured, with numbers."""
    if not re.search(r"\d", evidence.section("measured") or ""):
        yield _in_readme(evidence, "no section `Measured` with a number", "say what was measured, on what machine")


@_proves("picture_guide")
def picture_guide(evidence: Evidence) -> Iterator[Refutation]:
    """Demand that the README shows pictures."""
    if "![" not in evidence.readme:
        yield _in_readme(evidence, "it shows no picture", "add pictures of the set-up: ![what is seen](pictures/1.png)")
