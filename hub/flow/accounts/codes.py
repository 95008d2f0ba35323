"""The second factor: time-based codes of an authenticator (RFC 6238), and recovery codes for when it is lost."""

from __future__ import annotations

import re
from datetime import datetime

from hub.flow.accounts.tokens import new_recovery_code, recovery_digest
from hub.store.accounts.users import Proofs

STEP_S = 30
RECOVERY_CODES = 10
ISSUER = "Hubbub"
_SECRET = re.compile("[A-Z2-7]{32}")


def new_secret() -> str:
    """Return a new secret to be shared with an authenticator: 160 random bits in base 32."""
    import pyotp  # noqa: PLC0415 - who sets a second factor up needs it, and nothing else does

    return pyotp.random_base32()


def is_secret(text: str) -> bool:
    """Return True if a text is one that `new_secret` may have made."""
    return _SECRET.fullmatch(text) is not None


def address_of(secret: str, *, name: str, place: str) -> str:
    """Return the `otpauth:` address that an authenticator reads, for a user of the hub at a place."""
    import pyotp  # noqa: PLC0415 - see above

    return pyotp.TOTP(secret).provisioning_uri(name=f"{name}@{place}", issuer_name=ISSUER)


def picture_of(address: str) -> str:
    """Return the address as a QR code: an SVG, black on white whatever the page's colours."""
    import segno  # noqa: PLC0415 - see above

    return segno.make(address, error="m").svg_inline(scale=4, border=4, light="#fff", dark="#000")


def new_recovery_codes() -> list[str]:
    """Return new recovery codes."""
    return [new_recovery_code() for _ in range(RECOVERY_CODES)]


def step_of(secret: str, code: str, *, now: datetime, after: int | None = None) -> int | None:
    """Return the time step whose code this is: the one now or a neighbour, later than `after`. None if it is wrong or used."""
    import pyotp  # noqa: PLC0415 - see above

    plain, totp = "".join(code.split()), pyotp.TOTP(secret)
    current = int(now.timestamp()) // STEP_S
    for step in (current, current - 1, current + 1):
        if (after is None or step > after) and pyotp.utils.strings_equal(plain, totp.at(step * STEP_S)):
            return step
    return None


def spend(proofs: Proofs, code: str, *, now: datetime) -> Proofs | None:
    """Return what is left of a user's proofs after this code, which works once. None if it is wrong.

    A recovery code is taken in place of an authenticator's.
    """
    if proofs.totp is None:
        return None
    step = step_of(proofs.totp, code, now=now, after=proofs.totp_step)
    if step is not None:
        return proofs._replace(totp_step=step)
    digest = recovery_digest(code)
    if digest in proofs.recovery:
        return proofs._replace(recovery=tuple(one for one in proofs.recovery if one != digest))
    return None
