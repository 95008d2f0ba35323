"""`hub backup`, `hub restore`, `hub resume`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hub.cli import show
from hub.cli.opened import me, opened, quieten
from hub.core.grammar.words import counted

if TYPE_CHECKING:
    from hub.flow.actions.backups import Manifest, Restored


def backup(
    context: typer.Context,
    target: Annotated[str, typer.Argument(metavar="FILE|FOLDER", help="a new file, or a folder that is there")],
) -> None:
    """Write all that the hub knows into one file, while it runs.

    Every table as it is at one moment, config.toml, rules, topics and mappings; never a secret.
    """
    from hub.flow.actions import backups

    with opened(context.obj) as hub:
        # A path would lose the slash by which a folder is told from a file.
        file, manifest = backups.make(
            hub, me(), Path(target, "backup.zip") if _is_absent_folder(target) else Path(target)
        )
    show.say(f"wrote {file}: {_amount(manifest)}, {counted(len(manifest.files), 'file')}")
    _tell_secrets(manifest)


def _is_absent_folder(target: str) -> bool:
    return target.endswith("/") and not Path(target).is_dir()


def _tell_secrets(manifest: Manifest) -> None:
    for at in manifest.withheld:
        show.say(f"left out, being a secret: {at} of config.toml", "yellow")
    if manifest.secrets:
        names = ", ".join(f"{one.at} ({one.env or one.file})" for one in manifest.secrets)
        show.say(f"not in it, keep them elsewhere: {show.safe(names)}")


def restore(
    context: typer.Context, file: Annotated[Path, typer.Argument(metavar="FILE", help="what `hub backup` wrote")]
) -> None:
    """Put a backup back: into an empty database, with the files that are not there. Nothing is sent until `hub resume`.

    Nothing is written over. Each table is compared, row by row, with what was backed up, before it counts.
    """
    from hub.flow.actions import backups

    quieten()
    _tell(backups.restore(context.obj, file, me()))


def _amount(manifest: Manifest) -> str:
    return f"{counted(manifest.rows, 'row')} of {counted(len(manifest.tables), 'table')}"


def _tell(done: Restored) -> None:
    manifest = done.manifest
    show.say(f"restored {_amount(manifest)}, each as it was at {show.cell(manifest.taken_at)} UTC")
    for path in done.written:
        show.say(f"wrote {path}")
    for path in done.differing:
        show.say(f"kept {path}: it differs from the one in the backup", "yellow")
    for at in manifest.withheld:
        show.say(f"write it into config.toml again, since no backup holds a secret: {at} (now WITHHELD)", "yellow")
    for secret in done.absent_secrets:
        show.say(f"not here yet: {show.safe(secret)}", "yellow")
    if done.erased:
        show.say(f"done again: {counted(done.erased, 'erasure')} newer than the backup")
    show.say(
        "nothing is sent yet: look around (`hub up`, `hub status`), be sure that the old hub is gone, then `hub resume`"
    )


def resume(context: typer.Context) -> None:
    """Let a restored hub send. What waited is looked up first at its destination, so that nothing lands twice."""
    from hub.flow.actions import backups

    with opened(context.obj) as hub:
        done = backups.resume(hub, me())
    if done is None:
        show.say("nothing was held: the hub sends")
        return
    show.say("the hub sends again")
    if done.erased:
        show.say(f"done again: {counted(done.erased, 'erasure')} newer than the backup")
    if done.doubtful:
        show.say(
            f"in doubt since the backup: {counted(done.doubtful, 'delivery')}, looked up or sent under the old key"
        )
