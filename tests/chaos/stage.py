"""A hub of real processes with the vendors' look-alikes beside it: configured, started, posted to, looked into, killed."""

from __future__ import annotations

import hmac
import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPException
from importlib import import_module
from pathlib import Path
from typing import Any

from hub.core.ledger import OPEN
from hub.store import Store, open_store
from hub.store.schema import EPOCH, deliveries, inbox
from hub.testkit.sandbox import RunningSandbox, Sandbox, SandboxOptions, serve
from tests.chaos.posts import TOPICS, Post
from tests.material import ROOT
from tests.servers import free_port

TOKEN = "sandbox-token"
SECRET = "door-secret"
BUILDERS = {name: f"plugins.{name}.sandbox" for name in ("salesforce", "hubspot", "zendesk")}
PARTS = {
    "web": ("-m", "hub.web"),
    "process": ("workers", "process"),
    "deliver": ("workers", "deliver"),
    "scheduler": ("workers", "schedule"),
    "redis": ("-server",),
}
OPTIONS = {
    "salesforce": 'instance_url = "{url}", access_token = {{ file = "token" }}',
    "hubspot": 'base_url = "{url}", token = {{ file = "token" }}',
    "zendesk": 'subdomain = "acme", base_url = "{url}", token = {{ file = "token" }}, job_pause = 0.1',
}
HOOKS = {
    "mastodon": """
fields.native_id = { from = "uri", required = true }
fields.network = { value = "mastodon" }
fields.html = { from = "content" }
fields.author_id = { from = "account.uri" }
fields.author_handle = { from = "account.acct" }
fields.author_name = { from = "account.display_name" }
fields.author_url = { from = "account.url" }
""",
    "bluesky": """
fields.native_id = { from = "uri", required = true }
fields.network = { value = "bluesky" }
fields.text = { from = "record.text" }
fields.published_at = { from = "record.createdAt" }
fields.author_id = { from = "author.did" }
fields.author_handle = { from = "author.handle" }
fields.author_name = { from = "author.displayName" }
""",
}
RULE = """
[[rule]]
name = "{name}"
when = ['"talk" in topics'{more}]
deliver = [{targets}]
"""


@dataclass(frozen=True)
class Wanted:
    """What a stage is made of: the mapping used at each destination, tickets or not, numbers of workers, more TOML."""

    mappings: Mapping[str, str] = field(default_factory=lambda: dict.fromkeys(BUILDERS, "signal"))
    tickets: bool = False
    deliver: int = 1
    extra: str = ""
    contracts: Path | None = None
    database_url: str = ""
    builders: Mapping[str, Callable[[SandboxOptions], Sandbox]] = field(default_factory=dict)


