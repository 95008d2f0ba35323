"""The options of a connection."""

from typing import Annotated, Self

from pydantic import Field, SecretStr, StringConstraints, model_validator

from hub import Options

Channel = Annotated[str, StringConstraints(pattern=r"^UC[\w-]{22}$")]
Video = Annotated[str, StringConstraints(pattern=r"^[\w-]{11}$")]


class YoutubeOptions(Options):
    """Whose comments are read, by which key, how far back; and the account that answers."""

    api_key: SecretStr = Field(description="API key of a Google Cloud project with the YouTube Data API v3")
    channels: tuple[Channel, ...] = Field((), max_length=50, description="Channels, by id: all their videos' comments")
    videos: tuple[Video, ...] = Field((), description="Single videos by id, of any channel", max_length=50)
    backfill_days: int = Field(7, ge=0, le=365, description="How many days the first poll looks back")
    revisit_hours: int = Field(6, ge=0, le=720, description="Hours of threads that every poll reads again")
    sweep_days: int = Field(30, ge=0, le=365, description="Days of threads that are read again once a day")
    client_id: str = Field("", description="OAuth client, to answer")
    client_secret: SecretStr = Field(SecretStr(""), description="The OAuth client's secret")
    refresh_token: SecretStr = Field(SecretStr(""), description="Our account's consent to the scope youtube.force-ssl")
    url: str = Field("https://youtube.googleapis.com", pattern=r"^https?://[^/]+$", description="The API")
    token_url: str = Field("https://oauth2.googleapis.com/token", description="Where access tokens are minted")
    timeout: float = Field(30.0, gt=0, le=300, description="Seconds for one call")

    @model_validator(mode="after")
    def _is_whole(self) -> Self:
        if not self.channels and not self.videos:
            raise ValueError("name at least one of channels or videos")
        if len({bool(self.client_id), bool(self.client_secret), bool(self.refresh_token)}) > 1:
            raise ValueError("to answer, give client_id, client_secret and refresh_token; else none of them")
        return self
