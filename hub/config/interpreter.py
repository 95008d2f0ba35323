"""Our own programs in processes of their own: never what the current folder holds under the name of a module.

`python -m` and `python -c` put the current folder first on the path: a folder `mappings` or a file `rq.py` beside the
configuration would be imported instead of ours, with the hub's secrets at hand.
"""

from __future__ import annotations

import os
import sys

SAFE = {"PYTHONSAFEPATH": "1"}
"""What keeps the current folder off the path of each Python that a process of ours starts."""


def module_command(module: str, *arguments: str) -> list[str]:
    """Return the command that runs an installed module under this interpreter."""
    return [sys.executable, "-P", "-m", module, *arguments]


def isolated_command(program: str, *arguments: str) -> list[str]:
    """Return the command that runs a program text with the standard library alone."""
    return [sys.executable, "-I", "-S", "-c", program, *arguments]


def safe_environment(**more: str) -> dict[str, str]:
    """Return this process's environment for a Python that it starts."""
    return {**os.environ, **SAFE, **more}
