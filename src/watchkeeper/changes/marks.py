"""Changes as charts mark them: however many there are, few enough to draw. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from watchkeeper.changes.culprits import subject
from watchkeeper.changes.model import Change
from watchkeeper.kernel.clock import Seconds

STEPS = 120
"""Parts of an interval; changes that began within one part are one mark."""
LISTED = 50
"""Changes that are listed behind a chart, the latest."""
SEVERAL = "several"
"""The kind of a mark that stands for changes of more than one kind."""


@dataclass(frozen=True, slots=True)
class Mark:
    """One or more changes at a place in a chart. ``kind``: theirs, or ``several``."""

    at: Seconds
    kind: str
    many: int
    label: str


@dataclass(frozen=True, slots=True)
class Marked:
    """What a chart of an interval shows of changes: ``listed`` are the latest of ``total``."""

    total: int
    marks: Sequence[Mark]
    listed: Sequence[Change]


NOTHING = Marked(0, (), ())


def marked(
    counts: Mapping[tuple[int, str], int],
    listed: Sequence[Change],
    start: Seconds,
    end: Seconds,
    names: Mapping[str, str],
) -> Marked:
    """At most `STEPS` marks. ``counts``: how many began, by (part, kind); see `store`."""
    step = (end - start) / STEPS
    parts: dict[int, dict[str, int]] = {}
    for (place, kind), many in counts.items():
        parts.setdefault(min(place, STEPS - 1), {})[kind] = many
    near: dict[int, list[Change]] = {}
    for change in listed:
        place = max(0, min(STEPS - 1, int((change.started_at - start) // step)))
        near.setdefault(place, []).append(change)
    marks = [
        _mark(kinds, near.get(place, []), start, start + (place + 0.5) * step, names)
        for place, kinds in sorted(parts.items())
    ]
    return Marked(sum(m.many for m in marks), marks, listed)


def _mark(
    kinds: Mapping[str, int],
    known: Sequence[Change],
    start: Seconds,
    middle: Seconds,
    names: Mapping[str, str],
) -> Mark:
    many = sum(kinds.values())
    kind = next(iter(kinds)) if len(kinds) == 1 else SEVERAL
    if many == 1 and known:
        change = known[0]
        service = next(iter(change.services), "")
        label = subject(change, names.get(service, service))
        return Mark(max(start, change.started_at), kind, 1, label)
    return Mark(middle, kind, many, f"{many} changes" if many > 1 else "1 change")
