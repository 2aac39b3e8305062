"""How good the alarms of a plan would have been, against incidents. Pure."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from watchkeeper.alerting.backtest.model import Alarm, Incident, Plan, Score, Told
from watchkeeper.alerting.backtest.windows import Counts
from watchkeeper.alerting.model import Urgency
from watchkeeper.slo.model import FloatArray

WEEK = 7 * 86_400.0
LATE = 300.0
"""Seconds after an incident's end within which an alarm that opens still tells of it."""
LEAST_SHARE = 0.02
"""An episode is an incident when it cost so much of the budget: what 14.4× spends in an hour."""
JOIN = 1800.0
"""Episodes with fewer seconds between them are one."""


def score(
    plan: Plan, alarms: Sequence[Alarm], incidents: Sequence[Incident], counts: Counts
) -> Score:
    """Precision, recall, times, from the plan's pages (or its tickets, if it never pages)."""
    pages = any(rule.urgency == Urgency.PAGE for rule in plan.rules)
    loud = [a for a in alarms if a.urgency is (Urgency.PAGE if pages else Urgency.TICKET)]
    end = counts.history.end
    told = [_told(incident, loud, counts) for incident in incidents]
    true = sum(any(_tells(a, i, end) for i in incidents) for a in loud)
    found = sum(t.detection is not None for t in told)
    return Score(
        plan,
        alarms,
        told,
        (end - counts.history.judged_from) / WEEK,
        sum(a.urgency is Urgency.PAGE for a in alarms),
        sum(a.urgency is Urgency.TICKET for a in alarms),
        true / len(loud) if loud and incidents else None,
        found / len(incidents) if incidents else None,
    )


def _tells(alarm: Alarm, incident: Incident, end: float) -> bool:
    return alarm.opened <= incident.end + LATE and alarm.until(end) > incident.start


def _told(incident: Incident, alarms: Sequence[Alarm], counts: Counts) -> Told:
    end = counts.history.end
    mine = [a for a in alarms if _tells(a, incident, end)]
    if not mine:
        return Told(incident, None, None, budget_spent(counts, incident.start, incident.end))
    detection = max(0.0, min(a.opened for a in mine) - incident.start)
    last = max(mine, key=lambda a: a.until(end))
    reset = None if last.closed is None else max(0.0, last.closed - incident.end)
    spent = budget_spent(counts, incident.start, incident.start + detection)
    return Told(incident, detection, reset, spent)


def budget_spent(counts: Counts, start: float, end: float) -> float | None:
    """Bad events of [start, end) as a share of a whole window's budget at the average traffic."""
    if counts.p == 0 or counts.total[-1] <= 0:
        return None
    at = [_step(counts, start), _step(counts, end)]
    bad = float(counts.bad[at[1]] - counts.bad[at[0]])
    return bad / whole_budget(counts)


def _step(counts: Counts, seconds: float) -> int:
    return int(np.clip(round((seconds - counts.history.start) / counts.step), 0, counts.n))


def whole_budget(counts: Counts) -> float:
    """(1 − target) of the events that a window has at the history's average traffic."""
    return float(counts.share) * float(counts.total[-1]) * counts.length / counts.n


def find_incidents(counts: Counts, least: float = LEAST_SHARE) -> list[Incident]:
    """Incidents that nobody labelled: stretches that spent at least ``least`` of the budget.

    A stretch is made of steps that spend faster than an even spend would, near ones joined. It
    knows only what was counted: a label by a person is always better.
    """
    if counts.p == 0 or counts.n == 0 or counts.total[-1] <= 0:
        return []
    debt = np.diff(counts.debt)
    costly = np.flatnonzero((debt > 0) & (np.arange(counts.n) >= counts.history.begin))
    if not len(costly):
        return []
    cuts = np.flatnonzero(np.diff(costly) * counts.step > JOIN)
    firsts = costly[np.concatenate(([0], cuts + 1))]
    lasts = costly[np.append(cuts, len(costly) - 1)]
    limit, found = least * whole_budget(counts), []
    for i in np.flatnonzero(counts.bad[lasts + 1] - counts.bad[firsts] >= limit).tolist():
        first, end = _kernel(debt, int(firsts[i]), int(lasts[i]))
        if counts.bad[end] - counts.bad[first] >= limit:
            start = counts.history.start
            found.append(Incident(start + first * counts.step, start + end * counts.step))
    return found


def _kernel(debt: FloatArray, first: int, last: int) -> tuple[int, int]:
    """[start, end) of the part of a stretch that spent the most beyond an even spend.

    Kadane's largest sum of consecutive values.
    """
    cum = np.concatenate(([0.0], np.cumsum(debt[first : last + 1])))
    gain = cum[1:] - np.minimum.accumulate(cum)[:-1]
    end = int(np.argmax(gain))
    return first + int(np.argmin(cum[: end + 1])), first + end + 1
