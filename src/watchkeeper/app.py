"""The composition: the only module that knows the real adapters."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from watchkeeper.engine.board import Board
from watchkeeper.engine.collect import Collector
from watchkeeper.engine.loop import Loop
from watchkeeper.engine.tick import Engine
from watchkeeper.kernel.clock import Clock, SystemClock
from watchkeeper.measure.model import Batch, Source
from watchkeeper.spec.model import SourceDefinition, SourceType
from watchkeeper.store import Database


class SilentSource:
    """A vendor's source that we keep but cannot measure: it never has anything to say."""

    def __init__(self, definition: SourceDefinition) -> None:
        self.name = definition.name

    def collect(self, slis: object, cursor: object, now: float) -> Batch:
        """Nothing."""
        del slis, cursor, now
        return Batch()


def open_source(definition: SourceDefinition, backfill_minutes: int) -> Source:
    """The adapter for a source definition. Imports are late: a process loads what it uses."""
    match definition.type:
        case SourceType.PROMETHEUS:
            from watchkeeper.measure.prometheus.source import PrometheusSource

            return PrometheusSource(definition, backfill_minutes=backfill_minutes)
        case SourceType.SCRAPE:
            from watchkeeper.measure.scrape.source import ScrapeSource

            return ScrapeSource(definition)
        case SourceType.ACCESS_LOG:
            from watchkeeper.measure.accesslog.source import AccessLogSource

            return AccessLogSource(definition)
        case SourceType.PROBE:
            from watchkeeper.measure.probe.source import ProbeSource

            return ProbeSource(definition)
        case SourceType.PUSH:
            from watchkeeper.measure.push.source import PushSource

            return PushSource(definition)
        case SourceType.SQL:
            from watchkeeper.measure.sql.source import SqlSource

            return SqlSource(definition, backfill_minutes=backfill_minutes)
        case _:
            return SilentSource(definition)


def build_engine(
    db: Database, paths: Sequence[Path], board: Board | None = None, patience: float = 5.0
) -> Engine:
    """An engine over the real adapters."""
    return Engine(db, paths, Collector(open_source), board or Board(), patience)


def build_loop(engine: Engine, interval: float, clock: Clock | None = None) -> Loop:
    """A loop that ticks the engine by the machine's clock."""
    return Loop(engine, clock or SystemClock(), interval)
