"""`make quick`: the tests that a change touches, the nearest first, for about ten seconds.

Nearest are the changed tests themselves, then the tests that mirror a changed module by name, then those that import it.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

from tests.house.measures import ROOT, imported, python_files

MARKS = "not (kills or servers or browser or model or long or postgresql)"
MOST_FILES = 12
SECONDS = 10


def changed(base: str) -> list[Path]:
    """Return the Python files that differ from a commit, new ones too."""
    asked = (["git", "diff", "--name-only", base], ["git", "ls-files", "--others", "--exclude-standard"])
    told = (subprocess.run(one, cwd=ROOT, capture_output=True, text=True, check=True).stdout for one in asked)
    names = {name for text in told for name in text.splitlines() if name.endswith(".py")}
    return sorted(path for name in names if (path := ROOT / name).is_file())


def touched(files: Iterable[Path], tests: Iterable[Path]) -> Iterator[Path]:
    """Yield test files in the order of their nearness to changed files, each once."""
    changes, known = list(files), list(tests)
    modules = {_module(path) for path in changes if "tests" not in path.relative_to(ROOT).parts}
    mirrors = {f"test_{name.rpartition('.')[2]}.py" for name in modules}
    found = [path for path in changes if path in known]
    found += [path for path in known if path.name in mirrors and _is_beside(path, modules)]
    found += [path for path in known if modules & set(imported(path.read_text("utf-8")))]
    yield from dict.fromkeys(found)


def _module(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


def _is_beside(test: Path, modules: Iterable[str]) -> bool:
    room = test.relative_to(ROOT / "tests").parts[:2]
    return any(tuple(name.split(".")[:2]) == room for name in modules)


def main(base: str = "HEAD") -> int:
    """Run them; the exit code is pytest's."""
    tests = [path for path in python_files("tests") if path.name.startswith("test_")]
    chosen = list(touched(changed(base), tests))
    if not chosen:
        print("quick: nothing that a test looks at has changed")
        return 0
    if len(chosen) > MOST_FILES:
        print(f"quick: the nearest {MOST_FILES} of {len(chosen)} test files; `make check` runs all")
    names = [str(path.relative_to(ROOT)) for path in chosen[:MOST_FILES]]
    command = [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:randomly", "-p", "no:xdist", "-m", MARKS]
    return subprocess.run([*command, f"--max-seconds={SECONDS}", *names], cwd=ROOT, check=False).returncode


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
