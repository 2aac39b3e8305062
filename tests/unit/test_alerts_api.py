"""The API and the commands of alerts, silences, integrations and heartbeats."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from click.testing import CliRunner

from tests.support.intake import Doors
from watchkeeper.access.model import Scope
from watchkeeper.access.work import create_token
from watchkeeper.alerting import store_intake
from watchkeeper.alerting.store_intake import Received, Tally
from watchkeeper.faces.cli import common
from watchkeeper.faces.cli.main import cli
from watchkeeper.store import Database


class Api:
    """The API of these doors, with a token that may do all."""

    def __init__(self, db: Database) -> None:
        self.doors = Doors(db)
        with db.write() as conn:
            secret = create_token(conn, "t", list(Scope), self.doors.clock.now(), "test", None)
        self.headers = {"authorization": f"Bearer {secret}", "content-type": "application/json"}

    def call(self, method: str, path: str, body: object = None, status: int = 200) -> Any:  # noqa: ANN401
        answer = asyncio.run(self.doors.send(f"/api/v1{path}", body, self.headers, method))
        assert answer.status_code == status, answer.text
        return answer.json() if answer.content else None


@pytest.fixture
def api(db: Database) -> Api:
    return Api(db)


def send(api: Api, summary: str, **more: object) -> Any:  # noqa: ANN401
    return api.call("POST", "/alerts", {"summary": summary, **more}, 202)


def test_alerts_are_sent_found_shown_and_closed(api: Api) -> None:
    disk = send(api, "Disk full", key="disk", service="checkout", labels={"team": "a"})
    again = send(api, "Disk full", key="disk", url="https://x.example")
    send(api, "Slow", severity="warning")

    assert (disk["created"], again["created"], again["id"]) == (True, False, disk["id"])
    tickets = api.call("GET", "/alerts?urgency=ticket")["alerts"]
    assert [a["summary"] for a in tickets] == ["Slow"]
    assert api.call("GET", "/alerts?q=DISK&service=checkout")["alerts"][0]["count"] == 2
    closed = api.call("POST", f"/alerts/{disk['id']}/close", {"reason": "more room"})
    assert closed["state"] == "closed"
    shown = api.call("GET", f"/alerts/{disk['id']}")
    assert [e["kind"] for e in shown["story"]] == ["alert.opened", "alert.closed"]
    assert (shown["links"][0]["url"], shown["labels"]["team"]) == ("https://x.example", "a")
    assert [a["summary"] for a in api.call("GET", "/alerts?state=open")["alerts"]] == ["Slow"]
    api.call("GET", "/alerts/999", status=404)


def test_a_list_is_read_page_by_page_without_gaps(api: Api) -> None:
    for i in range(7):
        send(api, f"a{i}")

    seen: list[str] = []
    after: int | None = None
    while True:
        page = api.call("GET", f"/alerts?limit=3{f'&after={after}' if after else ''}")
        seen += [a["summary"] for a in page["alerts"]]
        after = page["next"]
        if after is None:
            break

    assert seen == [f"a{i}" for i in reversed(range(7))]


def test_a_silence_is_made_listed_and_ended(api: Api) -> None:
    end = api.doors.clock.now() + 3600
    body = {"matchers": ["service=checkout"], "end": end, "reason": "works"}
    made = api.call("POST", "/silences", body, 201)
    send(api, "Disk full", service="checkout")

    assert "silenced by t" in api.call("GET", "/alerts")["alerts"][0]["quiet"]
    assert [s["id"] for s in api.call("GET", "/silences")] == [made["id"]]
    api.call("DELETE", f"/silences/{made['id']}", status=204)
    assert api.call("GET", "/silences") == []
    assert len(api.call("GET", "/silences?all=true")) == 1
    assert api.call("GET", "/alerts")["alerts"][0]["quiet"] == ""
    api.call("DELETE", f"/silences/{made['id']}", status=404)
    api.call("POST", "/silences", {**body, "end": 1.0}, 400)


def test_keys_are_made_shown_once_and_revoked(api: Api) -> None:
    made = api.call("POST", "/integrations/heartbeat/backup/keys", {"name": "cron"}, 201)

    assert made["key"].startswith("wki_")
    assert len(made["key"]) == 32
    listed = api.call("GET", "/integrations")
    assert made["key"] not in json.dumps(listed)
    assert asyncio.run(api.doors.send(f"/hb/{made['key']}", None, None, "GET")).status_code == 200
    beats = {b["name"]: b["state"] for b in api.call("GET", "/heartbeats")}
    assert beats == {"backup": "up", "nightly": "new"}
    api.call("DELETE", "/integrations/heartbeat/backup/keys/cron", status=204)
    api.call("DELETE", "/integrations/heartbeat/backup/keys/cron", status=404)
    api.call("POST", "/integrations/none/keys", {"name": "x"}, 404)


def test_the_commands_say_what_the_api_does(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    def call(_: common.Api, method: str, path: str, body: object = None) -> Any:  # noqa: ANN401
        answer = asyncio.run(api.doors.send(path, body, api.headers, method))
        assert answer.status_code < 300, answer.text
        return answer.json() if answer.content else None

    monkeypatch.setattr(common.Api, "call", call)

    def wk(*words: str) -> str:
        result = CliRunner().invoke(cli, list(words), catch_exceptions=False)
        assert result.exit_code == 0, result.output
        return result.output

    said = wk("alert", "send", "Disk full", "--key", "disk", "--label", "team=a")
    number = said.split()[1]
    assert said == f"alert {number} open, key disk\n"
    assert "Disk full" in wk("alert", "list")
    assert "team=a" in wk("alert", "show", number)
    assert json.loads(wk("alert", "list", "--json"))[0]["key"] == "disk"
    start = str(api.doors.clock.now())
    made = wk("silence", "add", "team=a", "--for", "2h", "--from", start, "--reason", "works")
    assert "team=a" in wk("silence", "list")
    assert "ended" in wk("silence", "end", made.split()[0])
    assert wk("alert", "close", number) == f"alert {number} closed\n"
    assert "nothing to change" in wk("alert", "send", "x", "--key", "q", "--action", "resolve")


def test_alerts_are_found_by_severity_and_bring_the_message_that_opened_them(api: Api) -> None:
    body = {"key": "k", "summary": "Disk full", "severity": "error"}
    answer = asyncio.run(api.doors.send("/in/{generic}", body))
    assert answer.status_code == 202
    send(api, "Slow", severity="warning")
    found = api.call("GET", "/alerts?severity=error")["alerts"]
    assert [a["summary"] for a in found] == ["Disk full"]
    # No loop runs here for long enough to write what is noted: it is not there, and says so.
    assert api.call("GET", f"/alerts/{found[0]['id']}")["received"] is None
    message = Received(found[0]["id"], 1.0, "application/json", 61, json.dumps(body))
    with api.doors.db.write() as conn:
        store_intake.note(conn, {"generic": Tally(3, 1, 5.0, 4.0, "not JSON")}, [message])
        store_intake.note(conn, {"generic": Tally(1, 0, 9.0)}, [message])
    received = api.call("GET", f"/alerts/{found[0]['id']}")["received"]
    assert json.loads(received["body"]) == body
    door = next(i for i in api.call("GET", "/integrations") if i["name"] == "generic")
    assert (door["type"], door["accepted"], door["refused"]) == ("generic", 4, 1)
    assert (door["last_accepted"], door["last_refusal"]) == ("1970-01-01T00:00:09Z", "not JSON")


def test_matchers_are_tried_on_open_alerts_before_a_silence_is_made(api: Api) -> None:
    disk = send(api, "Disk full", key="disk", service="checkout")
    send(api, "Slow", key="slow", service="search")
    found = api.call(
        "GET", "/silences/matching?matcher=service%3Dcheckout&matcher=severity!%3Dinfo"
    )
    assert (found["count"], found["alerts"]) == (1, [{"id": disk["id"], "summary": "Disk full"}])
    api.call("GET", "/silences/matching?matcher=checkout", status=400)


def test_a_test_alert_is_information_unless_people_are_to_be_called(api: Api) -> None:
    quiet = api.call("POST", "/integrations/grafana/test", {}, 202)
    loud = api.call("POST", "/integrations/grafana/test", {"calls": True}, 202)
    urgencies = [api.call("GET", f"/alerts/{t['id']}")["urgency"] for t in (quiet, loud)]
    assert urgencies == ["info", "page"]
    api.call("POST", "/integrations/none/test", {}, 404)


def test_heartbeats_say_their_schedule_and_their_last_exit_code(api: Api) -> None:
    asyncio.run(api.doors.send("/hb/{heartbeat/backup}/7", b"no space"))
    backup, nightly = api.call("GET", "/heartbeats")
    assert (backup["exit_code"], backup["every_seconds"], backup["grace_seconds"]) == (7, 3600, 600)
    assert (nightly["exit_code"], nightly["cron"]) == (None, "0 3 * * *")
