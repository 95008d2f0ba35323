"""The source that a file describes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import timedelta
from pathlib import Path
from typing import ClassVar

from hub import Compliance, ConfigError, Context, Limit, RawItem, Signal, Tombstone, Translated
from hub.core.errors import Problem
from hub.core.grammar.words import counted
from hub.core.keys import apart
from hub.sdk.doc import Doc
from hub.sdk.fields import filled, translate
from hub.sdk.streams import Stream, StreamsSource
from plugins.http.client import Endpoint
from plugins.http.config import HttpOptions, read_file
from plugins.http.tables import span
from plugins.http.translate import id_in


class HttpSource(StreamsSource[HttpOptions]):
    """Reads JSON over HTTP as a file says; it never answers, since a file can only read."""

    name = "http"
    network = "http"
    Options = HttpOptions
    interval = timedelta(minutes=5)
    compliance: ClassVar[Compliance] = Compliance(delete_within=timedelta(hours=24), terms="set by the file")

    def __init__(self, options: HttpOptions) -> None:
        super().__init__(options)
        if options.file:  # without one it serves for nothing but its name
            vars(self).update(self._declared())

    def _declared(self) -> dict[str, object]:
        """Return what a class would declare of itself, as the file says it."""
        file = self.options.spec
        about = file.source
        keep = span(about.keep) if about.keep else None
        return {
            "network": about.network,
            "interval": span(about.every),
            "limits": (Limit.parse(about.rate),) if about.rate else (),
            "compliance": Compliance(
                span(about.delete_within), keep, " ".join(filter(None, (about.terms, about.attribution)))
            ),
            "recheck_size": min(file.recheck.size, 100) if file.recheck else 0,
            "egress_hosts": self.options.hosts(),
        }

    @classmethod
    def check_file(cls, path: Path) -> Iterator[str]:
        """Say in lines what a file declares. Raises ConfigError, with the place and the way out, if it is not right."""
        try:
            file, _ = read_file(path)
        except ValueError as error:
            raise ConfigError([Problem(str(path), "", str(error).removeprefix(f"{path.name}: "))]) from None
        about = file.source
        yield f"{about.title}: signals of the network {about.network}; fields: {', '.join(file.fields)}"
        calls = round(timedelta(days=1) / span(about.every))
        yield f"{calls} polls a day, {f'the rate is {about.rate}' if about.rate else 'no rate is declared'}"
        yield f"a deletion is followed within {about.delete_within}"
        yield f"deletions are {'asked for' if file.recheck else 'not noticed: there is no [recheck]'}"
        if about.experimental:
            yield "experimental: never tried on recorded answers"

    def check(self, ctx: Context) -> str:
        """Read a first page and say how much of it fits the file: the fields that are filled, in percent of the items."""
        file = self.options.spec
        stream = self._stream(ctx)
        order = stream.order
        page = stream.fetch(order.since(None, ctx.now()), None)  # type: ignore[union-attr]  # a file has no opaque positions
        items = [Doc.read(item.payload) for item in page.items if item.external_id]
        filled_in = [self.options.fields.read(item, self.options.values) for item in items]
        shares = (
            {name: sum(name in one for one in filled_in) * 100 // len(items) for name in file.fields} if items else {}
        )
        told = ", ".join(f"{name} {share} %" for name, share in shares.items())
        calls = round(timedelta(days=1) / span(file.source.every))
        recorded = "; experimental: never tried on recorded answers" if file.source.experimental else ""
        return f"{file.source.title}: {counted(len(page.items), 'item')} ({told}), {calls} polls a day{recorded}"

    def streams(self, ctx: Context) -> Iterator[Stream]:
        """Return the one list of the file."""
        yield self._stream(ctx)

    def _stream(self, ctx: Context) -> Stream:
        return Endpoint(ctx, self.options).stream("items", self.item_realm)

    @property
    def realm(self) -> str:
        """Return what the file's native ids are unique within."""
        options = {f"options.{name}": value for name, value in self.options.values.items()}
        return filled(self.options.spec.source.realm, options) or ""

    @property
    def item_realm(self) -> str:
        """Return the realm marked: any API may number posts and authors alike."""
        return apart(self.realm)

    def identify(self, payload: bytes) -> tuple[str, str]:
        """Return the item's id and revision, by the file's paths."""
        doc, items = Doc.read(payload), self.options.spec.items
        return doc.id(items.id), doc.id(items.revision) if items.revision else ""

    def translate(self, raw: RawItem) -> Translated:
        """Translate one item by the file's field rules."""
        return translate(raw, self.options.fields, self.options.values, network=self.network)

    def recheck(self, ctx: Context, signals: Sequence[Signal]) -> Sequence[Tombstone]:
        """Return those that the API names gone, or leaves out of a batch."""
        file = self.options.spec
        rule, path, values = file.fields.get("native_id"), file.items.id, self.options.values
        named = {id_: one for one in signals if (id_ := id_in(one.native_id, rule, path, values))}
        gone = Endpoint(ctx, self.options).gone(list(named)) if named else ()
        return [Tombstone(named[one].key, "user_deleted", ctx.now()) for one in gone]
