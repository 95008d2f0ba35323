"""Do the files fit together? Names that name nothing, ports that collide, files that no part reads, what no rule uses."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from importlib.util import find_spec
from pathlib import Path

from hub.config.settings import FilesSection, Settings, nearest
from hub.core.errors import ConfigError, Problem
from hub.core.pipeline import Rulebook, in_use
from hub.queue.bell import checked, connect
from hub.registry import Plugin, Registry
from hub.store.database import parse_url

LITTLE_MB = 100
"""With less free space than this, in MiB, posts will soon be refused."""
_MIB = 1 << 20
_PORTS = 65_536
_SQLITE = b"SQLite format 3\x00"


def misplaced(settings: Settings, registry: Registry) -> Iterator[Problem]:
    """Yield what names a thing that is not there, or a place that is taken."""
    yield from _places(settings)
    yield from _bell(settings)
    yield from _prices(settings)
    yield from _sandboxes(settings, registry)
    yield from _owners(settings, registry)
    yield from _mapping_files(settings)


def _places(settings: Settings) -> Iterator[Problem]:
    """Yield what is wrong with the places that are written to: the data folder, the database's file and its address."""
    file = str(settings.file)
    if settings.data.exists() and not settings.data.is_dir():
        yield Problem(file, "hub.data", f"{settings.data} is a file", "name a folder; it is made if it is not there")
    elif not _is_writable(settings.data):
        hint = f"give the hub's user the right: chown {settings.data}, or name another folder"
        yield Problem(file, "hub.data", f"{settings.data} cannot be written to", hint)
    else:
        yield from _space(settings)
    try:
        url = parse_url(settings.database_url)
    except ConfigError as error:
        yield from error.problems
        return
    # Of the usual place in the data folder only what lies there can be wrong: the folder is told above.
    if url.get_backend_name() == "sqlite" and (settings.database.url or Path(url.database or "").is_file()):
        yield from _database_file(file, Path(url.database or ""))
    yield from _register(settings)


def _database_file(file: str, path: Path) -> Iterator[Problem]:
    """Yield why no database can be kept at this path."""
    place, hint = (file, "database.url"), f"name another file: sqlite:///{path.parent / 'hubbub.db'}"
    if path.is_dir():
        yield Problem(*place, f"{path} is a folder", f"name a file in it: sqlite:///{path}/hubbub.db")
    elif not _is_writable(path.parent):
        yield Problem(*place, f"{path.parent} cannot be written to", hint)
    elif path.is_file() and os.access(path, os.R_OK) and _begins(path) not in {b"", _SQLITE}:
        other = path.with_name(f"new-{path.name}")
        yield Problem(*place, f"{path} is another file, no database", f"put it away, or write sqlite:///{other}")


def _begins(path: Path) -> bytes:
    with path.open("rb") as opened:
        return opened.read(len(_SQLITE))


def _register(settings: Settings) -> Iterator[Problem]:
    """Yield why the register of erasures cannot be kept where it shall be."""
    path, place = settings.erasures, (str(settings.file), "hub.erasures")
    if not settings.hub.erasures:
        return
    if path.is_dir() or not settings.hub.erasures.strip():
        yield Problem(*place, f"{path} is a folder", f"name a file: {path / 'erasures.jsonl'}")
    elif not _is_writable(path.parent) or (path.exists() and not os.access(path, os.W_OK)):
        yield Problem(*place, f"{path} cannot be written to", "give the hub's user the right, or name another file")
    elif path in {
        settings.file.resolve(),
        *(settings.folder / one for one in (settings.files.rules, settings.files.topics)),
    }:
        yield Problem(*place, f"{path} is another file of the hub", "name a file of its own: erasures.jsonl")


def _bell(settings: Settings) -> Iterator[Problem]:
    """Yield what is wrong with the address of Redis, if one is written."""
    try:
        if settings.redis.url:
            connect(checked(settings.redis_url))
    except ConfigError as error:
        yield from (Problem(str(settings.file), one.path, one.message, one.hint) for one in error.problems)


def _is_writable(path: Path) -> bool:
    """Return True if a path can be written to, or be made."""
    nearest_there = next(one for one in (path, *path.parents) if one.exists())
    return os.access(nearest_there, os.W_OK | os.X_OK)