@dataclass
class Stage:
    """One hub's folder, its look-alikes, and its processes while it is up."""

    folder: Path
    port: int
    sandboxes: Mapping[str, RunningSandbox]
    store: Store
    supervisor: subprocess.Popen[bytes] | None = None

    @property
    def config(self) -> Path:
        """The configuration file."""
        return self.folder / "config.toml"

    def run(self, *arguments: str) -> str:
        """What a `hub` command prints."""
        command = [sys.executable, "-m", "hub.cli", "-c", str(self.config), *arguments]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout

    @contextmanager
    def started(self, *command: str) -> Iterator[subprocess.Popen[bytes]]:
        """A long-running command of ours, ended by SIGTERM; its output is in the folder's log."""
        with (self.folder / "log").open("ab") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", *command], cwd=ROOT, stdout=log, stderr=log, stdin=subprocess.DEVNULL
            )
        try:
            yield process
        finally:
            process.terminate()
            try:
                process.wait(30)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    @contextmanager
    def up(self) -> Iterator[None]:
        """`hub up`, until its door answers."""
        with self.started("hub.cli", "-c", str(self.config), "up") as self.supervisor:
            wait(self.answers, why=self.story)
            yield

    def answers(self) -> bool:
        """Whether the web process answers."""
        connection = HTTPConnection("127.0.0.1", self.port, timeout=2)
        try:
            connection.request("GET", "/healthz")
            return connection.getresponse().status == 200
        except (OSError, HTTPException):
            return False
        finally:
            connection.close()

    def part(self, name: str) -> int | None:
        """The process id of a part: a descendant of the supervisor with its command line."""
        assert self.supervisor is not None
        found = [pid for pid in descendants(self.supervisor.pid) if is_part(command_of(pid), PARTS[name])]
        return max(found, default=None)

    def open_rows(self) -> int:
        """Raw rows that are not decided and deliveries that are not settled."""
        raw = self.store.inbox.counts()
        sent = Counter[str]()
        for states in self.store.outbox.counts().values():
            sent.update(states)
        return raw.get("new", 0) + raw.get("leased", 0) + sum(sent[state] for state in OPEN)

    def held_by(self, pid: int) -> int:
        """Rows that a process has leased now."""
        with self.store.database.read() as conn:
            tokens = [row[0] for table in (inbox, deliveries) for row in conn.execute(_leases(table))]
        return sum(token.split("-")[1] == str(pid) for token in tokens)

    def beaten(self, pid: int) -> bool:
        """Whether a process has told that it lives."""
        beats = self.store.connections.beats(since=EPOCH)
        return any(beat["name"].endswith(f"-{pid}") for beat in beats)

    def journals(self) -> dict[str, Counter[tuple[str, str]]]:
        """How often each record was made anew at each destination, by object and key; tickets and comments too."""
        return {name: made(one.sandbox) for name, one in self.sandboxes.items()}

    def story(self) -> str:
        """Where things stand, for a failure's message."""
        file = self.folder / "log"
        log = file.read_text("utf-8", "replace")[-2000:] if file.exists() else "none"
        return f"raw {self.store.inbox.counts()}, deliveries {self.store.outbox.counts()}, log: {log}"

    def settled(self) -> bool:
        """Whether nothing is open."""
        return self.open_rows() == 0


def _leases(table: Any) -> Any:
    return table.select().with_only_columns(table.c.lease).where(table.c.state == "leased")


def made(sandbox: Sandbox) -> Counter[tuple[str, str]]:
    """How often a sandbox's journal says that a record was made, by object and key."""
    kinds = {"create", "ticket", "comment"}
    return Counter((entry.object, entry.key) for entry in list(sandbox.journal.entries) if entry.kind in kinds)


def doubled(counts: Mapping[tuple[str, str], int]) -> list[tuple[str, str]]:
    """The records that were made more than once."""
    return [record for record, count in counts.items() if count > 1]


@contextmanager
def stage(folder: Path, wanted: Wanted) -> Iterator[Stage]:
    """A configured hub, not yet up, with its look-alikes running."""
    with ExitStack() as stack:
        options = SandboxOptions(token=TOKEN, contracts=wanted.contracts)
        builders = {name: wanted.builders.get(name) or build(name) for name in wanted.mappings}
        running = {name: stack.enter_context(serve(make(options))) for name, make in builders.items()}
        port = free_port()
        write(folder, wanted, port=port, urls={name: one.url for name, one in running.items()})
        store = open_store(wanted.database_url or f"sqlite:///{folder / 'data' / 'hubbub.db'}")
        stack.callback(store.close)
        store.database.migrate()
        yield Stage(folder, port, running, store)


def build(name: str) -> Callable[[SandboxOptions], Sandbox]:
    """What builds a vendor's look-alike."""
    found: Callable[[SandboxOptions], Sandbox] = import_module(BUILDERS[name]).build
    return found


def write(folder: Path, wanted: Wanted, *, port: int, urls: Mapping[str, str]) -> None:
    """The hub's files."""
    (folder / "token").write_text(TOKEN)
    (folder / "secret").write_text(SECRET)
    (folder / "topics.toml").write_text(TOPICS)
    (folder / "rules.toml").write_text("".join(rules(wanted)))
    lines = [f"[web]\nport = {port}\n[workers]\ndeliver = {wanted.deliver}\n"]
    lines += [f'[database]\nurl = "{wanted.database_url}"\n'] if wanted.database_url else []
    for network, mapping in HOOKS.items():
        (folder / f"{network}.toml").write_text(mapping)
        inner = f'scheme = "hub256", secret = {{ file = "secret" }}, mapping = "{network}.toml"'
        lines.append(f'[sources.{network}]\nplugin = "webhook"\noptions = {{ {inner} }}\n')
    for name, url in urls.items():
        inner = OPTIONS[name].format(url=url)
        lines.append(f'[destinations.{name}]\nplugin = "{name}"\nallow_private = true\noptions = {{ {inner} }}\n')
    (folder / "config.toml").write_text("".join(lines) + wanted.extra)


