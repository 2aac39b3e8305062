"""What other targets would have meant over history, and the cost of the next nine. Pure."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction

import numpy as np

from watchkeeper.alerting.backtest.alarms import alarms
from watchkeeper.alerting.backtest.model import History, Plan
from watchkeeper.alerting.backtest.windows import Counts
from watchkeeper.alerting.model import Urgency
from watchkeeper.causes.model import Account, Entry, Episode
from watchkeeper.kernel.clock import Seconds
from watchkeeper.policy.model import Terms
from watchkeeper.slo.model import BoolArray
from watchkeeper.slo.versions import allowance
from watchkeeper.spec.model import Window

DAY = 86_400
RUNGS = tuple(
    Decimal(t)
    for t in ("0.9", "0.95", "0.98", "0.99", "0.995", "0.998", "0.999", "0.9995", "0.9999",
              "0.99995", "0.99999")
)  # fmt: skip
BELOW, ABOVE = 2, 3
MOST_CAUSES = 20


@dataclass(frozen=True, slots=True)
class Rung:
    """One target over history.

    ``bad``, ``total`` and ``budget`` (bad events that it allows) are of the present window,
    ``consumed`` the share of that budget, None without evidence. ``depleted_days``: days with at
    least one minute in which the policy would have called the budget depleted; ``halted``: changes
    that would have waited then. ``pages``: how often the present alert policy would have paged.
    """

    target: Decimal
    now: bool
    bad: Fraction
    total: Fraction
    budget: Fraction
    consumed: float | None
    depleted_days: int
    halted: int
    pages: int


@dataclass(frozen=True, slots=True)
class Gone:
    """A cause that would have to be gone, and what is left of the bad events then."""

    entry: Entry
    left: Fraction


@dataclass(frozen=True, slots=True)
class NextNine:
    """What a tenth of the allowance would ask: ``surplus`` bad events of the window must go.

    ``causes``: the costliest first, until it is met; ``met`` is False when all causes that are
    known together do not suffice: what fails steadily is too much alone.
    """

    target: Decimal
    bad: Fraction
    budget: Fraction
    surplus: Fraction
    causes: tuple[Gone, ...]
    met: bool


def rungs_around(target: Decimal) -> list[Decimal]:
    """Targets to compare: some looser, the present one, some stricter."""
    looser = [t for t in RUNGS if t < target][-BELOW:]
    return [*looser, target, *[t for t in RUNGS if t > target][:ABOVE]]


def rung(
    target: Decimal, now: Decimal, counts: Counts, plan: Plan, terms: Terms,
    changes: Sequence[tuple[Seconds, str]],
) -> Rung:  # fmt: skip
    """One target over the history of ``counts`` (made with that target).

    ``changes``: when those of the service began, and their intent ('' when it was not told: it
    counts as a feature, as the gate's question would).
    """
    bad, total = counts.own("bad"), counts.own("total")
    spent = depleted(counts, terms)
    share = allowance(target)
    its_bad, its_total = Fraction(float(bad[-1])), Fraction(float(total[-1]))
    budget = its_total * share
    halts = terms.halt.get("depleted", ())
    waits = sum(_spent_at(spent, counts.history, at) for at, what in changes if what in halts)
    pages = sum(a.urgency is Urgency.PAGE for a in alarms(plan, counts))
    used = float(its_bad / budget) if budget else None
    return Rung(target, target == now, its_bad, its_total, budget, used,
                depleted_days(spent, counts.history), waits, pages)  # fmt: skip


def depleted(counts: Counts, terms: Terms) -> BoolArray:
    """[n] after which steps no more is left than the policy calls depleted; exact for counts.

    left <= d means bad >= total · (1 − target) · (1 − d), in whole numbers.
    """
    limit = counts.share * (1 - Fraction(Decimal(repr(terms.depleted))))
    bad, total = counts.own("bad"), counts.own("total")
    if not counts.share:  # nothing is allowed: any bad event spends it
        spent: BoolArray = bad > 0
        return spent
    found: BoolArray = bad * limit.denominator >= total * limit.numerator
    return found & (total > 0)


def depleted_days(spent: BoolArray, history: History) -> int:
    """On how many days (UTC) of what is judged the budget was depleted at least for a step."""
    at = np.flatnonzero(spent[history.begin :]) + history.begin
    days = (history.start + at * history.step) // DAY
    return len(np.unique(days))


def _spent_at(spent: BoolArray, history: History, at: Seconds) -> bool:
    i = math.floor((at - history.start) / history.step)
    return history.begin <= i < len(spent) and bool(spent[i])


def ladder(
    history: History, target: Decimal, window: Window, plan: Plan, terms: Terms,
    changes: Sequence[tuple[Seconds, str]],
) -> list[Rung]:  # fmt: skip
    """What each target around the present one would have meant."""
    return [
        rung(t, target, Counts(history, t, window), plan, terms, changes)
        for t in rungs_around(target)
    ]


# ---------------------------------------------------------------- the next nine


def next_nine(account: Account, target: Decimal) -> NextNine:
    """What it takes to have a tenth of the allowance, by the account of the present window."""
    stricter = 1 - (1 - target) / 10
    budget = account.total * allowance(stricter)
    surplus = max(Fraction(0), account.consumed - Fraction(math.floor(budget)))
    left, gone = account.consumed, list[Gone]()
    for entry in account.entries:
        if left <= budget or entry.episode is None or len(gone) == MOST_CAUSES:
            break
        left -= entry.bad
        gone.append(Gone(entry, left))
    return NextNine(stricter, account.consumed, budget, surplus, tuple(gone), left <= budget)


def worst(account: Account) -> tuple[Episode, Fraction] | None:
    """The episode of the window that cost the most bad events, and how many."""
    costs: dict[Episode, Fraction] = {}
    for entry in account.entries:
        if entry.episode is not None:
            costs[entry.episode] = costs.get(entry.episode, Fraction(0)) + entry.bad
    found = max(_by_cost(costs), default=None)
    return None if found is None else (found[2], found[0])


def _by_cost(costs: Mapping[Episode, Fraction]) -> list[tuple[Fraction, int, Episode]]:
    return [(bad, -episode.start, episode) for episode, bad in costs.items() if bad > 0]
