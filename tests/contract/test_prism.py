"""What the real clients send to HubSpot and Zendesk, held to the vendors' documents by Prism, which knows nothing of us."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest

from hub.core.model import Tombstone
from hub.flow.erase.erase import erase
from hub.runtime import Hub
from hub.testkit.sandbox import Answer, Call, Sandbox, SandboxOptions
from tests.chaos.posts import posts
from tests.chaos.stage import Wanted, build, stage
from tests.chaos.test_moments import finish, opened, reply_to, take
from tests.contract.prism import Prism, Request, prism, program
from tests.material import shared

MAPPINGS = {"hubspot": ("signal", "contact"), "zendesk": ("signal", "ticket")}
SENT = ("authorization", "content-type", "accept", "idempotency-key")
BROKEN: Mapping[str, tuple[str, dict[str, Any]]] = {
    "hubspot": ("/crm/v3/objects/contacts/batch/upsert", {"inputs": [{"id": 5}]}),
    "zendesk": ("/api/v2/tickets.json", {"ticket": {"subject": 5}}),
}


def recording(vendor: str, into: list[Request]) -> Callable[[SandboxOptions], Sandbox]:
    """A vendor's look-alike that keeps what it is sent, as far as the vendor's document speaks of it."""

    def make(options: SandboxOptions) -> Sandbox:
        plain = build(vendor)(options)

        class Recording(type(plain)):  # type: ignore[misc]  # the vendor's class is known at run time only
            def handle(self, call: Call) -> Answer:
                path = f"{self._contract.terms.rewrite(call.path)}?{urlencode(call.query, doseq=True)}".rstrip("?")
                headers = {name: call.headers[name] for name in SENT if name in call.headers}
                found = self._find_route(call)
                if found is None or found.contract:  # the document leaves some paths out, as the look-alike says
                    into.append(Request(call.method, path, headers, call.body))
                answer: Answer = super().handle(call)
                return answer

        plain.__class__ = Recording
        return plain

    return make


def live(hub: Hub, vendor: str) -> None:
    """All that a hub asks of a vendor: who we are, what it has, records, further posts, an edit, and a post that is gone."""
    destination, ctx = hub.destination(vendor), hub.destination_context(vendor)
    destination.check(ctx)
    destination.describe(ctx)
    destination.whoami(ctx)
    first = [post for post in posts("mastodon", 4) if post.watched]
    take(hub, first)
    finish(hub, vendor)
    take(hub, [reply_to(first[0])])
    entity = json.loads(first[1].body)
    entity["content"] += "<p>hello again</p>"
    take(hub, [replace(first[1], body=json.dumps(entity).encode())])
    finish(hub, vendor)
    erase(hub, [Tombstone(first[2].key, "user_deleted", hub.now())])
    finish(hub, vendor)
    list(destination.changes(ctx, None))


def document(sandbox: Sandbox) -> dict[str, Any]:
    """The vendor's document as its look-alike reads it, in the words of OpenAPI 3.1, each path with its twin where it has one."""
    contract = sandbox._contract
    assert contract is not None
    made = {**contract.document, "openapi": "3.1.0"}
    made.pop("security", None)  # Zendesk's names basic credentials only, and takes tokens too
    if contract.terms.json_twin:
        paths = dict(made["paths"])
        made["paths"] = paths | {f"{path}.json": item for path, item in paths.items() if not path.endswith(".json")}
    return made


@pytest.mark.timeout(240)
@pytest.mark.parametrize("vendor", MAPPINGS)
def test_prism_finds_nothing_wrong_with_what_the_real_client_sends(vendor: str, tmp_path: Path) -> None:
    contracts, _ = shared("contracts"), program()
    sent: list[Request] = []
    chosen, further = MAPPINGS[vendor]
    wanted = Wanted({vendor: chosen}, contracts=contracts, builders={vendor: recording(vendor, sent)})
    with stage(tmp_path, wanted) as here:
        rules = here.folder / "rules.toml"
        target = f'{{ destination = "{vendor}", mapping = "{further}" }}'
        rules.write_text(rules.read_text().replace("deliver = [", f"deliver = [{target}, "))
        with opened(here) as hub:
            live(hub, vendor)
        made = document(here.sandboxes[vendor].sandbox)
        assert not here.sandboxes[vendor].sandbox.violations
    assert {one.method for one in sent} >= {"GET", "POST"}
    with prism(made, tmp_path) as judge:
        assert [said for said in map(judge.complain, sent) if said] == []
        assert_it_can_complain(judge, vendor, sent[0])


def assert_it_can_complain(judge: Prism, vendor: str, like: Request) -> None:
    """A judge who finds nothing wrong with what is wrong would prove nothing."""
    path, body = BROKEN[vendor]
    headers = {**like.headers, "content-type": "application/json"}
    complaint = judge.complain(Request("POST", path, headers, json.dumps(body).encode()))
    assert "INVALID" in complaint or "UNPROCESSABLE_ENTITY" in complaint
    assert "NO_PATH_MATCHED" in judge.complain(Request("GET", "/no/such/path", headers, b""))
