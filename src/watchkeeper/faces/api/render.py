"""Values of the rooms as JSON."""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from watchkeeper.kernel.clock import Seconds, iso
from watchkeeper.kernel.errors import UserError
from watchkeeper.measure.model import SourceHealth
from watchkeeper.slo.contract import status_json, whole
from watchkeeper.slo.model import Correction, Series, SloDetail, SloStatus
from watchkeeper.spec.model import JourneyDefinition, ServiceDefinition

FAR_FUTURE = 253_402_300_800.0  # the year 10000


def filtered(
    statuses: Sequence[SloStatus],
    state: str | None,
    service: str | None,
    team: str | None,
    journey: str | None,
    q: str,
) -> list[SloStatus]:
    """Those that match, least budget first; ones without evidence last."""
    needle = q.lower()
    wanted = [
        s
        for s in statuses
        if (state is None or s.state == state)
        and (service is None or s.service == service)
        and (team is None or s.team == team)
        and (journey is None or s.journey == journey)
        and (not needle or needle in s.name.lower() or needle in s.service.lower())
    ]
    return sorted(wanted, key=_least_first)


def _least_first(status: SloStatus) -> tuple[bool, float, str]:
    left = status.budget.remaining_ratio
    return left is None, left or 0.0, status.name


def seconds(value: float | str) -> Seconds:
    """An instant from RFC 3339 (no zone: UTC) or epoch seconds; UserError when it is neither."""
    if isinstance(value, str):
        try:
            moment = datetime.fromisoformat(value)
            value = (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
        except (ValueError, OverflowError):
            raise UserError(f"{value!r} is not a time.", "Expected 2026-11-23T14:00:00Z.") from None
    if not math.isfinite(value) or not 0 <= value < FAR_FUTURE:
        raise UserError(
            f"{value} is not a time we can keep.", "Expected epoch seconds from 1970 on."
        )
    return float(value)


def detail_json(detail: SloDetail) -> dict[str, Any]:
    """One SLO in depth."""
    return {
        **status_json(detail.status),
        "revision": detail.revision,
        "burn_down": [
            {"at": iso(int(m) * 60), "left": _number(left), "even": _number(even)}
            for m, left, even in zip(
                detail.burn_down.minutes, detail.burn_down.left, detail.burn_down.even, strict=True
            )
        ],
        "per_hour": series_json(detail.per_hour),
        "per_minute": series_json(detail.per_minute),
        "spends": [
            {
                "from": iso(s.start * 60),
                "to": iso(s.end * 60),
                "bad": whole(s.bad),
                "share": s.share,
                "ongoing": s.ongoing,
            }
            for s in detail.spends
        ],
        "elsewhere": whole(detail.elsewhere),
        "corrections": [correction_json(c) for c in detail.corrections],
        "targets": [
            {"since": iso(v.since * 60), "target": float(v.target)} for v in detail.versions
        ],
        "unseen_minutes": detail.unseen_minutes,
    }


def series_json(series: Series) -> list[dict[str, Any]]:
    """Events per step."""
    return [
        {"at": iso(int(m) * 60), "good": whole(float(g)), "total": whole(float(t)), "seen": int(s)}
        for m, g, t, s in zip(series.starts, series.good, series.total, series.seen, strict=True)
    ]


def correction_json(correction: Correction) -> dict[str, Any]:
    """A correction."""
    return {
        "id": correction.id,
        "slo": correction.slo,
        "from": iso(correction.start * 60),
        "to": iso(correction.end * 60),
        "reason": correction.reason,
        "author": correction.author,
        "created_at": iso(correction.created_at),
    }


def service_json(service: ServiceDefinition) -> dict[str, Any]:
    """A service."""
    return {
        "name": service.name,
        "display_name": service.display_name,
        "description": service.description,
        "owner": service.owner,
        "tier": service.tier,
        "depends_on": list(service.depends_on),
        "links": dict(service.links),
    }


def journey_json(journey: JourneyDefinition) -> dict[str, Any]:
    """A journey."""
    return {
        "name": journey.name,
        "display_name": journey.display_name,
        "service": journey.service,
        "critical": journey.critical,
        "slos": list(journey.slos),
    }


def source_json(health: SourceHealth) -> dict[str, Any]:
    """A source's health."""
    return {
        "name": health.name,
        "type": health.type,
        "last_success": iso(health.last_success) if health.last_success else None,
        "last_error": health.last_error,
        "lag_seconds": health.lag_seconds,
        "notes": [
            {"kind": n.kind, "message": n.message, "at": iso(n.at), "count": n.count, "sli": n.sli}
            for n in health.notes
        ],
    }


def _number(value: float) -> float | None:
    return None if math.isnan(value) else float(value)
