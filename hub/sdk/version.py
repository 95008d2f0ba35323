"""The version of the plugin API, and how a deprecation is told.

`API_VERSION` is "major.minor". The minor part grows when something is added; the major part grows when something is removed or
changes its meaning. A plugin names the version that it was written for as `api = "1"` (or "1.2") beside its hooks.
"""

from __future__ import annotations

import re
import warnings

API_VERSION = "1.0"

_VERSION = re.compile(r"(\d{1,4})(?:\.(\d{1,4}))?")


def refusal(declared: object, *, offered: str = API_VERSION) -> str:
    """Return why a plugin written for the API `declared` cannot run with `offered`, "" if it can.

    The major part must be the same; a minor part, if one is declared, must not be newer than ours.
    """
    found = _VERSION.fullmatch(declared) if isinstance(declared, str) else None
    if not found:
        return (
            f'it declares api = {declared!r}: write the version of the plugin API as text, such as "{_major(offered)}"'
        )
    if found[1] != _major(offered):
        way_out = "install a newer release of the plugin" if int(found[1]) < int(_major(offered)) else "update Hubbub"
        return f"it was written for version {declared} of the plugin API, and this is {offered}: {way_out}"
    if int(found[2] or 0) > int(offered.partition(".")[2]):
        return f"it needs version {declared} of the plugin API, and this is {offered}: update Hubbub"
    return ""


def _major(version: str) -> str:
    return version.partition(".")[0]


def deprecated(what: str, *, instead: str, gone_in: str, stacklevel: int = 1) -> None:
    """Warn the caller's caller that a hook, method or argument is on its way out, what replaces it, and when it goes.

    `gone_in` is the version of the plugin API that is without it; `stacklevel` counts callers as `warnings.warn` does.
    """
    message = f"{what} is deprecated: use {instead}; version {gone_in} of the plugin API is without it"
    warnings.warn(message, DeprecationWarning, stacklevel=stacklevel + 2)
