"""No page is lost, and none repeated unmarked, whatever fails: real processes, both databases.

The cases are those of the table in `benchmarks.failures`, with few alerts and short trouble.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from benchmarks.failures.running import CASES, CLOCK, DATABASE, Ground, run

TAKE_OVER = {"sending", "paused"}
"""Cases in which another replica takes over; its goal is 3 s."""
OFF = 3.0
"""Seconds that a call may be off its time when the clock was set: libfaketime looks at its file
once a second, and the processes are started again meanwhile."""
RUNS = [
    (case, system)
    for case in CASES
    for system in ("sqlite", "postgresql")
    if not (case in DATABASE and system == "sqlite")
]


@pytest.fixture(scope="module")
def ground() -> Iterator[Ground]:
    with Ground(quick=True) as made:
        yield made


@pytest.mark.slow
@pytest.mark.parametrize(("case", "system"), RUNS, ids=["-".join(r) for r in RUNS])
def test_nothing_is_lost_and_nothing_repeated_unmarked(
    ground: Ground, case: str, system: str
) -> None:
    row = run(ground, case, system)

    assert row is not None
    assert row.accepted > 0
    assert (row.lost, row.unmarked) == (0, 0), row
    if case in TAKE_OVER and system == "postgresql":
        assert row.seconds is not None
        assert row.seconds < 3.0
    if case in CLOCK:
        assert row.seconds is not None
        assert row.seconds < OFF
    if case == "storm":
        assert row.seconds is not None
        assert row.seconds < 10.0
