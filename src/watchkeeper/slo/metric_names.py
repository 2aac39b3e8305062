"""The metrics that `serve` exports of every SLO, by name: one list for `/metrics`, rules, boards.

Every sample carries the labels of :func:`labels`. Ratios are fractions (0.999), times are seconds.
A value that does not exist (no evidence, never exhausted) is left out, not exported as NaN; only
``time_to_exhaustion_seconds`` says "never" as ``+Inf``.
"""

from __future__ import annotations

from dataclasses import dataclass

from watchkeeper.slo.model import BURN_WINDOWS, SloStatus


@dataclass(frozen=True, slots=True)
class Metric:
    """A metric as exported: its full name, Prometheus type, help, and labels beyond the common."""

    name: str
    type: str
    help: str
    labels: tuple[str, ...] = ()


EVENTS = Metric("watchkeeper_slo_events_total", "counter", "Events counted since the first.")
GOOD = Metric("watchkeeper_slo_good_total", "counter", "Good events counted since the first.")
OBJECTIVE = Metric("watchkeeper_slo_objective_ratio", "gauge", "The target, 0 to 1.")
ATTAINMENT = Metric(
    "watchkeeper_slo_attainment_ratio", "gauge", "Good events / all events in the window."
)
BUDGET_REMAINING = Metric(
    "watchkeeper_slo_budget_remaining_ratio",
    "gauge",
    "Share of the error budget that is left; below 0 when overspent.",
)
BURN_RATE = Metric(
    "watchkeeper_slo_burn_rate",
    "gauge",
    "Budget burnt over a window, as a multiple of an even spend.",
    ("window",),
)
TIME_TO_EXHAUSTION = Metric(
    "watchkeeper_slo_time_to_exhaustion_seconds",
    "gauge",
    "Seconds until the budget is spent at the present error rate; +Inf: never; 0: spent.",
)

METRICS = (EVENTS, GOOD, OBJECTIVE, ATTAINMENT, BUDGET_REMAINING, BURN_RATE, TIME_TO_EXHAUSTION)
COMMON_LABELS = ("slo", "group", "service", "team")
EXPORTED_WINDOWS = tuple(name for name, _ in BURN_WINDOWS)
"""Windows that ``watchkeeper_slo_burn_rate`` always has; the SLO's own window is added."""


def split_name(name: str) -> tuple[str, str]:
    """An SLO's defined name and its group: ``api[tenant=a]`` → (``api``, ``tenant=a``)."""
    head, bracket, tail = name.partition("[")
    return (head, tail.removesuffix("]")) if bracket else (name, "")


def labels(status: SloStatus) -> dict[str, str]:
    """The labels of every sample of this SLO, in the order of ``COMMON_LABELS``."""
    slo, group = split_name(status.name)
    return {"slo": slo, "group": group, "service": status.service, "team": status.team or ""}
