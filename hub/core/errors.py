"""Errors, named by what the engine must do.

    HubError
      ConfigError               all errors of a configuration at once, each with file, path and hint
        UnknownPlugin
        InvalidMapping
        InvalidRule
      StoreUnavailable          the database cannot take it now: try again later
      WrongRevision             the database is of an older revision than the program: upgrade it
        NewerDatabase           ... of a newer one: no restart helps
      Conflict                  another was faster: roll back, read again and decide again
        LeaseLost               ... and holds the work now: leave it
      Overtaken                 another was faster each time: nothing was written, try again later
      TranslationError          a raw item that its plugin cannot read: kept, shown, retried after a fix
      ConnectorError            the only ones that a plugin may raise
        Retryable               try again on the schedule
          RateLimited           ... not before `retry_after` seconds
          Unavailable
        QuotaExhausted          park until `until`, burn no attempt
        Unauthorised            pause the connection, burn no attempt
        Rejected                dead letter with the vendor's reason and field
          PartlyRefused         one stream of several: show it, and poll on as usual
        Uncertain               the bytes left and no answer came

The docstring of a class is its default message.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, ClassVar, Self


class HubError(Exception):
    """Something in the hub went wrong; `exit_code` is what a program ends with that cannot go on."""

    exit_code: ClassVar[int] = 1

    def __init__(self, message: str = "") -> None:
        super().__init__(message or (type(self).__doc__ or "").splitlines()[0])


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong in a file: the place, the fault, and the way out."""

    file: str
    path: str
    message: str
    hint: str = ""

    def __str__(self) -> str:
        place = f"{self.file}: {self.path}" if self.path else self.file
        return f"{place}: {self.message}" + (f" ({self.hint})" if self.hint else "")


class ConfigError(HubError):
    """The configuration has errors."""

    exit_code = 2

    def __init__(self, problems: list[Problem]) -> None:
        self.problems = problems
        super().__init__("\n".join(map(str, problems)))


class UnknownPlugin(ConfigError):
    """No installed package provides this plugin."""


class InvalidMapping(ConfigError):
    """A mapping file has errors."""


class InvalidRule(ConfigError):
    """A rules file has errors."""


class StoreUnavailable(HubError):
    """The database cannot take it now (locked, full, or away): try again later."""

    exit_code = 4


class WrongRevision(HubError):
    """The database has another revision than this program: run `hub db upgrade`."""

    exit_code = 4


class NewerDatabase(WrongRevision):
    """The database was upgraded by a newer program: only that one, or a backup from before the upgrade, can be used."""


class Conflict(HubError):
    """Another was faster; read again and decide again."""


class LeaseLost(Conflict):
    """The lease was lost: another works on it now."""


class Overtaken(HubError):
    """Another was faster each time that it was tried: nothing was written. Try again in a moment."""


class TranslationError(HubError):
    """The raw item does not have the form that its network promises."""


class TooManyItems(TranslationError):
    """A body holds more items than its source takes at once: its sender is told, and nothing of it is kept."""


class ConnectorError(HubError):
    """A connector could not do its work.

    `details` goes into the attempt record: short, JSON-able, free of secrets (the guard has redacted it).
    """

    code: str
    details: dict[str, Any]

    def __new__(cls, *given: object, **_named: object) -> Self:
        """Give the error its defaults: a plugin's own class may not call the constructor below."""
        made = super().__new__(cls, *given)
        made.code, made.details = "", {}
        return made

    def __init__(self, message: str = "", *, code: str = "", details: dict[str, Any] | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.details = details or {}

    def in_our_words(self) -> str:
        """Return what a log may say: class and message; class and code if the other side answered, who may quote a person."""
        kind = type(self).__name__
        return f"{kind} {self.code}".strip() if self.details else f"{kind}: {self}"


class Retryable(ConnectorError):
    """The other side could not do it now; the same request may succeed later."""

    retry_after: float | None = None

    def __init__(
        self,
        message: str = "",
        *,
        retry_after: float | None = None,
        code: str = "",
        details: dict[str, Any] | None = None,
    ) -> None:
        super().__init__(message, code=code, details=details)
        self.retry_after = retry_after


class RateLimited(Retryable):
    """Too many requests; `retry_after` holds the seconds that the vendor asked for."""


class Unavailable(Retryable):
    """The other side is down or unreachable."""


class QuotaExhausted(ConnectorError):
    """A quota is used up until `until` (aware UTC); None lets the engine choose."""

    until: datetime | None = None

    def __init__(
        self,
        message: str = "",
        *,
        until: datetime | None = None,
        code: str = "",
        details: dict[str, Any] | None = None,
    ) -> None:
        super().__init__(message, code=code, details=details)
        self.until = until


class Unauthorised(ConnectorError):
    """The credentials were refused: authorise the connection again."""


class Rejected(ConnectorError):
    """The vendor refused this record; `field` names the culprit if it is known."""

    field: str | None = None

    def __init__(
        self, message: str = "", *, field: str | None = None, code: str = "", details: dict[str, Any] | None = None
    ) -> None:
        super().__init__(message, code=code, details=details)
        self.field = field


class PartlyRefused(Rejected):
    """A part of what was asked for was refused; all else was done."""


class Uncertain(ConnectorError):
    """The request was sent and no answer came: it may or may not have been done."""
