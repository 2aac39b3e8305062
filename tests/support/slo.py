"""Definitions and arrays for tests of the mathematics."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal

import numpy as np

from watchkeeper.kernel.duration import parse_duration
from watchkeeper.slo.fleet import WINDOWS, Readings
from watchkeeper.slo.model import FloatArray, IntArray
from watchkeeper.slo.versions import allowance
from watchkeeper.spec.model import (
    CalendarWindow,
    Composite,
    CountsSli,
    Method,
    Occurrences,
    Place,
    PushStream,
    RollingWindow,
    ServiceDefinition,
    SliDefinition,
    SloDefinition,
    Specs,
    Window,
)

HERE = Place("slos.yaml", 7, 3)


def rolling(duration: str) -> RollingWindow:
    return RollingWindow(parse_duration(duration))


def calendar(duration: str, start: str = "2026-01-01", zone: str = "UTC") -> CalendarWindow:
    return CalendarWindow(parse_duration(duration), start, zone)


def slo(
    name: str = "checkout",
    target: str = "0.999",
    window: Window | None = None,
    *,
    key: str | None = None,
    method: Method | None = None,
    group_by: tuple[str, ...] = (),
    composite: Composite | None = None,
) -> SloDefinition:
    """An SLO over a pushed stream named like the SLI's key."""
    stream = key or f"{name}-sli"
    sli = SliDefinition(stream, "pushed", CountsSli(PushStream(stream)), group_by)
    return SloDefinition(
        name,
        name.title(),
        "shop",
        Decimal(target),
        window or rolling("30d"),
        HERE,
        sli=None if composite else sli,
        composite=composite,
        method=method or Occurrences(),
    )


def specs(*slos: SloDefinition) -> Specs:
    """Specs with these SLOs, all of service ``shop`` that team ``payments`` owns."""
    service = ServiceDefinition("shop", "Shop", HERE, owner="payments")
    return Specs({}, {s.name: s for s in slos}, {"shop": service}, {}, {}, {})


def readings(
    events: Mapping[int, tuple[float, float]], target: str = "0.999", minutes: float = 43_200
) -> Readings:
    """One subject: (good, total) by window row, everything else unseen."""
    found = Readings.empty(1)
    share = allowance(Decimal(target))
    found.scale[:] = share.denominator
    found.share[:] = float(share)
    found.counted_minutes[:] = minutes
    for row, (good, total) in events.items():
        found.good[row], found.total[row], found.seen[row] = good, total, 1
        found.may[row] = total * share.numerator
    return found


def same_everywhere(good: float, total: float) -> dict[int, tuple[float, float]]:
    return dict.fromkeys(range(WINDOWS), (good, total))


def array_reader(
    start: int, good: Sequence[float], total: Sequence[float], seen: Sequence[float] | None = None
) -> Callable[[IntArray], FloatArray]:
    """A ledger of one row held in arrays: minute ``start`` + i has good[i] of total[i]."""
    observed = seen if seen is not None else [1.0] * len(total)
    steps = np.column_stack((good, total, observed)) if len(total) else np.zeros((0, 3))
    cum = np.vstack((np.zeros((1, 3)), np.cumsum(steps, axis=0)))

    def read(minutes: IntArray) -> FloatArray:
        return np.asarray(cum[np.clip(np.asarray(minutes) - start, 0, len(total))])

    return read
