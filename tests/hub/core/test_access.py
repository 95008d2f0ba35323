"""Who may do what: roles by the table, and only within what an actor sees."""

from __future__ import annotations

import pytest

from hub.core.access import (
    API,
    CONSOLE,
    HUB,
    ROLES,
    TABLE,
    Actor,
    NotAllowed,
    Role,
    Scope,
    Sight,
    at_terminal,
    demand,
    may,
)


def one(role: Role, sight: Sight | None = None) -> Actor:
    return Actor("kim", "console", role, sight or Sight())


@pytest.mark.parametrize("actor", [CONSOLE, API, HUB, at_terminal("ada")], ids=lambda actor: actor.door)
def test_who_comes_by_todays_doors_may_do_everything(actor: Actor) -> None:
    assert [action for action in TABLE if not may(actor, action)] == []


@pytest.mark.parametrize(
    ("role", "can", "cannot"),
    [
        ("viewer", "signals.see", "replies.approve"),
        ("rep", "people.see", "people.link"),
        ("analyst", "history.see", "deliveries.retry"),
        ("agent", "replies.approve", "erasures.erase"),
        ("manager", "erasures.erase", "history.replay"),
    ],
)
def test_a_role_may_what_its_column_says_and_no_more(role: Role, can: str, cannot: str) -> None:
    assert (may(one(role), can), may(one(role), cannot)) == (True, False)


@pytest.mark.parametrize(
    ("less", "more"), list(zip(("viewer", "agent", "manager"), ("agent", "manager", "admin"), strict=True))
)
def test_who_may_more_may_all_that_others_may(less: Role, more: Role) -> None:
    assert [action for action, roles in TABLE.items() if less in roles and more not in roles] == []


def test_some_role_may_do_each_action() -> None:
    assert all(roles and roles <= set(ROLES) for roles in TABLE.values())


@pytest.mark.parametrize(
    ("scope", "seen"),
    [
        (Scope(), True),
        (Scope("town"), True),
        (Scope("city"), False),
        (Scope("town", "acme"), True),
        (Scope("town", "other"), False),
    ],
)
def test_a_sight_hides_what_it_does_not_name(scope: Scope, seen: bool) -> None:
    sight = Sight(sources=frozenset({"town"}), brands=frozenset({"acme"}))
    assert may(one("admin", sight), "signals.see", scope) is seen


def test_a_refusal_names_the_action_and_who_may() -> None:
    with pytest.raises(
        NotAllowed, match=r"kim \(viewer\) may not do this \(erasures.erase\): ask one who is manager, admin"
    ):
        demand(one("viewer"), "erasures.erase")


def test_a_refusal_names_what_is_hidden() -> None:
    with pytest.raises(NotAllowed, match="may not see city"):
        demand(one("admin", Sight(sources=frozenset())), "signals.see", Scope("city"))


def test_an_action_that_the_table_does_not_have_is_an_error() -> None:
    with pytest.raises(KeyError):
        may(HUB, "signals.invent")
