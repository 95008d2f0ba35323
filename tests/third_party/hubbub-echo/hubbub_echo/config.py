"""Options of the echo plugin."""

from pydantic import Field, SecretStr

from hub import Options


class EchoOptions(Options):
    """Where the guest book is, and the token that opens it."""

    url: str = Field(pattern=r"^https?://[^/]+$", description="Address, without a path")
    token: SecretStr = Field(description="Token of the guest book")
