"""The options of a HubSpot connection."""

from __future__ import annotations

import re
from typing import Annotated
from zoneinfo import available_timezones

from pydantic import AfterValidator, Field, SecretStr

from hub import Options
from hub.sdk.addresses import web_parts

_VERSION = re.compile(r"v\d|\d{4}-(0[1-9]|1[0-2])")


def _check_version(version: str) -> str:
    if not _VERSION.fullmatch(version):
        raise ValueError("an API version is v3 or a dated one such as 2026-03")
    return version


def _check_url(url: str) -> str:
    if web_parts(url).query:
        raise ValueError("a URL without a ?, such as https://api.hubapi.com")
    return url.rstrip("/")


def _check_zone(name: str) -> str:
    if name not in available_timezones():
        raise ValueError('a zone by its name, such as "Europe/Paris"')
    return name


Digits = Annotated[str, Field(pattern=r"^\d+$")]
Zone = Annotated[str, AfterValidator(_check_zone)]
Word = Annotated[str, Field(pattern=r"^\S+$")]


class HubSpotOptions(Options):
    """A HubSpot account, the token to write with, and how its custom objects are called there."""

    token: SecretStr = Field(description="Service key, or the access token of a project app")
    base_url: Annotated[str, AfterValidator(_check_url)] = Field(
        "https://api.hubapi.com", description="Another one for a sandbox"
    )
    api_version: Annotated[str, AfterValidator(_check_version)] = Field(
        "v3", description="v3, or a dated version of the API such as 2026-03"
    )
    object_types: dict[str, Word] = Field(
        default_factory=dict,
        description="Object type ids by our names: social_signal = '2-123' or 'p123_social_signal'",
    )
    author_object: Word = Field("social_author", description="The object that signals are associated with")
    associate: bool = Field(True, description="Associate each signal with its author")
    portal_id: Digits | None = Field(None, description="Account id for links; asked from HubSpot where it is not given")
    app_url: Annotated[str, AfterValidator(_check_url)] | None = Field(
        None, description="Where people look at records; asked from HubSpot where it is not given"
    )
    time_zone: Zone | None = Field(
        None, description="The account's zone (daily limits reset at its midnight); asked likewise"
    )
    client_secret: SecretStr | None = Field(None, description="The app's client secret: it signs what comes in")
    app_id: Digits | None = Field(None, description="The app's id: what it changed itself does not come back")
    timeout: float = Field(30.0, gt=0, le=120, description="Seconds for one call")

    def type_of(self, object_: str) -> str:
        """Return how the account calls an object."""
        return self.object_types.get(object_, object_)

    @property
    def names(self) -> dict[str, str]:
        """Our names by the account's type ids ("2-123")."""
        return {type_: name for name, type_ in self.object_types.items()}
