"""Our own numbers at `/metrics`, in the Prometheus text format, named by slo.metric_names."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence

from watchkeeper import __version__
from watchkeeper.faces import metrics_duty
from watchkeeper.faces.metrics_duty import escaped
from watchkeeper.faces.services import Services
from watchkeeper.slo import metric_names as names
from watchkeeper.slo.model import SloStatus

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

Value = Callable[[SloStatus], float | None]

GAUGES: tuple[tuple[names.Metric, Value], ...] = (
    (names.OBJECTIVE, lambda s: float(s.target)),
    (names.ATTAINMENT, lambda s: s.attainment),
    (names.BUDGET_REMAINING, lambda s: s.budget.remaining_ratio),
    (names.TIME_TO_EXHAUSTION, lambda s: _exhaustion(s)),
)


def exposition(services: Services) -> str:
    """The text of `/metrics`."""
    return "".join(_lines(services))


def _lines(services: Services) -> Iterator[str]:
    posting = services.posting()
    yield from _own(
        "watchkeeper_build_info", "The running version.", f'{{version="{__version__}"}} 1'
    )
    yield from _own(
        "watchkeeper_last_tick_timestamp_seconds",
        "When the engine last evaluated.",
        f" {posting.ticked_at!r}",
    )
    yield from _own(
        "watchkeeper_ledger_revision", "The ledger's revision then.", f" {posting.fleet.revision}"
    )
    yield from metrics_duty.lines(*services.pager_figures(), posting)
    statuses = posting.fleet.statuses
    labels = [_labels(names.labels(s)) for s in statuses]
    yield from _counters(services.counters(), statuses, labels)
    for metric, value in GAUGES:
        yield _head(metric)
        for status, label in zip(statuses, labels, strict=True):
            yield from _sample(metric.name, label, value(status))
    yield _head(names.BURN_RATE)
    for status, label in zip(statuses, labels, strict=True):
        for window, burn in status.burn_rate.items():
            yield from _sample(names.BURN_RATE.name, f'{label},window="{window}"', burn)


def _counters(
    counters: Mapping[str, tuple[float, float]],
    statuses: Sequence[SloStatus],
    labels: Sequence[str],
) -> Iterator[str]:
    for metric, index in ((names.EVENTS, 1), (names.GOOD, 0)):
        yield _head(metric)
        for status, label in zip(statuses, labels, strict=True):
            if status.name in counters:
                yield from _sample(metric.name, label, counters[status.name][index])


def _exhaustion(status: SloStatus) -> float | None:
    if status.attainment is None:
        return None
    left = status.time_to_exhaustion_seconds
    return math.inf if left is None else left


def _own(name: str, text: str, sample: str) -> Iterator[str]:
    yield f"# HELP {name} {text}\n# TYPE {name} gauge\n{name}{sample}\n"


def _head(metric: names.Metric) -> str:
    return f"# HELP {metric.name} {metric.help}\n# TYPE {metric.name} {metric.type}\n"


def _sample(name: str, labels: str, value: float | None) -> Iterator[str]:
    if value is not None:
        number = "+Inf" if value == math.inf else repr(float(value))
        yield f"{name}{{{labels}}} {number}\n"


def _labels(pairs: Mapping[str, str]) -> str:
    return ",".join(f'{key}="{escaped(value)}"' for key, value in pairs.items())
