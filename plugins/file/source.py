"""The file source: raw items of another plugin from files of JSON lines."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta
from hashlib import sha256
from typing import Any, NoReturn

import msgspec

from hub import Compliance, Context, Page, PollingSource, RawItem, TranslationError, Unavailable
from hub.core.grammar.words import counted
from plugins.file.client import Found, Place, find, read_lines
from plugins.file.config import FileOptions

PAGE_SIZE = 500


class FileSource(PollingSource[FileOptions]):
    """Gives every line as a raw item of the plugin that `as_plugin` names; that plugin translates it.

    The cursor maps a file's path to how far it has been read (see `plugins.file.client.Place`).
    """

    name = "file"
    network = "file"
    Options = FileOptions
    interval = timedelta(seconds=10)
    capabilities = frozenset({"as_plugin"})
    compliance = Compliance(
        delete_within=timedelta(hours=24),
        terms="The duties of the network that the lines come from stay as they are.",
    )

    def check(self, ctx: Context) -> str:
        """Say how many files there are. Raises Unavailable if there is none."""
        found = find(str(self.options.path), {})
        if not found:
            raise Unavailable(f"no file matches {self.options.path}")
        ctx.log.debug("the first file is %s", found[0].path)
        return f"{counted(len(found), 'file')}, read as {self.options.as_plugin}"

    def pull(self, ctx: Context, cursor: Any) -> Iterable[Page]:
        """Yield all complete lines that were not given yet, in batches of 500; files oldest first, lines in their order."""
        known = _places(cursor)
        found = find(str(self.options.path), known)
        places = {str(file.path): file.place for file in found}
        for file in found:
            for lines, place in self._read(file):
                places[str(file.path)] = place
                yield Page(tuple(self._raw(ctx, line) for line in lines), msgspec.to_builtins(places))

    def _read(self, file: Found) -> Iterable[tuple[list[bytes], Place]]:
        try:
            yield from read_lines(file, whole=not self.options.follow, most=PAGE_SIZE)
        except OSError as error:
            raise Unavailable(f"{file.path}: {error.strerror}") from error

    def _raw(self, ctx: Context, line: bytes) -> RawItem:
        """Return a line as it stands, however broken: translate shows what is wrong. The same line is the same item."""
        external_id = sha256(line).hexdigest()[:32]
        return RawItem(ctx.connection, self.options.as_plugin, line, ctx.now(), external_id, realm=self.options.realm)

    def translate(self, raw: RawItem) -> NoReturn:
        """Refuse: never asked, as the items name the plugin that reads them."""
        raise TranslationError(f"item {raw.external_id} of {self.options.as_plugin} came to the file source")


def _places(cursor: object) -> dict[str, Place]:
    """Return the cursor's places; one that cannot be read begins again."""
    try:
        return msgspec.convert(cursor or {}, dict[str, Place])
    except msgspec.ValidationError:
        return {}
