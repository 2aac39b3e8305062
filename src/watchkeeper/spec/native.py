"""Our own kinds: Team, Service, CompositeSLO, Journey (a short form of OpenSLO). Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from watchkeeper.spec.document import Document, Path
from watchkeeper.spec.duty_fields import DutyRead
from watchkeeper.spec.model import (
    Aspect,
    Composite,
    CompositePart,
    JourneyDefinition,
    Place,
    ServiceDefinition,
    SourceDefinition,
    SourceType,
    TeamDefinition,
    Window,
)
from watchkeeper.spec.openslo import Read, metadata, read_window
from watchkeeper.spec.queries import MAIN_FIELD, narrowed
from watchkeeper.spec.reader import Reader, dangling
from watchkeeper.spec.response_read import ResponseRead

API = "watchkeeper/v1"
APIS = (API, "watchkeeper.dev/v1")
KINDS = (
    "Team", "Service", "Journey", "CompositeSLO", "User", "Schedule", "EscalationPolicy",
    "Channel", "Integration", "Heartbeat", "TriageRule", "Maintenance", "AlertPolicy",
    "IncidentPolicy", "Mitigation", "StatusPage", "Tracker", "BudgetPolicy",
    "IncidentMirror", "Review",
)  # fmt: skip
JOURNEY = "watchkeeper/journey"
ASPECT = "watchkeeper/aspect"
"""Annotations that tell which journey an SLO belongs to and what it says of it."""


_SLICES = "slice: (e.g. 5m) and sliceTarget: (e.g. 99%), both or neither"


@dataclass(frozen=True, slots=True)
class RawComposite:
    """A composite SLO as written."""

    reader: Reader
    spec: Reader
    name: str
    display_name: str
    service: str
    target: Decimal | None
    window: Window | None
    composite: Composite
    policies: tuple[str, ...]


@dataclass
class Native:
    """What our own kinds hold."""

    teams: dict[str, TeamDefinition] = field(default_factory=dict)
    services: dict[str, ServiceDefinition] = field(default_factory=dict)
    journeys: dict[str, JourneyDefinition] = field(default_factory=dict)
    composites: dict[str, RawComposite] = field(default_factory=dict)
    readers: dict[tuple[str, str], Reader] = field(default_factory=dict)
    duty: DutyRead = field(default_factory=DutyRead)
    response: ResponseRead = field(default_factory=ResponseRead)


def read_team(reader: Reader, native: Native) -> None:
    """A team."""
    name, display, *_ = metadata(reader)
    spec = reader.child("spec") or Reader(reader.document, ("spec",), {}, reader.findings)
    spec.only("description", "email", "chat")
    if name:
        native.teams[name] = TeamDefinition(
            name, display, reader.place(), spec.text("email"), spec.text("chat")
        )


def read_service(reader: Reader, native: Native) -> None:
    """A service with owner, tier, dependencies, links, and what an outage costs."""
    name, display, labels, _ = metadata(reader)
    spec = reader.child("spec", required=True)
    if not name or spec is None:
        return
    spec.only(
        "description", "owner", "tier", "dependsOn", "links", "revenuePerMinute", "currency",
        "usersPerMinute", "escalationPolicy",
    )  # fmt: skip
    tier = spec.number("tier")
    if tier is not None and (tier != int(tier) or tier < 0):
        spec.fault(
            "bad-value",
            f"'tier' is {tier}",
            "a whole number, 0 or 1 for the most critical",
            key="tier",
        )
    native.readers["Service", name] = spec
    native.services[name] = ServiceDefinition(
        name,
        display,
        reader.place(),
        spec.text("description"),
        spec.text("owner") or None,
        int(tier) if tier is not None else None,
        spec.texts("dependsOn"),
        spec.table("links"),
        _amount(spec, "revenuePerMinute"),
        spec.text("currency"),
        _amount(spec, "usersPerMinute"),
        labels,
        native.duty.refer(spec, "escalationPolicy", "EscalationPolicy") or None,
    )


def _amount(spec: Reader, key: str) -> Decimal | None:
    number = spec.number(key)
    if number is not None and number < 0:
        spec.fault("bad-value", f"'{key}' is {number}", "zero or more", key=key)
    return number


def read_composite(reader: Reader, native: Native) -> None:
    """A CompositeSLO: one objective over several SLOs."""
    name, display, *_ = metadata(reader)
    spec = reader.child("spec", required=True)
    if not name or spec is None:
        return
    spec.only("description", "service", "target", "timeWindow", "mode", "parts", "alertPolicies")
    mode = spec.choice("mode", ("weighted", "all_of")) or "weighted"
    parts = []
    for part in spec.children("parts", required=True):
        part.only("slo", "weight")
        weight = part.number("weight")
        if weight is not None and weight <= 0:
            part.fault("bad-value", f"'weight' is {weight}", "more than zero", key="weight")
        slo = part.text("slo", required=True)
        if slo:
            parts.append(CompositePart(slo, Decimal(1) if weight is None else weight))
    if spec.has("parts") and not parts:
        spec.fault("missing", "'parts' is empty", "at least one SLO", "list them", key="parts")
    native.readers["CompositeSLO", name] = spec
    native.composites[name] = RawComposite(
        reader,
        spec,
        name,
        display,
        spec.text("service", required=True),
        spec.share("target", required=True),
        read_window(spec),
        Composite(tuple(parts), mode),
        spec.texts("alertPolicies"),
    )


# ---------------------------------------------------------------- journeys


def expand_journey(reader: Reader, native: Native, read: Read) -> list[Document]:
    """The OpenSLO documents that a journey's short form stands for."""
    name, display, labels, annotations = metadata(reader)
    spec = reader.child("spec", required=True)
    if not name or spec is None:
        return []
    spec.only(
        "description", "service", "critical", "source", "window", "timeWindow", "alertPolicies",
        *Aspect,
    )  # fmt: skip
    shared = _Journey(reader, spec, name, display, labels, annotations, read)
    made = [doc for aspect in Aspect if (doc := shared.slo(aspect)) is not None]
    native.readers["Journey", name] = spec
    native.journeys[name] = JourneyDefinition(
        name,
        display,
        spec.text("service", required=True),
        reader.place(),
        spec.flag("critical"),
        spec.text("description"),
        tuple(doc.name for doc in made),
    )
    _complete(reader, spec, name)
    return made


