"""Genuine messages of other systems are accepted and understood; broken and hostile ones refused.

The payloads are those that a real Alertmanager 0.25 sent, and those that the formats' own
specifications publish.
"""

from __future__ import annotations

import asyncio
import base64
import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import httpx2
import pytest

from tests.support.intake import PAYLOADS, Doors, payload
from watchkeeper.alerting.model import AlertState, Urgency
from watchkeeper.store import Database

CAPTURED = "captured-alertmanager-0.25"
ALIAS = "5e935198014d53f91c35f3fcb144f7d9c1dc799c3a268d68d9173ccf36a5fe30"


@pytest.fixture
def doors(db: Database) -> Doors:
    return Doors(db)


@pytest.fixture
def quick(tmp_path: Path) -> Iterator[Doors]:
    database = Database.open(str(tmp_path / "doors.db"))
    yield Doors(database)
    database.close()


def send(
    doors: Doors, path: str, body: object = None, headers: Mapping[str, str] | None = None
) -> httpx2.Response:
    return asyncio.run(doors.send(path, body, headers))


def test_what_alertmanager_sends_to_a_webhook(doors: Doors) -> None:
    fired = send(doors, "/in/{alertmanager}", payload(f"{CAPTURED}/webhook.3.json")["body"])

    assert fired.status_code == 202
    first, second = doors.alerts()
    assert first.key == "05147c4d3fc3061b"
    assert (first.summary, first.service) == ("Checkout error rate 12%", "checkout")
    assert first.links[0] == ("Runbook", "https://runbooks.example.com/checkout")
    assert (second.severity, second.urgency) == ("critical", Urgency.PAGE)
    assert second.labels["cluster"] == "eu1"

    over = send(doors, "/in/{alertmanager}", payload(f"{CAPTURED}/webhook.7.json")["body"])
    assert over.status_code == 202
    assert [a.state for a in doors.alerts()] == [AlertState.CLOSED, AlertState.CLOSED]


def test_what_prometheus_sends_to_alertmanager_is_the_same_alert(doors: Doors) -> None:
    captured = payload(f"{CAPTURED}/api_v2_alerts.firing.json")
    sent = [
        {k: a[k] for k in ("labels", "annotations", "generatorURL") if k in a} for a in captured
    ]
    ends = [{**a, "endsAt": "2036-01-01T00:00:00.000Z"} for a in sent]
    headers = {"authorization": f"Bearer {doors.keys['alertmanager']}"}

    assert send(doors, "/api/v2/alerts", ends, headers).status_code == 200
    assert [a.key for a in doors.alerts()] == sorted(
        (a["fingerprint"] for a in captured), key=[a.key for a in doors.alerts()].index
    )

    over = [{**a, "endsAt": "2026-01-05T07:59:59Z"} for a in sent]
    assert send(doors, "/in/{alertmanager}/api/v2/alerts", over).status_code == 200
    assert {a.state for a in doors.alerts()} == {AlertState.CLOSED}


def test_what_alertmanager_sends_to_pagerduty(doors: Doors) -> None:
    body = payload(f"{CAPTURED}/pagerduty_v2_enqueue.4.json")["body"]
    body["routing_key"] = doors.keys["pagerduty"]

    answer = send(doors, "/v2/enqueue", body)

    assert (answer.status_code, answer.json()["status"]) == (202, "success")
    assert answer.json()["dedup_key"] == body["dedup_key"] == doors.only().key
    assert doors.only().severity == "error"
    assert doors.only().links == ((
        "Alertmanager", "http://alertmanager.example.com/#/alerts?receiver=all"
    ),)  # fmt: skip
    over = payload(f"{CAPTURED}/pagerduty_v2_enqueue.6.json")["body"]
    assert send(doors, "/in/{pagerduty}/v2/enqueue", over).status_code == 202
    assert doors.only().state is AlertState.CLOSED


def test_what_alertmanager_sends_to_opsgenie(doors: Doors) -> None:
    headers = {"authorization": f"GenieKey {doors.keys['opsgenie']}"}
    made = payload(f"{CAPTURED}/opsgenie_v2_alerts.0.json")["body"]

    answer = send(doors, "/v2/alerts", made, headers)

    assert (answer.status_code, answer.json()["result"]) == (202, "Request will be processed")
    assert (doors.only().key, doors.only().severity) == (ALIAS, "critical")
    assert doors.only().service == "checkout"
    path = f"/v2/alerts/{ALIAS}/acknowledge?identifierType=alias"
    assert send(doors, path, {"user": "ann"}, headers).status_code == 202
    assert doors.only().state is AlertState.ACKNOWLEDGED
    name = f"{CAPTURED}/opsgenie_v2_alerts_{ALIAS}_close.5.json"
    path = f"/v2/alerts/{ALIAS}/close?identifierType=alias"
    assert send(doors, path, payload(name)["body"], headers).status_code == 202
    assert doors.only().state is AlertState.CLOSED


