"""An alert explains itself: one sentence with its numbers, and the numbers. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from watchkeeper.kernel import text
from watchkeeper.kernel.clock import Seconds, iso
from watchkeeper.slo.model import Events, SloStatus
from watchkeeper.spec.duty import AlertRule, BurnRule, ConsumedRule, ExhaustionRule, NoDataRule

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
        left = status.budget.remaining_ratio or 0.0
        return f"{name}: {text.percent(1.0 - left)} of the budget of {status.window} is consumed"
    fate = _fate(status, now)
    if events is None:
        return f"{name}: {fate}"
    hours = rule.long.text if isinstance(rule, BurnRule) else "1h"
    share = events.bad / events.total if events.total else 0.0
    counts = f"{round(events.bad, 2):,.12g} of {round(events.total, 2):,.12g}"
    burn = share / (1.0 - float(status.target))
    said = f"{text.percent(share, 2)} bad in the last {hours} ({counts}), {burn:.3g}× too fast"
    return f"{name}: {said}; {fate}"


def _fate(status: SloStatus, now: Seconds) -> str:
    left = status.time_to_exhaustion_seconds
    if left is None:
        return f"the budget of {status.window} lasts"
    if left == 0:
        return f"the budget of {status.window} is spent"
    burn = status.burn_rate.get(LATELY)
    remains = status.budget.remaining_ratio
    if burn is not None and burn < 1.0 and remains is not None:
        # What the last hour would cost if it went on frightens nobody rightly: it does not go on.
        left_now = text.percent(remains, 1)
        return f"the last {text.duration(300)} were fine; {left_now} of the budget is left"
    at = text.clock_time(now + left, now)
    return f"the budget of {status.window} is gone in {text.duration(left)}, at {at} UTC"


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
            return f"burn over {rule.long} and {rule.short} is {shown}, at least {rule.factor:g}×"
        case ConsumedRule():
            return f"at least {text.percent(rule.share)} of the budget is consumed"
        case NoDataRule():
            return f"no minute of the last {text.duration(rule.after)} was observed"
