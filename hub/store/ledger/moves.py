"""Changes of state: each goes through here, and one that the ledger's table of transitions forbids is refused."""

from __future__ import annotations

from collections.abc import Iterable

from sqlalchemy import Update, update

from hub.core.ledger import State, check_transition, in_order
from hub.store.schema import deliveries as T


def moving(to: State, *, of: Iterable[State]) -> Update:
    """Begin an UPDATE that takes deliveries in one of the states `of` to another; the caller adds conditions and values.

    Raises ForbiddenTransition if `to` may not follow one of them.
    """
    states = in_order(of)
    for state in states:
        check_transition(state, to)
    return update(T).where(T.c.state.in_(states)).values(state=to)
