"""The parameters of listings, checked: what a person or a program may ask for."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from hub.core.ledger import State
from hub.flow.views.signals import SignalFilter

LARGEST_ID = 2**63 - 1
LARGEST_PAGE = 200
NO_CONTROLS = r"^[^\x00-\x1f\x7f]*$"


def _blank(value: Any) -> Any:
    """Return None for an empty field of a form: it says nothing."""
    return None if value == "" else value


Blank = BeforeValidator(_blank)
Limit = Annotated[int, Field(ge=1, le=LARGEST_PAGE)]
Number = Annotated[int, Field(ge=0, le=LARGEST_ID)]
Id = Annotated[Number | None, Blank]
Word = Annotated[Annotated[str, Field(max_length=64, pattern=NO_CONTROLS)] | None, Blank]
Text = Annotated[Annotated[str, Field(max_length=200, pattern=NO_CONTROLS)] | None, Blank]


class Paged(BaseModel):
    """A page: newest first before `before`, or oldest first after `after`."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    before: Id = None
    after: Id = None
    limit: Limit = 50

    @model_validator(mode="after")
    def _one_way(self) -> Paged:
        if self.before is not None and self.after is not None:
            raise ValueError("give before or after, not both")
        return self


class SignalQuery(Paged):
    """Which signals; `sentiment` is a label's value or "uncertain", `q` a text."""

    network: Word = None
    matched: Annotated[bool | None, Blank] = None
    sentiment: Word = None
    q: Text = None

    def wanted(self, unsure_below: float) -> SignalFilter:
        """Return the same as the store takes it."""
        return SignalFilter(
            network=self.network,
            matched=self.matched,
            sentiment=self.sentiment,
            text=self.q,
            before=self.before,
            after=self.after,
            limit=self.limit,
            unsure_below=unsure_below,
        )


class DeliveryQuery(Paged):
    """Which deliveries."""

    state: Annotated[State | None, Blank] = None
    destination: Word = None
    signal: Text = None
    said: Literal["retried", "discarded", ""] = ""
    count: Annotated[int, Field(ge=0, le=LARGEST_ID)] = 0

    def wanted(self) -> dict[str, Any]:
        """Return the same as the store takes it."""
        named = {"state": self.state, "destination": self.destination, "signal_key": self.signal}
        return {**named, "before": self.before, "after": self.after, "limit": self.limit}


class FailedQuery(BaseModel):
    """Which raw items."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    before: Id = None
    limit: Limit = 50
    said: Literal["again", "all", ""] = ""


class AuditQuery(BaseModel):
    """Which entries of the audit log."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    action: Word = None
    by: Word = None
    subject: Text = None
    before: Id = None
    limit: Limit = 100
