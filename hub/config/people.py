"""The tables about people who log in."""

from __future__ import annotations

from collections.abc import Mapping

from pydantic import model_validator

from hub.config.section import Secret, Section
from hub.config.values import AllowPrivate, Switch, WebAddress
from hub.core.access import Role


class AccountsSection(Section):
    """`[accounts]`: `second_factor` names the roles that log in with an authenticator's code too."""

    second_factor: tuple[Role, ...] = ()


class OidcSection(Section):
    """`[oidc]`: a provider of identities (OpenID Connect) at which people log in too.

    `roles` says which of its groups have which role; without one a person does not come in. `groups_claim` is the claim that
    names them. `title` is what the button says.
    """

    issuer: WebAddress = ""
    client_id: str = ""
    client_secret: Secret = ""
    scope: str = "openid profile email groups"
    groups_claim: str = "groups"
    roles: Mapping[str, Role] = {}
    title: str = "Log in with your company's account"
    allow_private: AllowPrivate = False

    @model_validator(mode="after")
    def _whole(self) -> OidcSection:
        if self.issuer and not self.client_id:
            raise ValueError("client_id is missing: the provider gives it when the hub is registered there")
        if self.issuer and not self.roles:
            raise ValueError('roles is missing: name a group and its role, such as roles = { admins = "admin" }')
        return self


class DemoSection(Section):
    """`[demo]`: `people` lets all at this machine be a person of each role without a log-in; `hub init --demo` writes it."""

    people: Switch = False
