"""Run one sandbox: `python -m hub.testkit.sandbox plugins.hubspot.sandbox:build --port 8702 --folder DIR`."""

from __future__ import annotations

import argparse
import sys
from importlib import import_module
from pathlib import Path

from hub.testkit.sandbox.app import Sandbox, SandboxOptions
from hub.testkit.sandbox.server import serve


def load(name: str, options: SandboxOptions) -> Sandbox:
    """Build the sandbox that `module:function` names."""
    module, _, function = name.partition(":")
    sandbox = getattr(import_module(module), function or "build")(options)
    if not isinstance(sandbox, Sandbox):
        raise TypeError(f"{name} does not build a Sandbox")
    return sandbox


def main() -> None:
    """Serve until interrupted; the first line of the output is the URL."""
    parser = argparse.ArgumentParser(prog="python -m hub.testkit.sandbox")
    parser.add_argument("build", help="module:function")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--contracts", type=Path)
    parser.add_argument("--token", default=SandboxOptions().token)
    given = parser.parse_args()
    options = SandboxOptions(folder=given.folder, contracts=given.contracts, token=given.token)
    with serve(load(given.build, options), port=given.port) as running:
        sys.stdout.write(running.url + "\n")
        sys.stdout.flush()
        try:
            running.join()
        except KeyboardInterrupt:
            return


if __name__ == "__main__":
    main()
