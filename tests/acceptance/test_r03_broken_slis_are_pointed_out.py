"""An SLI that looks broken is pointed out on its SLO; one that is merely bad is not."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.support.definitions import slo, specs
from watchkeeper.measure.model import Batch, Count
from watchkeeper.slo import work
from watchkeeper.slo.model import SloStatus
from watchkeeper.store import Database

NOW = 1_767_225_600
DAYS = 4
START = NOW // 60 - DAYS * 1440
Traffic = Callable[[int], tuple[float, float]]


def judged(traffic: Traffic) -> SloStatus:
    """The status after four days of (good, total) by minute."""
    defined = specs([slo("api")])
    counts = [Count("api", START + m, *traffic(m)) for m in range(DAYS * 1440)]
    database = Database.open(":memory:")
    try:
        with database.write() as conn:
            work.apply_specs(conn, defined, NOW)
            work.record_batch(conn, defined, Batch(counts), NOW)
        with database.read() as conn:
            (status,) = work.evaluate_fleet(conn, defined, NOW).statuses
    finally:
        database.close()
    return status


@pytest.mark.parametrize(
    ("traffic", "words"),
    [
        pytest.param(lambda m: (101.0, 100.0), "good exceeds total", id="more good than total"),
        pytest.param(lambda m: (0.0, 0.0), "total never moves", id="a total that never moves"),
        pytest.param(lambda m: (95.0, 100.0), "exactly the same", id="a burn that never changes"),
    ],
)
def test_an_sli_that_looks_broken_is_pointed_out(traffic: Traffic, words: str) -> None:
    warnings = judged(traffic).warnings
    assert [w for w in warnings if words in w], warnings


def test_an_sli_that_is_only_bad_is_not_called_broken() -> None:
    assert judged(lambda m: (100.0 - m * 7 % 13, 100.0 + m % 60)).warnings == ()
