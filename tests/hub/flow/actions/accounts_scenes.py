"""For each action upon accounts a hub where it changes something, and the call that does it."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import pyotp
from msgspec.structs import replace

from hub.core.access import Actor
from hub.flow.accounts import codes, entrance
from hub.flow.accounts.tokens import recovery_digest
from hub.flow.actions import keys, me, users
from hub.flow.actions.users import NewUser, Rights
from hub.runtime import Hub
from tests.hub.flow.accounts.people import HERE, PASSWORD, make_user
from tests.hubs import Made

Act = Callable[[Actor], object]
NewHub = Callable[..., Made]
NEW_PASSWORD = "eight brown owls sleep"


def own(act: Callable[[Hub, Actor], object]) -> Callable[[NewHub, object], tuple[Hub, Act]]:
    """A scene of kim, who has an account, two sessions and a second factor."""

    def scene(new_hub: NewHub, _: object) -> tuple[Hub, Act]:
        hub = new_hub().hub
        kim = make_user(hub, "kim", "admin")
        for _number in range(2):
            entrance.enter(hub, kim, HERE, by="test")
        with hub.store.database.write() as conn:
            recovery = [recovery_digest("AAAA-BBBB-CCCC-DDDD")]
            hub.store.users.prove(conn, kim.id, totp=codes.new_secret(), totp_step=1, recovery=recovery)
        return hub, lambda actor: act(hub, replace(actor, user=kim.id))

    return scene


def upon(act: Callable[[Hub, Actor], object]) -> Callable[[NewHub, object], tuple[Hub, Act]]:
    """A scene with a user bea, upon whom an admin acts."""

    def scene(new_hub: NewHub, _: object) -> tuple[Hub, Act]:
        hub = new_hub().hub
        make_user(hub, "ada", "admin")
        entrance.enter(hub, make_user(hub, "bea"), HERE, by="test")
        return hub, lambda actor: act(hub, actor)

    return scene


def set_up(hub: Hub, actor: Actor) -> object:
    secret = codes.new_secret()
    return me.set_up_code(hub, actor, secret, pyotp.TOTP(secret).at(hub.now()), password=PASSWORD)


def revoke(new_hub: NewHub, _: object) -> tuple[Hub, Act]:
    hub = new_hub().hub
    kim = make_user(hub, "kim", "admin")
    keys.make(hub, kim.actor("console"), "nightly export", ["export"])
    (one,) = hub.store.keys.all()
    return hub, lambda actor: keys.revoke(hub, replace(actor, user=kim.id), one.id)


def revoke_any(new_hub: NewHub, _: object) -> tuple[Hub, Act]:
    hub = new_hub().hub
    bea = make_user(hub)
    keys.make(hub, bea.actor("console"), "nightly export", ["export"])
    (one,) = hub.store.keys.all()
    return hub, lambda actor: keys.revoke_any(hub, actor, one.id)


ACCOUNT_SCENES: Mapping[str, Callable[[NewHub, object], tuple[Hub, Act]]] = {
    "keys.make": own(lambda hub, actor: keys.make(hub, actor, "nightly export", ["export"])),
    "keys.revoke": revoke,
    "keys.revoke_any": revoke_any,
    "me.choose": own(lambda hub, actor: me.choose(hub, actor, {"language": "fr"})),
    "me.choose_password": own(lambda hub, actor: me.choose_password(hub, actor, PASSWORD, NEW_PASSWORD)),
    "me.drop_code": own(lambda hub, actor: me.drop_code(hub, actor, PASSWORD)),
    "me.end_others": own(lambda hub, actor: me.end_others(hub, actor, None)),
    "me.end_session": own(
        lambda hub, actor: me.end_session(hub, actor, hub.store.sessions.of_user(actor.user or 0)[0].id)
    ),
    "me.renew_recovery": own(lambda hub, actor: me.renew_recovery(hub, actor, PASSWORD)),
    "me.set_up_code": own(set_up),
    "users.change": upon(lambda hub, actor: users.change(hub, actor, "bea", Rights("manager"))),
    "users.disable": upon(lambda hub, actor: users.disable(hub, actor, "bea")),
    "users.enable": upon(lambda hub, actor: users.enable(hub, actor, "bea")),
    "users.invite": upon(lambda hub, actor: users.invite(hub, actor, NewUser("tom"), Rights("analyst"))),
    "users.reset": upon(lambda hub, actor: users.reset(hub, actor, "bea")),
}