def test_every_published_cloudevent_opens_an_alert_that_wakes_nobody(doors: Doors) -> None:
    found = sorted(PAYLOADS.glob("cloudevents/*.json"))
    assert len(found) >= 8
    for path in found:
        answer = send(doors, "/in/{cloudevents}", path.read_bytes())
        assert answer.status_code == 202, (path.name, answer.text)
        events = json.loads(path.read_bytes())
        assert answer.json()["accepted"] == (len(events) if isinstance(events, list) else 1)

    alerts = doors.alerts()
    assert {a.urgency for a in alerts} == {Urgency.TICKET}
    assert {a.key for a in alerts} >= {"/mycontext|com.example.someevent|"}
    assert any(a.details.get("appinfoA") == "abc" for a in alerts)


def test_a_binary_cloudevent_is_read_from_its_headers(doors: Doors) -> None:
    headers = {
        "ce-specversion": "1.0",
        "ce-type": "com.example.disk.full",
        "ce-source": "/hosts/db%201",
        "ce-id": "1",
        "content-type": "application/json",
    }
    data = {"severity": "critical", "message": "No room", "service": "payments"}

    assert send(doors, "/in/{cloudevents}", data, headers).status_code == 202

    only = doors.only()
    assert (only.summary, only.source, only.service) == ("No room", "/hosts/db 1", "payments")
    recovered = {**headers, "ce-type": "com.example.disk.full.resolved", "ce-id": "2"}
    assert send(doors, "/in/{cloudevents}", {}, recovered).status_code == 202
    assert doors.only().state is AlertState.CLOSED


def test_incidents_of_cdevents_are_alerts_and_what_changes_a_system_is_a_change(
    doors: Doors,
) -> None:
    found = sorted(PAYLOADS.glob("cdevents/*.json"))
    assert len(found) >= 17
    for path in found:
        answer = send(doors, "/in/{cloudevents}", path.read_bytes())
        assert answer.status_code == 202, (path.name, answer.text)

    only = doors.only()
    assert (only.key, only.service, only.state) == ("incident-123", "myApp", AlertState.CLOSED)
    assert only.count == 2
    assert sorted(c.summary for c in doors.changes()) == [
        "Change mySubject123 merged",
        "Environment testEnv created",
        "Environment testEnv deleted",
        "Environment testEnv modified",
        "mySubject123 0b31b1c02ff4 deployed",
        "mySubject123 0b31b1c02ff4 rolled back",
        "mySubject123 0b31b1c02ff4 upgraded",
        "mySubject123 opened to users",
        "mySubject123 removed",
    ]


def test_a_pagerduty_change_event_is_a_change(doors: Doors) -> None:
    body = {
        "routing_key": doors.keys["pagerduty"],
        "payload": {
            "summary": "Build 7 deployed",
            "source": "ci",
            "timestamp": "2026-01-05T07:58:00Z",
            "custom_details": {"service": "checkout"},
        },
        "links": [{"href": "https://ci.example/7", "text": "Build"}],
    }

    answer = send(doors, "/v2/change/enqueue", body)

    assert (answer.status_code, answer.json()["message"]) == (202, "Change event processed")
    (change,) = doors.changes()
    assert (change.services, change.summary) == (("checkout",), "Build 7 deployed")
    assert (change.started_at, change.kind) == (doors.clock.now() - 120, "deployment")
    assert doors.alerts() == []


def test_grafana_unified_and_legacy(doors: Doors) -> None:
    alert = {
        "status": "firing",
        "labels": {"alertname": "Latency", "service": "search"},
        "annotations": {"summary": "Slow"},
        "startsAt": "2026-01-05T07:59:00Z",
        "endsAt": "0001-01-01T00:00:00Z",
        "fingerprint": "c6eadffa33fcdf37",
        "values": {"B": 44.2},
        "dashboardURL": "https://grafana.example/d/1",
        "panelURL": "",
        "generatorURL": "?orgId=1",
    }
    unified = {"receiver": "r", "status": "firing", "orgId": 1, "alerts": [alert], "title": "t"}
    legacy = {"ruleId": 7, "ruleName": "Old", "state": "alerting", "title": "[Alerting] Old"}

    assert send(doors, "/in/{grafana}", unified).status_code == 202
    assert send(doors, "/in/{grafana}", legacy).status_code == 202
    assert send(doors, "/in/{grafana}", {**legacy, "state": "ok"}).status_code == 202

    new, old = doors.alerts()
    assert (new.summary, new.service, new.details["values"]) == ("Slow", "search", {"B": 44.2})
    assert new.links == (("Dashboard", "https://grafana.example/d/1"),)
    assert (old.key, old.state) == ("rule/7", AlertState.CLOSED)


