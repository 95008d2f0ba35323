"""The server for vendors' look-alikes: stateful, over real HTTP, with faults, a journal and a page to look at.

A vendor's sandbox is a small class; HTTP, store, journal, faults, contract and page are here. Ten lines make one:

    from hub.testkit.sandbox import Answer, Call, Sandbox, SandboxOptions, route, serve

    class ShopSandbox(Sandbox):
        title = "Shop"

        def seed(self) -> None:                                   # at the first start and after each reset
            self.store.declare("orders", unique=("order_key",))   # a second record with the same key raises Taken

        @route("PUT", "/v1/orders/{key}", object="orders")        # object: what the call is counted under ("{kind}" too)
        def put_order(self, call: Call) -> Answer:
            id_ = self.store.next_id("orders")                    # "1", "2", ...; never used twice
            record = self.store.insert("orders", id_, {"order_key": call.args["key"], **call.json()})
            self.journal.record("create", "orders", id_, key=call.args["key"], fields=record)
            return Answer(201, {"id": id_})

    def build(options: SandboxOptions) -> Sandbox:                # the vendor's entry point: `module:build`
        return ShopSandbox(options)

    with serve(build(SandboxOptions())) as running:               # running.url, .port, .sandbox; .stop()
        ...

What a handler has
    call      `.method .path .args (decoded segments) .query (name -> values) .headers (lower case) .body .base_url`;
              `.json()` (raises Refused 400), `.form()` (urlencoded), `.param(name, default)`;
              `.fails(i, total)`: should item i of a batch fail with the vendor's own error (the `partial` fault)?
              `.object = "..."` may be set by a handler that learns late what it writes.
    Answer    `Answer(status, body=None, headers={})`: a dict or list becomes JSON, str and bytes are sent as they are.
    Refused   `raise Refused(Answer(...))` ends a handler from anywhere below it.
    store     `declare insert update put get find remove all newest next_id count`: collections of `id -> dict`,
              copied in and out; unique keys may be dotted paths ("properties.signal_key") and case-blind (`fold=True`);
              `find(collection, key, value) -> (id, record) | None`; kept in `folder`/sandbox.sqlite if the options
              name a folder. Collections whose name begins with "_" are not shown on the page.
    journal   `record(kind, object, id, key="", fields=None)`: kind is create, update, delete, ticket, comment, link ...;
              HTTP calls are noted by the server.
    teller    `.send(Event(kind, url, compose, again))` sends webhooks beside the caller, in order, again as `again` says;
              `.wait()`, `.attempts`: what came of the last ones.
    now()     the sandbox's clock (options.clock), aware UTC.
    options   `.token` is the credential to expect, `.extra` the vendor's own settings (`[sandbox.options.NAME]`).
    document(title, body, style="", forms=False), linked(text)   a page; a text as HTML, its web addresses as links.
    url       the address once it is served; `call.refuse_foreign()`: 403 where another site's page sends it.
Handlers run one at a time (one lock a sandbox), so read-then-write is atomic; latency faults sleep outside the lock.

What a vendor overrides
    seed()                     what is there from the start
    authenticate(call)         None, or the answer of a refused call (default: `Authorization: Bearer <token>`);
                               routes with `open=True` skip it
    unauthorised(call)         the vendor's 401 (also used by the expired_token fault)
    limited(call, seconds)     the vendor's 429 (also used by the rate_per_s fault)
    unknown(call)              the vendor's 404 for a path without a route
    malformed(call, problems)  None (record only), or the vendor's answer to a request that breaks the contract
    broken(call, message)      the vendor's 500
    heading_of(object, record) one line about a record, for the page
    address_of(object, id)     the path of the page on which people work with a record, if there is one
    home = ("the desk", "/d")  what people call their own page, and its path; the front page and `hub up` lead there
    json_twin = True           every route also answers with ".json" at its end
    contract()                 the `Contract` of the requests, e.g. `Contract.read(self.options.contracts / "x/y.json.xz",
                               Terms(nullable_everywhere=True, json_twin=True))`; called only if contracts are given

Every sandbox also answers (no credentials wanted)
    GET  /                                 a page: objects, newest records, counts
    GET  /_sandbox/records/{object}/{id}   one record as a page (as JSON with Accept: application/json)
    GET  /_sandbox/journal?object=&since=  {"entries": [{seq, at, kind, object, id, key, fields}],
                                            "calls": [{seq, at, kind, method, path, object, status}]}
    GET  /_sandbox/counts                  {"writes": {kind: n}, "objects": {object: {kind: n}},
                                            "calls": {"read": n, "write": n}, "calls_by_object": {object: {"write": n}},
                                            "connections": n, "violations": n}
    GET  /_sandbox/violations              [{kind, method, path, message, at}]: what broke the contract (`contract`,
                                           `answer`), hit no route (`route`), or made a handler fail (`bug`)
    GET, POST /_sandbox/faults             the list of faults (POST replaces it; [] clears it): hub.testkit.sandbox.faults
    POST /_sandbox/reset                   records, journal, faults and violations are gone, seed() runs again
The same in Python: `sandbox.faults.set([...])`, `sandbox.journal.counts()`, `sandbox.violations`, `sandbox.reset()`.

`python -m hub.testkit.sandbox plugins.hubspot.sandbox:build --port 8702 --folder DIR` runs one by itself.
"""

from hub.testkit.sandbox.app import Sandbox, SandboxOptions
from hub.testkit.sandbox.contract import Contract, Terms
from hub.testkit.sandbox.events import Attempt, Event, Teller
from hub.testkit.sandbox.exchange import Answer, Call, Refused
from hub.testkit.sandbox.faults import Fault
from hub.testkit.sandbox.journal import Journal
from hub.testkit.sandbox.pages.document import document, linked
from hub.testkit.sandbox.records import RecordStore, Taken
from hub.testkit.sandbox.routes import route
from hub.testkit.sandbox.server import RunningSandbox, serve

__all__ = [
    "Answer",
    "Attempt",
    "Call",
    "Contract",
    "Event",
    "Fault",
    "Journal",
    "RecordStore",
    "Refused",
    "RunningSandbox",
    "Sandbox",
    "SandboxOptions",
    "Taken",
    "Teller",
    "Terms",
    "document",
    "linked",
    "route",
    "serve",
]
