"""The objectives of an overview's address as CSV or JSON. Pure."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Sequence

from watchkeeper.kernel.clock import iso
from watchkeeper.slo.contract import status_json, whole
from watchkeeper.slo.model import SloStatus

HEAD = (
    "name",
    "display_name",
    "service",
    "journey",
    "aspect",
    "team",
    "state",
    "look",
    "target",
    "window",
    "attainment",
    "good",
    "total",
    "budget_total",
    "budget_remaining",
    "budget_remaining_ratio",
    "burn_rate_1h",
    "time_to_exhaustion_seconds",
    "as_of",
)


def to_json(statuses: Sequence[SloStatus]) -> str:
    """The contract's form of each, as an array."""
    return json.dumps([status_json(s) for s in statuses], indent=1)


def to_csv(statuses: Sequence[SloStatus]) -> str:
    """One line each, with a head; RFC 4180."""
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(HEAD)
    for status in statuses:
        writer.writerow([_cell(value) for value in _values(status)])
    return out.getvalue()


def _values(status: SloStatus) -> tuple[object, ...]:
    return (
        status.name,
        status.display_name,
        status.service,
        status.journey,
        status.aspect,
        status.team,
        str(status.state),
        str(status.look),
        float(status.target),
        status.window,
        status.attainment,
        whole(status.events.good),
        whole(status.events.total),
        whole(status.budget.total),
        whole(status.budget.remaining),
        status.budget.remaining_ratio,
        status.burn_rate.get("1h"),
        status.time_to_exhaustion_seconds,
        iso(status.as_of),
    )


def _cell(value: object) -> object:
    """Text that a spreadsheet would run as a formula is marked as text."""
    if isinstance(value, str) and value.startswith(("=", "+", "-", "@", "\t", "\r")):
        return f"'{value}"
    return "" if value is None else value