MAIL = b"""From: Nagios <nagios@mon.example>\r
To: watch@example.com\r
Subject: [FIRING:2] =?utf-8?q?Platte_voll_=E2=80=93_db-1?=\r
Date: Mon, 05 Jan 2026 07:59:00 +0000\r
Message-ID: <1@mon.example>\r
Content-Type: text/html; charset=utf-8\r
\r
<p>No <b>room</b> left</p><script>alert(1)</script>\r
"""


def test_an_email_opens_and_its_recovery_closes(doors: Doors) -> None:
    assert send(doors, "/in/{email}", MAIL).status_code == 202

    only = doors.only()
    assert only.summary == "[FIRING:2] Platte voll – db-1"
    assert (only.source, only.details["text"]) == ("nagios@mon.example", "No  room  left")
    over = MAIL.replace(b"[FIRING:2]", b"Re: [RESOLVED]")
    assert send(doors, "/in/{email}", over).status_code == 202
    assert doors.only().state is AlertState.CLOSED


def test_generic_json_by_a_mapping_and_by_the_usual_names(doors: Doors) -> None:
    sent = {"host": "db-1", "check": {"id": 12, "said": ["disk full"]}, "now": "down"}
    assert send(doors, "/in/{mapped}", sent).status_code == 202
    assert send(doors, "/in/{mapped}", {**sent, "now": "ok"}).status_code == 202
    usual = [{"title": "A", "status": "firing", "id": 1, "service": "Search"}, {"message": "B"}]
    answer = send(doors, "/in/{generic}", usual)

    # Alerts of one request are opened in the order of their keys; some keys are made by chance.
    first, second, mapped = sorted(doors.alerts(), key=lambda a: a.summary)
    assert (mapped.key, mapped.summary, mapped.state) == (
        "12", "db-1: disk full", AlertState.CLOSED
    )  # fmt: skip
    assert (first.key, first.service, second.summary) == ("1", "search", "B")
    assert [a["id"] for a in answer.json()["alerts"]] == [first.id, second.id]


def test_64_identical_first_alerts_at_once_make_one_alert_and_no_error(doors: Doors) -> None:
    body = {"title": "same", "id": "same"}

    async def all_at_once() -> list[httpx2.Response]:
        return await asyncio.gather(*(doors.send("/in/{generic}", body) for _ in range(64)))

    answers = asyncio.run(all_at_once())

    assert {a.status_code for a in answers} == {202}
    assert sum(a.json()["alerts"][0]["created"] for a in answers) == 1
    assert doors.only().count == 64


def test_over_its_limit_an_integration_is_told_when_to_come_again(doors: Doors) -> None:
    answers = [send(doors, "/in/{slow}", {"title": f"t{i}"}) for i in range(4)]

    assert [a.status_code for a in answers] == [202, 202, 202, 429]
    assert 1 <= int(answers[-1].headers["retry-after"]) <= 20
    assert len(doors.alerts()) == 3


# ---------------------------------------------------------------- what is refused

DROP_INS = {
    "pagerduty": f"{CAPTURED}/pagerduty_v2_enqueue.4.json",
    "alertmanager": f"{CAPTURED}/webhook.3.json",
    "opsgenie": f"{CAPTURED}/opsgenie_v2_alerts.0.json",
    "grafana": f"{CAPTURED}/webhook.3.json",
    "cloudevents": "cdevents/incident_detected.json",
    "generic": f"{CAPTURED}/slack.1.json",
}
DEEP = b"[" * 900 + b"]" * 900
HOSTILE = {
    "nothing": b"",
    "no JSON": b"hello",
    "a number": b"1",
    "a text": b'"text"',
    "null": b"null",
    "a truth": b"true",
    "not UTF-8": b'{"summary": "\xff\xfe"}',
    "endless": b"[" * 200_000,
    "deep": b'{"a":' * 500 + b"1" + b"}" * 500,
    "deep list": DEEP,
    "NUL": b'{"title": "a\\u0000b", "message": "a\\u0000b", "alerts": ["\\u0000"]}',
    "a lone surrogate": b'{"title": "\\ud800", "message": "\\ud800"}',
    "infinite": b'{"title": 1e999}',
    "NaN": b'{"title": NaN}',
    "too large": b'{"title": "' + b"x" * (512 * 1024) + b'"}',
}


