"""A destination on its stage: the author's part, and the engine's part by hand."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib import import_module
from typing import Any, ClassVar
from urllib.parse import urlsplit

import pytest

from hub.core.errors import ConnectorError, Rejected, Retryable
from hub.core.model import RemoteRef
from hub.sdk.connectors import Connector, Destination, Upsert
from hub.testkit.contracts.manners import ConnectorContract
from hub.testkit.contracts.means.witness import watching
from hub.testkit.contracts.stage import Sample, Stage
from hub.testkit.fakes import FakeClock
from hub.testkit.sandbox import SandboxOptions, serve


class DeliverySuite(ConnectorContract):
    """What all tests of a destination stand on."""

    destination: ClassVar[type[Destination[Any]]]
    samples: ClassVar[Sequence[Sample]]
    calls_when_refused: ClassVar[int] = 8
    partial_errors: ClassVar[tuple[type[ConnectorError], ...]] = (Rejected, Retryable)
    takes_plain_success: ClassVar[bool] = False
    results_in_order: ClassVar[bool] = False
    reaches_anywhere: ClassVar[bool] = False
    token_in_address: ClassVar[bool] = False
    own_keys: ClassVar[bool] = False

    @classmethod
    def options(cls, url: str) -> Mapping[str, Any]:
        """Return options of a connection to the sandbox at `url`."""
        raise TypeError(f"a destination's contract needs options for {url}")

    @classmethod
    def sandbox_options(cls, clock: FakeClock) -> SandboxOptions:
        """Return what the sandbox is built with; its token is "sandbox-token", its clock the destination's."""
        return SandboxOptions(clock=clock)

    @classmethod
    def connector(cls) -> type[Connector[Any]]:
        """Return the destination."""
        return cls.destination

    @classmethod
    def given_options(cls) -> dict[str, Any]:
        """Return options for a server that is not asked."""
        return dict(cls.options("http://127.0.0.1:9"))

    def make(self, options: Any, clock: FakeClock) -> Destination[Any]:
        """Return the destination; override it if it takes a `pause` or the like, and give it `clock.sleep`."""
        del clock
        return self.destination(options)

    def prepare(self, stage: Stage, sample: Sample) -> Mapping[str, RemoteRef]:
        """Make what the sample's records hang on (a ticket for comments) and give the references by kind."""
        del stage, sample
        return {}

    @contextmanager
    def play(self, sample: Sample | None = None) -> Iterator[Stage]:
        """Give a stage with a fresh sandbox on a free port; what `prepare` made is not in its journal."""
        module, _, name = self.destination.sandbox.partition(":")
        assert name, f"{self.destination.__name__} names no sandbox: set `sandbox` to 'module:function'"
        clock = FakeClock()
        with (
            serve(getattr(import_module(module), name)(self.sandbox_options(clock))) as running,
            watching(clock) as seen,
        ):
            options = self.destination.Options.model_validate(dict(self.options(running.url)))
            made = self.make(options, clock)
            stage = Stage(made, running.sandbox, clock, make=lambda: self.make(options, clock), seen=seen)
            try:
                if sample is not None:
                    stage.parents = self.prepare(stage, sample)
                    running.sandbox.journal.clear()
                yield stage
            finally:
                stage.guard.close()

    def pytest_generate_tests(self, metafunc: pytest.Metafunc) -> None:
        """Run each test that asks for a sample with each of them."""
        if "sample" in metafunc.fixturenames:
            metafunc.parametrize("sample", self.samples, ids=[sample.name for sample in self.samples])

    def made_by(self, sample: Sample) -> Any:
        """Return the idempotency class of the sample's writes."""
        options = self.destination.Options.model_validate(self.given_options())
        return self.destination(options).idempotency_of(sample.object, sample.operation)

    def may_repeat(self, sample: Sample) -> bool:
        """Return True if the same write again changes nothing."""
        return isinstance(self.made_by(sample), Upsert)

    def assert_delivered(self, stage: Stage, sample: Sample, count: int) -> list[RemoteRef]:
        """Deliver so many records on a good day; return their references."""
        outcomes = stage.send(stage.deliveries(sample, count))
        failed = [one.error for one in outcomes.values() if one.error]
        assert not failed, f"on a good day {len(failed)} of {count} fail, the first with {failed[0]!r}"
        return [one.ref for one in outcomes.values() if one.ref]


def leaves(value: Any) -> list[str]:
    """Return the texts in the fields of a record."""
    if isinstance(value, Mapping):
        return [leaf for inner in value.values() for leaf in leaves(inner)]
    return [value] if isinstance(value, str) else []


def with_texts(value: Any, text: str) -> Any:
    """Return the fields with `text` after each of their sentences; names, keys and numbers stay."""
    if isinstance(value, Mapping):
        return {name: with_texts(inner, text) for name, inner in value.items()}
    return f"{value} {text}" if isinstance(value, str) and " " in value else value


def own(sample: Sample, number: int) -> list[str]:
    """Return the sentences of one record that no other has: names and tags may be kept in other forms."""
    others = leaves(sample.fields(number + 50))
    return [leaf for leaf in leaves(sample.fields(number)) if leaf not in others and " " in leaf]


def stands(text: str, kept: str) -> bool:
    """Return True if a text stands in the records, as JSON or as HTML would write it."""
    escaped = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return any(form in kept for one in (text, escaped) for form in (one, json.dumps(one)[1:-1]))


def meets(sample: Sample, method: str, url: str) -> bool:
    """Return True if this is a call that writes, by the sample's `write`."""
    wanted = sample.write
    return wanted.get("method", method) == method and bool(re.search(wanted.get("path", ""), urlsplit(url).path))
