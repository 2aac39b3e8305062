"""Minutes come back from their bytes as they were, whole or not, alone or added up."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest

from watchkeeper.slo.packing import FIELDS, HOUR, SLOTS, hour_bytes, hour_of, sum_of

Array = npt.NDArray[np.float64]


def counts(seed: int, largest: int, *, whole: bool) -> Array:
    """An hour of a chunk: good, total, seen; corrections may make amounts negative."""
    rng = np.random.default_rng(seed)
    total = rng.integers(-largest // 9, largest, (HOUR, SLOTS)).astype(np.float64)
    good = total - np.floor(total * rng.uniform(0, 0.2, total.shape))
    made = np.stack((good, total, np.ones_like(total)), axis=2)
    return made if whole else made + rng.uniform(0, 1, made.shape)


@pytest.mark.parametrize("whole", [True, False])
@pytest.mark.parametrize("largest", [1, 9, 200, 70_000, 2**30])
def test_an_hour_and_each_sum_of_its_first_minutes_are_exact(largest: int, whole: bool) -> None:
    for seed in range(5):
        deltas = counts(seed, largest, whole=whole)
        kept = hour_bytes(deltas)
        assert np.array_equal(hour_of(kept), deltas)
        for minutes in (0, 1, 17, 59, HOUR):
            added = sum_of(kept, minutes)
            assert added.shape == (SLOTS, FIELDS)
            assert np.array_equal(added, deltas[:minutes].sum(axis=0))


def test_what_is_read_may_be_changed() -> None:
    """Callers add to it."""
    kept = hour_bytes(counts(1, 50, whole=True))
    hour_of(kept)[0] += 1
    sum_of(kept, 5)[0] += 1
