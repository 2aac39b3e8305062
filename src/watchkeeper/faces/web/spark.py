"""Sparklines as paths of an SVG, 116 by 26. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

WIDTH, HEIGHT, EDGE = 116.0, 26.0, 2.0


@dataclass(frozen=True, slots=True)
class Spark:
    """``line`` through all values, ``below`` the same where the target was missed, and the target's
    height."""

    line: str
    below: str
    target_y: float


def spark(values: Sequence[float | None], target: float) -> Spark | None:
    """Draw shares of good events (None: a gap) against their target; None when there is nothing.

    The scale spans from 1 down to the lowest value, but at least twice the error budget, so that a
    line near its target looks near and noise far above it looks calm.
    """
    known = [v for v in values if v is not None]
    if not known:
        return None
    floor = min(*known, 1 - 2 * (1 - target)) if target < 1 else min(known)
    span = max(1 - floor, 1e-9)
    step = WIDTH / max(1, len(values) - 1)

    def height(value: float) -> float:
        return round(EDGE + (1 - min(1.0, value)) / span * (HEIGHT - 2 * EDGE), 1)

    points = [None if v is None else (round(i * step, 1), height(v)) for i, v in enumerate(values)]
    missed = [v is not None and v < target for v in values]
    # A segment belongs to a miss when either of its ends missed.
    return Spark(
        _path(points, [True] * len(points)),
        _path(points, [_near(missed, i) for i in range(len(missed))]) if any(missed) else "",
        height(target),
    )


def _near(missed: Sequence[bool], i: int) -> bool:
    return any(missed[max(0, i - 1) : i + 2])


def _path(points: Sequence[tuple[float, float] | None], drawn: Sequence[bool]) -> str:
    parts, open_ = [], False
    for i, point in enumerate(points):
        if point is None or not drawn[i]:
            open_ = False
            continue
        x, y = point
        parts.append(f"{'L' if open_ else 'M'}{x:g} {y:g}")
        alone = not open_ and not (i + 1 < len(points) and points[i + 1] is not None)
        if alone:
            parts.append("h.1")  # a point between two gaps is still seen
        open_ = True
    return "".join(parts)
