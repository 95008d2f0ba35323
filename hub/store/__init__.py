"""The truth: tables, migrations and named queries by noun. SQLAlchemy stays in this room."""

from __future__ import annotations

from sqlalchemy import Connection

from hub.core.errors import NewerDatabase, StoreUnavailable, WrongRevision
from hub.store.accounts.failures import LogInFailures
from hub.store.accounts.keys import Keys
from hub.store.accounts.onetime import OneTimeLinks
from hub.store.accounts.sessions import Sessions
from hub.store.accounts.users import Users
from hub.store.activations import Activations
from hub.store.ahead import Ahead
from hub.store.audit import Audit
from hub.store.connections import Connections
from hub.store.conversations import Conversations
from hub.store.copies import Copies
from hub.store.cursors import Cursors
from hub.store.database import Database, open_database
from hub.store.erasures import Erasures
from hub.store.hold import Hold
from hub.store.inbox import Inbox
from hub.store.ledger.deliveries import Deliveries
from hub.store.ledger.held import HeldBack
from hub.store.ledger.outbox import Outbox
from hub.store.ledger.resends import Resends
from hub.store.mentions import Mentions
from hub.store.monitor.alerts import Alerts
from hub.store.monitor.calls import Calls
from hub.store.monitor.figures import Figures
from hub.store.people import People
from hub.store.rechecks import Rechecks
from hub.store.references import References
from hub.store.signals import Signals
from hub.store.threads import Threads
from hub.store.unread import UnreadRows


class Store:
    """One database and the nouns that live in it."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.inbox = Inbox(database)
        self.signals = Signals(database)
        self.outbox = Outbox(database)
        self.deliveries = Deliveries(database)
        self.cursors = Cursors(database)
        self.connections = Connections(database)
        self.conversations = Conversations(database)
        self.people = People(database)
        self.references = References(database)
        self.audit = Audit(database)
        self.threads = Threads(database)
        self.erasures = Erasures(database)
        self.mentions = Mentions(database)
        self.unread = UnreadRows(database)
        self.rechecks = Rechecks(database)
        self.alerts = Alerts(database)
        self.calls = Calls(database)
        self.figures = Figures(database)
        self.held = HeldBack(database)
        self.resends = Resends(database)
        self.ahead = Ahead(database)
        self.hold = Hold(database)
        self.copies = Copies(database)
        self.activations = Activations(database)
        self.users = Users(database)
        self.sessions = Sessions(database)
        self.keys = Keys(database)
        self.one_time_links = OneTimeLinks(database)
        self.log_in_failures = LogInFailures(database)

    def close(self) -> None:
        """Close all connections to the database."""
        self.database.close()


def open_store(url: str) -> Store:
    """Open the store at a database URL: `sqlite:///path` or `postgresql://...`."""
    return Store(open_database(url))


__all__ = ["Connection", "NewerDatabase", "Store", "StoreUnavailable", "WrongRevision", "open_store"]
