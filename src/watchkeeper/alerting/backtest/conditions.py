"""Where a rule holds: the conditions of ``policies.rules`` for all steps at once. Pure.

Each function returns [n] booleans, true at the end of a step where the rule would fire.
"""

from __future__ import annotations

from fractions import Fraction

import numpy as np

from watchkeeper.alerting.backtest import chances
from watchkeeper.alerting.backtest.model import PlanRule, RatioRule
from watchkeeper.alerting.backtest.windows import Counts
from watchkeeper.alerting.policies.rules import BLIND_MINUTES
from watchkeeper.kernel.clock import MINUTE
from watchkeeper.slo.model import BoolArray, FloatArray, IntArray
from watchkeeper.spec.duty import BurnRule, ConsumedRule, ExhaustionRule, Guards, NoDataRule

LATELY = 300.0
HOUR = 3600.0
_CELLS = 2_000_000


def holds(rule: PlanRule, counts: Counts, guards: Guards) -> BoolArray:
    """Where this rule holds with its guards; ratios, consumption and silence know no guards."""
    found = counts.once(rule, lambda: _condition(rule, counts))
    match rule:
        case ExhaustionRule():
            return guarded(found, counts, counts.steps(HOUR), guards)
        case BurnRule():
            return guarded(found, counts, counts.steps(rule.long.average_seconds), guards)
        case _:
            return found


def _condition(rule: PlanRule, counts: Counts) -> BoolArray:
    match rule:
        case ExhaustionRule():
            return exhausting(rule, counts)
        case BurnRule():
            return burning(rule, counts)
        case ConsumedRule():
            return consumed(rule, counts)
        case NoDataRule():
            return silent(rule, counts)
        case RatioRule():
            return exceeding(rule, counts)


def burning(rule: BurnRule, counts: Counts) -> BoolArray:
    """Burn of at least the factor over both windows: ``bad >= factor · (1 − target) · total``."""
    factor = Fraction(str(rule.factor))
    short, long = (counts.steps(d.average_seconds) for d in (rule.short, rule.long))
    found = _burns(counts, long, factor)
    return found & _burns(counts, short, factor) if short != long and found.any() else found


def _burns(counts: Counts, steps: int, factor: Fraction) -> BoolArray:
    if counts.p == 0:  # nothing is allowed: no burn rate can be told
        return np.zeros(counts.n, dtype=bool)
    up, down = (counts.share * factor).numerator, (counts.share * factor).denominator
    total = counts.of("total", steps)
    found: BoolArray = counts.of("bad", steps) * down >= total * up
    found &= total > 0
    return found


def guarded(found: BoolArray, counts: Counts, steps: int, guards: Guards) -> BoolArray:
    """Where there is evidence enough over the last so many steps as well."""
    if not found.any():
        return found
    bad, total = counts.of("bad", steps), counts.of("total", steps)
    found = found & (total >= guards.min_events) & (bad >= guards.min_bad)
    if guards.significance is not None and found.any():
        at = np.flatnonzero(found)
        share = float(counts.share)
        found[at] = chances.below(bad[at], total[at], share, guards.significance)
    return found


def consumed(rule: ConsumedRule, counts: Counts) -> BoolArray:
    """At least this share of the own window's budget is spent."""
    bad, total = counts.own("bad"), counts.own("total")
    if counts.p == 0:  # untouched it is all left, else nothing
        spent: BoolArray = (total > 0) & ((bad > 0) if rule.share > 0 else True) & (rule.share <= 1)
        return spent
    share = counts.share * Fraction(str(rule.share))
    found: BoolArray = (bad * share.denominator >= total * share.numerator) & (total > 0)
    return found


def silent(rule: NoDataRule, counts: Counts) -> BoolArray:
    """Nothing was observed for so long, nor in the last five minutes, but in the SLO's window."""
    found: BoolArray = (counts.of("seen", counts.steps(rule.after)) <= 0) & unseen(counts)
    found &= counts.own("seen") > 0
    return found


