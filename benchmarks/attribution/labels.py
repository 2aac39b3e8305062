"""Label slices: 67 incidents of a content delivery network, with the slices that were at fault.

RobustSpot's "RS" set, as carried by shaido987/riskloc (MIT).
"""

from __future__ import annotations

import csv
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import yaml

from watchkeeper.causes.onset import split
from watchkeeper.causes.slices import Leaf, carriers

HOME = Path(__file__).resolve().parents[2] / "../shared/data/attribution/label_slices"
NOT_LABELS = frozenset(("min", "value", "cnt"))
Labels = frozenset[tuple[str, str]]
Answer = Callable[[Sequence[Leaf]], list[Labels]]


@dataclass(frozen=True)
class Case:
    """One incident: counts by label set and minute, the minute it is known of, the true slices."""

    name: str
    minute: int
    slices: Sequence[Labels]
    counts: dict[int, dict[Labels, tuple[float, float]]]

    def leaves(self) -> list[Leaf]:
        """The labelled minute, beside all minutes before it."""
        before: dict[Labels, list[float]] = defaultdict(lambda: [0.0, 0.0])
        for minute, rows in self.counts.items():
            if minute < self.minute:
                for labels, (bad, total) in rows.items():
                    before[labels][0] += bad
                    before[labels][1] += total
        return [
            Leaf(dict(labels), bad, total, *before.get(labels, (0.0, 0.0)))
            for labels, (bad, total) in self.counts[self.minute].items()
        ]

    def onset(self) -> int | None:
        """How many minutes the split, seeing the labelled minute last, is away from it."""
        minutes = [m for m in sorted(self.counts) if m <= self.minute]
        sums = np.asarray(
            [[sum(r[i] for r in self.counts[m].values()) for i in (0, 1)] for m in minutes]
        )
        ratio = np.divide(sums[:, 0], sums[:, 1], out=np.zeros(len(sums)), where=sums[:, 1] > 0)
        found = split(ratio, sums[:, 1])
        return None if found is None else abs(found - (len(minutes) - 1))


def cases() -> Iterator[Case]:
    """All incidents, in the order of their list."""
    for told in yaml.safe_load((HOME / "anomaly.yaml").read_text()):
        name = str(told["data"])
        counts: dict[int, dict[Labels, tuple[float, float]]] = defaultdict(dict)
        for row in csv.DictReader((HOME / f"{name}.csv").open(encoding="utf-8")):
            labels = frozenset((k, v) for k, v in row.items() if k not in NOT_LABELS)
            bad, total = counts[int(row["min"])].get(labels, (0.0, 0.0))
            its = (bad + float(row["value"]), total + float(row["cnt"]))
            counts[int(row["min"])][labels] = its
        causes = told["cause"] if isinstance(told["cause"], list) else [told["cause"]]
        slices = [frozenset((k, str(v)) for k, v in cause.items()) for cause in causes]
        yield Case(name, int(told["timestamp"]), slices, counts)


def ours(leaves: Sequence[Leaf]) -> list[Labels]:
    """Our ranking."""
    return [frozenset(s.labels) for s in carriers(leaves)]


def worst_rate(leaves: Sequence[Leaf]) -> list[Labels]:
    """The plain answer: single labels by how much their share of bad events rose."""
    sums: dict[Labels, list[float]] = defaultdict(lambda: [0.0] * 4)
    for leaf in leaves:
        for pair in leaf.labels.items():
            its = sums[frozenset((pair,))]
            for i, n in enumerate((leaf.bad, leaf.total, leaf.usual_bad, leaf.usual_total)):
                its[i] += n
    return sorted(sums, key=lambda k: -_rise(sums[k]))


def most_bad(leaves: Sequence[Leaf]) -> list[Labels]:
    """The other plain answer: single labels by how many bad events they have."""
    sums: dict[Labels, float] = defaultdict(float)
    for leaf in leaves:
        for pair in leaf.labels.items():
            sums[frozenset((pair,))] += leaf.bad
    return sorted(sums, key=lambda k: -sums[k])


def _rise(counts: Sequence[float]) -> float:
    bad, total, usual_bad, usual_total = counts
    now = bad / total if total else 0.0
    return now - (usual_bad / usual_total if usual_total else 0.0)
