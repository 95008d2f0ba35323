"""Who is alive, by heartbeats: tables of cases, without a database."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from hub.flow.monitor.life import Beat, broken, lived, living, read_beat, restarting

NOON = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)


def beat(name: str, *, ago: float, age: float, ended: bool = False, **more: str) -> Beat:
    """A process's last sign `ago` seconds before noon, after it had lived for `age` seconds."""
    at = NOON - timedelta(seconds=ago)
    return Beat(name, name.partition("-")[0], at, at - timedelta(seconds=age), ended, more)


LOOP = [beat(f"process-{number}", ago=number * 6, age=0) for number in range(1, 12)]
CASES: dict[str, tuple[list[Beat], set[str], set[str]]] = {
    "nothing": ([], set(), set()),
    "a process that has just started": ([beat("process-1", ago=1, age=0)], {"process-1"}, set()),
    "one that runs": ([beat("process-1", ago=10, age=3600)], {"process-1"}, set()),
    "one that is silent": ([beat("process-1", ago=60, age=3600)], set(), set()),
    "one that has ended calmly": ([beat("process-1", ago=1, age=3600, ended=True)], set(), set()),
    "one that was started once more": (
        [beat("process-1", ago=40, age=0), beat("process-2", ago=1, age=0)],
        {"process-1", "process-2"},
        set(),
    ),
    "one that ends after each start": (LOOP, set(), {"process"}),
    "the same beside one that runs": ([*LOOP, beat("process-99", ago=5, age=300)], {"process-99"}, {"process"}),
    "the same of another role": ([*LOOP, beat("deliver-1", ago=5, age=0)], {"deliver-1"}, {"process"}),
    "many that start at once": (
        [beat(f"process-{n}", ago=3, age=0) for n in range(4)],
        {f"process-{n}" for n in range(4)},
        set(),
    ),
    "a loop that is over": (
        [*(beat(f"process-{n}", ago=400 + n, age=0) for n in range(9)), beat("process-99", ago=5, age=0)],
        {"process-99"},
        set(),
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_a_process_is_alive_unless_its_role_ends_after_each_start(case: str) -> None:
    beats, alive, unsteady = CASES[case]
    assert ({one.name for one in living(beats, NOON)}, restarting(beats, NOON)) == (alive, unsteady)


def test_a_heartbeat_is_read_as_it_was_written() -> None:
    detail = lived(NOON, broken={"sources.news": "x" * 1000})
    row = {"name": "process-h-1", "role": "process", "at": NOON, "detail": detail}
    assert read_beat(row) == Beat("process-h-1", "process", NOON, NOON, broken={"sources.news": "x" * 300})


def test_a_heartbeat_of_an_older_program_counts_as_that_of_a_process_that_runs() -> None:
    row = {"name": "process-1", "role": "process", "at": NOON, "detail": None}
    assert not read_beat(row).is_young


def test_what_a_dead_process_could_not_have_is_not_told() -> None:
    beats = [beat("process-1", ago=5, age=60, crm="no"), beat("process-2", ago=500, age=60, desk="no")]
    assert broken(beats, NOON) == {"crm": "no"}