def unseen(counts: Counts) -> BoolArray:
    """[n] where not one of the last minutes was observed: then nothing closes."""
    steps = counts.steps(BLIND_MINUTES * MINUTE)
    found: BoolArray = (counts.of("seen", steps) <= 0) & (counts.of("total", steps) <= 0)
    return found


def exceeding(rule: RatioRule, counts: Counts) -> BoolArray:
    """Error ratio above the threshold at each step of the last ``lasting`` seconds and now."""
    steps = counts.steps(rule.window.average_seconds)
    limit = Fraction(rule.above)
    total = counts.of("total", steps)
    over = (counts.of("bad", steps) * limit.denominator > total * limit.numerator) & (total > 0)
    if rule.lasting <= 0 or not over.any():
        return over
    # Prometheus' ``for``: from the first step at which it held, unbroken, so long ago at least.
    since = np.arange(counts.n)
    last_false = np.maximum.accumulate(np.where(over, -1, since))
    return over & ((since - last_false - 1) * counts.step >= rule.lasting)


# ---------------------------------------------------------------- exhaustion


def exhausting(rule: ExhaustionRule, counts: Counts) -> BoolArray:
    """The budget is gone within ``within`` seconds if the last hour goes on.

    The last hour, and its last five minutes, must burn at 1 or more. A spent budget exhausts
    nothing, so a page ends there;
    less urgent rules go on.
    """
    hour = counts.steps(HOUR)
    debt_now = counts.of("debt", hour)
    lately = counts.steps(LATELY)
    burns = (debt_now >= 0) & (counts.of("total", hour) > 0)
    burns &= (counts.of("debt", lately) >= 0) & (counts.of("total", lately) > 0)
    if counts.p == 0 or not burns.any():
        return np.zeros(counts.n, dtype=bool)
    debt, bad = counts.own("debt"), counts.own("bad")
    spent = (debt >= 0) & (bad > 0)
    going = burns & ~spent & (counts.own("total") > 0)
    if not rule.roll_off:
        soon = _plainly(rule, counts, going)
    elif counts.rolling:
        soon = _rolling(rule, counts, going & (counts.of("seen", hour) > 0))
    else:
        soon = _within_period(rule, counts, going & (counts.of("seen", hour) > 0))
    return soon if rule.urgency == "page" else soon | (burns & spent)


def _plainly(rule: ExhaustionRule, counts: Counts, going: BoolArray) -> BoolArray:
    """Remaining share × window / burn over the last hour, as others reckon."""
    hour = counts.steps(HOUR)
    with np.errstate(divide="ignore", invalid="ignore"):
        allowed = counts.own("total") * counts.p
        left = (allowed - counts.own("bad") * counts.q) / allowed
        burn = counts.of("bad", hour) * counts.q / (counts.of("total", hour) * counts.p)
        minutes = _length_minutes(counts)
        soon: BoolArray = left * minutes * MINUTE / burn <= rule.within
    return going & soon


def _length_minutes(counts: Counts) -> FloatArray:
    if counts.rolling:
        return np.full(counts.n, counts.length * counts.step / MINUTE)
    starts, left = counts.periods()
    return (np.arange(1, counts.n + 1) - starts + left) * counts.step / MINUTE


