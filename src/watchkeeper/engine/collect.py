"""Collecting from sources through bounded threads; one slow source holds up nobody else."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from typing import Any

from watchkeeper.kernel.clock import Seconds
from watchkeeper.measure.model import Batch, Note, Source
from watchkeeper.spec.model import SliDefinition, SourceDefinition, Specs

MAX_THREADS = 8

OpenSource = Callable[[SourceDefinition, int], Source]
"""Makes the adapter for a definition; the number is how many minutes of history it should fetch."""


@dataclass(frozen=True, slots=True)
class Work:
    """One source with the SLIs that it measures."""

    definition: SourceDefinition
    slis: tuple[SliDefinition, ...]
    backfill_minutes: int


def work_of(specs: Specs) -> list[Work]:
    """Which source measures which SLIs, in the order of the sources' names."""
    by_source: dict[str, dict[str, SliDefinition]] = {}
    longest: dict[str, int] = {}
    for slo in specs.slos.values():
        if slo.sli is None or slo.sli.source not in specs.sources:
            continue
        by_source.setdefault(slo.sli.source, {})[slo.sli.key] = slo.sli
        minutes = slo.window.duration.minutes
        longest[slo.sli.source] = max(longest.get(slo.sli.source, 0), minutes)
    return [
        Work(specs.sources[name], tuple(slis[k] for k in sorted(slis)), longest[name])
        for name, slis in sorted(by_source.items())
    ]


@dataclass
class Collector:
    """Keeps one adapter per source definition and collects from them side by side.

    A source that is still busy is left to finish and is picked up by a later call, so the same
    adapter never runs in two threads.
    """

    open_source: OpenSource
    _adapters: dict[str, tuple[SourceDefinition, Source]] = field(default_factory=dict)
    _running: dict[str, tuple[Mapping[str, Any] | None, Future[Batch]]] = field(
        default_factory=dict
    )
    _pool: ThreadPoolExecutor = field(
        default_factory=lambda: ThreadPoolExecutor(MAX_THREADS, thread_name_prefix="collect")
    )
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def collect(
        self,
        works: Sequence[Work],
        cursors: Mapping[str, Mapping[str, Any] | None],
        now: Seconds,
        patience: float,
    ) -> list[tuple[Work, Mapping[str, Any] | None, Batch]]:
        """Ask every idle source, wait up to ``patience`` seconds, return what is ready by name.

        Each result carries the cursor that it started from, so that the caller can save it by
        compare-and-set.
        """
        for work in works:
            self._start(work, cursors.get(work.definition.name), now)
        names = {work.definition.name: work for work in works}
        wait([future for _, future in self._running.values()], timeout=patience)
        ready = []
        for name in sorted(self._running):
            cursor, future = self._running[name]
            if not future.done():
                continue
            del self._running[name]
            if name in names:
                ready.append((names[name], cursor, _result(name, future, now)))
        return ready

    def close(self) -> None:
        """Stop taking work; running requests end by their own time-outs."""
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _start(self, work: Work, cursor: Mapping[str, Any] | None, now: Seconds) -> None:
        name = work.definition.name
        if name in self._running:
            return
        known = self._adapters.get(name)
        if known is None or known[0] != work.definition:
            known = (work.definition, self.open_source(work.definition, work.backfill_minutes))
            self._adapters[name] = known
        self._running[name] = (
            cursor,
            self._pool.submit(known[1].collect, work.slis, cursor, now),
        )


def _result(name: str, future: Future[Batch], now: Seconds) -> Batch:
    try:
        return future.result()
    except Exception as error:  # an adapter's defect must not stop the other sources
        message = f"{type(error).__name__}: {error}"
        return Batch(notes=(Note("error", f"source {name} failed: {message}", now),))
