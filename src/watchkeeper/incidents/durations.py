"""How long the parts of an incident took. Pure.

The four times that the field compares, each in seconds from when users began to be hurt
(``began_at``; when nobody knows that, from the detection):

- to detect: until the first alert, or until somebody declared it
- to acknowledge: from the detection until somebody had it
- to mitigate: until users were no longer hurt
- to resolve: until it was over
"""

from __future__ import annotations

from typing import NamedTuple

from watchkeeper.incidents.model import Incident
from watchkeeper.kernel.clock import Seconds


class Durations(NamedTuple):
    """Seconds; None: has not happened, or is not known."""

    detect: float | None
    acknowledge: float | None
    mitigate: float | None
    resolve: float | None


def durations(incident: Incident) -> Durations:
    """The times of an incident."""
    return between(
        incident.began_at, incident.detected_at, incident.acknowledged_at, incident.mitigated_at,
        incident.resolved_at,
    )  # fmt: skip


def between(
    began: Seconds | None, detected: Seconds | None, acknowledged: Seconds | None,
    mitigated: Seconds | None, resolved: Seconds | None,
) -> Durations:  # fmt: skip
    """The times between these moments."""
    start = began if began is not None else detected
    return Durations(
        _between(began, detected),
        _between(detected, acknowledged),
        _between(start, mitigated),
        _between(start, resolved),
    )


def _between(start: Seconds | None, end: Seconds | None) -> float | None:
    if start is None or end is None:
        return None
    return end - start if end > start else 0.0
