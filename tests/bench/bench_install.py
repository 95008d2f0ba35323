"""Size of an install without extras in a fresh environment: `python -m tests.bench.bench_install` (needs a package index).

Counted are the blocks on the disk in MB (10^6 bytes); `with_pip` is the whole environment, bytecode is part of both.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import venv
from pathlib import Path

from tests.bench.running import say
from tests.material import ROOT

NOT_OURS = ("pip", "setuptools", "_distutils_hack", "pkg_resources", "distutils-precedence.pth")


def size(top: Path) -> float:
    """Blocks below a folder, each inode once."""
    seen = {(stat.st_dev, stat.st_ino): stat.st_blocks for path in [top, *top.rglob("*")] for stat in [path.lstat()]}
    return sum(seen.values()) * 512 / 1e6


def main() -> None:
    """Install, compile, weigh."""
    with tempfile.TemporaryDirectory(prefix="hubbub-bench") as folder:
        venv.create(folder, with_pip=True)
        python = Path(folder) / "bin/python"
        extras = os.environ.get("EXTRAS", "")
        subprocess.run([python, "-m", "pip", "install", "--quiet", f"{ROOT}{extras}"], check=True, cwd=folder)
        packages = next(Path(folder).glob("lib/python*/site-packages"))
        sizes = {one.name: size(one) for one in packages.iterdir()}
        ours = {name: mb for name, mb in sizes.items() if not name.startswith(NOT_OURS)}
        largest = dict(sorted(ours.items(), key=lambda item: -item[1])[:12])
        say(
            "install",
            extras=extras,
            mb=round(sum(ours.values()), 1),
            with_pip=round(size(Path(folder)), 1),
            largest={name: round(mb, 1) for name, mb in largest.items()},
        )


if __name__ == "__main__":
    sys.exit(main())
