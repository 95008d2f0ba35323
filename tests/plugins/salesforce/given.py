"""What the Salesforce tests are given: deliveries, connections, scripted answers."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from hub import Change, Context, Delivery, RemoteRef
from hub.sdk.connectors import HttpResponse
from hub.sdk.http import open_guard
from hub.testkit.fakes import FakeClock, FakeHttp, answer, context
from hub.testkit.sandbox import RunningSandbox, SandboxOptions, serve
from plugins.salesforce.config import OBJECTS, SalesforceOptions
from plugins.salesforce.destination import SalesforceDestination
from plugins.salesforce.sandbox import SalesforceSandbox, build

URL = "https://acme.my.salesforce.com"
AUTHOR, AUTHOR_KEY = "Social_Author__c", "Author_Key__c"


def delivery(number: int, **changes: Any) -> Delivery:
    """An upsert of an author; `number` is its id and makes its key."""
    given: dict[str, Any] = {
        "id": number,
        "destination": "crm",
        "object": AUTHOR,
        "record_key": f"mastodon:{number}",
        "operation": "upsert",
        "seq": 1,
        "key": f"d{number}",
        "fields": {"Name": f"Author {number}"},
        "key_field": AUTHOR_KEY,
    }
    return Delivery(**(given | changes))


def erasure(number: int, ref: RemoteRef | None = None, **changes: Any) -> Delivery:
    """A tombstone for what `delivery(number)` wrote."""
    return delivery(number, **({"operation": "tombstone", "seq": 2, "fields": {}, "ref": ref} | changes))


def options(**changes: Any) -> SalesforceOptions:
    """Options with a token that nobody renews."""
    return SalesforceOptions.model_validate({"instance_url": URL, "access_token": "t0"} | changes)


def client_credentials(**changes: Any) -> SalesforceOptions:
    """Options that mint tokens without a key."""
    return options(access_token=None, client_id="app", client_secret="s3cret", **changes)


def destination(**changes: Any) -> SalesforceDestination:
    """A destination with a fixed token."""
    return SalesforceDestination(options(**changes))


def done(number: int, **changes: Any) -> dict[str, Any]:
    """A good result of a collection."""
    return {"id": f"a00{number:015d}", "success": True, "errors": [], "created": True} | changes


def failed(code: str, message: str = "no", *fields: str) -> dict[str, Any]:
    """A bad result of a collection."""
    return {"success": False, "errors": [{"statusCode": code, "message": message, "fields": list(fields)}]}


def refused(status: int, code: str, message: str = "no") -> HttpResponse:
    """A refusal of a whole request, as REST gives it."""
    return answer(status, [{"errorCode": code, "message": message}])


def results(*items: Mapping[str, Any], usage: str = "api-usage=18/5000") -> HttpResponse:
    """An answer of a collections request."""
    return answer(200, list(items), headers={"Sforce-Limit-Info": usage})


def echo(judge: Callable[[Mapping[str, Any]], Mapping[str, Any]]) -> Callable[..., HttpResponse]:
    """Answers each collections request with `judge(record)` for each of its records."""

    def reply(_method: str, _url: str, _headers: Mapping[str, str], content: bytes | None) -> HttpResponse:
        return results(*(judge(record) for record in json.loads(content or b"{}")["records"]))

    return reply


def written(http: FakeHttp) -> list[list[str]]:
    """The keys of each collections request that was sent."""
    return [[record[AUTHOR_KEY] for record in sent.json()["records"]] for sent in http.requests]


@contextmanager
def running(**extra: Any) -> Iterator[tuple[RunningSandbox, Context, SalesforceDestination]]:
    """A sandbox with a guard and a destination before it."""
    with serve(build(SandboxOptions(extra=extra))) as sandbox, open_guard(("127.0.0.1",), allow_private=True) as http:
        yield sandbox, context(http), destination(instance_url=sandbox.url, access_token="sandbox-token")


class Office:
    """An org with people in it, a destination, and one clock for all."""

    def __init__(self, running: RunningSandbox, org: SalesforceSandbox, ctx: Context, clock: FakeClock) -> None:
        self.running, self.org, self.ctx, self.clock = running, org, ctx, clock
        self.crm = destination(instance_url=running.url, access_token="sandbox-token")

    def deliver(self, given: Delivery) -> RemoteRef:
        """One delivery that lands."""
        (outcome,) = self.crm.deliver(self.ctx, [given])
        assert outcome.error is None, outcome.error
        assert outcome.ref is not None
        return outcome.ref

    def poll(self, cursor: Any) -> tuple[list[Change], Any]:
        """One tick: the changes and the cursor behind them."""
        pages = list(self.crm.changes(self.ctx, cursor))
        return [one for page in pages for one in page.changes], pages[-1].cursor if pages else cursor

    def held(self, object_: str, ref: RemoteRef) -> dict[str, Any]:
        """What a record holds."""
        return self.org.existing(object_, ref.id)


@contextmanager
def office(**extra: Any) -> Iterator[Office]:
    """An org with people in it."""
    clock = FakeClock()
    org = build(SandboxOptions(extra=extra, clock=clock))
    with serve(org) as sandbox, open_guard(("127.0.0.1",), allow_private=True) as http:
        yield Office(sandbox, org, context(http, clock=clock), clock)


TYPED: dict[str, dict[str, Any]] = {
    "Lead": {"LastName": "handle{}", "LeadSource": "Social", "Company": "Not provided"},
    "Contact": {"LastName": "handle{}", "LeadSource": "Social"},
    "Account": {"Name": "handle{}", "AccountSource": "Social"},
}


def person(number: int, object_: str = "Lead", **changes: Any) -> Delivery:
    """A first delivery of a lead, contact or account: what people may type is marked `once`."""
    typed = {name: value.format(number) for name, value in TYPED[object_].items()}
    fields = {**typed, "Social_Sentiment__c": "negative"}
    once = tuple(typed)
    return delivery(
        number, **({"object": object_, "key_field": OBJECTS[object_], "fields": fields, "once": once} | changes)
    )


def again(number: int, ref: RemoteRef, object_: str = "Lead", **changes: Any) -> Delivery:
    """A later delivery, as the ledger gives it: without what is written once."""
    fields = {"Social_Sentiment__c": "positive"}
    return person(number, object_, **({"fields": fields, "once": (), "ref": ref, "seq": 2} | changes))
