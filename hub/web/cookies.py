"""The cookies: a session's, and the nonce that binds forms to a browser before there is a session."""

from __future__ import annotations

from urllib.parse import urlsplit

from fastapi import Response

from hub.core.accounts import LONGEST


class Cookies:
    """Names and rules of the cookies at an address; by https `__Host-`, so that no other host can set them."""

    def __init__(self, public_url: str) -> None:
        self.is_secure = urlsplit(public_url).scheme == "https"
        prefix = "__Host-" if self.is_secure else ""
        self.session, self.forms = f"{prefix}hub_session", f"{prefix}hub_forms"
        self.begun, self.persona = f"{prefix}hub_begun", "hub_persona"

    def give_session(self, response: Response, token: str) -> None:
        """Set the session's cookie. Lax: a link from a CRM opens the page; forms are guarded by their token and origin."""
        age = int(LONGEST.total_seconds())
        response.set_cookie(
            self.session, token, max_age=age, httponly=True, samesite="lax", secure=self.is_secure, path="/"
        )

    def take_session(self, response: Response) -> None:
        """Take the session's cookie away."""
        response.delete_cookie(self.session, path="/", secure=self.is_secure, httponly=True, samesite="lax")

    def give_begun(self, response: Response, text: str) -> None:
        """Keep what a log-in at a provider needs when the browser comes back: for ten minutes. Lax: it comes from elsewhere."""
        response.set_cookie(
            self.begun, text, max_age=600, httponly=True, samesite="lax", secure=self.is_secure, path="/"
        )

    def take_begun(self, response: Response) -> None:
        """Take that away."""
        response.delete_cookie(self.begun, path="/", secure=self.is_secure, httponly=True, samesite="lax")

    def give_nonce(self, response: Response, nonce: str) -> None:
        """Set the forms' cookie: never sent along from another site, never read by a script."""
        response.set_cookie(self.forms, nonce, httponly=True, samesite="strict", secure=self.is_secure, path="/")
