"""Long computations rest between two items only while somebody waits for an answer."""

from __future__ import annotations

import pytest

from watchkeeper.kernel import courtesy
from watchkeeper.kernel.courtesy import PAUSE, TURN, Waiting, politely


class Clock:
    """Time that moves by computing and by resting alone."""

    def __init__(self) -> None:
        self.now, self.rests = 0.0, [0.0]

    def perf_counter(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.rests.append(self.now)
        self.now += seconds


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    monkeypatch.setattr(courtesy, "time", made)
    return made


def _computed(clock: Clock, waiting: Waiting, items: int = 100) -> list[int]:
    found = []
    for item in politely(range(items), waiting):
        found.append(item)
        clock.now += TURN / 4
    return found


def test_nobody_waits_so_nothing_rests(clock: Clock) -> None:
    assert _computed(clock, Waiting()) == list(range(100))
    assert clock.rests == [0.0]


def test_while_somebody_waits_each_turn_is_followed_by_a_rest_and_every_item_is_done(
    clock: Clock,
) -> None:
    waiting = Waiting()
    with waiting:
        assert _computed(clock, waiting) == list(range(100))
    assert len(clock.rests) - 1 == 25
    assert clock.now == pytest.approx(100 * TURN / 4 + 25 * PAUSE)


def test_whoever_got_an_answer_waits_no_longer() -> None:
    waiting = Waiting()
    with pytest.raises(ValueError, match="refused"), waiting:
        raise ValueError("refused")
    assert waiting.number == 0
