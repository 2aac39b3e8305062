"""100,000 random steps of the whole chain; a failure prints its seed, which replays it."""

from __future__ import annotations

import os

import pytest

from tests.support.chaos import Chaos
from watchkeeper.store import Database

STEPS = 5_000
SEEDS = [int(s) for s in os.environ.get("SEEDS", "").split(",") if s] or range(1, 21)


@pytest.mark.slow
@pytest.mark.parametrize("seed", SEEDS)
def test_no_page_is_lost_and_nobody_is_called_for_nothing_whatever_happens(seed: int) -> None:
    db = Database.open(":memory:")
    chaos = Chaos(db, seed)
    chaos.fragile.fragile = True
    for _ in range(STEPS):
        chaos.step()
    crashes = chaos.fragile.crashes

    chaos.calm()

    chaos.law_every_page_was_sent()
    assert crashes > STEPS / 200
    assert len(chaos.world.sent) > STEPS / 20
    db.close()
