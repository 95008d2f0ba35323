"""What an actor may see, as conditions of queries: no page, count or listing holds more, and limits count what is seen."""

from __future__ import annotations

from collections.abc import Iterator

from sqlalchemy import ColumnElement, exists, func

from hub.core.access import Sight
from hub.core.signals import PRIVATE
from hub.store.database import among
from hub.store.documents import json_value
from hub.store.schema import deliveries as D
from hub.store.schema import inbox as I
from hub.store.schema import signals as S


def seen_signals(sight: Sight) -> Iterator[ColumnElement[bool]]:
    """Yield the conditions for signals that may be seen; none if all may."""
    if sight.sources is not None:
        yield among(S.c.source, sorted(sight.sources))
    if not sight.private:
        yield func.coalesce(json_value(S.c.body, "visibility"), "public").not_in(sorted(PRIVATE))


def seen_deliveries(sight: Sight) -> Iterator[ColumnElement[bool]]:
    """Yield the conditions for deliveries that may be seen: those of a signal that may; none if all may."""
    if conditions := list(seen_signals(sight)):
        yield exists().where(S.c.key == D.c.signal_key, *conditions)


def seen_items(sight: Sight) -> Iterator[ColumnElement[bool]]:
    """Yield the conditions for raw items of sources that may be seen; none if all may."""
    if sight.sources is not None:
        yield among(I.c.connection, sorted(sight.sources))


def seen_author(sight: Sight, key: ColumnElement[str]) -> Iterator[ColumnElement[bool]]:
    """Yield the condition that an author said something that may be seen; none if all may be."""
    if conditions := list(seen_signals(sight)):
        yield exists().where(S.c.author_key == key, *conditions)
