"""What two do at once: one of them gets it, on both databases."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pyotp

from hub.core.errors import HubError
from hub.flow.accounts.entrance import enter, give_code, session_of
from hub.flow.accounts.onetime import first_link, use_link
from hub.flow.actions import users
from hub.flow.actions.users import Rights
from tests.hub.flow.accounts.people import HERE, PASSWORD, make_user
from tests.hub.flow.accounts.test_entrance import with_code
from tests.hub.flow.accounts.test_users import ADMIN, token_of
from tests.hubs import Made

NewHub = Callable[..., Made]


def done_at_once(*acts: Callable[[], object]) -> int:
    """How many of these acts, begun at the same time, were not refused."""
    barrier = Barrier(len(acts))

    def run(act: Callable[[], object]) -> int:
        barrier.wait(10)
        try:
            act()
        except HubError:
            return 0
        return 1

    with ThreadPoolExecutor(len(acts)) as pool:
        return sum(pool.map(run, acts))


def test_two_admins_cannot_take_each_others_rights(new_hub: NewHub) -> None:
    hub = new_hub().hub
    for name in ("ada", "eve"):
        make_user(hub, name, "admin")
    acts = (lambda: users.change(hub, ADMIN, "ada", Rights("viewer")), lambda: users.disable(hub, ADMIN, "eve"))
    assert done_at_once(*acts) == 1


def test_a_link_that_two_use_opens_once(new_hub: NewHub) -> None:
    hub = new_hub().hub
    token = token_of(first_link(hub))
    names = ("ada", "eve", "ines")
    assert done_at_once(*(lambda name=name: use_link(hub, token, PASSWORD, name=name) for name in names)) == 1
    assert len(hub.store.users.all()) == 1


def test_a_code_that_two_log_ins_give_works_once(new_hub: NewHub) -> None:
    hub = new_hub().hub
    bea = make_user(hub)
    code = pyotp.TOTP(with_code(hub, bea)).at(hub.now())
    waiting = [session_of(hub, enter(hub, bea, HERE, by="password").token) for _ in range(3)]
    assert done_at_once(*(lambda one=one: give_code(hub, one, code, HERE) for one in waiting if one)) == 1
