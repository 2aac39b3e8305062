"""An incident's chart: how many requests failed, minute by minute, and what happened. Pure.

Drawn as an SVG on the server: it is there with the page, without a script, and renewed with it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from watchkeeper.changes.marks import Marked
from watchkeeper.faces.web.words import clock
from watchkeeper.incidents.assessing import Course
from watchkeeper.incidents.mitigation.model import Run
from watchkeeper.incidents.model import Incident
from watchkeeper.kernel import text
from watchkeeper.kernel.clock import MINUTE, Seconds

WIDTH, HEIGHT = 720.0, 120.0
MOST_BARS = 180
MOST_MARKS = 12
LEAST_TOP = 0.01
"""The scale reaches at least to this share, so that a calm time looks calm."""


@dataclass(frozen=True, slots=True)
class Sign:
    """Something that happened. ``kind``: change, run or time; ``x``: where, of `WIDTH`."""

    kind: str
    x: float
    at: str
    label: str


@dataclass(frozen=True, slots=True)
class IncidentChart:
    """``bars``: an SVG path. ``rows``: (from, requests, failed, share) of each bar, the table."""

    slo: str
    title: str
    sentence: str
    bars: str
    top: str
    first: str
    last: str
    step: str
    signs: Sequence[Sign]
    rows: Sequence[tuple[str, str, str, str]]


def incident_chart(
    course: Course, incident: Incident, changes: Marked, runs: Sequence[Run]
) -> IncidentChart | None:
    """The chart; None when nothing was asked for in all this time."""
    step = max(1, math.ceil(len(course.total) / MOST_BARS))
    parts = [
        (course.start + i, sum(course.total[i : i + step]), sum(course.bad[i : i + step]))
        for i in range(0, len(course.total), step)
    ]
    shares = [bad / total if total > 0 else None for _, total, bad in parts]
    known = [s for s in shares if s is not None]
    if not known:
        return None
    worst = max(known)
    top = max(worst, LEAST_TOP)
    start, end = course.start * MINUTE, (course.start + len(parts) * step) * MINUTE
    when = parts[shares.index(worst)][0] * MINUTE
    each = "minute" if step == 1 else f"{step} minutes"
    said = f"At most {text.percent(worst, 2)} of requests failed in one {each}, at {clock(when)}"
    return IncidentChart(
        slo=course.slo,
        title=course.title,
        sentence=f"{said}." if worst > 0 else "No request failed in this time.",
        bars=_bars(shares, top),
        top=text.percent(top, 2),
        first=clock(start)[:5],
        last=clock(end)[:5],
        step=each,
        signs=_signs(incident, changes, runs, start, end),
        rows=[
            (clock(at * MINUTE), text.count(total), text.count(bad),
             "no requests" if share is None else text.percent(share, 2))
            for (at, total, bad), share in zip(parts, shares, strict=True)
        ][::-1],
    )  # fmt: skip


def _bars(shares: Sequence[float | None], top: float) -> str:
    wide = WIDTH / len(shares)
    drawn = []
    for i, share in enumerate(shares):
        if share:
            high = max(1.0, min(1.0, share / top) * HEIGHT)
            drawn.append(f"M{i * wide:.1f} {HEIGHT:g}v-{high:.1f}h{wide * 0.86:.1f}v{high:.1f}z")
    return "".join(drawn)


def _signs(
    incident: Incident, changes: Marked, runs: Sequence[Run], start: Seconds, end: Seconds
) -> list[Sign]:
    times = (
        (incident.began_at, "Trouble began"),
        (incident.detected_at, "Detected"),
        (incident.mitigated_at, "Mitigated"),
        (incident.resolved_at, "Resolved"),
    )
    found: list[tuple[Seconds, str, str]] = [(at, "time", w) for at, w in times if at is not None]
    real = [(r.started_at or r.requested_at, r) for r in runs if not r.dry_run]
    found += [(at, "run", f"{r.title}, by {r.by}") for at, r in real]
    found += [
        (m.at, "change", m.label) for m in changes.marks
        # What a mitigation changed is a change as well, and is told once.
        if not any(abs(m.at - at) < MINUTE and m.label.startswith(r.title) for at, r in real)
    ]  # fmt: skip
    inside = sorted(f for f in found if start <= f[0] < end)
    return [
        Sign(kind, round((at - start) / (end - start) * WIDTH, 1), clock(at), label)
        for at, kind, label in inside[-MOST_MARKS:]
    ]
