"""What Zendesk tells of its minute, through a pace as the engine makes one."""

from __future__ import annotations

from hub import Usage
from hub.queue.pace import LocalPaces
from plugins.zendesk.config import ZendeskOptions
from plugins.zendesk.destination import ZendeskDestination

ACCOUNT = {"x-rate-limit": "700", "ratelimit-limit": "700", "ratelimit-remaining": "620", "ratelimit-reset": "41"}
TICKET = {"retry-after": "400", "zendesk-ratelimit-per-ticket-updates": "total=30; remaining=0; resets=400"}
DESK = ZendeskDestination(ZendeskOptions(subdomain="acme", token="t"))


def test_the_accounts_minute_is_read_from_the_common_headers() -> None:
    paces = LocalPaces(lambda: 0.0)
    paces.open("desk", usage=DESK.usage).tell(200, ACCOUNT)
    assert paces.usages() == {"desk": Usage(80, 700, 41.0)}


def test_too_many_updates_of_one_ticket_hold_up_no_other() -> None:
    pace = LocalPaces(lambda: 0.0).open("desk", usage=DESK.usage, throttled=DESK.is_throttled)
    pace.tell(429, TICKET)
    assert pace.ahead() == 0.0


def test_an_account_at_its_limit_is_left_alone_until_retry_after() -> None:
    pace = LocalPaces(lambda: 0.0).open("desk", usage=DESK.usage, throttled=DESK.is_throttled)
    pace.tell(429, {**ACCOUNT, "ratelimit-remaining": "0", "retry-after": "41"})
    assert pace.ahead() == 41.0
