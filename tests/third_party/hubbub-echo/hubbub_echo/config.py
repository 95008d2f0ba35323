"""The options of a connection."""

from pydantic import Field, SecretStr

from hub import Options


class EchoOptions(Options):
    """Where the guest book is, and the secrets that open it."""

    url: str = Field(pattern=r"^https?://[^/]+$", description="Address, without a path")
    token: SecretStr = Field(description="Token of the guest book")
    backfill_days: int = Field(default=30, ge=0, le=365, description="How many days the first poll looks back")
    webhook_secret: SecretStr | None = Field(default=None, description="Signs what the guest book tells the hub")