@pytest.mark.parametrize("kind", list(DROP_INS))
def test_hostile_bodies_are_refused_with_a_reason(quick: Doors, kind: str) -> None:
    for name, body in HOSTILE.items():
        answer = send(quick, f"/in/{{{kind}}}", body)
        assert 400 <= answer.status_code < 500, (name, answer.status_code, answer.text)
        assert answer.json()["error"], name
    assert send(quick, f"/in/{{{kind}}}", HOSTILE["too large"]).status_code == 413
    assert quick.alerts() == []


@pytest.mark.parametrize("kind", list(DROP_INS))
def test_truncated_bodies_are_refused_at_every_length(quick: Doors, kind: str) -> None:
    whole = payload(DROP_INS[kind])
    body = json.dumps(whole.get("body", whole)).encode()
    for length in range(0, len(body) - 1, 37):
        answer = send(quick, f"/in/{{{kind}}}", body[:length])
        assert answer.status_code == 400, (length, answer.text)
    assert quick.alerts() == []


JUNK: tuple[Any, ...] = (None, True, -1, 10**30, 1.5, "", "x", [], [1], [[]], {}, {"a": 1}, [{}])


def _spoiled(value: Any, path: str = "") -> list[tuple[str, Any]]:  # noqa: ANN401
    """The document with one value exchanged for junk, for every value."""
    found: list[tuple[str, Any]] = []
    keys: list[Any] = list(value) if isinstance(value, dict) else []
    keys = list(range(len(value))) if isinstance(value, list) else keys
    for key in keys:
        for junk in JUNK:
            copy = value.copy()
            copy[key] = junk
            found.append((f"{path}.{key}={junk!r}", copy))
        for where, inner in _spoiled(value[key], f"{path}.{key}"):
            copy = value.copy()
            copy[key] = inner
            found.append((where, copy))
    return found


@pytest.mark.parametrize("kind", list(DROP_INS))
def test_wrong_types_anywhere_never_break_the_server(quick: Doors, kind: str) -> None:
    whole = payload(DROP_INS[kind])

    async def all_of_them() -> list[tuple[str, httpx2.Response]]:
        spoiled = _spoiled(whole.get("body", whole))[:600]
        return [(w, await quick.send(f"/in/{{{kind}}}", d)) for w, d in spoiled]

    refused = 0
    for where, answer in asyncio.run(all_of_them()):
        assert answer.status_code in (202, 400), (where, answer.status_code, answer.text)
        refused += answer.status_code == 400
        if answer.status_code == 400:
            assert re.search(r"\w", answer.json()["hint"]), where
    assert refused > 20 or kind == "generic"


def test_a_refusal_names_the_place_and_what_was_expected(quick: Doors) -> None:
    body = payload(DROP_INS["alertmanager"])["body"]
    body["alerts"][1]["labels"] = "none"

    answer = send(quick, "/in/{alertmanager}", body)

    assert answer.json()["error"] == "alerts[1].labels must be an object."
    assert quick.alerts() == []


@pytest.mark.parametrize(
    ("path", "headers"),
    [
        ("/in/wki_none", {}),
        ("/v2/alerts", {}),
        ("/v2/alerts", {"authorization": "GenieKey wki_none"}),
        ("/api/v2/alerts", {"authorization": "Basic %%%"}),
        ("/api/v2/alerts", {"authorization": "Basic " + base64.b64encode(b"a:b").decode()}),
        ("/v2/enqueue", {}),
    ],
)
def test_without_a_key_that_is_known_every_door_is_closed(
    quick: Doors, path: str, headers: dict[str, str]
) -> None:
    answer = send(quick, path, {"title": "x"}, headers)

    assert (answer.status_code, quick.alerts()) == (401, [])


def test_a_revoked_key_opens_nothing(quick: Doors) -> None:
    from watchkeeper.alerting import keys

    with quick.db.write() as conn:
        keys.revoke_key(conn, "generic", "test", quick.clock.now(), "test")

    assert send(quick, "/in/{generic}", {"title": "x"}).status_code == 401


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE"])
def test_other_methods_are_refused(quick: Doors, method: str) -> None:
    answer = asyncio.run(quick.send("/in/{generic}", None, None, method))

    assert (answer.status_code, answer.headers["allow"]) == (405, "POST")
