"""The API of alerts, silences, integrations and heartbeats: parse, call one use case, render."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Path, Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from watchkeeper.alerting.heartbeats import exit_code, to_row
from watchkeeper.alerting.intake.reading import links_of
from watchkeeper.alerting.model import Alert, Signal, SignalAction, Urgency
from watchkeeper.alerting.quiet import Silence
from watchkeeper.alerting.silencing import matcher_of
from watchkeeper.alerting.store_doors import Key
from watchkeeper.alerting.store_intake import Tally
from watchkeeper.faces import alert_pages
from watchkeeper.faces.alerts import Alerts, Filter, fresh_key
from watchkeeper.faces.api import render
from watchkeeper.faces.api.asked import actor, plain
from watchkeeper.kernel.clock import Seconds, iso
from watchkeeper.store.timeline import Event

AlertId = Annotated[int, Path(ge=1, le=2**53)]
Text = Annotated[str, Query(max_length=300)]
Shown = Literal["open", "acknowledged", "closed"]
NO_TALLY = Tally()
Severity = Literal["critical", "error", "warning", "info"]


class SignalIn(BaseModel):
    """An alert to open, acknowledge or close. With no ``key`` each is an alert of its own."""

    model_config = ConfigDict(extra="forbid")

    summary: str = Field(min_length=1, max_length=1000)
    key: str = Field("", max_length=500)
    action: Literal["trigger", "acknowledge", "resolve"] = "trigger"
    severity: Severity = "critical"
    urgency: Literal["page", "ticket", "info"] | None = None
    service: str = Field("", max_length=300)
    source: str = Field("", max_length=500)
    labels: dict[str, str] = Field({}, max_length=200)
    url: str = Field("", max_length=2000)


class CloseIn(BaseModel):
    """Why an alert is over."""

    reason: str = Field("closed by hand", min_length=1, max_length=1000)


class SilenceIn(BaseModel):
    """Whom not to call for, and until when. Matchers: ``service=shop``, ``summary=~.*disk.*``."""

    model_config = ConfigDict(extra="forbid")

    matchers: list[str] = Field(min_length=1, max_length=20)
    end: float | str = Field(description="RFC 3339 or epoch seconds")
    start: float | str | None = None
    reason: str = Field(min_length=1, max_length=1000)


class TestIn(BaseModel):
    """Whether people are to be called for a test alert."""

    model_config = ConfigDict(extra="forbid")

    calls: bool = False


class KeyIn(BaseModel):
    """What a key is called: where it is used."""

    name: str = Field(min_length=1, max_length=200)


def alert_routes(router: APIRouter, alerts: Alerts) -> None:
    """Add the routes."""
    _alerts(router, alerts)
    _silences(router, alerts)
    _integrations(router, alerts)


def _alerts(router: APIRouter, alerts: Alerts) -> None:
    @router.get("/alerts", tags=["alerts"])
    def list_alerts(
        state: Annotated[list[Shown], Query()] = [],  # noqa: B006 - read only
        service: Text = "",
        urgency: Literal["", "page", "ticket", "info"] = "",
        integration: Text = "",
        severity: Literal["", "critical", "error", "warning", "info"] = "",
        q: Text = "",
        after: Annotated[int | None, Query(ge=1, le=2**53)] = None,
        limit: Annotated[int, Query(ge=1, le=1000)] = 100,
    ) -> dict[str, Any]:
        """Alerts, newest first. Give `next` as `after` to go on."""
        asked = Filter(state, plain(service), urgency, plain(integration), plain(q), severity)
        found = alerts.find(asked, after, limit)
        more = found[-1].id if len(found) == limit else None
        return {"alerts": [alert_json(a) for a in found], "next": more}

    @router.post("/alerts", status_code=202, tags=["alerts"])
    def send_alert(body: SignalIn) -> dict[str, Any]:
        """Open, acknowledge or close an alert."""
        key = plain(body.key) or fresh_key()
        made = alerts.send(_signal(body, key))
        return {"id": made.alert_id, "key": key, "created": made.created, "state": made.state}

    @router.get("/alerts/{alert_id}", tags=["alerts"])
    def get_alert(alert_id: AlertId) -> dict[str, Any]:
        """One alert with its story, and the message that opened it as it came."""
        found, events = alerts.story(alert_id)
        story = [_event_json(e) for e in events]
        return {**alert_json(found), "story": story, "received": _received(alerts, alert_id)}

    @router.post("/alerts/{alert_id}/close", tags=["alerts"])
    def close_alert(alert_id: AlertId, body: CloseIn, request: Request) -> dict[str, Any]:
        """It is over; its key is free. To acknowledge, use its page."""
        return alert_json(alerts.close(alert_id, actor(request), plain(body.reason)))


def _silences(router: APIRouter, alerts: Alerts) -> None:
    @router.get("/silences", tags=["silences"])
    def list_silences(all: bool = False) -> list[dict[str, Any]]:
        """Silences that are not over, or all."""
        return [silence_json(s) for s in alerts.silences(all)]

    @router.get("/silences/matching", tags=["silences"])
    def matching_alerts(
        matcher: Annotated[list[str], Query(min_length=1, max_length=20)],
    ) -> dict[str, Any]:
        """Which open alerts a silence with these matchers would hold for, and the pages of which
        every open alert matches."""
        matchers = [matcher_of(plain(m)) for m in matcher]
        found = alert_pages.matched(alert_pages.everything_open(alerts), matchers)
        return {
            "count": len(found.alerts),
            "alerts": [{"id": a.id, "summary": a.summary} for a in found.alerts[:100]],
            "pages": list(found.pages),
        }

    @router.post("/silences", status_code=201, tags=["silences"])
    def add_silence(body: SilenceIn, request: Request) -> dict[str, Any]:
        """Keep people from being called for alerts that match all. The alerts are kept."""
        matchers = [matcher_of(plain(m)) for m in body.matchers]
        start = None if body.start is None else render.seconds(body.start)
        end, reason = render.seconds(body.end), plain(body.reason)
        return silence_json(alerts.silence(matchers, start, end, actor(request), reason))

    @router.delete("/silences/{silence_id}", status_code=204, tags=["silences"])
    def end_silence(silence_id: Annotated[str, Path(max_length=32)], request: Request) -> Response:
        """End a silence now; alerts that it kept quiet call people."""
        alerts.end_silence(plain(silence_id), actor(request))
        return Response(status_code=204)


def _integrations(router: APIRouter, alerts: Alerts) -> None:
    @router.get("/integrations", tags=["integrations"])
    def list_integrations() -> list[dict[str, Any]]:
        """Integrations and heartbeats with the names of their keys, never the keys; what came in
        by each."""
        defined, tallies = alerts.board.posting.specs.duty.integrations, alerts.tallies()
        return [
            {
                "name": name,
                "type": str(defined[name].type) if name in defined else "heartbeat",
                "keys": [_key_json(k) for k in found],
                **_tally_json(tallies.get(name, NO_TALLY)),
            }
            for name, found in alerts.keys().items()
        ]

    @router.post("/integrations/{name:path}/test", status_code=202, tags=["integrations"])
    def send_test(name: str, body: TestIn, request: Request) -> dict[str, Any]:
        """A test alert through this door: as information, or for whoever it would call."""
        made = alerts.test(plain(name), actor(request), body.calls)
        return {"id": made.alert_id, "created": made.created, "state": made.state}

    @router.post("/integrations/{name:path}/keys", status_code=201, tags=["integrations"])
    def make_key(name: str, body: KeyIn, request: Request) -> dict[str, Any]:
        """A new key, shown this once."""
        key = alerts.make_key(plain(name), plain(body.name), actor(request))
        return {"integration": name, "name": body.name, "key": key}

    @router.delete("/integrations/{name:path}/keys/{key}", status_code=204, tags=["integrations"])
    def revoke_key(name: str, key: str, request: Request) -> Response:
        """Close a key for good."""
        alerts.revoke_key(plain(name), plain(key), actor(request))
        return Response(status_code=204)

    @router.get("/heartbeats", tags=["integrations"])
    def list_heartbeats() -> list[dict[str, Any]]:
        """How every heartbeat is doing."""
        defined = alerts.board.posting.specs.duty.heartbeats
        return [
            {
                "name": v.name,
                "state": v.state,
                "every_seconds": defined[v.name].every,
                "cron": defined[v.name].cron,
                "time_zone": defined[v.name].time_zone,
                "grace_seconds": defined[v.name].grace,
                "exit_code": exit_code(v.beat),
                "last": _when(v.beat.last),
                "due_at": _when(v.due_at),
                "took_seconds": to_row(v.beat)["took"],
                "note": v.beat.note,
            }
            for v in alerts.heartbeats()
            if v.name in defined
        ]


def _signal(body: SignalIn, key: str) -> Signal:
    return Signal(
        key=key,
        action=SignalAction(body.action),
        summary=plain(body.summary),
        severity=body.severity,
        service=plain(body.service),
        source=plain(body.source),
        labels={plain(k)[:500]: plain(v)[:5000] for k, v in body.labels.items()},
        links=links_of([("Link", plain(body.url))]),
        urgency=Urgency(body.urgency) if body.urgency else None,
    )


def alert_json(alert: Alert) -> dict[str, Any]:
    """An alert for the API."""
    return {
        "id": alert.id,
        "state": alert.state,
        "urgency": alert.urgency,
        "severity": alert.severity,
        "summary": alert.summary,
        "service": alert.service,
        "integration": alert.integration,
        "key": alert.key,
        "opened_at": iso(alert.opened_at),
        "last_at": iso(alert.last_at),
        "closed_at": _when(alert.closed_at),
        "count": alert.count,
        "page_id": alert.page_id,
        "quiet": alert.quiet,
        "source": alert.source,
        "component": alert.component,
        "labels": dict(alert.labels),
        "details": dict(alert.details),
        "links": [{"text": text, "url": url} for text, url in alert.links],
    }


def silence_json(silence: Silence) -> dict[str, Any]:
    """A silence for the API."""
    return {
        "id": silence.id,
        "matchers": [f"{m.label}{m.op}{m.value}" for m in silence.matchers],
        "start": iso(silence.start),
        "end": iso(silence.end),
        "author": silence.author,
        "reason": silence.reason,
    }


def _key_json(key: Key) -> dict[str, Any]:
    return {
        "name": key.name,
        "created_at": iso(key.created_at),
        "revoked_at": _when(key.revoked_at),
    }


def _tally_json(tally: Tally) -> dict[str, Any]:
    return {
        "accepted": tally.accepted,
        "refused": tally.refused,
        "last_accepted": _when(tally.accepted_at),
        "last_refused": _when(tally.refused_at),
        "last_refusal": tally.refusal,
    }


def _received(alerts: Alerts, alert_id: int) -> dict[str, Any] | None:
    found = alerts.received(alert_id)
    if found is None:
        return None
    return {
        "at": iso(found.at),
        "content_type": found.content_type,
        "size": found.size,
        "body": found.body,
    }


def _event_json(event: Event) -> dict[str, Any]:
    return {"at": iso(event.at), "kind": event.kind, "actor": event.actor, "data": event.data}


def _when(at: Seconds | None) -> str | None:
    return None if at is None else iso(at)
