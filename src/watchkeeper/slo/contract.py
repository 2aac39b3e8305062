"""The published form of an SLO's status: the same JSON from the API, `status` and `evaluate`."""

from __future__ import annotations

from typing import Any

from watchkeeper.kernel.clock import iso
from watchkeeper.slo.model import Events, SloStatus


def status_json(status: SloStatus) -> dict[str, Any]:
    """One SLO as others script against it.

    Ratios are fractions (0.999), counts are integers where they are whole, times are UTC RFC 3339,
    ``time_to_exhaustion_seconds`` is null for "never" and 0 when the budget is spent.
    """
    return {
        "name": status.name,
        "display_name": status.display_name,
        "service": status.service,
        "journey": status.journey,
        "team": status.team,
        "aspect": status.aspect,
        "target": float(status.target),
        "window": status.window,
        "window_start": iso(status.window_start * 60),
        "window_end": iso(status.window_end * 60),
        "attainment": status.attainment,
        "events": _events(status.events),
        "budget": {
            "total": whole(status.budget.total),
            "consumed": whole(status.budget.consumed),
            "remaining": whole(status.budget.remaining),
            "remaining_ratio": status.budget.remaining_ratio,
            "minutes_total": status.budget.minutes_total,
            "minutes_consumed": status.budget.minutes_consumed,
            "minutes_remaining": status.budget.minutes_remaining,
        },
        "burn_rate": dict(status.burn_rate),
        "time_to_exhaustion_seconds": status.time_to_exhaustion_seconds,
        "time_to_exhaustion_plain_seconds": status.time_to_exhaustion_plain_seconds,
        "recovers_in_seconds": status.recovers_in_seconds,
        "state": str(status.state),
        "burning": str(status.look) == "burn",
        "as_of": iso(status.as_of),
        "labels": dict(status.labels),
        "warnings": list(status.warnings),
        "defined_at": f"{status.file}:{status.line}" if status.file else None,
    }


def _events(events: Events) -> dict[str, Any]:
    return {
        "good": whole(events.good),
        "total": whole(events.total),
        "bad": whole(events.bad),
        "seen_minutes": events.seen,
    }


def whole(value: float) -> float | int:
    """The number as an integer where it is one, so that counts read as counts."""
    return int(value) if value == value and abs(value) < 2**53 and value == int(value) else value