def _space(settings: Settings) -> Iterator[Problem]:
    there = next(one for one in (settings.data, *settings.data.parents) if one.exists())
    found = os.statvfs(there)
    free = found.f_bavail * found.f_frsize // _MIB
    if free < LITTLE_MB:
        hint = f"free some space, or move the folder; below {LITTLE_MB} MiB posts will soon be refused"
        yield Problem(str(settings.file), "hub.data", f"{free} MiB are free on the disk of {there}", hint)


def _prices(settings: Settings) -> Iterator[Problem]:
    for table in ("sources", "destinations"):
        known = list(getattr(settings, table))
        for name in getattr(settings.prices, table):
            if name not in known:
                hint = nearest(name, known) or f"there are no {table}"
                yield Problem(str(settings.file), f"prices.{table}.{name}", f"{table} has no {name}", hint)


def _sandboxes(settings: Settings, registry: Registry) -> Iterator[Problem]:
    """Yield look-alikes that no plugin has, options of those that are not started, and ports that two would listen on."""
    wanted, file = settings.sandbox.plugins, str(settings.file)
    for number, name in enumerate(wanted):
        if name in wanted[:number]:
            yield Problem(file, f"sandbox.plugins.{number}", f"{name} stands here twice", "take one of the two out")
        if name not in registry.names:
            yield Problem(
                file,
                f"sandbox.plugins.{number}",
                f"{name}: there is no such plugin",
                nearest(name, list(registry.names)),
            )
        elif not _has_look_alike(registry.load(name)):
            message = f"{name} has no look-alike"
            yield Problem(file, f"sandbox.plugins.{number}", message, "take it out")
    for name in settings.sandbox.options:
        if wanted and name not in wanted:
            yield Problem(file, f"sandbox.options.{name}", f"{name} is not started", nearest(name, list(wanted)))
    if wanted and settings.sandbox.port + len(wanted) > _PORTS:
        yield Problem(file, "sandbox.port", f"{len(wanted)} ports from here on are too many", "write a smaller number")
    if settings.sandbox.port <= settings.web.port < settings.sandbox.port + len(wanted):
        hint = f"they take {len(wanted)} ports from sandbox.port on"
        yield Problem(file, "web.port", "a look-alike listens on this port", hint)


def _has_look_alike(plugin: Plugin) -> bool:
    """Return True if a plugin ships a look-alike, or if that cannot be told since it does not load."""
    looks_like = any(one.sandbox for one in plugin.destinations.values()) or any(
        one.sandbox for one in plugin.sources.values()
    )
    beside = f"{plugin.module.rpartition('.')[0]}.sandbox"
    return bool(plugin.reason or looks_like or (beside[0] != "." and find_spec(beside)))


def _owners(settings: Settings, registry: Registry) -> Iterator[Problem]:
    """Yield lines of `[plugins]` for plugins that no package provides, or another than the one that is named."""
    for name, owner in settings.plugins.items():
        if name not in registry.names:
            hint = nearest(name, list(registry.names))
            yield Problem(str(settings.file), f"plugins.{name}", f"{name}: there is no such plugin", hint)
        elif owner not in (there := registry.providers(name)):
            message = f"'{owner}' does not provide it"
            yield Problem(str(settings.file), f"plugins.{name}", message, f"it is in: {', '.join(there)}")


def _mapping_files(settings: Settings) -> Iterator[Problem]:
    """Yield folders and files of mappings that no destination reads."""
    root = settings.folder / settings.files.mappings
    if root.exists() and not root.is_dir():
        yield Problem(
            str(settings.file), "files.mappings", f"{root} is a file", "name a folder: mappings/DESTINATION/NAME.toml"
        )
    elif not root.exists() and settings.files.mappings != FilesSection().mappings:
        yield Problem(
            str(settings.file), "files.mappings", f"there is no folder {root}", "make it, or take the key out"
        )
    for path in sorted(root.glob("*.toml")) if root.is_dir() else ():
        yield Problem(str(path), "", "no destination reads it here", f"move it to {root.name}/DESTINATION/{path.name}")


