"""The three trials of `hub plugins check`: the plugin's tests, its types, and what it claims of the scale of quality."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass, replace
from importlib.util import find_spec
from pathlib import Path

from hub.cli.plugins.quality.claims import FILE, Claims, read_claims
from hub.cli.plugins.quality.evidence import Evidence
from hub.cli.plugins.quality.provers import refuted
from hub.cli.plugins.subject import Subject, importable, load
from hub.config.interpreter import module_command
from hub.core.errors import ConfigError

OK, FAILED, SKIPPED = "ok", "failed", "skipped"
_SHOWN = 20
_SECONDS = 900
_COLOUR = re.compile(r"\x1b\[[0-9;]*m")


@dataclass(frozen=True)
class Trial:
    """How one part ended: what was said in a line, what is wrong, and what to do next ("" if nothing)."""

    part: str
    state: str
    said: str
    problems: tuple[str, ...] = ()
    way_out: str = ""


def all_trials(subject: Subject) -> list[Trial]:
    """Run the tests, the types and the provers, in this order."""
    return [run_tests(subject), check_types(subject), prove_claims(subject)]


def run_tests(subject: Subject) -> Trial:
    """Run the plugin's tests, its contract suites among them, with pytest in a process of its own."""
    if find_spec("pytest") is None:
        return Trial("tests", FAILED, "pytest is not installed", way_out="pip install pytest")
    if not any(subject.tests.rglob("test_*.py")):
        way_out = "subclass the suites of hub.testkit.contracts in tests/test_contract.py"
        return Trial("tests", FAILED, f"there is no test in {subject.tests}", way_out=way_out)
    where = os.path.relpath(subject.tests, subject.root)
    code, lines = _run(subject, "pytest", "-q", "--no-header", "--tb=line", "-p", "no:cacheprovider", where)
    said = lines[-1].strip("= ") if lines else "pytest said nothing"
    if code == 0:
        return Trial("tests", OK, said)
    failed = [line for line in lines if line.startswith(("FAILED", "ERROR"))] or lines[-_SHOWN:]
    return Trial("tests", FAILED, said, tuple(failed[:_SHOWN]), f"cd {subject.root} && python -m pytest {where} -x")


def check_types(subject: Subject) -> Trial:
    """Check the package with mypy --strict, if it is installed."""
    if find_spec("mypy") is None:
        return Trial("types", SKIPPED, "mypy is not installed", way_out="pip install mypy")
    package = subject.module.rpartition(".")[0]
    code, lines = _run(subject, "mypy", "--strict", "--no-color-output", "-p", package)
    said = lines[-1] if lines else "mypy said nothing"
    if code == 0:
        return Trial("types", OK, said)
    return Trial("types", FAILED, said, tuple(lines[:-1][:_SHOWN]), f"cd {subject.root} && python -m mypy -p {package}")


def prove_claims(subject: Subject) -> Trial:
    """Load the plugin, read its claims, and look for what refutes them."""
    with importable(subject):
        plugin = load(subject)
        if plugin.reason:
            return Trial("quality", FAILED, f"the plugin does not load: {plugin.reason}", way_out="mend what it says")
        try:
            claims = read_claims(subject.package / FILE, plugin.kinds)
        except ConfigError as error:
            said = f"{FILE} has lines that are no claims"
            return Trial("quality", FAILED, said, tuple(map(str, error.problems)), "mend these lines")
        problems = tuple(map(str, refuted(Evidence(subject, plugin), claims)))
    trial = Trial("quality", OK, claims.tier or "no tier is reached yet", way_out=_next(claims))
    if not problems:
        return trial
    said = f"{len(problems)} of what {FILE} and README say is refuted"
    return replace(trial, state=FAILED, said=said, problems=problems, way_out=f"do it, or take the line out of {FILE}")


def _next(claims: Claims) -> str:
    tier, rules = claims.missing()
    return f"{tier} wants: {', '.join(rule.id for rule in rules)}" if rules else ""


def _run(subject: Subject, module: str, *words: str) -> tuple[int, Sequence[str]]:
    """Run a tool in the project's folder; returns exit code and the lines that it printed."""
    paths = {"PYTHONPATH": [subject.home, subject.root], "MYPYPATH": [subject.home]}
    env = {**os.environ, **{name: _path(name, first) for name, first in paths.items()}, "NO_COLOR": "1"}
    command = module_command(module, *words)
    try:
        done = subprocess.run(  # noqa: S603 - our own interpreter, on the plugin that the person named
            command, cwd=subject.root, env=env, capture_output=True, text=True, check=False, timeout=_SECONDS
        )
    except subprocess.TimeoutExpired:
        return 1, [f"{module} took more than {_SECONDS} s and was ended"]
    told = _COLOUR.sub("", done.stdout if done.stdout.strip() else done.stderr)
    return done.returncode, [line for line in told.splitlines() if line.strip()]


def _path(name: str, first: Sequence[Path]) -> str:
    """Return a search path that begins with these folders, and goes on as the environment says."""
    return os.pathsep.join(dict.fromkeys([*map(str, first), *filter(None, [os.environ.get(name)])]))
