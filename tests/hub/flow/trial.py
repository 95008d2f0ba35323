"""A hub that is connected twice to the vendor of `vendor.py`: to a desk of it, and to a network that is answered."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import text

from hub.config.settings import Settings
from hub.queue.inprocess import InProcessBell
from hub.registry import Plugin
from hub.runtime import Hub
from hub.store import Store
from hub.store.schema import metadata
from tests.hub.flow.vendor import CLASSES, Shop, Street, Vendor
from tests.hubs import MAPPINGS, TOPICS, Clock, FakeRegistry, to_toml

RULES = """
[[rule]]
name = "brand"
when = ['"acme" in topics']
deliver = [{ destination = "desk", mapping = "said" }, { destination = "desk", mapping = "ticket" }]
"""


@contextmanager
def opened(store: Store, folder: Path, kind: str) -> Iterator[Hub]:
    """A hub whose posts come from a network that is answered, and whose records, tickets and notes go to a desk."""
    (folder / "rules.toml").write_text(RULES)
    (folder / "topics.toml").write_text(TOPICS)
    own = folder / "mappings" / "desk"
    own.mkdir(parents=True)
    for name, spec in MAPPINGS.items():
        (own / f"{name}.toml").write_text(to_toml(spec))
    clock = Clock()
    vendor = Vendor(kind, clock)
    shop = type("ShopOne", (Shop,), {"name": "desk", "vendor": vendor})
    street = type("StreetOne", (Street,), {"vendor": vendor, "reply_idempotency": CLASSES[kind]})
    plugins = [
        Plugin("talk", "tests", "1", sources={"talk": street}),
        Plugin("desk", "tests", "1", destinations={"desk": shop}),
    ]
    sections = {
        "sources": {"talk": {"plugin": "talk", "reply": "send"}},
        "destinations": {"desk": {"plugin": "desk"}},
        "workers": {"batch": 4},
        "file": folder / "config.toml",
    }
    hub = Hub(
        Settings.model_validate(sections), store, InProcessBell(), FakeRegistry(plugins), clock, jitter=lambda: 0.0
    )
    try:
        yield hub
    finally:
        hub.close()


def vendor_of(hub: Hub) -> Vendor:
    """The vendor that a hub is connected to."""
    shop = hub.destination("desk")
    assert isinstance(shop, Shop)
    return shop.vendor


def wipe(hub: Hub) -> Vendor:
    """Begin anew: an empty database, an empty vendor."""
    let_replies(hub, "send")
    with hub.store.database.write() as conn:
        for table in reversed(metadata.sorted_tables):
            conn.execute(table.delete())
        conn.execute(text("DELETE FROM moves"))
    assert isinstance(hub.clock, Clock)
    fresh = Vendor(vendor_of(hub).kind, hub.clock)
    for connector in (hub.destination("desk"), hub.source("talk")):
        type(connector).vendor = fresh  # type: ignore[union-attr]  # both have one
    return fresh


def note_moves(hub: Hub) -> None:
    """Let the database itself write down each change of a delivery's state."""
    database = hub.store.database
    grows = "INTEGER PRIMARY KEY" if database.is_sqlite else "BIGSERIAL PRIMARY KEY"
    insert = "INSERT INTO moves (delivery_id, old, new) VALUES (OLD.id, OLD.state, NEW.state);"
    head = "CREATE TRIGGER moved AFTER UPDATE OF state ON deliveries FOR EACH ROW WHEN (OLD.state <> NEW.state)"
    made = [f"CREATE TABLE moves (id {grows}, delivery_id BIGINT, old TEXT, new TEXT)"]
    if database.is_sqlite:
        made += [f"{head} BEGIN {insert} END"]
    else:
        made += [f"CREATE FUNCTION moved() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN {insert} RETURN NEW; END $$"]
        made += [f"{head} EXECUTE FUNCTION moved()"]
    with database.write() as conn:
        for statement in made:
            conn.execute(text(statement))


def let_replies(hub: Hub, policy: str) -> None:
    """From now on agents' replies are sent at once ("send"), or when a person lets them out ("approve")."""
    talk = hub.settings.sources["talk"].model_copy(update={"reply": policy})
    hub.settings = hub.settings.model_copy(update={"sources": {"talk": talk}})
