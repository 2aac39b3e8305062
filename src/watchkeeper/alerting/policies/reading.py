"""What the machine asks of counts, answered from what the evaluation has read already. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from watchkeeper.alerting.policies.rules import Lookup
from watchkeeper.slo.model import BURN_WINDOWS, Events, Fleet

Read = Callable[[Sequence[str], int], Mapping[str, Events]]
"""The events of many SLOs in their last so many minutes, from the ledger."""

ROWS: Mapping[int, int] = {minutes: row for row, (_, minutes) in enumerate(BURN_WINDOWS)}


def lookup_of(fleet: Fleet, read: Read) -> Lookup:
    """Events by SLO and length: the usual windows from the fleet, others by one read each.

    A window of one's own is read for the whole fleet when it is first asked for, so an outage of a
    thousand SLOs reads no more often than one of a single SLO.
    """
    column = {status.name: i for i, status in enumerate(fleet.statuses)}
    others: dict[int, Mapping[str, Events]] = {}

    def lookup(name: str, minutes: int) -> Events | None:
        row, at = ROWS.get(minutes), column.get(name)
        if row is not None and at is not None and fleet.counts is not None:
            counts = fleet.counts
            good, total = float(counts.good[row, at]), float(counts.total[row, at])
            return Events(good, total, int(counts.seen[row, at]))
        if minutes not in others:
            others[minutes] = read(list(column), minutes)
        return others[minutes].get(name)

    return lookup
