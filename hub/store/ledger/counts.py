"""How many rows of the ledger are in each state.

They are counted along two partial indexes; of the closed rows no row is read.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import CompoundSelect, Select, func, literal, select, union_all

from hub.core import ledger
from hub.store.schema import CLOSED, UNCLOSED
from hub.store.schema import deliveries as T


def _closed() -> Select[Any]:
    """Select a count for each destination and state: to group a million entries costs more than to count them."""
    first = select(func.min(T.c.destination).label("destination")).where(CLOSED).cte("names", recursive=True)
    following = select(func.min(T.c.destination)).where(T.c.destination > first.c.destination, CLOSED)
    names = first.union_all(
        select(following.correlate(first).scalar_subquery()).where(first.c.destination.is_not(None))
    )
    states = union_all(*(select(literal(state).label("state")) for state in ledger.in_order(ledger.CLOSED))).subquery(
        "states"
    )
    mine = T.c.destination == names.c.destination, T.c.state == states.c.state
    count = select(func.count()).select_from(T).where(*mine, CLOSED).correlate(names, states).scalar_subquery()
    each = names.join(states, names.c.destination.is_not(None))
    return select(names.c.destination, states.c.state, count).select_from(each)


def counts() -> CompoundSelect[Any]:
    """Select destination, state and count (0 too) in one statement: with two, a row settled between them counts twice."""
    unclosed = select(T.c.destination, T.c.state, func.count()).where(UNCLOSED).group_by(T.c.destination, T.c.state)
    return union_all(_closed(), unclosed)
