"""SLIs that look broken: each finding says what was seen and what to look at. Pure.

A number that nobody questions is worse than none: an SLI whose good exceeds its total, whose total
never moves, or whose error share is the same hour after hour measures something else.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from watchkeeper.kernel import text
from watchkeeper.slo.fleet import OWN, STALE_MINUTES, WINDOW_ROW, Readings
from watchkeeper.slo.model import BoolArray, FloatArray

CONSTANT_DAYS = 3
FLAWLESS_BUDGET = 10_000
_DAY = 1440
_DAY_ROW, _THREE_DAYS_ROW = WINDOW_ROW["1d"], WINDOW_ROW["3d"]
_STEADY_ROWS = [WINDOW_ROW[n] for n in ("1h", "2h", "6h", "1d", "3d")]
_SAME = 1e-12


def suspects(readings: Readings, slice_minutes: FloatArray) -> dict[int, list[str]]:
    """What looks wrong, by subject. ``slice_minutes`` [N]: minutes one piece of evidence covers."""
    found: dict[int, list[str]] = {}

    def say(mask: BoolArray | np.bool_, message: str) -> None:
        for j in np.flatnonzero(mask).tolist():
            found.setdefault(j, []).append(message)

    good, total, seen = readings.good, readings.total, readings.seen * slice_minutes
    for j in np.flatnonzero(np.any(good > total, axis=0)).tolist():
        found.setdefault(j, []).append(_more_good(good[:, j], total[:, j]))
    still = (total[OWN] == 0) & (seen[OWN] > 0)
    say(
        still & (seen[OWN] >= _DAY),
        "total never moves: observed for a day or more without one event; does the total query "
        "select anything?",
    )
    say(
        ~still & (total[_DAY_ROW] == 0) & (seen[_DAY_ROW] >= 0.9 * _DAY),
        "total has not moved for a day although it is observed; has a metric or a label changed?",
    )
    allowed = readings.may[OWN] / readings.scale
    say(
        (good[OWN] == total[OWN]) & (allowed >= FLAWLESS_BUDGET),
        f"not one bad event where more than {text.count(FLAWLESS_BUDGET)} are allowed; "
        "can this SLI see errors at all?",
    )
    say(
        np.any((total < 0) | (good < 0), axis=0),
        "counts are negative over a window; was more taken away than had been added?",
    )
    return found


def _more_good(good: FloatArray, total: FloatArray) -> str:
    row = int(np.flatnonzero(good > total)[0])
    return (
        f"good exceeds total ({text.count(float(good[row]))} of {text.count(float(total[row]))}); "
        "are both counted at the same place, with the same labels?"
    )


def may_be_constant(readings: Readings) -> BoolArray:
    """[N] a cheap screen: the same share of bad events over 1 h, 2 h, 6 h, 1 d and 3 d."""
    total, bad = readings.total[_STEADY_ROWS], (readings.total - readings.good)[_STEADY_ROWS]
    with np.errstate(divide="ignore", invalid="ignore"):
        shares = np.where(total > 0, bad / total, np.nan)
    same = np.abs(shares - shares[0]) <= _SAME * np.abs(shares[0])
    steady: BoolArray = same.all(axis=0) & (bad[0] > 0)
    return steady


def is_constant(hourly_good: FloatArray, hourly_total: FloatArray) -> bool:
    """Whether the share of bad events is the same, and not 0, in every hour of three days.

    Real errors do not come so evenly; a query that divides a metric by itself does.
    """
    if len(hourly_total) < CONSTANT_DAYS * 24 or not np.all(hourly_total > 0):
        return False
    shares = (hourly_total - hourly_good) / hourly_total
    return bool(shares[0] > 0 and np.all(np.abs(shares - shares[0]) <= _SAME * shares[0]))


CONSTANT = (
    f"burn has been exactly the same every hour for {CONSTANT_DAYS} days; is the SLI computed from "
    "a constant, or good derived from total?"
)

CONSTANT_ALL_BAD = (
    f"every event of the last {CONSTANT_DAYS} days was bad; does the good query select anything?"
)


def stale(now_minute: int, last_seen: int) -> str | None:
    """The warning that data has stopped, or None while it is recent."""
    age = now_minute - last_seen - 1
    if last_seen < 0 or age < STALE_MINUTES:
        return None
    return f"no data for {text.duration(age * 60)}; the figures are those of what was seen before"


def merge(*parts: Mapping[int, list[str]]) -> dict[int, list[str]]:
    """All warnings by subject, in the order given."""
    merged: dict[int, list[str]] = {}
    for part in parts:
        for j, messages in part.items():
            merged.setdefault(j, []).extend(messages)
    return merged
