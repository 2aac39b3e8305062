"""Prometheus's alerts: Alertmanager's webhook (version 4) and its own ``POST /api/v2/alerts``."""

from __future__ import annotations

from collections.abc import Mapping

from watchkeeper.alerting.intake.model import Asked, Understood
from watchkeeper.alerting.intake.reading import Fields, items, links_of, severity_of, wrong
from watchkeeper.alerting.model import Signal, SignalAction

_OFFSET, _PRIME, _MASK = 14695981039346656037, 1099511628211, (1 << 64) - 1
_SERVICE = ("service", "app", "app_kubernetes_io_name", "job")


def fingerprint(labels: Mapping[str, str]) -> str:
    """Prometheus's own: 64-bit FNV-1a over name, 0xFF, value, 0xFF in order of name
    (prometheus/common, model/signature.go)."""
    value = _OFFSET
    for name in sorted(labels):
        for byte in b"%b\xff%b\xff" % (name.encode(), labels[name].encode()):
            value = ((value ^ byte) * _PRIME) & _MASK
    return f"{value:016x}"


def parse(document: object, asked: Asked) -> list[Understood]:
    """A list is what Prometheus sends to Alertmanager; an object is Alertmanager's webhook."""
    if isinstance(document, list):
        return [_posted(each, asked) for each in items(document, "")]
    return parse_webhook(document, asked)


def parse_webhook(document: object, asked: Asked) -> list[Understood]:
    """Each alert of the group on its own; the group is in the details."""
    del asked
    fields = Fields(document)
    if "alerts" not in fields.data:
        raise wrong("alerts", "a list of alerts", "Alertmanager's webhook, version 4")
    group = fields.text("groupKey", most=1000)
    outer = fields.text("externalURL", most=2000)
    found: list[Understood] = []
    for alert in items(fields.data["alerts"], "alerts"):
        resolved = alert.choice("status", ("firing", "resolved"), "firing") == "resolved"
        found.append(signal_of(alert, resolved, group, [("Alertmanager", outer)]))
    return found


def _posted(alert: Fields, asked: Asked) -> Signal:
    ends = alert.time("endsAt")
    return signal_of(alert, ends is not None and ends <= asked.now, "", [])


def signal_of(
    alert: Fields, resolved: bool, group: str, more_links: list[tuple[str, str]]
) -> Signal:
    """One alert of Prometheus in our words."""
    labels = alert.labels("labels")
    if not labels:
        raise wrong(alert.at("labels"), "an object that is not empty", '{"alertname": "Down"}')
    notes = alert.labels("annotations")
    name = labels.get("alertname", "")
    links = [
        ("Runbook", notes.get("runbook_url", notes.get("runbook", ""))),
        ("Dashboard", notes.get("dashboard_url", notes.get("dashboard", ""))),
        ("Source", alert.text("generatorURL", most=2000)),
        *more_links,
    ]
    summary = notes.get("summary") or notes.get("title") or notes.get("message")
    details: dict[str, object] = {"annotations": notes} if notes else {}
    if group:
        details["group"] = group
    return Signal(
        key=alert.exact("fingerprint", 200) or fingerprint(labels),
        action=SignalAction.RESOLVE if resolved else SignalAction.TRIGGER,
        summary=summary or notes.get("description") or name or ", ".join(labels.values()),
        severity=severity_of(labels.get("severity", labels.get("level", ""))),
        service=next((labels[n] for n in _SERVICE if labels.get(n)), ""),
        source=labels.get("instance", labels.get("cluster", "")),
        component=labels.get("component", labels.get("pod", "")),
        group=labels.get("cluster", ""),
        klass=name,
        labels=labels,
        details=details,
        links=links_of(links),
        at=alert.time("startsAt"),
    )
