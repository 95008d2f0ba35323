"""`hub docs`: the pages of this version, which the wheel holds as the repository does."""

from __future__ import annotations

from difflib import get_close_matches
from pathlib import Path
from typing import Annotated

import typer

from hub.cli import show

ALONE = ("README.md", "CHANGELOG.md", "config.example.toml")
"""Files beside the folder `docs`."""


def docs(
    page: Annotated[str, typer.Argument(help="such as first-steps, operate/install or config.example.toml")] = "",
    *,
    copy: Annotated[
        Path | None, typer.Option(help="copy all pages, and the files to deploy, to this new folder")
    ] = None,
) -> None:
    """Print a page of the documentation of this version; without a name, list all pages."""
    found = pages(manual())
    if copy is not None:
        _copy(copy)
    elif not page:
        for name, listed in found.items():
            show.say(f"{name:28} {title(listed)}")
    elif path := found.get(page.removeprefix("docs/").removesuffix(".md")):
        show.say(path.read_text("utf-8").rstrip("\n"))
    else:
        near = get_close_matches(page, found, n=1, cutoff=0.4)
        show.fail(
            f"there is no page '{page}'" + (f": did you mean '{near[0]}'?" if near else ": `hub docs` lists them")
        )
        raise typer.Exit(1)


def manual() -> Path:
    """Return the folder that holds README.md and docs: inside the package, or the repository around it."""
    package = Path(__file__).parents[1]
    inside = package / "manual"
    return inside if inside.is_dir() else package.parent


def pages(top: Path) -> dict[str, Path]:
    """Return the pages by the names that `hub docs` knows them by."""
    alone = [top / name for name in ALONE]
    below = sorted((top / "docs").rglob("*.md"))
    names = [path.relative_to(top).as_posix().removeprefix("docs/").removesuffix(".md") for path in [*alone, *below]]
    return {name.removesuffix("/README"): path for name, path in zip(names, [*alone, *below], strict=True)}


def title(path: Path) -> str:
    """Return a page's first line without its marks."""
    with path.open(encoding="utf-8") as file:
        return file.readline().lstrip("# ").rstrip("\n")


def _copy(target: Path) -> None:
    from shutil import copyfile, copytree

    if target.exists():
        show.fail(f"{target} is there already: name a new folder")
        raise typer.Exit(1)
    copytree(manual() / "docs", target / "docs")
    for name in ALONE:
        copyfile(manual() / name, target / name)
    show.say(f"wrote {target}")
