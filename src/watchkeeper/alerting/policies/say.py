"""An alert explains itself: one sentence with its numbers, and the numbers. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from watchkeeper.kernel import text
from watchkeeper.kernel.clock import Seconds, iso
from watchkeeper.kernel.duration import parse_duration
from watchkeeper.slo.model import Events, SloStatus
from watchkeeper.spec.duty import AlertRule, BurnRule, ConsumedRule, ExhaustionRule, NoDataRule

HOUR = parse_duration("1h")
LATELY = "5m"
"""The window that says whether it is still going on."""

Reason = tuple[AlertRule, Events | None]


def summary(status: SloStatus, reasons: Sequence[Reason], now: Seconds) -> str:
    """What is wrong, by how much, and when the budget is gone."""
    name = status.display_name or status.name
    rule, events = reasons[0]
    if isinstance(rule, NoDataRule):
        return f"{name}: nothing was measured for {text.duration(rule.after)}"
    if isinstance(rule, ConsumedRule):
        return f"{name}: {_consumed(status)}"
    fate = _fate(status, now)
    if events is None:
        return f"{name}: {fate}"
    window = rule.long if isinstance(rule, BurnRule) else HOUR
    share = events.bad / events.total if events.total else 0.0
    counts = f"{round(events.bad, 2):,.12g} of {round(events.total, 2):,.12g}"
    burn = share / (1.0 - float(status.target))
    said = f"{text.percent(share, 2)} bad in the last {text.lately(window)} ({counts})"
    return f"{name}: {said}, {burn:.3g}× too fast; {fate}"


def _fate(status: SloStatus, now: Seconds) -> str:
    left = status.time_to_exhaustion_seconds
    if left is None:
        return f"{_budget(status)} lasts"
    if left == 0:
        return f"{_budget(status)} is spent"
    burn = status.burn_rate.get(LATELY)
    remains = status.budget.remaining_ratio
    if burn is not None and burn < 1.0 and remains is not None:
        # What the last hour would cost if it went on frightens nobody rightly: it does not go on.
        left_now = text.percent(remains, 1)
        return f"the last 5 minutes were fine; {left_now} of the budget is left"
    at = text.clock_time(now + left, now)
    return f"{_budget(status)} is gone in {text.duration(left)}, at {at} UTC"


def _consumed(status: SloStatus) -> str:
    left = status.budget.remaining_ratio or 0.0
    if left <= 0:
        return f"{_budget(status)} is spent" + (f", {text.left(left)}" if left else "")
    return f"{text.percent(1.0 - left, 1)} of {_budget(status)} is consumed"


def _budget(status: SloStatus) -> str:
    # A calendar window is named ``1M calendar``.
    length, _, calendar = status.window.partition(" ")
    if calendar:
        return f"the budget of this {text.lately(parse_duration(length))}"
    return f"the budget of {text.length(parse_duration(length))}"


def details(status: SloStatus, reasons: Sequence[Reason], now: Seconds) -> dict[str, Any]:
    """Every number that the decision was made with."""
    return {
        "explanation": "; ".join(_why(rule, events, status) for rule, events in reasons),
        "evidence": [
            {"bad": events.bad, "total": events.total, "seen_minutes": events.seen}
            for _, events in reasons
            if events is not None
        ],
        "target": float(status.target),
        "window": status.window,
        "attainment": status.attainment,
        "burn_rate": dict(status.burn_rate),
        "budget_remaining_ratio": status.budget.remaining_ratio,
        "time_to_exhaustion_seconds": status.time_to_exhaustion_seconds,
        "time_to_exhaustion_plain_seconds": status.time_to_exhaustion_plain_seconds,
        "decided_at": iso(now),
    }


def _why(rule: AlertRule, events: Events | None, status: SloStatus) -> str:
    match rule:
        case ExhaustionRule():
            way = "given what leaves the window" if rule.roll_off else "without roll-off"
            return f"the budget is gone within {text.duration(rule.within)}, {way}"
        case BurnRule():
            rates = (status.burn_rate.get(d.text) for d in (rule.long, rule.short))
            shown = " and ".join("–" if r is None else f"{r:.1f}×" for r in rates)
            said = f"burn over {text.length(rule.long)} and {text.length(rule.short)} is {shown}, "
            return f"{said}at least {rule.factor:g}×"
        case ConsumedRule():
            return f"at least {text.percent(rule.share)} of the budget is consumed"
        case NoDataRule():
            return f"no minute of the last {text.duration(rule.after)} was observed"