def _complete(reader: Reader, spec: Reader, name: str) -> None:
    missing = [str(a) for a in Aspect if not spec.has(a)]
    if len(missing) == len(Aspect):
        reader.fault("journey-empty", f"journey '{name}' has no objective", ", ".join(Aspect))
    elif spec.flag("critical") and missing:
        spec.fault(
            "journey-incomplete",
            f"critical journey '{name}' lacks {' and '.join(missing)}",
            "availability, latency and correctness",
            f"add '{missing[0]}:', or write critical: false",
            key="critical",
        )


@dataclass(frozen=True, slots=True)
class _Journey:
    reader: Reader
    spec: Reader
    name: str
    display: str
    labels: Mapping[str, str]
    annotations: Mapping[str, str]
    read: Read

    def slo(self, aspect: Aspect) -> Document | None:
        """The OpenSLO SLO of one aspect."""
        block = self.spec.child(aspect)
        if block is None:
            return None
        block.only(
            "target", "total", "good", "bad", "histogram", "threshold", "source", "slice",
            "sliceTarget", "alertPolicies", "groupBy", "description",
        )  # fmt: skip
        places: dict[Path, Place] = {(): block.place()}
        source = self._source(block)
        metric = None if source is None else self._metric(block, aspect, source, places)
        if source is None or metric is None:
            return None
        if block.has("slice") != block.has("sliceTarget"):
            block.lacks("sliceTarget" if block.has("slice") else "slice", _SLICES)
            return None
        objective = self._objective(block, places)
        indicator: dict[str, Any] = {"ratioMetric": metric}
        if block.has("groupBy"):
            indicator["groupBy"] = block.data["groupBy"]
            places["spec", "indicator", "spec", "groupBy"] = block.place("groupBy")
        sliced = block.has("slice")
        slo = f"{self.name}-{aspect}"
        data = {
            "apiVersion": "openslo/v1",
            "kind": "SLO",
            "metadata": {
                "name": slo,
                "displayName": f"{self.display}: {aspect}",
                **({"labels": dict(self.labels)} if self.labels else {}),
                "annotations": {**self.annotations, JOURNEY: self.name, ASPECT: str(aspect)},
            },
            "spec": {
                "description": block.text("description") or self.spec.text("description"),
                "service": self.spec.text("service"),
                "indicator": {"metadata": {"name": slo}, "spec": indicator},
                "timeWindow": self._window(places),
                "budgetingMethod": "Timeslices" if sliced else "Occurrences",
                "objectives": [objective],
                **self._policies(block, places),
            },
        }
        return Document(data, self.reader.document.file, places)

    def _source(self, block: Reader) -> SourceDefinition | None:
        where = block if block.has("source") else self.spec
        name = where.text("source")
        if not name:
            self.spec.fault(
                "missing", "'source' is missing", "the name of a DataSource", "add 'source:'"
            )
            return None
        found = self.read.sources.get(name)
        if found is None:
            dangling(where, "source", "DataSource", name, self.read.sources)
        return found

    def _window(self, places: dict[Path, Place]) -> list[Any]:
        if self.spec.has("timeWindow"):
            if self.spec.has("window"):
                self.spec.fault(
                    "many-windows", "both 'window' and 'timeWindow'", "one of them", key="window"
                )
            _copy_places(self.spec, ("timeWindow",), ("spec", "timeWindow"), places)
            found = self.spec.data["timeWindow"]
            return found if isinstance(found, list) else [found]
        places["spec", "timeWindow"] = self.spec.place("window")
        return [{"duration": self.spec.text("window") or "28d", "isRolling": True}]

    def _objective(self, block: Reader, places: dict[Path, Place]) -> dict[str, Any]:
        at: Path = ("spec", "objectives", 0)
        places[at] = block.place()
        places[(*at, "target")] = block.place("target")
        objective: dict[str, Any] = {}
        if block.has("target"):
            objective["target"] = block.data["target"]
        for ours, theirs in (("slice", "timeSliceWindow"), ("sliceTarget", "timeSliceTarget")):
            if block.has(ours):
                objective[theirs] = block.data[ours]
                places[(*at, theirs)] = block.place(ours)
        return objective

    def _policies(self, block: Reader, places: dict[Path, Place]) -> dict[str, Any]:
        where = block if block.has("alertPolicies") else self.spec
        if not where.has("alertPolicies"):
            return {}
        _copy_places(where, ("alertPolicies",), ("spec", "alertPolicies"), places)
        return {"alertPolicies": where.data["alertPolicies"]}

    def _metric(
        self, block: Reader, aspect: Aspect, source: SourceDefinition, places: dict[Path, Place]
    ) -> dict[str, Any] | None:
        at: Path = ("spec", "indicator", "spec", "ratioMetric")
        places[at] = block.place()

        def query(key: str, body: object, places_from: str) -> dict[str, Any]:
            base = (*at, key, "metricSource", "spec")
            places[base] = block.place(places_from)
            if isinstance(body, dict):
                _copy_places(block, (places_from,), base, places)
            else:
                body = {MAIN_FIELD.get(source.type, "query"): body}
            return {"metricSource": {"metricSourceRef": source.name, "spec": body}}

        if block.has("histogram"):
            return self._histogram(block, query)
        if not block.has("total"):
            block.fault(
                "missing", "'total' is missing", "the query that counts all events", "add it"
            )
            return None
        total = block.data["total"]
        slow = aspect is Aspect.LATENCY and block.has("threshold")
        if slow and source.type is SourceType.PROBE:
            check = total if isinstance(total, dict) else {MAIN_FIELD[source.type]: total}
            total = {"expect_within": block.data["threshold"], **check}
            return {"counter": True, "total": query("total", total, "total")}
        made = {"counter": True, "total": query("total", total, "total")}
        if slow:
            fast = self._under(block, source, total)
            return None if fast is None else {**made, "good": query("good", fast, "total")}
        for key in ("good", "bad"):
            if block.has(key):
                part = self._part(block, key, total)
                if part is None:
                    return None
                made[key] = query(key, part, key)
        return made

    def _part(self, block: Reader, key: str, total: object) -> object | None:
        """``{code=~"5.."}`` alone narrows the total; anything else stands for itself."""
        body: object = block.data[key]
        if isinstance(body, dict) and isinstance(total, dict):
            return {**total, **body}
        if not isinstance(body, str) or not body.strip().startswith("{"):
            return body
        found = narrowed(total, body) if isinstance(total, str) else None
        if found is None:
            block.fault(
                "narrows-nothing",
                f"it is not clear which selector of 'total' '{key}' narrows",
                "a 'total' with one pair of braces, or a metric's name alone",
                f"write the whole query of '{key}'",
                key=key,
            )
        return found

    def _histogram(self, block: Reader, query: Any) -> dict[str, Any] | None:  # noqa: ANN401
        if not block.has("threshold"):
            block.fault("missing", "'threshold' is missing", "a duration such as 300ms", "add it")
            return None
        body = {"histogram": block.data["histogram"], "threshold": block.data["threshold"]}
        return {"counter": True, "total": query("total", body, "histogram")}

    def _under(self, block: Reader, source: SourceDefinition, total: object) -> object | None:
        """The query for those of ``total`` that were fast enough."""
        threshold = block.data["threshold"]
        if source.type is SourceType.ACCESS_LOG and isinstance(total, dict):
            return {**total, "faster_than": threshold}
        block.fault(
            "latency-form",
            f"'threshold' beside 'total' is for access logs and probes, but '{source.name}' is "
            f"{source.type}",
            "'histogram' and 'threshold', or 'good' and 'total'",
            key="threshold",
        )
        return None


def _copy_places(reader: Reader, old: Path, new: Path, places: dict[Path, Place]) -> None:
    start = (*reader.path, *old)
    for path, place in reader.document.places.items():
        if path[: len(start)] == start:
            places[(*new, *path[len(start) :])] = place
