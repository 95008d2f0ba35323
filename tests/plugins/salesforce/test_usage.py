"""What an org tells of its calls of the last 24 hours."""

from __future__ import annotations

import pytest

from hub import Usage
from plugins.salesforce.config import SalesforceOptions
from plugins.salesforce.destination import SalesforceDestination

ORG = SalesforceDestination(SalesforceOptions(instance_url="https://acme.my.salesforce.com", access_token="t"))


@pytest.mark.parametrize(
    ("header", "usage"),
    [
        ("api-usage=18/5000", Usage(18, 5000)),
        ("api-usage=25/5000; per-app-api-usage=17/250(appName=sample-connected-app)", Usage(25, 5000)),
        ("per-app-api-usage=17/250(appName=x)", None),
        ("api-usage=18/0", None),
        ("api-usage=many", None),
        ("", None),
    ],
)
def test_the_orgs_usage_is_read_and_no_apps(header: str, usage: Usage | None) -> None:
    assert ORG.usage({"sforce-limit-info": header}) == usage


def test_without_the_header_nothing_is_known() -> None:
    assert ORG.usage({}) is None
