"""Sums of hits per SLI and minute, and what could not be read. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from watchkeeper.kernel.clock import Minute
from watchkeeper.measure.accesslog.asking import Question
from watchkeeper.measure.accesslog.hits import Hit
from watchkeeper.measure.model import Count, GroupKey

_SAMPLE = 120
_MOST_KINDS = 200_000

Verdict = tuple[tuple[GroupKey, bool] | None, ...]
"""For each question: None when the hit does not count, else its group and whether it is good."""


@dataclass
class Judge:
    """Asks every question of a kind of hit once; remembers the answers from block to block."""

    questions: Sequence[Question]
    _known: dict[int, Verdict] = field(default_factory=dict)

    def verdict(self, hit: Hit) -> Verdict:
        """The answers for a hit."""
        return tuple(
            (asked.group(hit) if asked.labels else (), asked.good(hit))
            if asked.counts(hit)
            else None
            for asked in self.questions
        )

    def known(self, kind: int, example: Callable[[], Hit]) -> Verdict:
        """The answers for a kind of hit; ``example`` is asked for only the first time."""
        found = self._known.get(kind)
        if found is None:
            if len(self._known) >= _MOST_KINDS:
                self._known.clear()
            found = self._known[kind] = self.verdict(example())
        return found


@dataclass
class Tally:
    """Counts of one or more blocks."""

    judge: Judge
    sums: dict[tuple[str, GroupKey], dict[Minute, list[float]]] = field(default_factory=dict)
    minutes: set[Minute] = field(default_factory=set)
    lines: int = 0
    unparsable: int = 0
    first_unparsable: str = ""
    untimed: int = 0

    def add_hit(self, hit: Hit) -> None:
        """Count one hit."""
        self.minutes.add(hit.minute)
        for asked, answer in zip(self.judge.questions, self.judge.verdict(hit), strict=True):
            if answer is not None:
                row = self.sums.setdefault((asked.key, answer[0]), {})
                entry = row.setdefault(hit.minute, [0.0, 0.0])
                entry[0] += answer[1]
                entry[1] += 1

    def add_table(
        self,
        verdicts: Sequence[Verdict],
        minutes: Sequence[Minute],
        table: npt.NDArray[np.int64],
    ) -> None:
        """Count a table [kinds, minutes] of how often each kind of hit came in each minute."""
        self.minutes.update(minutes)
        for n, asked in enumerate(self.judge.questions):
            groups: dict[GroupKey, tuple[list[int], list[int]]] = {}
            for i, verdict in enumerate(verdicts):
                answer = verdict[n]
                if answer is not None:
                    rows = groups.setdefault(answer[0], ([], []))
                    rows[0].append(i)
                    if answer[1]:
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
        for asked in self.judge.questions:
            if not asked.labels:
                there = self.sums.get((asked.key, ()), {})
                for minute in sorted(observed.difference(there)):
                    yield Count(asked.key, minute, 0.0, 0.0, 1)
