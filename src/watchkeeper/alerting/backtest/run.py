"""A backtest from counts to report. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

from watchkeeper.alerting.backtest.alarms import alarms
from watchkeeper.alerting.backtest.grid import recommend
from watchkeeper.alerting.backtest.model import History, Incident, Plan, Report
from watchkeeper.alerting.backtest.score import find_incidents, score
from watchkeeper.alerting.backtest.windows import Counts
from watchkeeper.spec.duty import BurnRule, ExhaustionRule, NoDataRule
from watchkeeper.spec.model import Window

HOUR = 3600.0


def run(
    history: History,
    target: Decimal,
    window: Window,
    plans: Sequence[Plan],
    incidents: Sequence[Incident] | None = None,
    name: str = "",
) -> Report:
    """What these plans would have done over this history, against these incidents.

    ``incidents`` None: they are found in the counts (stretches that cost 2 % of the budget), and
    the report says so. Incidents that lie outside what is judged are left out. Raises UserError
    for a calendar window over steps other than minutes.
    """
    counts = Counts(history, target, window)
    inferred = incidents is None
    found = find_incidents(counts) if incidents is None else list(incidents)
    inside = [i for i in found if i.end > history.judged_from and i.start < history.end]
    scores = [score(plan, alarms(plan, counts), inside, counts) for plan in plans]
    notes = _notes(counts, plans)
    if len(inside) < len(found):
        notes.append(f"{len(found) - len(inside)} incident(s) lie outside the history")
    return Report(
        name,
        history.judged_from,
        history.end,
        inside,
        inferred,
        scores,
        recommend(scores),
        tuple(notes),
    )


def longest_look_back(plans: Sequence[Plan], window: Window) -> float:
    """Seconds of history that the plans need before what is judged, to say what they would."""
    most = [HOUR]
    for rule in (r for plan in plans for r in plan.rules):
        if isinstance(rule, BurnRule):
            most.append(max(rule.long.average_seconds, rule.short.average_seconds))
        elif isinstance(rule, NoDataRule):
            most.append(rule.after)
        elif not isinstance(rule, ExhaustionRule) and hasattr(rule, "window"):
            most.append(rule.window.average_seconds)
        else:
            most.append(window.duration.average_seconds)
    return max(most)


def _notes(counts: Counts, plans: Sequence[Plan]) -> list[str]:
    notes: list[str] = []
    before = counts.history.begin * counts.step
    needed = longest_look_back(plans, counts.window)
    if before < needed and counts.n:
        notes.append(
            "the longest window looks back further than the history: what came before counts as "
            "nothing, so early alarms may differ"
        )
    unseen = counts.n - round(float(counts.seen[-1]))
    if unseen > 0:
        notes.append(f"{unseen} of {counts.n} steps were not observed")
    return notes
