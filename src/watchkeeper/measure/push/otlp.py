"""Reading OpenTelemetry metrics (OTLP 1.x), as protobuf or JSON. Pure.

Formats: opentelemetry.io/docs/specs/otlp and opentelemetry.io/docs/specs/otel/metrics/data-model.
"""

from __future__ import annotations

import hashlib
import json
import math
import zlib
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import pairwise

from google.protobuf import json_format
from google.protobuf.message import DecodeError
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
    ExportMetricsServiceResponse,
)
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.metrics.v1.metrics_pb2 import (
    AggregationTemporality,
    DataPointFlags,
    HistogramDataPoint,
    Metric,
    NumberDataPoint,
)

from watchkeeper.kernel.errors import UserError
from watchkeeper.measure.push.parsing import MOST_EVENTS

Nanoseconds = int
MOST_REASONS = 10
_UNITS = {"": 1.0, "s": 1.0, "ms": 1e-3, "us": 1e-6, "ns": 1e-9, "min": 60.0, "h": 3600.0}
_NO_VALUE = DataPointFlags.DATA_POINT_FLAGS_NO_RECORDED_VALUE_MASK


class TooLargeError(UserError):
    """The body is larger than we read: HTTP 413."""

    http_status = 413


@dataclass(frozen=True, slots=True)
class Point:
    """One data point. A sum has one amount and no bounds, a histogram an amount per bucket.

    ``bounds`` are the inclusive upper bounds in seconds of all buckets but the last. ``start`` is
    0 when the sender does not know when the series began.
    """

    stream: str
    series: str
    attributes: Mapping[str, str]
    start: Nanoseconds
    time: Nanoseconds
    cumulative: bool
    amounts: tuple[float, ...]
    bounds: tuple[float, ...] = ()


@dataclass
class Refusals:
    """Data points that were not taken, by reason."""

    reasons: Counter[str] = field(default_factory=Counter)

    def add(self, reason: str, points: int = 1) -> None:
        """Refuse so many points for this reason."""
        if points:
            self.reasons[reason] += points

    def answer(self) -> ExportMetricsServiceResponse:
        """The answer of OTLP: how many were refused, and why (the ten most frequent reasons)."""
        answer = ExportMetricsServiceResponse()
        if self.reasons:
            told = self.reasons.most_common(MOST_REASONS)
            more = len(self.reasons) - len(told)
            parts = [f"{reason} ({count} points)" for reason, count in told]
            parts += [f"and {more} more reasons"] if more else []
            answer.partial_success.rejected_data_points = self.reasons.total()
            answer.partial_success.error_message = "; ".join(parts)
        return answer


def unpacked(body: bytes, most: int) -> bytes:
    """A gzip body, never more than ``most`` bytes of it. Raises UserError."""
    reader = zlib.decompressobj(wbits=31)
    try:
        plain = reader.decompress(body, most + 1)
    except zlib.error as error:
        raise UserError(f"The body is not gzip: {error}.", "Check Content-Encoding.") from None
    if len(plain) > most:
        raise TooLargeError(f"The body is larger than {most} bytes.", "Send smaller batches.")
    if not reader.eof or reader.unused_data:
        raise UserError("The gzip body is cut off or followed by more.", "Send one gzip member.")
    return plain


def decode(body: bytes, is_json: bool) -> tuple[list[Point], Refusals]:
    """The points of a request in the order of their times, and those that are no counts of events.

    Raises UserError when the body is not a request at all.
    """
    request = ExportMetricsServiceRequest()
    try:
        if is_json:
            json_format.Parse(body, request, ignore_unknown_fields=True)
        else:
            request.ParseFromString(body)
    except (DecodeError, json_format.ParseError, ValueError, RecursionError) as error:
        said = str(error)[:300]
        raise UserError(
            f"The body is no OTLP metrics request: {said}", "Check the exporter."
        ) from (None)
    points: list[Point] = []
    refusals = Refusals()
    for resource in request.resource_metrics:
        of_resource = dict(_attributes(resource.resource.attributes))
        for scope in resource.scope_metrics:
            for metric in scope.metrics:
                points += _points(metric, of_resource, scope.scope.name, refusals)
    return sorted(points, key=lambda p: p.time), refusals


