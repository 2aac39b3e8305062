"""Grafana's webhook: unified alerting (as Alertmanager's, with more), and legacy dashboards."""

from __future__ import annotations

from dataclasses import replace

from watchkeeper.alerting.intake.alertmanager import signal_of
from watchkeeper.alerting.intake.model import Asked, Understood
from watchkeeper.alerting.intake.reading import Fields, items, links_of, plain, wrong
from watchkeeper.alerting.model import Signal, SignalAction

_LEGACY = {"alerting": "critical", "no_data": "warning", "ok": "info", "paused": "info",
           "pending": "info"}  # fmt: skip


def parse(document: object, asked: Asked) -> list[Understood]:
    """Each alert on its own. Grafana's ``ruleId`` without ``alerts`` is the legacy form."""
    del asked
    fields = Fields(document)
    if "alerts" in fields.data:
        return [_alert(a, fields) for a in items(fields.data["alerts"], "alerts")]
    if "ruleId" in fields.data or "ruleName" in fields.data:
        return [_legacy(fields)]
    raise wrong("alerts", "a list of alerts", "what a Grafana contact point of type webhook sends")


def _alert(alert: Fields, outer: Fields) -> Signal:
    resolved = alert.choice("status", ("firing", "resolved"), "firing") == "resolved"
    links = [
        ("Dashboard", alert.text("dashboardURL", most=2000)),
        ("Panel", alert.text("panelURL", most=2000)),
        ("Silence in Grafana", alert.text("silenceURL", most=2000)),
        ("Grafana", outer.text("externalURL", most=2000)),
    ]
    signal = signal_of(alert, resolved, outer.text("groupKey", most=1000), links)
    values = alert.data.get("values") or alert.data.get("valueString")
    if values is None:
        return signal
    return replace(signal, details={**signal.details, "values": values})


def _legacy(fields: Fields) -> Signal:
    state = fields.choice("state", tuple(_LEGACY))
    name = fields.text("ruleName", most=1000)
    title = fields.text("title", most=1000) or name
    number = fields.data.get("ruleId")
    if number is None and not name:
        raise wrong("ruleName", "a text that is not empty")
    over = state in ("ok", "paused")
    tags = fields.labels("tags")
    return Signal(
        key=f"rule/{plain(number)[:100]}" if number is not None else f"rule/{name[:200]}",
        action=SignalAction.RESOLVE if over else SignalAction.TRIGGER,
        summary=title,
        severity=_LEGACY[state],
        service=tags.get("service", ""),
        klass=name,
        labels=tags,
        details={"message": fields.text("message"), "matches": fields.data.get("evalMatches")},
        links=links_of([("Rule", fields.text("ruleUrl", most=2000))]),
    )
