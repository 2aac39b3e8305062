"""What Watchkeeper says of a case, by the way that a user's numbers take.

Prometheus' HTTP API → our Prometheus source → the ledger (SQLite) → evaluation.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

from watchkeeper.kernel.duration import parse_duration
from watchkeeper.measure import store as measure_store
from watchkeeper.measure.model import Source
from watchkeeper.measure.prometheus.source import PrometheusSource
from watchkeeper.slo import work
from watchkeeper.slo.model import SloStatus
from watchkeeper.spec.model import (
    CountsSli,
    Place,
    PrometheusQuery,
    RollingWindow,
    SliDefinition,
    SloDefinition,
    SourceDefinition,
    SourceType,
    Specs,
)
from watchkeeper.store import Database

SLO = "requests-availability"
_WHERE = Place("cases.yaml")
_METRIC = 'http_request_duration_seconds_count{job="myservice"'


def specs(url: str) -> Specs:
    """The objective of Sloth's first example: 99.9 % over 30 days, errors are 5xx and 429."""
    bad = f'sum(rate({_METRIC},code=~"(5..|429)"}}[{{{{.window}}}}]))'
    total = f"sum(rate({_METRIC}}}[{{{{.window}}}}]))"
    counts = CountsSli(total=PrometheusQuery(total), bad=PrometheusQuery(bad))
    slo = SloDefinition(
        SLO,
        "Requests",
        "myservice",
        Decimal("0.999"),
        RollingWindow(parse_duration("30d")),
        _WHERE,
        sli=SliDefinition(SLO, "prometheus", counts),
    )
    settings = {"url": url, "retention": "36500d"}
    source = SourceDefinition("prometheus", SourceType.PROMETHEUS, settings, _WHERE)
    return Specs({source.name: source}, {SLO: slo}, {}, {}, {}, {})


def measured(url: str, now: float) -> SloStatus:
    """Collect the whole window from Prometheus into a new ledger, and evaluate at ``now``."""
    (status,) = collect_and_evaluate(specs(url), ":memory:", now)
    return status


def collect_and_evaluate(defined: Specs, url: str, now: float) -> Sequence[SloStatus]:
    """One cycle with a database at ``url`` that is opened and closed for it."""
    watch = Watch(defined, url, now)
    try:
        return watch.cycle(now)
    finally:
        watch.close()


class Watch:
    """What `serve` keeps between its ticks for SLOs that are all of one Prometheus source."""

    def __init__(self, defined: Specs, url: str, now: float) -> None:
        """Open the database and take note of the definitions."""
        self.defined = defined
        (self.definition,) = defined.sources.values()
        self.source: Source = PrometheusSource(self.definition)
        self.database = Database.open(url)
        with self.database.write() as conn:
            work.apply_specs(conn, defined, now)

    def cycle(self, now: float) -> Sequence[SloStatus]:
        """Collect what is new up to ``now``, record it, evaluate."""
        slis = [slo.sli for slo in self.defined.slos.values() if slo.sli is not None]
        name, more = self.definition.name, True
        while more:
            with self.database.read() as conn:
                cursor = measure_store.cursors(conn, [name]).get(name)
            batch = self.source.collect(slis, cursor, now)
            problems = [note.message for note in batch.notes if note.kind == "error"]
            if problems:
                raise RuntimeError(f"collecting failed: {'; '.join(problems)}")
            with self.database.write() as conn:
                measure_store.save(conn, self.definition, batch, now, expected_cursor=cursor)
                work.record_batch(conn, self.defined, batch, now)
            more = batch.more
        with self.database.read() as conn:
            return work.evaluate_fleet(conn, self.defined, now).statuses

    def close(self) -> None:
        """Close the database."""
        self.database.close()