def _horizon(rule: ExhaustionRule, counts: Counts) -> int:
    """How many steps ahead a rule looks."""
    return int(rule.within // counts.step)


def _within_period(rule: ExhaustionRule, counts: Counts, going: BoolArray) -> BoolArray:
    """A calendar window forgets nothing, and the next period has a budget of its own."""
    _, left = counts.periods()
    ahead = np.minimum(_horizon(rule, counts), left)
    reach = _minutes_seen(counts) * counts.own("debt") + ahead * counts.of(
        "debt", counts.steps(HOUR)
    )
    found: BoolArray = going & (ahead > 0) & (reach >= 0)
    return found


def _minutes_seen(counts: Counts) -> FloatArray:
    """[n] observed steps of the last hour, at least 1: what the present rate is measured over."""
    hour = counts.steps(HOUR)
    found: FloatArray = np.clip(np.round(counts.of("seen", hour)), 1, hour)
    return found


def _rolling(rule: ExhaustionRule, counts: Counts, going: BoolArray) -> BoolArray:
    """With roll-off: left(k) = debt that leaves by k − debt of the whole + k · present rate.

    In debts D (cumulative), with e now, W the window, h the steps of the present rate and G its
    debt: ``h · (D[e − W + k] − D[e]) − k · G`` falls to zero for some k up to the horizon. As G is
    not negative, it is at least its smallest D over the horizon less all of the rate: where that
    stays above zero nothing need be looked at; where it is below at the horizon's end, all is said.
    """
    ahead = min(_horizon(rule, counts), counts.length)
    found = np.zeros(counts.n, dtype=bool)
    if ahead < 1 or not going.any():
        return found
    padded = np.concatenate((np.zeros(counts.length), counts.debt))  # D before the history is 0
    at = np.flatnonzero(going)
    end, rate = padded[at + 1 + counts.length], counts.of("debt", counts.steps(HOUR))[at]
    h = _minutes_seen(counts)[at]
    lowest = sliding_min(padded, ahead)[at + 2]
    may = h * (lowest - end) - ahead * rate <= 0
    at, end, rate, h = at[may], end[may], rate[may], h[may]
    for k in _probes(ahead):
        sure = h * (padded[at + 1 + k] - end) - k * rate < 0
        found[at[sure]] = True
        at, end, rate, h = at[~sure], end[~sure], rate[~sure], h[~sure]
    return _search(found, counts, padded, ahead, (at, end, rate, h))


def _probes(ahead: int) -> list[int]:
    """A few k that mostly say it already: the horizon's end first."""
    return sorted({max(1, ahead * i // 8) for i in range(1, 9)}, reverse=True)


def _search(
    found: BoolArray,
    counts: Counts,
    padded: FloatArray,
    ahead: int,
    rest: tuple[IntArray, FloatArray, FloatArray, FloatArray],
) -> BoolArray:
    """Every k of those that are not clear."""
    at, end, rate, h = rest
    k = np.arange(1, ahead + 1)
    rows = max(1, _CELLS // ahead)
    for i in range(0, len(at), rows):
        part = slice(i, i + rows)
        leaving = padded[at[part, None] + 1 + k]
        value = h[part, None] * (leaving - end[part, None]) - k * rate[part, None]
        hit = value < 0
        level = value == 0
        if level.any():
            hit |= level & (_bad_then(counts, at[part], k, h[part]) > 0)
        found[at[part]] = hit.any(axis=1)
    return found


def _bad_then(counts: Counts, at: IntArray, k: IntArray, h: FloatArray) -> FloatArray:
    """Bad events that would be in the window after k more steps, times h: 0 of 0 is not spent."""
    gone = counts.bad[np.clip(at[:, None] + 1 + k - counts.length, 0, None)]
    kept = counts.bad[at + 1][:, None] - gone
    now = counts.of("bad", counts.steps(HOUR))[at][:, None]
    found: FloatArray = h[:, None] * kept + k * now
    return found


def sliding_min(values: FloatArray, width: int) -> FloatArray:
    """[len − width + 1] the least of values[i : i + width] (van Herk, 1992: three passes)."""
    n = len(values)
    padded = np.full(-(-n // width) * width, np.inf)
    padded[:n] = values
    blocks = padded.reshape(-1, width)
    before = np.minimum.accumulate(blocks, axis=1).ravel()
    after = np.minimum.accumulate(blocks[:, ::-1], axis=1)[:, ::-1].ravel()
    count = n - width + 1
    found: FloatArray = np.minimum(after[:count], before[width - 1 : width - 1 + count])
    return found
