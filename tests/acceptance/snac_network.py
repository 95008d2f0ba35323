"""Two federating snac2 servers on this machine, and the Mastodon API calls that a person's app would make there."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urljoin, urlsplit

import httpx

from tests.acceptance.servers import HOME

PROXY = "http://127.0.0.1:18090"
ONE, TWO = "http://one.hub.test", "http://two.hub.test"
_REDIRECT = "http://127.0.0.1:9/cb"
_SCOPES = "read write follow"


@dataclass(frozen=True)
class SnacAccount:
    """An account with its access token; `acct` is its full address."""

    instance: str
    name: str
    token: str = field(repr=False)

    @property
    def acct(self) -> str:
        """user@host."""
        return f"{self.name}@{urlsplit(self.instance).hostname}"

    @property
    def uri(self) -> str:
        """The actor's URI."""
        return f"{self.instance}/{self.name}"


@dataclass
class SnacNetwork:
    """The running servers. Their hosts exist behind `proxy` only, which a guard takes as `proxy=`.

    Brand and customer live on the first server, remote on the second.
    """

    client: httpx.Client
    brand: SnacAccount
    customer: SnacAccount
    remote: SnacAccount
    proxy: str = PROXY
    took: dict[str, float] = field(default_factory=dict)

    def post(self, account: SnacAccount, text: str, *, reply_to: str | None = None, visibility: str = "public") -> Any:
        """Write a status; gives it as the API does. `reply_to` is the id of a status at the account's own server."""
        data = {"status": text, "visibility": visibility} | ({"in_reply_to_id": reply_to} if reply_to else {})
        return self._ask(account, "POST", "statuses", data=data)

    def notifications(self, account: SnacAccount) -> Any:
        """What the account's app would show, newest first."""
        return self._ask(account, "GET", "notifications")

    def _ask(self, account: SnacAccount, method: str, path: str, **more: Any) -> Any:
        headers = {"authorization": f"Bearer {account.token}"}
        answer = self.client.request(method, f"{account.instance}/api/v1/{path}", headers=headers, **more)
        answer.raise_for_status()
        return answer.json()


def is_up(client: httpx.Client) -> bool:
    """Whether both servers answer."""
    return all(client.get(f"{host}/api/v1/instance").is_success for host in (ONE, TWO))


def log_in(client: httpx.Client, instance: str, name: str) -> SnacAccount:
    """Authorise an app for an account as a browser would, with the password that the server made up."""
    app = client.post(
        f"{instance}/api/v1/apps", data={"client_name": "hub", "redirect_uris": _REDIRECT, "scopes": _SCOPES}
    ).json()
    grant = {"client_id": app["client_id"], "redirect_uri": _REDIRECT, "scope": _SCOPES, "response_type": "code"}
    page = client.get(f"{instance}/oauth/authorize", params=grant).text
    action = re.search(r'action="([^"]+)"', page)
    assert action, page
    hidden = dict(re.findall(r'name="([^"]+)"[^>]*value="([^"]*)"', page))
    answer = client.post(urljoin(instance, action[1]), data={**hidden, "login": name, "passwd": _passwords()[name]})
    code = parse_qs(urlsplit(answer.headers["location"]).query)["code"][0]
    secrets = {"client_id": app["client_id"], "client_secret": app["client_secret"], "redirect_uri": _REDIRECT}
    got = client.post(f"{instance}/oauth/token", data={**secrets, "grant_type": "authorization_code", "code": code})
    return SnacAccount(instance, name, got.json()["access_token"])


def _passwords() -> dict[str, str]:
    base = Path(os.environ.get("SRV_BASE", HOME / "run"))
    lines = (base / "snac" / "passwords").read_text().splitlines()
    return dict(line.split("=", 1) for line in lines)
