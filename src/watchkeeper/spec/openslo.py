"""OpenSLO v1: its seven kinds, read into our words. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal

from watchkeeper.kernel.duration import Duration, parse_duration
from watchkeeper.spec.model import (
    AlertPolicyDefinition,
    CalendarWindow,
    Finding,
    Method,
    Occurrences,
    Place,
    RatioTimeSlices,
    RollingWindow,
    ServiceDefinition,
    SourceDefinition,
    SourceType,
    TimeSlices,
    Window,
)
from watchkeeper.spec.queries import check_settings, likely_type, source_type
from watchkeeper.spec.reader import Reader
from watchkeeper.spec.zones import zone_problems

API = "openslo/v1"
KINDS = (
    "DataSource",
    "SLO",
    "SLI",
    "AlertPolicy",
    "AlertCondition",
    "AlertNotificationTarget",
    "Service",
)
METHODS = ("Occurrences", "Timeslices", "RatioTimeslices")
OPS = ("lt", "lte", "gt", "gte")


@dataclass(frozen=True, slots=True)
class RawIndicator:
    """An indicator as written: how it measures, with which source; queries still by reader."""

    reader: Reader
    name: str
    spec: Reader | None


@dataclass(frozen=True, slots=True)
class RawObjective:
    """One objective of an SLO."""

    reader: Reader
    display_name: str
    op: str
    value: Decimal | None
    target: Decimal | None
    slice_target: Decimal | None
    slice_window: Duration | None
    indicator: RawIndicator | None = None
    indicator_ref: str = ""
    weight: Decimal | None = None

    @property
    def has_indicator(self) -> bool:
        """True when it brings an indicator of its own: a part of a composite."""
        return self.indicator is not None or bool(self.indicator_ref)


@dataclass(frozen=True, slots=True)
class RawSlo:
    """An SLO as written, with references not yet followed."""

    reader: Reader  # of the document
    spec: Reader
    name: str
    display_name: str
    service: str
    description: str
    indicator: RawIndicator | None
    indicator_ref: str
    window: Window | None
    method: str
    objectives: tuple[RawObjective, ...]
    policies: tuple[str, ...]


@dataclass
class Read:
    """What a set of documents holds, by kind and name."""

    findings: list[Finding] = field(default_factory=list)
    sources: dict[str, SourceDefinition] = field(default_factory=dict)
    slos: dict[str, RawSlo] = field(default_factory=dict)
    indicators: dict[str, RawIndicator] = field(default_factory=dict)
    services: dict[str, ServiceDefinition] = field(default_factory=dict)
    policies: dict[str, AlertPolicyDefinition] = field(default_factory=dict)
    policy_refs: list[tuple[Reader, str, str]] = field(default_factory=list)
    conditions: dict[str, Reader] = field(default_factory=dict)
    raw_policies: dict[str, Reader] = field(default_factory=dict)
    targets: dict[str, Reader] = field(default_factory=dict)
    thresholds: dict[str, list[Place]] = field(default_factory=dict)
    """Where the thresholds of a policy's conditions stand, in the order of its conditions."""
    implied: set[str] = field(default_factory=set)
    """Services that only a Sloth or Pyrra file names."""


def metadata(reader: Reader) -> tuple[str, str, dict[str, str], dict[str, str]]:
    """(name, display name, labels, annotations) of a document."""
    child = reader.child("metadata", required=True)
    if child is None:
        return "", "", {}, {}
    child.only("name", "displayName", "labels", "annotations", "namespace")
    name = child.text("name", required=True)
    return (
        name,
        child.text("displayName") or name,
        child.table("labels"),
        child.table("annotations"),
    )


