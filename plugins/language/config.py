"""Options of the language enricher."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, Field

from hub import Options
from hub.core.languages import KNOWN


def _known(code: str) -> str:
    if code not in KNOWN:
        raise ValueError(f'"{code}" is no language: write its code of ISO 639-1, such as "en"')
    return code


Code = Annotated[str, AfterValidator(_known)]


class LanguageOptions(Options):
    """`languages` are ISO 639-1 codes that may be told apart; the fewer, the surer the answer.

    `min_letters` is counted in UTF-8 bytes of letters (12: twelve Latin, six Arabic, four Chinese ones), because a letter of
    a rarer script says more.
    """

    languages: tuple[Code, ...] = Field(
        default=("ar", "de", "en", "es", "fr", "hi", "it", "nl", "pt"),
        min_length=1,
        description="The languages to tell apart; the fewer, the surer",
    )
    min_confidence: float = Field(default=0.7, ge=0, le=1, description="Below it there is no label")
    min_letters: int = Field(default=12, ge=1, description="The least text, in UTF-8 bytes of letters")
    trust_network: bool = Field(default=True, description="Take the language that the network names")
