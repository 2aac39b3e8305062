"""Sloth and Pyrra files as OpenSLO documents that mean the same. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from watchkeeper.spec.document import Document, Path
from watchkeeper.spec.model import Finding, Place
from watchkeeper.spec.reader import Reader

SLOTH = "sloth"
PYRRA = "pyrra"


def foreign_kind(document: Document) -> str:
    """``sloth``, ``pyrra`` or ''."""
    data = document.data
    if not isinstance(data, dict):
        return ""
    if (
        str(data.get("version", "")).startswith("prometheus/")
        or document.api == "sloth.slok.dev/v1"
    ):
        return SLOTH
    return PYRRA if document.api.startswith("pyrra.dev/") else ""


def to_openslo(document: Document, findings: list[Finding]) -> list[Document]:
    """The OpenSLO documents (a Service and SLOs) that a Sloth or Pyrra document stands for."""
    if not isinstance(document.data, dict):
        return []
    reader = Reader(document, (), document.data, findings)
    return _sloth(reader) if foreign_kind(document) == SLOTH else _pyrra(reader)


# ---------------------------------------------------------------- Sloth


def _sloth(reader: Reader) -> list[Document]:
    root = reader
    if reader.document.api:
        reader.only("apiVersion", "kind", "metadata", "spec")
        child = reader.child("spec", required=True)
        if child is None:
            return []
        root = child
    else:
        version = reader.text("version")
        if version != "prometheus/v1":
            reader.fault("bad-version", f"'version' is '{version}'", "prometheus/v1", key="version")
    root.only("version", "service", "labels", "slos", "sloPlugins", "slo_plugins")
    service = root.text("service", required=True)
    made = [_service(root, service)] if service else []
    labels = root.table("labels")
    for slo in root.children("slos", required=True):
        document = _sloth_slo(slo, service, labels)
        if document is not None:
            made.append(document)
    return made


def _service(reader: Reader, name: str) -> Document:
    data = {"apiVersion": "openslo/v1", "kind": "Service", "metadata": {"name": name}, "spec": {}}
    return Document(data, reader.document.file, {(): reader.place("service")})


def _sloth_slo(slo: Reader, service: str, labels: Mapping[str, str]) -> Document | None:
    slo.only(
        "name", "objective", "description", "labels", "sli", "alerting", "plugins", "slo_plugins",
        "sloPlugins",
    )  # fmt: skip
    for key in ("plugins", "slo_plugins", "sloPlugins"):
        if slo.has(key):
            slo.warn("sloth-plugin", f"'{key}' is left out: its code is elsewhere", key=key)
    name = slo.text("name", required=True)
    sli, objective = slo.child("sli", required=True), _percent(slo, "objective")
    if not name or sli is None or objective is None:
        return None
    places = _places(slo, {"objective": ("spec", "objectives", 0, "targetPercent")})
    metric = _sloth_metric(sli, places)
    if metric is None:
        return None
    return _openslo(
        slo,
        f"{service}-{name}",
        name,
        service,
        slo.text("description"),
        {**labels, **slo.table("labels")},
        _flat("sloth/alerting", slo.data.get("alerting")),
        metric,
        {"targetPercent": slo.data["objective"]},
        "30d",
        places,
    )


def _sloth_metric(sli: Reader, places: dict[Path, Place]) -> dict[str, Any] | None:
    sli.only("events", "raw", "plugin")
    at: Path = ("spec", "indicator", "spec", "ratioMetric")
    events, raw = sli.child("events"), sli.child("raw")
    if events is not None:
        events.only("error_query", "total_query", "errorQuery", "totalQuery")
        bad = "errorQuery" if events.has("errorQuery") else "error_query"
        total = "totalQuery" if events.has("totalQuery") else "total_query"
        if not events.text(bad, required=True) or not events.text(total, required=True):
            return None
        places[(*at, "bad")] = events.place(bad)
        places[(*at, "total")] = events.place(total)
        return {
            "counter": True,
            "bad": _query(events.text(bad)),
            "total": _query(events.text(total)),
        }
    if raw is not None:
        raw.only("error_ratio_query", "errorRatioQuery")
        key = "errorRatioQuery" if raw.has("errorRatioQuery") else "error_ratio_query"
        if not raw.text(key, required=True):
            return None
        places[(*at, "raw")] = raw.place(key)
        return {"rawType": "failure", "raw": _query(raw.text(key))}
    if sli.has("plugin"):
        sli.fault(
            "sloth-plugin",
            "an SLI from a Sloth plugin cannot be read: its code is elsewhere",
            "'events' or 'raw'",
            "write out the queries that the plugin makes",
            key="plugin",
        )
        return None
    sli.fault("missing", "the SLI is empty", "'events' or 'raw'")
    return None


# ---------------------------------------------------------------- Pyrra


def _pyrra(reader: Reader) -> list[Document]:
    reader.only("apiVersion", "kind", "metadata", "spec", "status")
    if reader.document.kind != "ServiceLevelObjective":
        reader.fault(
            "unknown-kind", f"kind '{reader.document.kind}'", "ServiceLevelObjective", key="kind"
        )
        return []
    metadata, spec = reader.child("metadata", required=True), reader.child("spec", required=True)
    if metadata is None or spec is None:
        return []
    spec.only("target", "window", "description", "indicator", "alerting")
    name, window = metadata.text("name", required=True), spec.duration("window", required=True)
    indicator = spec.child("indicator", required=True)
    target = _percent(spec, "target")
    if not name or window is None or indicator is None or target is None:
        return []
    service = metadata.text("namespace") or name
    places = _places(spec, {"target": ("spec", "objectives", 0, "targetPercent")})
    found = _pyrra_metric(indicator, places)
    if found is None:
        return []
    metric, grouping = found
    slo = _openslo(
        spec,
        name,
        name,
        service,
        spec.text("description"),
        metadata.table("labels"),
        {**metadata.table("annotations"), **_flat("pyrra/alerting", spec.data.get("alerting"))},
        metric,
        {"targetPercent": _number(spec.data["target"])},
        window.text,
        places,
        grouping,
    )
    made = {
        "apiVersion": "openslo/v1",
        "kind": "Service",
        "metadata": {"name": service},
        "spec": {},
    }
    return [Document(made, reader.document.file, {(): metadata.place()}), slo]


def _pyrra_metric(
    indicator: Reader, places: dict[Path, Place]
) -> tuple[dict[str, Any], tuple[str, ...]] | None:
    indicator.only("ratio", "latency", "latencyNative", "bool_gauge", "boolGauge")
    at: Path = ("spec", "indicator", "spec", "ratioMetric")
    for key in ("ratio", "latency", "latencyNative", "bool_gauge", "boolGauge"):
        child = indicator.child(key)
        if child is None:
            continue
        places[at] = child.place()
        grouping = child.texts("grouping")
        metric = _PYRRA[key](child)
        return None if metric is None else (metric, grouping)
    indicator.fault(
        "missing", "the indicator is empty", "ratio, latency, latencyNative or bool_gauge"
    )
    return None


def _metric_of(reader: Reader, key: str) -> str:
    child = reader.child(key, required=True)
    if child is None:
        return ""
    child.only("metric")
    return child.text("metric", required=True)


def _pyrra_ratio(reader: Reader) -> dict[str, Any] | None:
    reader.only("errors", "total", "grouping")
    bad, total = _metric_of(reader, "errors"), _metric_of(reader, "total")
    if not bad or not total:
        return None
    return {"counter": True, "bad": _query(bad), "total": _query(total)}


def _pyrra_latency(reader: Reader) -> dict[str, Any] | None:
    reader.only("success", "total", "grouping")
    good, total = _metric_of(reader, "success"), _metric_of(reader, "total")
    if not good or not total:
        return None
    return {"counter": True, "good": _query(good), "total": _query(total)}


def _pyrra_native(reader: Reader) -> dict[str, Any] | None:
    reader.only("latency", "total", "grouping")
    under, total = reader.text("latency", required=True), _metric_of(reader, "total")
    if not under or not total:
        return None
    body = {"histogram": total, "threshold": under, "native": True}
    return {"counter": True, "total": {"metricSource": {"type": "Prometheus", "spec": body}}}


def _pyrra_gauge(reader: Reader) -> dict[str, Any] | None:
    # The gauge itself: its value, 0 or 1, is the share of good of each minute.
    reader.only("metric", "grouping")
    metric = reader.text("metric", required=True)
    return {"rawType": "success", "raw": _query(metric)} if metric else None


_PYRRA = {
    "ratio": _pyrra_ratio,
    "latency": _pyrra_latency,
    "latencyNative": _pyrra_native,
    "bool_gauge": _pyrra_gauge,
    "boolGauge": _pyrra_gauge,
}


# ---------------------------------------------------------------- shared


def _query(promql: str) -> dict[str, Any]:
    return {"metricSource": {"type": "Prometheus", "spec": {"query": promql.strip()}}}


def _number(value: object) -> object:
    """Pyrra writes targets as text; a number says the same in OpenSLO."""
    try:
        return float(str(value))
    except ValueError:
        return value


def _percent(reader: Reader, key: str) -> Decimal | None:
    number = reader.number(key, required=True, expected="a percentage, e.g. 99.9")
    if number is not None and not 0 < number <= 100:
        reader.fault("target-range", f"'{key}' is {number}", "above 0 and up to 100", key=key)
        return None
    return number


def _places(reader: Reader, known: Mapping[str, Path]) -> dict[Path, Place]:
    places: dict[Path, Place] = {(): reader.place()}
    for key, path in known.items():
        places[path] = reader.place(key)
    return places


def _flat(prefix: str, value: object) -> dict[str, str]:
    """What another tool keeps of alerting, as annotations: nothing that was written is lost."""
    if isinstance(value, dict):
        found: dict[str, str] = {}
        for key, inner in value.items():
            found |= _flat(f"{prefix}.{key}", inner)
        return found
    if value is None:
        return {}
    return {prefix: str(value).lower() if isinstance(value, bool) else str(value)}


def _openslo(
    origin: Reader,
    name: str,
    display: str,
    service: str,
    description: str,
    labels: Mapping[str, str],
    annotations: Mapping[str, str],
    metric: dict[str, Any],
    objective: dict[str, Any],
    window: str,
    places: dict[Path, Place],
    grouping: tuple[str, ...] = (),
) -> Document:
    indicator: dict[str, Any] = {"ratioMetric": metric}
    if grouping:
        indicator["groupBy"] = list(grouping)
    data = {
        "apiVersion": "openslo/v1",
        "kind": "SLO",
        "metadata": {
            "name": name,
            "displayName": display,
            **({"labels": dict(labels)} if labels else {}),
            **({"annotations": dict(annotations)} if annotations else {}),
        },
        "spec": {
            "description": description,
            "service": service,
            "indicator": {"metadata": {"name": name}, "spec": indicator},
            "timeWindow": [{"duration": window, "isRolling": True}],
            "budgetingMethod": "Occurrences",
            "objectives": [objective],
        },
    }
    return Document(data, origin.document.file, places)