def read_source(reader: Reader, read: Read) -> None:
    """A DataSource."""
    name, *_ = metadata(reader)
    spec = reader.child("spec", required=True)
    if spec is None or not name:
        return
    spec.only("description", "type", "connectionDetails")
    kind = source_type(spec.text("type", required=True))
    details = spec.child("connectionDetails")
    if details is not None:
        check_settings(details, kind)
    elif kind not in (SourceType.PUSH, SourceType.PROBE, SourceType.OTHER):
        spec.fault("missing", "'connectionDetails' is missing", "a mapping", "add it")
    if kind is SourceType.OTHER and spec.has("type"):
        spec.warn(
            "unmeasured-source",
            f"nothing here measures a source of type '{spec.text('type')}'",
            "prometheus, scrape, accesslog, probe, push or sql",
            likely_type(spec.text("type"))
            or "its SLOs are kept and written back, but have no data",
            key="type",
        )
    read.sources[name] = SourceDefinition(
        name, kind, dict(details.data) if details else {}, reader.place()
    )


def read_service(reader: Reader, read: Read) -> None:
    """An OpenSLO Service."""
    name, display, labels, _ = metadata(reader)
    spec = reader.child("spec") or Reader(reader.document, ("spec",), {}, reader.findings)
    spec.only("description")
    if name:
        read.services[name] = ServiceDefinition(
            name, display, reader.place(), spec.text("description"), labels=labels
        )


def read_sli(reader: Reader, read: Read) -> None:
    """An SLI that SLOs refer to."""
    name, *_ = metadata(reader)
    spec = reader.child("spec", required=True)
    if name and spec is not None:
        read.indicators[name] = RawIndicator(reader, name, spec)


def read_slo(reader: Reader, read: Read) -> None:
    """An SLO."""
    name, display, *_ = metadata(reader)
    spec = reader.child("spec", required=True)
    if spec is None or not name:
        return
    spec.only(
        "description", "service", "indicator", "indicatorRef", "timeWindow", "budgetingMethod",
        "objectives", "alertPolicies",
    )  # fmt: skip
    method = spec.choice("budgetingMethod", METHODS) or "Occurrences"
    read.slos[name] = RawSlo(
        reader,
        spec,
        name,
        display,
        spec.text("service", required=True),
        spec.text("description"),
        _inline(spec, name),
        spec.text("indicatorRef"),
        read_window(spec),
        method,
        tuple(_objective(o, method, name) for o in spec.children("objectives", required=True)),
        _policies(spec, name, read),
    )
    if spec.has("objectives") and not spec.data["objectives"]:
        spec.fault("missing", "'objectives' is empty", "at least one objective", key="objectives")
    _check_objectives(read.slos[name])


def _check_objectives(slo: RawSlo) -> None:
    shared = slo.indicator is not None or bool(slo.indicator_ref)
    for objective in slo.objectives:
        reader = objective.reader
        if shared and objective.has_indicator:
            reader.fault(
                "two-indicators",
                "an indicator here and one for all objectives",
                "one of them",
                key="indicatorRef" if objective.indicator_ref else "indicator",
            )
        if objective.weight is not None and not objective.has_indicator:
            reader.warn(
                "unused-weight",
                "'compositeWeight' of an objective without an indicator of its own",
                "an indicator in each objective that is a part of a composite",
                "remove it",
                key="compositeWeight",
            )
        window, piece = slo.window, objective.slice_window
        if window is not None and piece is not None and piece.minutes > window.duration.minutes:
            reader.fault(
                "bad-slice",
                f"a time slice of {piece} in a window of {window.duration}",
                "slices that are shorter than the window",
                key="timeSliceWindow",
            )


def _inline(spec: Reader, slo: str) -> RawIndicator | None:
    indicator = spec.child("indicator")
    if indicator is None:
        own = [o for o in spec.data.get("objectives") or [] if isinstance(o, dict)]
        each = bool(own) and all("indicator" in o or "indicatorRef" in o for o in own)
        if not spec.has("indicatorRef") and "indicator" not in spec.data and not each:
            spec.fault(
                "missing",
                "no indicator",
                "'indicator' or 'indicatorRef'",
                "say what is measured",
            )
        return None
    if spec.has("indicatorRef"):
        spec.fault(
            "two-indicators",
            "both 'indicator' and 'indicatorRef'",
            "one of them",
            key="indicatorRef",
        )
    indicator.only("metadata", "spec", "apiVersion", "kind")
    return RawIndicator(indicator, slo, indicator.child("spec", required=True))