def _points(
    metric: Metric, resource: Mapping[str, str], scope: str, refusals: Refusals
) -> Iterator[Point]:
    kind = metric.WhichOneof("data")
    if kind not in ("sum", "histogram"):
        count = len(getattr(metric, kind).data_points) if kind else 0
        refusals.add(f"{metric.name}: {kind} is no count of events; send a sum or histogram", count)
        return
    data = metric.sum if kind == "sum" else metric.histogram
    why = _unfit(metric)
    if why:
        refusals.add(f"{metric.name}: {why}", len(data.data_points))
        return
    cumulative = data.aggregation_temporality == (
        AggregationTemporality.AGGREGATION_TEMPORALITY_CUMULATIVE
    )
    for point in data.data_points:
        if point.flags & _NO_VALUE:
            continue
        try:
            amounts, bounds = _amounts(point, _UNITS[metric.unit if kind == "histogram" else ""])
            _check_times(point)
        except ValueError as error:
            refusals.add(f"{metric.name}: {error}")
            continue
        own = dict(_attributes(point.attributes))
        yield Point(
            stream=metric.name,
            series=_series([resource, scope, kind, own]),
            attributes={**resource, **own},
            # Equal to the time means that the start is not known (data model, "resets and gaps").
            start=0 if point.start_time_unix_nano == point.time_unix_nano
            else point.start_time_unix_nano,
            time=point.time_unix_nano,
            cumulative=cumulative,
            amounts=amounts,
            bounds=bounds,
        )  # fmt: skip


def _unfit(metric: Metric) -> str:
    if metric.HasField("sum"):
        if not metric.sum.is_monotonic:
            return "the sum is not monotonic, so it counts no events"
        how = metric.sum.aggregation_temporality
    else:
        if metric.unit not in _UNITS:
            return f"the unit {metric.unit!r} is no time; expected s, ms, us or ns"
        how = metric.histogram.aggregation_temporality
    if how == AggregationTemporality.AGGREGATION_TEMPORALITY_UNSPECIFIED:
        return "it does not say whether it is delta or cumulative"
    return ""


def _amounts(
    point: NumberDataPoint | HistogramDataPoint, unit: float
) -> tuple[tuple[float, ...], tuple[float, ...]]:
    if isinstance(point, NumberDataPoint):
        kind = point.WhichOneof("value")
        value = float(point.as_int if kind == "as_int" else point.as_double)
        if kind is None:
            raise ValueError("a point has no value")
        if not 0 <= value <= MOST_EVENTS:
            raise ValueError("a value is not between 0 and 2^53")
        return (value,), ()
    if point.count > MOST_EVENTS:
        raise ValueError("a count is not between 0 and 2^53")
    if not point.bucket_counts:
        return (float(point.count),), ()
    bounds = tuple(bound * unit for bound in point.explicit_bounds)
    if len(point.bucket_counts) != len(bounds) + 1:
        raise ValueError("a histogram must have one bucket more than bounds")
    if not all(map(math.isfinite, bounds)) or any(low >= high for low, high in pairwise(bounds)):
        raise ValueError("the bounds of a histogram must rise")
    if sum(point.bucket_counts) != point.count:
        raise ValueError("the buckets of a histogram do not add up to its count")
    return tuple(map(float, point.bucket_counts)), bounds


def _check_times(point: NumberDataPoint | HistogramDataPoint) -> None:
    if not point.time_unix_nano:
        raise ValueError("a point has no time")
    if point.start_time_unix_nano > point.time_unix_nano:
        raise ValueError("a point's start lies after its time")


def _attributes(pairs: Iterable[KeyValue]) -> Iterator[tuple[str, str]]:
    for pair in pairs:
        yield pair.key, _text(pair.value)


def _text(value: AnyValue) -> str:
    kind = value.WhichOneof("value")
    if kind is None:
        return ""
    given = getattr(value, kind)
    if kind == "bool_value":
        return "true" if given else "false"
    if kind in ("string_value", "int_value", "double_value"):
        return str(given)
    return json_format.MessageToJson(value, indent=None) if kind != "bytes_value" else given.hex()


def _series(identity: object) -> str:
    written = json.dumps(identity, sort_keys=True)
    return hashlib.sha256(written.encode()).hexdigest()[:24]
