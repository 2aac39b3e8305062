"""Which SLIs a push belongs to, and what it adds to each. Pure."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import lru_cache

from watchkeeper.kernel.clock import minute_of
from watchkeeper.kernel.errors import NotFound, UserError
from watchkeeper.measure.counters import Tally
from watchkeeper.measure.model import Count, GroupKey
from watchkeeper.measure.push.model import Push
from watchkeeper.measure.push.otlp import Point
from watchkeeper.measure.push.series import BILLION
from watchkeeper.measure.selectors import NAME, Selector, parse_selector
from watchkeeper.spec.model import (
    CountsSli,
    HistogramSli,
    PushStream,
    Query,
    SliDefinition,
    SourceType,
    Specs,
)

MOST_NAMED = 20


def pushed_slis(specs: Specs) -> list[SliDefinition]:
    """The SLIs whose source is of type push, each once, by key."""
    found = {
        slo.sli.key: slo.sli
        for slo in specs.slos.values()
        if slo.sli is not None
        and slo.sli.source in specs.sources
        and specs.sources[slo.sli.source].type is SourceType.PUSH
    }
    return [found[key] for key in sorted(found)]


def streams(slis: Iterable[SliDefinition]) -> list[str]:
    """The names of all streams that these SLIs listen to, sorted."""
    return sorted({name for sli in slis for name in _names(sli) if name})


def counts_of(pushes: Sequence[Push], slis: Sequence[SliDefinition]) -> list[Count]:
    """What JSON pushes add, per SLI, group and minute.

    Raises NotFound when no SLI listens to a stream with these attributes, and UserError when an SLI
    needs ``good`` and the push has none.
    """
    tally = Tally()
    for push in pushes:
        taken = [_add(tally, push, sli) for sli in slis]  # every SLI, not only the first
        if not any(taken):
            raise _nobody(push, slis)
    return tally.counts()


def matches(query: Query | None, stream: str, attributes: Mapping[str, str]) -> bool:
    """True when the query listens to this stream and all its attributes are as given."""
    return (
        isinstance(query, PushStream)
        and query.stream == stream
        and all(attributes.get(name) == value for name, value in query.attributes.items())
    )


def add_point(tally: Tally, sli: SliDefinition, point: Point, added: Sequence[float]) -> None:
    """Add what a point of OpenTelemetry brings, per bucket, to an SLI that listens to it.

    A histogram counts as its observations for an SLI of counts. Raises UserError when the SLI
    listens to it and cannot use it.
    """
    time, kind = point.time / BILLION, sli.measurement
    if isinstance(kind, CountsSli):
        if kind.good is None and kind.bad is None:
            if matches(kind.total, point.stream, point.attributes):
                raise UserError(f"{sli.key!r} needs a stream of its own for good or bad events")
            return
        add_events(tally, sli, Push(point.stream, time, sum(added), None, point.attributes))
    elif isinstance(kind, HistogramSli) and histogram_matches(kind, point.stream, point.attributes):
        group = group_of(sli, point.attributes)
        good = sum(added[: buckets_within(point.bounds, kind.threshold)])
        tally.add(sli.key, group, minute_of(time), good, sum(added), True)


def buckets_within(bounds: Sequence[float], threshold: float) -> int:
    """How many buckets hold only observations <= threshold. UserError when none ends there."""
    for index, bound in enumerate(bounds):
        if math.isclose(bound, threshold, rel_tol=1e-9):
            return index + 1
    known = ", ".join(f"{bound:.6g}" for bound in bounds) or "none"
    raise UserError(f"no bucket ends at the threshold {threshold:g} s; bounds: {known}")


def histogram_matches(sli: HistogramSli, stream: str, attributes: Mapping[str, str]) -> bool:
    """True when a histogram of this name and attributes is the SLI's."""
    accepts, _ = _histogram(sli.selector)
    return accepts({**attributes, NAME: stream})


def group_of(sli: SliDefinition, attributes: Mapping[str, str]) -> GroupKey:
    """The group that these attributes belong to; one that is absent is an empty string."""
    return tuple((name, attributes.get(name, "")) for name in sorted(sli.group_by))


def add_events(tally: Tally, sli: SliDefinition, push: Push) -> bool:
    """Add a plain count to an SLI with a stream of its own for good or bad; True if it is one's.

    Only the stream of the total says that a minute was observed: good or bad events may simply be
    absent.
    """
    kind = sli.measurement
    if not isinstance(kind, CountsSli):
        return False
    group, minute, events = group_of(sli, push.attributes), minute_of(push.time), push.total
    is_total, is_good, is_bad = (
        matches(query, push.stream, push.attributes) for query in (kind.total, kind.good, kind.bad)
    )
    good = events * (is_good - is_bad + (is_total and kind.bad is not None))
    if is_total or is_good or is_bad:
        tally.add(sli.key, group, minute, good, events * is_total, is_total)
    return is_total or is_good or is_bad


def _add(tally: Tally, push: Push, sli: SliDefinition) -> bool:
    kind = sli.measurement
    if not isinstance(kind, CountsSli):
        return False
    if kind.good is not None or kind.bad is not None:
        return add_events(tally, sli, push)
    if not matches(kind.total, push.stream, push.attributes):
        return False
    if push.good is None:
        at = f"{push.path}.good" if push.path else "good"
        raise UserError(
            f"{at}: missing.", f"{sli.key!r} takes good and total from {push.stream!r} at once."
        )
    tally.add(
        sli.key, group_of(sli, push.attributes), minute_of(push.time), push.good, push.total, True
    )
    return True


def _nobody(push: Push, slis: Sequence[SliDefinition]) -> NotFound:
    at = f"{push.path}.stream" if push.path else "stream"
    counted = [sli for sli in slis if isinstance(sli.measurement, CountsSli)]
    known = streams(counted)
    if push.stream in known:
        wanted = sorted(
            {
                ", ".join(f"{k}={v}" for k, v in sorted(query.attributes.items()))
                for sli in counted
                for query in _queries(sli)
                if isinstance(query, PushStream) and query.stream == push.stream
            }
        )
        return NotFound(
            f"{at}: no SLI measures {push.stream!r} with these attributes.",
            f"Measured: {listed([f'({w})' for w in wanted])}.",
        )
    return NotFound(
        f"{at}: no SLI measures the stream {push.stream!r}; nothing was recorded.",
        f"Known streams: {listed(known)}." if known else "No SLI is measured by pushes.",
    )


def listed(names: Sequence[str]) -> str:
    """Names for a message, the first twenty of them."""
    more = f" and {len(names) - MOST_NAMED} more" if len(names) > MOST_NAMED else ""
    return ", ".join(names[:MOST_NAMED]) + more


def _queries(sli: SliDefinition) -> tuple[Query | None, ...]:
    kind = sli.measurement
    return (kind.total, kind.good, kind.bad) if isinstance(kind, CountsSli) else ()


def _names(sli: SliDefinition) -> list[str]:
    if isinstance(sli.measurement, HistogramSli):
        return [_histogram(sli.measurement.selector)[1]]
    return [query.stream for query in _queries(sli) if isinstance(query, PushStream)]


@lru_cache(maxsize=10_000)
def _histogram(text: str) -> tuple[Callable[[Mapping[str, str]], bool], str]:
    # A name with dots, as OpenTelemetry writes them, is no PromQL: it is taken as it stands.
    try:
        found: Selector = parse_selector(text)
    except ValueError:
        return (lambda labels: labels.get(NAME) == text), text
    return found.accepts, found.name