def read_window(spec: Reader) -> Window | None:
    """The time window; 28 rolling days when there is none."""
    windows = spec.children("timeWindow")
    if not windows:
        if not spec.has("timeWindow"):
            return RollingWindow(parse_duration("28d"))
        return None
    if len(windows) > 1:
        spec.fault(
            "many-windows",
            f"{len(windows)} time windows",
            "one",
            "make an SLO for each",
            "timeWindow",
        )
    return _window(windows[0])


def _window(window: Reader) -> Window | None:
    window.only("duration", "isRolling", "calendar")
    duration = window.duration("duration", required=True)
    calendar = window.child("calendar")
    rolling = window.flag("isRolling", default=calendar is None)
    if duration is None:
        return None
    if rolling:
        if duration.seconds % 60 and not duration.is_calendar:
            window.fault("bad-duration", f"a window of {duration}", "whole minutes", key="duration")
            return None
        if calendar is not None:
            window.fault(
                "rolling-calendar",
                "a rolling window with a calendar",
                "one or the other",
                "remove 'calendar', or write isRolling: false",
                key="calendar",
            )
        return RollingWindow(duration)
    return _calendar(window, calendar, duration)


def _calendar(window: Reader, calendar: Reader | None, duration: Duration) -> Window | None:
    if calendar is None:
        window.fault(
            "missing",
            "a calendar window without 'calendar'",
            "'calendar' with startTime and timeZone",
            "add it, or write isRolling: true",
        )
        return None
    calendar.only("startTime", "timeZone")
    if duration.seconds and duration.seconds < 3600:
        # The specification's own example writes "1m" for a month.
        count = duration.text.removesuffix("m")
        if not duration.text.endswith("m") or not count.isdigit():
            window.fault(
                "bad-duration", f"a calendar window of {duration}", "a day or more", key="duration"
            )
            return None
        window.warn(
            "minutes-for-months",
            f"a calendar window of {duration} is read as {count}M",
            "M for a month; m is a minute",
            f"write {count}M",
            key="duration",
        )
        duration = parse_duration(f"{count}M")
    start, zone = (
        calendar.text("startTime", required=True),
        calendar.text("timeZone", required=True),
    )
    problems = zone_problems(start, zone)
    for key, message, expected, fix in problems:
        calendar.fault("bad-calendar", message, expected, fix, key)
    return None if problems or not start or not zone else CalendarWindow(duration, start, zone)


def _objective(reader: Reader, method: str, slo: str) -> RawObjective:
    reader.only(
        "displayName", "op", "value", "target", "targetPercent", "timeSliceTarget",
        "timeSliceWindow", "indicator", "indicatorRef", "compositeWeight",
    )  # fmt: skip
    weight = reader.number("compositeWeight")
    if weight is not None and weight <= 0:
        reader.fault(
            "bad-value", f"'compositeWeight' is {weight}", "more than zero", key="compositeWeight"
        )
    if reader.has("targetPercent"):
        target = reader.share("targetPercent", percent=True)
    else:
        target = reader.share("target", required=True)
    if reader.has("target") and reader.has("targetPercent"):
        reader.fault(
            "two-targets", "both 'target' and 'targetPercent'", "one of them", key="targetPercent"
        )
    if target == 1:
        reader.warn(
            "target-all",
            "a target of 100 % allows no error at all",
            "a budget that can be spent",
            "the first bad event depletes it",
            key="target" if reader.has("target") else "targetPercent",
        )
    sliced = method != "Occurrences"
    window = reader.duration("timeSliceWindow", required=sliced, bare="m")
    if window is not None:
        _check_slice(reader, window)
    slice_target = reader.share("timeSliceTarget", required=method == "Timeslices")
    if not sliced and (reader.has("timeSliceTarget") or reader.has("timeSliceWindow")):
        reader.warn(
            "unused-slices",
            "time slices are given but budgetingMethod is Occurrences",
            "Timeslices or RatioTimeslices",
            key="timeSliceWindow" if reader.has("timeSliceWindow") else "timeSliceTarget",
        )
    return RawObjective(
        reader,
        reader.text("displayName"),
        reader.choice("op", OPS),
        reader.number("value"),
        target,
        slice_target,
        window,
        _inline(reader, slo) if reader.has("indicator") else None,
        reader.text("indicatorRef"),
        weight,
    )


