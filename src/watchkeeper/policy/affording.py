"""What can we afford? Reads what causes attributed, and answers for a service or one objective."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from sqlalchemy import Connection

from watchkeeper.alerting.backtest import work as backtests
from watchkeeper.alerting.backtest.run import longest_look_back
from watchkeeper.causes import work as causes_work
from watchkeeper.causes.model import Account, Episode
from watchkeeper.changes import work as changes_work
from watchkeeper.changes.model import Change, Intent
from watchkeeper.changes.rules import away_from_users
from watchkeeper.kernel.clock import DAY_MINUTES, MINUTE, Seconds, window_end
from watchkeeper.kernel.errors import NotFound, UserError
from watchkeeper.policy import afford, ladder, rules
from watchkeeper.policy.afford import Fit, Group, Line, Spent, Spread
from watchkeeper.policy.ladder import NextNine, Rung
from watchkeeper.policy.model import Evidence, Standing, Terms
from watchkeeper.policy.work import standings_for
from watchkeeper.slo import detail as hourly
from watchkeeper.slo import ledger
from watchkeeper.slo import work as slo_work
from watchkeeper.slo.model import BURN_WINDOWS, SloStatus
from watchkeeper.slo.subjects import base_name
from watchkeeper.slo.versions import allowance
from watchkeeper.slo.view import GOOD, TOTAL
from watchkeeper.slo.windows import Bounds, bounds, label
from watchkeeper.spec.budget import BudgetPolicyDefinition, BudgetState
from watchkeeper.spec.model import Place, Specs

HISTORY_DAYS = 90
LONGEST_DAYS = 400
MOST_CHANGES = 1_000


@dataclass(frozen=True, slots=True)
class Purse:
    """The budget of one objective as its policy judges it, in bad events and in minutes.

    ``until``: when a calendar period ends; None for a rolling window.
    """

    slo: str
    policy: str
    target: str
    window: str
    left: float
    budget: Fraction
    minutes: float
    until: Seconds | None
    terms: Terms


@dataclass(frozen=True, slots=True)
class CostRow:
    """Changes of one kind or intent: what they cost of the objective, and how many more fit."""

    group: Group
    spread: Spread
    total: Fraction
    fit: Fit


@dataclass(frozen=True, slots=True)
class CostOf:
    """What one change cost."""

    change: Change
    bad: Fraction


@dataclass(frozen=True, slots=True)
class Recovery:
    """How the budget comes back if nothing more burns and traffic goes on as it was.

    ``path``: (when, share that is left). ``usable_at``: when it is no longer depleted,
    ``healthy_at``: above the policy's limit of at risk, ``whole_at``: all of it is back; None: it
    is so already, or not within one window.
    """

    path: tuple[tuple[Seconds, float], ...]
    usable_at: Seconds | None
    healthy_at: Seconds | None
    whole_at: Seconds | None


@dataclass(frozen=True, slots=True)
class Outage:
    """What one more outage like the worst of the window would leave."""

    episode: Episode
    bad: Fraction
    share: float
    left: float
    state: BudgetState


@dataclass(frozen=True, slots=True)
class Afford:
    """The answer. Everything but ``lines`` and fits is of the objective ``purse``."""

    service: str
    as_of: Seconds
    since: Seconds
    purse: Purse
    purses: tuple[Purse, ...]
    lines: tuple[Line, ...]
    costs: tuple[CostRow, ...]
    changes: tuple[CostOf, ...]
    spent: Spent
    consumed: Fraction
    recovery: Recovery
    outage: Outage | None
    rungs: tuple[Rung, ...]
    next_nine: NextNine


def afford_of(
    conn: Connection, specs: Specs, service: str, by_slo: rules.StatusesOf, now: Seconds,
    slo: str = "", days: int = HISTORY_DAYS,
) -> Afford:  # fmt: skip
    """What a service can afford, by all budgets that rule it or by one objective's (``slo``).

    ``days``: of history. Raises NotFound for what is not there, UserError without evidence.
    """
    if not 1 <= days <= LONGEST_DAYS:
        raise UserError(f"{days} days cannot be looked at.", f"1 to {LONGEST_DAYS}.")
    standings = standings_for(specs, service, by_slo)
    if slo and not any(e.slo == slo for s in standings for e in s.evidence):
        standings += _alone(by_slo, service, slo)
    purses = _purses(conn, specs, standings, by_slo, now)
    chosen = _chosen(service, purses, slo)
    used = [chosen] if slo else purses
    since = max(now - days * DAY_MINUTES * MINUTE, _first_seen(conn, specs, used))
    changes = _changes(conn, service, since, now)
    ids = [str(c.id) for c in changes]
    minutes = max(1, window_end(now) - int(since // MINUTE))
    accounts = {p.slo: causes_work.account(conn, specs, p.slo, now, minutes) for p in used}
    spent = {p.slo: afford.spent_of(accounts[p.slo], ids) for p in used}
    shares = {p.slo: {c: b / p.budget for c, b in spent[p.slo].own.items()} for p in used}
    lines = _lines(standings, used, one=bool(slo))
    own = spent[chosen.slo].own
    present = causes_work.account(conn, specs, chosen.slo, now)
    return Afford(
        service,
        now,
        since,
        chosen,
        tuple(purses),
        lines,
        tuple(_cost_row(g, own, lines, shares) for g in afford.groups_of(changes)),
        tuple(sorted((CostOf(c, own[str(c.id)]) for c in changes), key=lambda c: -c.bad)),
        spent[chosen.slo],
        accounts[chosen.slo].consumed,
        _recovery(conn, specs, chosen, now),
        _outage(present, chosen),
        tuple(_rungs(conn, specs, chosen, changes, since, now)),
        ladder.next_nine(present, specs.slos[base_name(chosen.slo)].target),
    )


def _cost_row(
    group: Group, own: Mapping[str, Fraction], lines: Sequence[Line],
    shares: Mapping[str, Mapping[str, Fraction]],
) -> CostRow:  # fmt: skip
    costs = [own[c] for c in group.changes]
    total = sum(costs, Fraction(0))
    return CostRow(group, afford.spread(costs), total, afford.fit_all(group, lines, shares))


# ---------------------------------------------------------------- whose budgets


def _alone(by_slo: rules.StatusesOf, service: str, slo: str) -> list[Standing]:
    """An objective of the service that no policy counts, by the built-in one."""
    policy = BudgetPolicyDefinition(rules.BUILT_IN, rules.BUILT_IN, Place("built in"))
    found = [s for s in by_slo.get(base_name(slo), ()) if s.name == slo and s.service == service]
    return [rules.judged(rules.terms_of(policy), rules.evidence_of(policy, found))] if found else []


def _purses(
    conn: Connection, specs: Specs, standings: Sequence[Standing], by_slo: rules.StatusesOf,
    now: Seconds,
) -> list[Purse]:  # fmt: skip
    """The budgets that have evidence, each once, the one with the least room first."""
    statuses = {s.name: s for found in by_slo.values() for s in found}
    found: dict[str, Purse] = {}
    for standing in standings:
        for seen in standing.evidence:
            made = _purse(conn, specs, standing.terms, seen, statuses[seen.slo], now)
            kept = found.get(seen.slo)
            if made is not None and (kept is None or _room(made) < _room(kept)):
                found[seen.slo] = made
    return sorted(found.values(), key=lambda p: (_room(p), p.slo))


def _room(purse: Purse) -> Fraction:
    """What may be spent before the budget is depleted, as a share of it."""
    return Fraction(repr(purse.left)) - Fraction(repr(purse.terms.depleted))


def _purse(
    conn: Connection, specs: Specs, terms: Terms, seen: Evidence, status: SloStatus, now: Seconds
) -> Purse | None:
    share = allowance(status.target)
    minutes = None if seen.window == status.window else dict(BURN_WINDOWS)[seen.window]
    if minutes is None:
        budget, length = Fraction(status.budget.total), status.budget.minutes_total
    else:
        events = slo_work.recent(conn, specs, [seen.slo], minutes, now).get(seen.slo)
        budget = Fraction(events.total if events else 0) * share
        length = float(share * minutes)
    if seen.left is None or budget <= 0:
        return None
    ends = None if minutes or status.period_end == status.window_end else status.period_end
    return Purse(
        seen.slo, terms.policy, seen.target, seen.window, seen.left, budget, length,
        None if ends is None else ends * float(MINUTE), terms,
    )  # fmt: skip


def _chosen(service: str, purses: Sequence[Purse], slo: str) -> Purse:
    if slo:
        found = next((p for p in purses if p.slo == slo), None)
        if found is None:
            known = ", ".join(p.slo for p in purses) or "none"
            raise NotFound(f"{slo!r} is no objective of {service} with evidence.", f"Has: {known}.")
        return found
    if not purses:
        raise UserError(
            f"No budget of {service} has evidence yet.",
            "Define an objective for it, and wait until requests were counted.",
        )
    return purses[0]


def _lines(standings: Sequence[Standing], used: Sequence[Purse], *, one: bool) -> tuple[Line, ...]:
    """What must last: each objective by the policy that is strictest; of a mean, the mean."""
    means = {s.terms.policy: s for s in standings if s.terms.combine == "mean" and not one}
    lines = [
        Line(p.slo, p.policy, p.left, _room(p), (p.slo,)) for p in used if p.policy not in means
    ]
    for name, standing in means.items():
        parts = tuple(p.slo for p in used if p.slo in {e.slo for e in standing.evidence})
        if parts and standing.left is not None:
            room = Fraction(repr(standing.left)) - Fraction(repr(standing.terms.depleted))
            lines.append(Line(name, name, standing.left, room, parts))
    return tuple(sorted(lines, key=lambda line: (line.room, line.name)))


# ---------------------------------------------------------------- history


def _first_seen(conn: Connection, specs: Specs, purses: Sequence[Purse]) -> Seconds:
    subjects = [slo_work.subject_of(conn, specs, p.slo) for p in purses]
    ids = np.asarray([s.sli_id for s in subjects if s.sli_id >= 0], dtype=np.int64)
    firsts = [first for first, _ in ledger.spans(conn, ids).tolist() if first >= 0]
    return min(firsts, default=0) * float(MINUTE)


def _changes(conn: Connection, service: str, since: Seconds, now: Seconds) -> list[Change]:
    """The service's changes that users could feel, the latest first.

    Those before anything was measured are not among them: what they cost is not known.
    """
    found = changes_work.changes_between(conn, [service], since, now, MOST_CHANGES)
    return [c for c in found if since <= c.started_at <= now and not away_from_users(c)]


def _rungs(
    conn: Connection, specs: Specs, purse: Purse, changes: Sequence[Change], since: Seconds,
    now: Seconds,
) -> list[Rung]:  # fmt: skip
    subject = backtests.subject_of(conn, specs, purse.slo)
    definition = subject.definition
    plan = backtests.plans_for(specs, definition.name, definition.target, ())[0]
    look_back = max(
        definition.window.duration.average_seconds + DAY_MINUTES * MINUTE,
        longest_look_back([plan], definition.window),
    )
    history = backtests.from_ledger(conn, subject, since, now, look_back)
    asked = [
        (c.started_at, "feature" if c.intent is Intent.UNKNOWN else str(c.intent)) for c in changes
    ]
    return ladder.ladder(history, definition.target, definition.window, plan, purse.terms, asked)


# ---------------------------------------------------------------- what is to come


def _recovery(conn: Connection, specs: Specs, purse: Purse, now: Seconds) -> Recovery:
    """Hour by hour, what was bad leaves a rolling window; a calendar period starts anew."""
    if purse.until is not None:
        at = purse.until
        below = purse.left <= purse.terms.depleted, purse.left <= purse.terms.at_risk
        usable, healthy, whole = (at if yes else None for yes in (*below, purse.left < 1))
        return Recovery(((now, purse.left), (at, 1.0)), usable, healthy, whole)
    subject = slo_work.subject_of(conn, specs, purse.slo)
    bound, end = bounds(subject.definition.window, now), window_end(now)
    if purse.window != label(subject.definition.window):
        bound = Bounds(end - dict(BURN_WINDOWS)[purse.window], end, end, rolling=True)
    edges = hourly.hours(bound.start, bound.end)
    cum = slo_work.view_of(conn, subject, bound).cum(edges)
    bad = cum[:, TOTAL] - cum[:, GOOD]
    steps = [
        ((int(edge) - bound.start + end) * float(MINUTE), 1 - float(Fraction(still) / purse.budget))
        for edge, still in zip(edges.tolist(), (bad[-1] - bad).tolist(), strict=True)
    ]
    usable = _first_above(steps, purse.left, purse.terms.depleted)
    healthy = _first_above(steps, purse.left, purse.terms.at_risk)
    whole = next((at for at, left in steps if left >= 1), None) if purse.left < 1 else None
    every = max(1, len(steps) // 28)
    return Recovery((*steps[:-1:every], steps[-1]), usable, healthy, whole)


def _first_above(
    steps: Sequence[tuple[Seconds, float]], left: float, limit: float
) -> Seconds | None:
    return next((at for at, share in steps if share > limit), None) if left <= limit else None


def _outage(present: Account, purse: Purse) -> Outage | None:
    found = ladder.worst(present)
    if found is None:
        return None
    episode, bad = found
    share = float(bad / purse.budget)
    left = purse.left - share
    return Outage(episode, bad, share, left, rules.state_of(left, purse.terms))
