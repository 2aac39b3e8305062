"""Sums of hits per SLI and minute, and what could not be read. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from watchkeeper.kernel.clock import Minute
from watchkeeper.measure.accesslog.asking import Question
from watchkeeper.measure.accesslog.hits import Hit
from watchkeeper.measure.model import Count, GroupKey

_SAMPLE = 120


@dataclass
class Tally:
    """Counts of one or more blocks."""

    questions: Sequence[Question]
    sums: dict[tuple[str, GroupKey], dict[Minute, list[float]]] = field(default_factory=dict)
    minutes: set[Minute] = field(default_factory=set)
    lines: int = 0
    unparsable: int = 0
    first_unparsable: str = ""
    untimed: int = 0

    def add_kind(self, hit: Hit, minutes: Mapping[Minute, int]) -> None:
        """Count hits of one kind, so many in each minute; ``hit`` stands for all of them."""
        for asked in self.questions:
            if not asked.counts(hit):
                continue
            good = asked.good(hit)
            row = self.sums.setdefault((asked.key, asked.group(hit) if asked.labels else ()), {})
            for minute, number in minutes.items():
                entry = row.setdefault(minute, [0.0, 0.0])
                entry[0] += number if good else 0
                entry[1] += number

    def add_table(
        self,
        hits: Sequence[Hit],
        minutes: Sequence[Minute],
        table: npt.NDArray[np.int64],
    ) -> None:
        """Count a table [kinds, minutes] of how often each kind of hit came in each minute."""
        self.minutes.update(minutes)
        for asked in self.questions:
            groups: dict[GroupKey, tuple[list[int], list[int]]] = {}
            for i, hit in enumerate(hits):
                if asked.counts(hit):
                    rows = groups.setdefault(asked.group(hit) if asked.labels else (), ([], []))
                    rows[0].append(i)
                    if asked.good(hit):
                        rows[1].append(i)
            for group, (counted, good) in groups.items():
                self._add_sums(asked.key, group, minutes, table, counted, good)

    def _add_sums(
        self,
        key: str,
        group: GroupKey,
        minutes: Sequence[Minute],
        table: npt.NDArray[np.int64],
        counted: list[int],
        good: list[int],
    ) -> None:
        row = self.sums.setdefault((key, group), {})
        totals, goods = table[counted].sum(axis=0), table[good].sum(axis=0)
        for i in np.flatnonzero(totals).tolist():
            entry = row.setdefault(minutes[i], [0.0, 0.0])
            entry[0] += int(goods[i])
            entry[1] += int(totals[i])

    def add_unparsable(self, where: str, line: bytes) -> None:
        """Count a line that is no request, and keep the first for people to see."""
        self.unparsable += 1
        if not self.first_unparsable:
            shown = line[:_SAMPLE].decode("utf-8", "backslashreplace")
            self.first_unparsable = f"{where}: {shown!r}"

    def counts(self, seen: Sequence[tuple[Minute, Minute]]) -> Iterator[Count]:
        """The sums as counts; minutes of ``seen`` [a, b) count as observed even without a hit."""
        observed = set(self.minutes).union(*(range(a, b) for a, b in seen))
        for (key, group), row in sorted(self.sums.items()):
            for minute, (good, total) in sorted(row.items()):
                yield Count(key, minute, good, total, 1, group)
        for asked in self.questions:
            if not asked.labels:
                there = self.sums.get((asked.key, ()), {})
                for minute in sorted(observed.difference(there)):
                    yield Count(asked.key, minute, 0.0, 0.0, 1)
