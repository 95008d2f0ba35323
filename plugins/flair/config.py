"""Options of the flair enricher."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, StringConstraints, field_validator

from hub import ConfigPath, Options
from hub.core.languages import KNOWN, base_language

EMBEDDED_SHA256 = "d7a9c16d770cece9b675144281680b80b11110e94683a8e01e89d4e6888db64a"

# The languages of its training texts; for others it was not measured, and in other scripts its answers are noise.
EMBEDDED_LANGUAGES = ("ar", "de", "en", "es", "fr", "hi", "it", "nl", "pt")


def _known(code: str) -> str:
    if code not in KNOWN:
        raise ValueError(f'"{code}" is no language: write its code of ISO 639-1, such as "en"')
    return code


Code = Annotated[str, AfterValidator(_known)]
Sum = Annotated[str, StringConstraints(strip_whitespace=True, to_lower=True, pattern=r"^[0-9a-fA-F]{64}$")]


class FlairOptions(Options):
    """`model` is "embedded" or the path of a flair file, which is opened only if its SHA-256 is `sha256`.

    `languages` are those whose texts get a label, an empty list means all; unset, they are the embedded model's nine (Hindi is
    little better than chance), or all for another model. A text of unknown language is labelled, unless they are unset and its
    script is none of the nine's.
    `threads` are those of one text: several workers share a machine better with one each. `max_windows` bounds the work on a
    long text; a window is 126 pieces, some 90 words.
    """

    model: Literal["embedded"] | ConfigPath = Field(
        default="embedded", description="The model of the package, or the path of a flair file"
    )
    sha256: Sum | None = Field(default=None, description="SHA-256 of the file; required for a path")
    languages: tuple[Code, ...] | None = Field(
        default=None, description="Whose texts get a label; an empty list means all"
    )
    threads: int = Field(
        default=1, ge=1, le=64, description="Threads of one text; several workers share a machine better with one each"
    )
    max_windows: int = Field(
        default=8, ge=1, le=100, description="How many windows of some 90 words are read of a long text"
    )
    mask: bool = Field(default=True, description="Read user names as @user and links as http")

    @field_validator("model")
    @classmethod
    def _is_there(cls, value: Path | str) -> Path | str:
        if isinstance(value, Path) and not value.is_file():
            raise ValueError(f'there is no file {value}: write "embedded", or the path of a flair file')
        return value

    @property
    def embedded(self) -> bool:
        """True if the model of the package is meant."""
        return self.model == "embedded"

    def reads(self, language: str | None, *, familiar: bool) -> bool:
        """Return True if a text of this language (an ISO 639-1 code or tag, None: unknown) is to be labelled.

        `familiar` is its script.
        """
        base = base_language(language)  # of three letters the first two may be another's: `esu` is no Spanish
        if self.languages is not None:
            return not self.languages or not language or base in self.languages
        if not self.embedded:
            return True
        return base in EMBEDDED_LANGUAGES if language else familiar
