"""The shipped mappings against each look-alike's own description: what `hub check` would say of them."""

from __future__ import annotations

from typing import Any

import pytest

from hub.config.rulebook import default_mappings
from hub.core.mapping import compile_mapping
from hub.flow.check import misfits
from hub.sdk.connectors import Destination
from hub.sdk.http import open_guard
from hub.testkit.fakes import context
from hub.testkit.sandbox import SandboxOptions, serve
from plugins.hubspot import sandbox as hubspot
from plugins.hubspot.config import HubSpotOptions
from plugins.hubspot.destination import HubSpotDestination
from plugins.requesttracker import sandbox as requesttracker
from plugins.requesttracker.config import RequestTrackerOptions
from plugins.requesttracker.destination import RequestTrackerDestination
from plugins.salesforce import sandbox as salesforce
from plugins.salesforce.config import SalesforceOptions
from plugins.salesforce.destination import SalesforceDestination
from plugins.zendesk import sandbox as zendesk
from plugins.zendesk.config import ZendeskOptions
from plugins.zendesk.destination import ZendeskDestination

TOKEN = "sandbox-token"


def made(name: str, url: str) -> Destination[Any]:
    """A destination before its look-alike."""
    if name == "salesforce":
        return SalesforceDestination(SalesforceOptions(instance_url=url, access_token=TOKEN))
    if name == "hubspot":
        return HubSpotDestination(HubSpotOptions(base_url=url, token=TOKEN))
    if name == "zendesk":
        return ZendeskDestination(ZendeskOptions(subdomain="acme", base_url=url, token=TOKEN))
    return RequestTrackerDestination(RequestTrackerOptions(base_url=url, queue="Social", token=TOKEN))


@pytest.mark.parametrize(
    ("name", "kit"),
    [("salesforce", salesforce), ("hubspot", hubspot), ("zendesk", zendesk), ("requesttracker", requesttracker)],
)
def test_a_shipped_mapping_writes_what_its_fields_take(name: str, kit: Any) -> None:
    with serve(kit.build(SandboxOptions(token=TOKEN))) as sandbox, open_guard(allow_private=True) as guard:
        objects = made(name, sandbox.url).describe(context(guard))
    specs = default_mappings(f"mappings:{name}")
    assert specs
    told = [f"{one}: {said}" for one in specs for said in misfits(compile_mapping(specs[one], name=one), objects)]
    assert told == []