def rules(wanted: Wanted) -> Iterator[str]:
    """One rule for everything that is watched, and one that opens tickets for a tenth of it."""
    targets = ", ".join(
        f'{{ destination = "{name}", mapping = "{mapping}" }}' for name, mapping in wanted.mappings.items() if mapping
    )
    yield RULE.format(name="watched", more="", targets=targets)
    if wanted.tickets:
        target = '{ destination = "zendesk", mapping = "ticket" }'
        yield RULE.format(name="tickets", more=""", 'signal.native_id.endsWith("7")'""", targets=target)


def wait(true: Callable[[], bool], *, why: str | Callable[[], str], within: float = 60.0) -> float:
    """Wait until something is true; returns the seconds it took, fails where it takes too long and says why."""
    begin = time.monotonic()
    while not true():
        if time.monotonic() - begin > within:
            raise AssertionError(f"not within {within} s: {why if isinstance(why, str) else why()}")
        time.sleep(0.05)
    return time.monotonic() - begin


def send(connection: HTTPConnection, post: Post) -> int:
    """Post once, signed; 0 where no answer came."""
    signature = "sha256=" + hmac.new(SECRET.encode(), post.body, "sha256").hexdigest()
    try:
        connection.request("POST", f"/in/{post.network}", post.body, {"x-hub-signature-256": signature})
        answer = connection.getresponse()
        answer.read()
    except (OSError, HTTPException):
        connection.close()
        return 0
    return answer.status


def send_all(port: int, posts: Sequence[Post]) -> None:
    """Post each until it is accepted, as a network's webhook does."""
    connection = HTTPConnection("127.0.0.1", port, timeout=5)
    for post in posts:
        while not 200 <= send(connection, post) < 300:
            time.sleep(0.05)
    connection.close()


# -------------------------------------------------------------------------------------------------------- processes


def descendants(pid: int) -> list[int]:
    """All living processes below one, from /proc."""
    parents: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and (parent := parent_of(int(entry.name))) is not None:
            parents.setdefault(parent, []).append(int(entry.name))
    found, waiting = [], [pid]
    while waiting:
        children = parents.get(waiting.pop(), [])
        found += children
        waiting += children
    return found


def parent_of(pid: int) -> int | None:
    """The parent of a process, None where it is gone or a zombie."""
    try:
        state, parent = Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].split()[:2]
    except OSError:
        return None
    return None if state == "Z" else int(parent)


def command_of(pid: int) -> list[str]:
    """The command line (or title) of a process in words, empty where it is gone."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_text().replace("\0", " ").split()
    except OSError:
        return []


def is_part(command: Sequence[str], words: Sequence[str]) -> bool:
    """Whether a command line is a part's: its words follow each other, or its program is the server."""
    if words == PARTS["redis"]:
        return bool(command) and command[0].endswith(words)
    return tuple(words) in {tuple(command[start : start + len(words)]) for start in range(len(command))}


def stopped(pid: int, meets: Callable[[], int]) -> int:
    """Freeze a process and look: where something is found it is killed, else it goes on. Returns what was found."""
    try:
        os.kill(pid, signal.SIGSTOP)
        found = meets()
        os.kill(pid, signal.SIGKILL if found else signal.SIGCONT)
    except ProcessLookupError:
        return 0
    return found


def listed(stage: Stage) -> list[dict[str, Any]]:
    """All deliveries as `hub deliveries list` tells them."""
    found: list[dict[str, Any]] = json.loads(stage.run("deliveries", "list", "--json", "--limit", "0"))
    return found
