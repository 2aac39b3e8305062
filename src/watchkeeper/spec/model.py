"""What users write, once read and checked: immutable, typed, resolved definitions.

These are the words that every later room speaks. Each keeps its ``Place`` so that a page or an
error can point at the line that made it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum
from typing import Any

from watchkeeper.kernel.duration import Duration
from watchkeeper.spec.budget import BudgetPolicyDefinition
from watchkeeper.spec.duty import NO_DUTY, NO_GUARDS, AlertRule, Duty, Guards
from watchkeeper.spec.findings import Finding as Finding
from watchkeeper.spec.findings import Place as Place
from watchkeeper.spec.findings import Severity as Severity
from watchkeeper.spec.response import NO_RESPONSE, Response
from watchkeeper.spec.review import ReviewDefinition


class Aspect(StrEnum):
    """What an SLI says of a journey."""

    AVAILABILITY = "availability"
    LATENCY = "latency"
    CORRECTNESS = "correctness"


# ---------------------------------------------------------------- where numbers come from


class SourceType(StrEnum):
    """Kinds of measurement source."""

    PROMETHEUS = "prometheus"
    SCRAPE = "scrape"
    ACCESS_LOG = "accesslog"
    PROBE = "probe"
    PUSH = "push"
    SQL = "sql"
    OTHER = "other"  # a vendor of OpenSLO that we parse and write back but cannot measure


@dataclass(frozen=True, slots=True)
class SourceDefinition:
    """A data source: ``type`` says which adapter reads it, ``settings`` are that adapter's.

    Settings by type (all optional unless marked *):
    prometheus: url*, headers{}, tenant, username, password{env|file}, token{env|file}, ca_file,
                insecure_skip_verify, timeout ("30s"), retention (unlimited), settle ("10s"),
                interval, max_queries (1000)
    scrape:     url* or urls[]*, interval ("15s"), timeout ("5s"); headers{} to
                insecure_skip_verify as for prometheus
    accesslog:  path* (glob), format ("combined"|"common"|"json"|"nginx" or an nginx log_format
                string), fields{time,status,duration,method,path,host} for json,
                duration_unit ("s"|"ms"|"us")
    probe:      interval ("30s"), timeout ("10s"), ca_file, insecure_skip_verify
    push:       (none: the stream key is the SLI's)
    sql:        url* (duckdb:///file or any SQLAlchemy URL, may be {env: NAME}), timeout ("60s"),
                interval ("60s"), lookback ("1h")
    """

    name: str
    type: SourceType
    settings: Mapping[str, Any]
    place: Place


@dataclass(frozen=True, slots=True)
class PrometheusQuery:
    """One PromQL expression; ``{{.window}}`` may stand for the range, as in Sloth."""

    promql: str


@dataclass(frozen=True, slots=True)
class ScrapeQuery:
    """A selector of counters in an exposition: ``http_requests_total{code=~"5.."}``."""

    selector: str


@dataclass(frozen=True, slots=True)
class LogQuery:
    """Which requests of an access log count.

    Empty tuples mean "any". ``paths`` are globs (``*`` within a segment, ``**`` across);
    ``status`` and ``not_status`` are patterns such as ``5xx``, ``404``, ``2xx``, ``500-503``;
    ``slower_than``/``faster_than`` bound the duration in seconds (faster_than is inclusive).
    """

    paths: tuple[str, ...] = ()
    methods: tuple[str, ...] = ()
    status: tuple[str, ...] = ()
    not_status: tuple[str, ...] = ()
    host: str = ""
    faster_than: float | None = None
    slower_than: float | None = None


@dataclass(frozen=True, slots=True)
class ProbeCheck:
    """A synthetic check. ``target`` is http(s)://…, tcp://host:port or tls://host:port.

    An assertion that is left out is not made. Times in seconds, ages in days.
    """

    target: str
    method: str = "GET"
    headers: Mapping[str, str] = field(default_factory=dict)
    body: str = ""
    expect_status: tuple[str, ...] = ("2xx", "3xx")
    expect_body: str = ""
    expect_within: float | None = None
    min_certificate_days: float | None = None


@dataclass(frozen=True, slots=True)
class PushStream:
    """A named stream of counts pushed to us (our endpoint, or an OTLP metric with attributes)."""

    stream: str
    attributes: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class SqlQuery:
    """SQL that returns (minute, good, total); ``:from`` and ``:to`` are bound as UTC times."""

    sql: str


@dataclass(frozen=True, slots=True)
class OpaqueQuery:
    """A vendor's query that we keep but cannot measure."""

    spec: Mapping[str, Any]


Query = PrometheusQuery | ScrapeQuery | LogQuery | ProbeCheck | PushStream | SqlQuery | OpaqueQuery


@dataclass(frozen=True, slots=True)
class CountsSli:
    """Counts of events: total with good or bad (exactly one of the two is given).

    For a source that yields good and total at once (probe, push, sql) ``total`` holds the query
    and both others are None.
    """

    total: Query
    good: Query | None = None
    bad: Query | None = None


@dataclass(frozen=True, slots=True)
class RawSli:
    """A query whose value is the success (or failure) ratio, 0 to 1; a minute is one event."""

    query: Query
    is_failure: bool = False


@dataclass(frozen=True, slots=True)
class ThresholdSli:
    """A gauge compared with a value: a minute is good when ``query op value`` holds.

    ``op`` is one of lt, lte, gt, gte.
    """

    query: Query
    op: str
    value: float


@dataclass(frozen=True, slots=True)
class HistogramSli:
    """Latency from a histogram: good = observations <= ``threshold`` seconds.

    ``selector`` is the metric without ``_bucket``/``_count``; classic or native is found out.
    """

    selector: str
    threshold: float
    native: bool | None = None


Measurement = CountsSli | RawSli | ThresholdSli | HistogramSli


@dataclass(frozen=True, slots=True)
class SliDefinition:
    """What is measured, and where. ``key`` is unique over all specs and names the ledger's row."""

    key: str
    source: str
    measurement: Measurement
    group_by: tuple[str, ...] = ()


# ---------------------------------------------------------------- objectives


@dataclass(frozen=True, slots=True)
class RollingWindow:
    """The last ``duration`` up to now."""

    duration: Duration


@dataclass(frozen=True, slots=True)
class CalendarWindow:
    """Whole periods of ``duration`` from ``start`` (naive local ISO time) in ``time_zone``."""

    duration: Duration
    start: str
    time_zone: str


Window = RollingWindow | CalendarWindow


@dataclass(frozen=True, slots=True)
class Occurrences:
    """Every event counts once."""


@dataclass(frozen=True, slots=True)
class TimeSlices:
    """A slice of ``minutes`` is good when its share of good events is >= ``slice_target``.

    Percentile-per-slice latency is this on a latency SLI: P99 <= T in the slice exactly when at
    least 0.99 of its requests took <= T.
    """

    minutes: int
    slice_target: Decimal


@dataclass(frozen=True, slots=True)
class RatioTimeSlices:
    """Each slice with evidence counts once, with its own good ratio."""

    minutes: int


Method = Occurrences | TimeSlices | RatioTimeSlices


@dataclass(frozen=True, slots=True)
class CompositePart:
    """A part of a composite SLO: another SLO's name and its weight."""

    slo: str
    weight: Decimal = Decimal(1)


@dataclass(frozen=True, slots=True)
class Composite:
    """An SLO over others. ``weighted``: weighted mean of the parts' ratios per minute.

    ``all_of``: a minute counts as its worst part does.
    """

    parts: tuple[CompositePart, ...]
    mode: str = "weighted"  # or "all_of"


@dataclass(frozen=True, slots=True)
class SloDefinition:
    """One objective: an SLI, a target and a window. ``name`` is unique over all specs.

    An OpenSLO SLO with several objectives becomes several of these.
    ``sli`` is None exactly when ``composite`` is set.
    """

    name: str
    display_name: str
    service: str
    target: Decimal
    window: Window
    place: Place
    sli: SliDefinition | None = None
    composite: Composite | None = None
    method: Method = Occurrences()
    description: str = ""
    journey: str | None = None
    aspect: Aspect | None = None
    alert_policies: tuple[str, ...] = ()
    labels: Mapping[str, str] = field(default_factory=dict)
    annotations: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class TeamDefinition:
    """A team that owns services."""

    name: str
    display_name: str
    place: Place
    email: str = ""
    chat: str = ""


@dataclass(frozen=True, slots=True)
class ServiceDefinition:
    """A service: who owns it, what it depends on, and what an outage of it costs.

    ``revenue_per_minute`` (in ``currency``) and ``users_per_minute`` are at full outage.
    """

    name: str
    display_name: str
    place: Place
    description: str = ""
    owner: str | None = None
    tier: int | None = None
    depends_on: tuple[str, ...] = ()
    links: Mapping[str, str] = field(default_factory=dict)
    revenue_per_minute: Decimal | None = None
    currency: str = ""
    users_per_minute: Decimal | None = None
    labels: Mapping[str, str] = field(default_factory=dict)
    escalation_policy: str | None = None


@dataclass(frozen=True, slots=True)
class JourneyDefinition:
    """A user journey through a service; ``slos`` are the objectives made from its short form."""

    name: str
    display_name: str
    service: str
    place: Place
    critical: bool = False
    description: str = ""
    slos: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class BurnCondition:
    """Burn rate over both windows must reach ``threshold``."""

    long: Duration
    short: Duration
    threshold: Decimal
    severity: str  # "page" or "ticket"


@dataclass(frozen=True, slots=True)
class AlertPolicyDefinition:
    """When an SLO alerts: ``rules``, kept from firing on thin evidence by ``guards``.

    ``conditions`` are the burn conditions of an OpenSLO policy as they were written; of a policy
    of our own kind, its burn rules that page or make a ticket.
    """

    name: str
    place: Place
    conditions: tuple[BurnCondition, ...] = ()
    description: str = ""
    raw: Mapping[str, Any] = field(default_factory=dict)
    rules: tuple[AlertRule, ...] = ()
    guards: Guards = NO_GUARDS


@dataclass(frozen=True, slots=True)
class Specs:
    """All that a directory defines. Mappings are by name, in the order written."""

    sources: Mapping[str, SourceDefinition]
    slos: Mapping[str, SloDefinition]
    services: Mapping[str, ServiceDefinition]
    teams: Mapping[str, TeamDefinition]
    journeys: Mapping[str, JourneyDefinition]
    alert_policies: Mapping[str, AlertPolicyDefinition]
    duty: Duty = NO_DUTY
    response: Response = NO_RESPONSE
    budgets: Mapping[str, BudgetPolicyDefinition] = field(default_factory=dict)
    reviews: Mapping[str, ReviewDefinition] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Loaded:
    """The result of reading a directory: specs (None when there are errors) and all findings."""

    specs: Specs | None
    findings: tuple[Finding, ...]

    @property
    def errors(self) -> tuple[Finding, ...]:
        """The findings that keep the specs from being used."""
        return tuple(f for f in self.findings if f.severity is Severity.ERROR)
