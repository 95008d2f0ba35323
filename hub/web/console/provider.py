"""The way in by a provider of identities: there, back, and the end of sessions that the provider tells."""

from __future__ import annotations

from typing import Annotated
from urllib.parse import parse_qs

import msgspec
from fastapi import APIRouter, Body, HTTPException, Request, Response
from fastapi.responses import RedirectResponse

from hub.flow.accounts.provider import Begun, Provider, ProviderTrouble
from hub.web.asker import browser_of
from hub.web.console.entrance import own_path
from hub.web.serving import Serving

Form = Annotated[bytes, Body(media_type="application/x-www-form-urlencoded")]
LONGEST_ONWARD = 800
"""A browser keeps a cookie of 4 kB: a log-in with a longer address to go on to ends at the first page."""
_begun = msgspec.json.Decoder(Begun)


def make_provider(serving: Serving) -> APIRouter:
    """Make the routes of the log-in at a provider."""
    routes = APIRouter(prefix="/login/oidc", include_in_schema=False, default_response_class=Response)

    @routes.get("")
    def go(next: str = "/") -> Response:  # noqa: A002 - the parameter's name in the address
        """Lead to the provider."""
        url, begun = known(serving).begin(own_path(next) if len(next) <= LONGEST_ONWARD else "/")
        response = RedirectResponse(url, 303)
        serving.cookies.give_begun(response, msgspec.json.encode(begun).hex())
        return response

    @routes.get("/back")
    def back(request: Request, code: str = "", state: str = "", error: str = "") -> Response:
        """Take the person that the provider sends back."""
        try:
            begun = _begun.decode(bytes.fromhex(request.cookies.get(serving.cookies.begun, "")))
        except (ValueError, msgspec.DecodeError):
            raise ProviderTrouble("this log-in was begun in another browser, or too long ago: begin again") from None
        if error:
            raise ProviderTrouble(f"the provider says: {error[:100]}")
        entered = known(serving).finish(begun, state=state, code=code, browser=browser_of(serving, request))
        response = RedirectResponse(own_path(begun.onward), 303)
        serving.cookies.take_begun(response)
        serving.cookies.give_session(response, entered.token)
        return response

    @routes.post("/ended")
    def ended(form: Form = b"") -> Response:
        """End the sessions that the provider says are over."""
        (token,) = parse_qs(form.decode("ascii", "replace")).get("logout_token", [""])[:1]
        try:
            known(serving).end_sessions(token)
        except ProviderTrouble:
            raise HTTPException(400, "This is no logout token.") from None
        return Response(headers={"cache-control": "no-store"})

    return routes


def known(serving: Serving) -> Provider:
    """Return the provider; 404 if the configuration names none."""
    if not serving.provider.is_there:
        raise HTTPException(404)
    return serving.provider