def unheard(settings: Settings, book: Rulebook) -> Iterator[Problem]:
    """Yield why direct messages make no record, if a rule asks for messages and none such may act on them."""
    asking = [
        one.name for one in book.rules.rules if any('"message"' in when or "'message'" in when for when in one.when)
    ]
    if asking and not book.private_rules.intersection(asking):
        yield Problem(
            str(settings.file),
            "hub.private_rules",
            f'direct messages make no record: rule "{asking[0]}" asks for messages and is not named here',
            f'private_rules = ["{asking[0]}"] lets it act on them',
        )


def unused(settings: Settings, book: Rulebook) -> Iterator[Problem]:
    """Yield what is no error and has no effect: mappings, files and topics that no rule leads to, two of a kind.

    Without any rule a topic is a label on the page, as in a first feed.
    """
    rules = str(settings.folder / settings.files.rules)
    used = in_use(book)
    for name, path in _own_mappings(settings):
        if name in settings.destinations and path.suffix == ".toml" and (name, path.stem) not in used:
            yield Problem(
                str(path),
                "",
                "no rule uses this mapping",
                f'deliver = [{{ destination = "{name}", mapping = "{path.stem}" }}]',
            )
    asked = " ".join(when for rule in book.rules.rules for when in rule.when)
    for topic in book.topics.topics:
        if asked and f'"{topic.name}"' not in asked and f"'{topic.name}'" not in asked:
            yield Problem(
                str(settings.folder / settings.files.topics),
                f'topic "{topic.name}"',
                "no rule asks for this topic",
                f'a condition asks for it so: "{topic.name}" in topics',
            )
    yield from _switched_off(settings, book)
    for rule in book.rules.rules:
        if not rule.when:
            hint = """when = ['true'] says that this is meant"""
            yield Problem(rules, f'rule "{rule.name}"', "this rule has no condition: each signal matches it", hint)
        if not (rule.deliver or rule.labels or rule.assign):
            yield Problem(rules, f'rule "{rule.name}"', "this rule has no effect", "add deliver, labels or assign")


def _switched_off(settings: Settings, book: Rulebook) -> Iterator[Problem]:
    """Yield rules whose records go to a destination that is switched off: they wait there."""
    for rule in (one for one in book.rules.rules if one.enabled):
        for name in dict.fromkeys(one.destination for one in rule.deliver):
            if name in settings.destinations and not settings.destinations[name].enabled:
                yield Problem(
                    str(settings.folder / settings.files.rules),
                    f'rule "{rule.name}" deliver',
                    f"{name} is switched off: nothing is sent there",
                    f"write enabled = true in [destinations.{name}], or enabled = false in the rule",
                )


def ambiguous(book: Rulebook) -> Iterator[Problem]:
    """Yield mappings in use that write one and the same record: of a signal that both are asked for, the first one wins."""
    first: dict[tuple[str, str, str, str], str] = {}
    for destination, name in sorted(in_use(book)):
        spec = book.mappings[destination, name].spec
        other = first.setdefault((destination, spec.object, spec.keyed_by, spec.operation), name)
        if other != name:
            told = f"{other} writes the same record ({spec.object} by {spec.keyed_by}): the first that a rule asks for is sent"
            yield Problem(f"mappings/{destination}/{name}.toml", "", told, "let one of them write all fields")


def strays(settings: Settings, registry: Registry) -> Iterator[Problem]:
    """Yield files beside the mappings that are no mappings, and folders that are named after no destination."""
    known = {*settings.destinations, *registry.names}
    told: set[str] = set()
    for name, path in _own_mappings(settings):
        if name not in known and name not in told:
            told.add(name)
            yield Problem(str(path.parent), "", "there is no destination of this name", nearest(name, sorted(known)))
        elif (
            name in known
            and path.suffix != ".toml"
            and path.suffix.lower() in {".toml", ".tml", ".tom", ".txt", ".yaml", ".yml", ".json"}
        ):
            yield Problem(str(path), "", "it is not read as a mapping", f"name it {path.stem}.toml")
    for path in sorted((settings.folder / settings.files.mappings).glob("*/*/**/*.toml")):
        yield Problem(str(path), "", "mappings are not looked for so deep", "move it to mappings/DESTINATION/")


def _own_mappings(settings: Settings) -> Iterable[tuple[str, Path]]:
    root = settings.folder / settings.files.mappings
    return ((path.parent.name, path) for path in sorted(root.glob("*/*"))) if root.is_dir() else ()
