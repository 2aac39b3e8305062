"""Doors of the backtest: an SLO's history from the ledger, plans by name, a report as JSON."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from decimal import Decimal
from typing import Any

import numpy as np
from sqlalchemy import Connection

from watchkeeper.alerting.backtest import grid
from watchkeeper.alerting.backtest.alarms import told
from watchkeeper.alerting.backtest.history import MOST_MINUTES, of_minutes
from watchkeeper.alerting.backtest.model import History, Incident, Plan, Report, Score
from watchkeeper.alerting.backtest.run import longest_look_back, run
from watchkeeper.alerting.policies.rules import rules_in, rules_of
from watchkeeper.kernel.clock import Seconds, iso, minute_of, window_end
from watchkeeper.kernel.errors import NotFound, UserError
from watchkeeper.slo import gather, ledger, store
from watchkeeper.slo.fleet import Subject
from watchkeeper.slo.subjects import row_key, subjects, unknown, wanted
from watchkeeper.slo.view import View
from watchkeeper.slo.windows import Bounds
from watchkeeper.spec.model import Specs

SETS = ("usual", "workbook")


def plans_for(specs: Specs, slo: str, target: Decimal, names: Sequence[str]) -> list[Plan]:
    """Plans by name: alert policies of the specs, ``default``, or a set: usual, workbook.

    Without names: what the SLO has now (``present``), and the usual ones. Raises NotFound.
    """
    if not names:
        rules, guards = rules_of(slo, specs)
        ours = grid.DEFAULT_PLAN
        present = (
            [] if (rules, guards) == (ours.rules, ours.guards) else [("present", rules, guards)]
        )
        return [*(Plan(*p) for p in present), *grid.usual()]
    found: list[Plan] = []
    for name in names:
        if name in specs.alert_policies:
            policy = specs.alert_policies[name]
            found.append(Plan(name, rules_in(policy), policy.guards))
        elif name == "workbook":
            found += grid.workbook(target)
        elif name == "usual":
            found += grid.usual()
        else:
            found.append(_one_of_ours(name, specs))
    return found


def _one_of_ours(name: str, specs: Specs) -> Plan:
    usual = {p.name: p for p in grid.usual()}
    if name in usual:
        return usual[name]
    known = [*specs.alert_policies, *SETS, *usual]
    near = difflib.get_close_matches(name, known, n=1)
    hint = f"Did you mean {near[0]!r}?" if near else f"There is: {', '.join(known)}."
    raise NotFound(f"There is no policy {name!r}.", hint)


def backtest(
    conn: Connection,
    specs: Specs,
    name: str,
    start: Seconds,
    end: Seconds,
    plans: Sequence[Plan],
    incidents: Sequence[Incident] | None = None,
) -> Report:
    """What these plans would have done over the ledger's history of one SLO (or instance).

    Corrected intervals do not count; the target is the present one throughout, as the question is
    what a policy would do for the objective as it is. Raises NotFound, UserError.
    """
    subject = subject_of(conn, specs, name)
    definition = subject.definition
    look_back = longest_look_back(plans, definition.window)
    history = from_ledger(conn, subject, start, end, look_back)
    return run(history, definition.target, definition.window, plans, incidents, subject.name)


def subject_of(conn: Connection, specs: Specs, name: str) -> Subject:
    """The SLO or instance of this name. Raises NotFound."""
    defined = wanted(specs, [name])
    found = ledger.find(conn, sorted({row_key(d) for d in defined}))
    rows = {key: [(r.id, r.group) for r in known] for key, known in found.items()}
    chosen = subjects(specs, defined, rows)
    subject = next((s for s in chosen if s.name == name), None)
    if subject is None:
        raise unknown(name, [s.name for s in chosen])
    return subject


def from_ledger(
    conn: Connection, subject: Subject, start: Seconds, end: Seconds, look_back: float
) -> History:
    """The ledger's minutes of [start − look_back, end), without corrected intervals.

    What lies before the first data is not read: it holds nothing.
    """
    first, begin, last = minute_of(start - look_back), minute_of(start), window_end(end)
    if end <= start:
        raise UserError("the history ends before it begins", "Give an end after the start.")
    if last - begin > MOST_MINUTES:
        raise UserError("the history is longer than two years", "Choose a shorter time.")
    if subject.sli_id < 0:
        raise UserError(f"nothing was ever measured for {subject.name!r}", "Is its source running?")
    known = int(ledger.spans(conn, np.asarray([subject.sli_id], dtype=np.int64))[0, 0])
    if known < 0 or known >= last:
        raise UserError(
            f"nothing was measured for {subject.name!r} in that time", "Choose a later one."
        )
    first = min(max(first, known), begin)
    corrections = store.corrections_by_slo(conn)
    whole = Bounds(first, last, last, rolling=True)
    view = View(
        gather.reader(conn, subject.sli_id), gather.terms_of(subject, whole, {}, corrections)
    )
    minutes = np.arange(first, last + 1, dtype=np.int64)
    return of_minutes(view.cum(minutes), first, max(begin, known))


# ---------------------------------------------------------------- the published form


def report_json(report: Report) -> dict[str, Any]:
    """A report as others script against it: seconds, shares, RFC 3339 times."""
    best = report.recommendation
    return {
        "slo": report.slo,
        "from": iso(report.start),
        "to": iso(report.end),
        "incidents": [
            {"name": i.name, "start": iso(i.start), "end": iso(i.end)} for i in report.incidents
        ],
        "incidents_inferred": report.inferred,
        "policies": [_score_json(s) for s in report.scores],
        "recommendation": {"policy": best.plan, "reason": best.reason} if best else None,
        "notes": list(report.notes),
    }


def _score_json(score: Score) -> dict[str, Any]:
    return {
        "policy": score.plan.name,
        "rules": [{"rule": told(r), "urgency": str(r.urgency)} for r in score.plan.rules],
        "pages": score.pages,
        "tickets": score.tickets,
        "pages_per_week": score.pages_per_week,
        "tickets_per_week": score.tickets_per_week,
        "precision": score.precision,
        "recall": score.recall,
        "detection_seconds": score.median("detection"),
        "reset_seconds": score.median("reset"),
        "budget_used_at_detection": score.median("budget"),
        "incidents": [
            {
                "name": t.incident.name,
                "start": iso(t.incident.start),
                "detection_seconds": t.detection,
                "reset_seconds": t.reset,
                "budget_used": t.budget,
            }
            for t in score.told
        ],
        "alerts": [
            {
                "urgency": str(a.urgency),
                "opened": iso(a.opened),
                "closed": None if a.closed is None else iso(a.closed),
                "rules": list(a.rules),
            }
            for a in score.alarms
        ],
    }