def _check_slice(reader: Reader, window: Duration) -> None:
    if window.is_calendar or window.seconds % 60 or 86400 % window.seconds:
        reader.fault(
            "bad-slice",
            f"a time slice of {window}",
            "whole minutes that divide a day",
            "e.g. 1m, 5m, 1h",
            key="timeSliceWindow",
        )


def method_of(slo: RawSlo, objective: RawObjective) -> Method:
    """The budgeting method of one objective."""
    minutes = objective.slice_window.minutes if objective.slice_window else 1
    if slo.method == "Timeslices" and objective.slice_target is not None:
        return TimeSlices(minutes, objective.slice_target)
    if slo.method == "RatioTimeslices":
        return RatioTimeSlices(minutes)
    return Occurrences()


# ---------------------------------------------------------------- alert policies


def _policies(spec: Reader, slo: str, read: Read) -> tuple[str, ...]:
    found: list[str] = []
    items = spec.data.get("alertPolicies")
    if items is None:
        return ()
    if not isinstance(items, list):
        spec.fault("wrong-type", "'alertPolicies' is not a list", "a list", key="alertPolicies")
        return ()
    for i, item in enumerate(items):
        here = Reader(spec.document, (*spec.path, "alertPolicies", i), {}, spec.findings)
        if isinstance(item, str):
            found.append(item)
            read.policy_refs.append((here, item, slo))
        elif isinstance(item, dict):
            here = Reader(spec.document, here.path, item, spec.findings)
            ref = here.text("alertPolicyRef")
            if ref:
                here.only("alertPolicyRef")
                found.append(ref)
                read.policy_refs.append((here, ref, slo))
                continue
            name = read_policy(here, read)
            if name:
                found.append(name)
        else:
            here.fault("wrong-type", "an alert policy is neither a name nor a mapping")
    return tuple(found)


def read_policy(reader: Reader, read: Read) -> str:
    """An AlertPolicy; its conditions are followed once all documents are read."""
    name, *_ = metadata(reader)
    spec = reader.child("spec", required=True)
    if not name or spec is None:
        return name
    spec.only(
        "description", "alertWhenNoData", "alertWhenResolved", "alertWhenBreaching", "conditions",
        "notificationTargets",
    )  # fmt: skip
    first = read.raw_policies.get(name)
    if first is not None and first.data != reader.data:
        reader.fault(
            "duplicate",
            f"AlertPolicy '{name}' is defined twice, and differently",
            "a name of its own",
            f"rename one of them; the first stands at {first.place()}",
        )
    read.raw_policies.setdefault(name, reader)
    return name


def read_condition(reader: Reader, read: Read) -> None:
    """An AlertCondition that policies refer to."""
    name, *_ = metadata(reader)
    spec = reader.child("spec", required=True)
    if name and spec is not None:
        read.conditions[name] = spec


def read_target(reader: Reader, read: Read) -> None:
    """An AlertNotificationTarget."""
    name, *_ = metadata(reader)
    spec = reader.child("spec") or Reader(reader.document, ("spec",), {}, reader.findings)
    spec.only("description", "target")
    if name:
        read.targets[name] = reader
