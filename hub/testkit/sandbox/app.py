"""`Sandbox`: what a vendor's look-alike subclasses."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime
from pathlib import Path
from time import sleep
from typing import Any, ClassVar
from urllib.parse import quote

from hub.sdk.context import READS
from hub.testkit.sandbox.clock import utc_now
from hub.testkit.sandbox.contract import Contract
from hub.testkit.sandbox.events import Teller
from hub.testkit.sandbox.exchange import BAD_GATEWAY, Answer, Call, Refused, garbled
from hub.testkit.sandbox.faults import Faults, FaultsOfCall
from hub.testkit.sandbox.journal import Journal
from hub.testkit.sandbox.pages import front
from hub.testkit.sandbox.records import RecordStore
from hub.testkit.sandbox.routes import Route, find_route, routes_of


@dataclass(frozen=True, slots=True)
class SandboxOptions:
    """What every sandbox is built with.

    `folder` keeps its records over a restart, `contracts` is the folder of vendors' contracts (with hubspot/, zendesk/);
    `token` is the credential to expect, `extra` holds the vendor's own settings.
    """

    folder: Path | None = None
    contracts: Path | None = None
    token: str = "sandbox-token"  # noqa: S105 - a look-alike's token opens nothing
    clock: Callable[[], datetime] = utc_now
    extra: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Violation:
    """A call that broke the contract (`contract`, `answer`), hit no route (`route`), or made a handler fail (`bug`)."""

    kind: str
    method: str
    path: str
    message: str
    at: str


class Reset(Exception):
    """The connection is to be reset instead of an answer."""


class Sandbox:
    """A vendor's look-alike: routes are methods marked with `route`; the package's text lists what to override.

    `home` is what its people call their page, and its path; `url` is its address once it is served, "" before.
    """

    title: ClassVar[str] = "Sandbox"
    home: ClassVar[tuple[str, str]] = ("", "/")
    json_twin: ClassVar[bool] = False

    def __init__(self, options: SandboxOptions) -> None:
        self.options = options
        self.url = ""
        self.lock = threading.RLock()
        self.store = RecordStore(options.folder)
        self.journal = Journal(options.clock, self.store.keep_entry, self.store.scrub_soon)
        self.journal.restore(self.store.kept_entries())
        self.faults = Faults()
        self.teller = Teller(options.clock)
        self.violations: list[Violation] = []
        self.connections = 0
        self._routes: Sequence[Route] = routes_of(type(self))
        self._contract = self.contract() if options.contracts is not None else None
        self._seed_once()

    # ------------------------------------------------------------------------------------------------ for the vendor

    def seed(self) -> None:
        """Declare collections and put what is there from the start; runs at the first start and after each reset."""

    def contract(self) -> Contract | None:
        """Return the contract that requests are held to; called only if `options.contracts` is given."""
        return None

    def authenticate(self, call: Call) -> Answer | None:
        """Return None if the call's credentials are good, else the refusal."""
        good = call.headers.get("authorization") == f"Bearer {self.options.token}"
        return None if good else self.unauthorised(call)

    def unauthorised(self, call: Call) -> Answer:
        """Return the vendor's 401."""
        return Answer(401, {"status": "error", "message": "the credentials are not valid"})

    def limited(self, call: Call, seconds: float) -> Answer:
        """Return the vendor's answer to calls above its rate."""
        return Answer(429, {"status": "error", "message": "too many requests"}, {"Retry-After": str(int(seconds))})

    def unknown(self, call: Call) -> Answer:
        """Return the vendor's answer for a path without a route."""
        return Answer(404, {"status": "error", "message": f"no route for {call.method} {call.path}"})

    def malformed(self, call: Call, problems: Sequence[str]) -> Answer | None:
        """Return the vendor's answer to a request that breaks the contract (which is recorded); None: the handler decides."""
        return None

    def broken(self, call: Call, message: str) -> Answer:
        """Return the vendor's 500, for a handler that failed."""
        return Answer(500, {"status": "error", "message": message})

    def now(self) -> datetime:
        """Return the sandbox's time, aware UTC."""
        return self.options.clock()

    def heading_of(self, object_: str, record: Mapping[str, Any]) -> str:
        """Return one line that says what a record is, for the page."""
        return ""

    def address_of(self, object_: str, id_: str) -> str:
        """Return the path of the page on which people work with a record, for links from the list of all records."""
        return f"/_sandbox/records/{quote(object_, safe='')}/{quote(id_, safe='')}"

    def show(self, object_: str, id_: str) -> Answer:
        """Return a record as a page, for a vendor's own record links."""
        return front.record_page(self, object_, id_)

    # ------------------------------------------------------------------------------------------------- for the server

    def reset(self) -> None:
        """Forget records, journal, faults and violations, and seed again."""
        with self.lock:
            self.store.clear()
            self.journal.clear()
            self.faults.set([])
            self.violations.clear()
            self._seed_once()

    def violate(self, kind: str, call: Call, message: str) -> None:
        """Record that something is wrong with a call."""
        self.violations.append(Violation(kind, call.method, call.path, message, self.now().isoformat()))

    def show_violations(self) -> list[dict[str, Any]]:
        """Return all violations as JSON."""
        return [asdict(item) for item in list(self.violations)]

    def close(self) -> None:
        """Send what is under way, then make all durable."""
        self.teller.stop()
        self.store.close()

    def handle(self, call: Call) -> Answer:
        """Answer one call; raises Reset if a fault says so."""
        trouble = self.faults.draw(call.method, call.path)
        if trouble.latency_ms:
            sleep(trouble.latency_ms / 1000)
        status = 0
        try:
            answer = self._answer_call(call, trouble)
            status = answer.status
        finally:
            self.journal.note(write=call.write, method=call.method, path=call.path, object_=call.object, status=status)
        return answer

    def _answer_call(self, call: Call, trouble: FaultsOfCall) -> Answer:
        """Apply the faults that come before the handler, the handler, and the faults that come after it."""
        found = self._find_route(call)
        if trouble.reset_before:
            raise Reset
        if (early := self._trouble_answer(call, trouble)) is not None:
            return early
        if found is None:
            self.violate("route", call, "no route answers this path and method")
            self._check_request(call)
            return self.unknown(call)
        call.partial = trouble.partial
        with self.lock:
            answer = self._run_handler(call, found)
            self.store.flush()
        if trouble.reset_after:
            raise Reset
        if trouble.fails_after:
            return BAD_GATEWAY
        return garbled(answer, trouble.garble) if trouble.garble else answer

    def _find_route(self, call: Call) -> Route | None:
        """Find the route of a call; fills in what the call learns from it."""
        path = call.path.removesuffix(".json") if self.json_twin else call.path
        call.write = call.method not in READS
        if (found := find_route(self._routes, call.method, path)) is None:
            return None
        route, call.args = found
        call.write = route.write
        call.object = route.object.format(**call.args)
        return route

    def _trouble_answer(self, call: Call, trouble: FaultsOfCall) -> Answer | None:
        """Return the answer that a fault gives in the handler's place."""
        if trouble.limited:
            return self.limited(call, 1)
        if trouble.expired_token:
            return self.unauthorised(call)
        if (fault := trouble.answer) is not None:
            return Answer(fault.status or 500, fault.body, fault.headers)
        return None

    def _run_handler(self, call: Call, route: Route) -> Answer:
        """Apply credentials, contract and the handler; whatever escapes a handler becomes a recorded 500."""
        try:
            if not route.open and (refusal := self.authenticate(call)) is not None:
                return refusal
            problems = self._check_request(call) if route.contract else []
            if problems and (refusal := self.malformed(call, problems)) is not None:
                return refusal
            return self._check_answer(call, route, getattr(self, route.handler)(call))
        except Refused as refused:
            return self._check_answer(call, route, refused.answer)
        except Exception as error:  # noqa: BLE001 - a look-alike must answer, and say loudly that it is at fault
            self.violate("bug", call, f"{type(error).__name__}: {error}")
            return self.broken(call, "internal error")

    def _check_request(self, call: Call) -> list[str]:
        """Hold a request to the contract; what is wrong is recorded and returned."""
        problems = self._contract.check(call) if self._contract is not None else []
        for problem in problems:
            self.violate("contract", call, problem)
        return problems

    def _check_answer(self, call: Call, route: Route, answer: Answer) -> Answer:
        """Hold our own answer to the contract too if its terms say so: the look-alike stays honest."""
        if self._contract is not None and route.contract:
            for problem in self._contract.check_answer(call, answer):
                self.violate("answer", call, problem)
        return answer

    def _seed_once(self) -> None:
        """Seed at the first start; a restarted sandbox has its records already."""
        if self.store.get("_sandbox", "seeded") is None:
            self.seed()
        self.store.put("_sandbox", "seeded", {"seeded": True})
        self.store.flush()
