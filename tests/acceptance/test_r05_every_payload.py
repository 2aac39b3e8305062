"""Every genuine payload has its place: none is refused for what others accept, none is ignored.

The table names each file; a file that nobody put there fails the first test.
"""

from __future__ import annotations

import asyncio
import fnmatch
from pathlib import Path

import pytest

from tests.support import providers
from tests.support.duty import START, user
from tests.support.intake import PAYLOADS, Doors, payload
from tests.unit.test_channels import CASES, channel, message
from watchkeeper.alerting.model import AlertState, Urgency
from watchkeeper.notify.channels.ntfy import body as ntfy_body
from watchkeeper.notify.model import TransportError
from watchkeeper.oncall.schedule.calendar import read_calendar
from watchkeeper.store import Database

CAPTURED = "captured-alertmanager-0.25"
PLACES = {
    f"{CAPTURED}/webhook.*": "alerts, test_r05_intake_payloads",
    f"{CAPTURED}/api_v2_alerts.firing.json": "alerts, test_r05_intake_payloads",
    f"{CAPTURED}/api_v2_alerts_groups.json": "alerts, here",
    f"{CAPTURED}/pagerduty_v2_enqueue.*": "alerts, test_r05_intake_payloads",
    f"{CAPTURED}/opsgenie_v2_alerts*": "alerts, test_r05_intake_payloads",
    f"{CAPTURED}/slack.*": "alerts, here",
    f"{CAPTURED}/discord.*": "alerts, here",
    "cdevents/*": "alerts and changes, test_r05_intake_payloads",
    "cloudevents/*": "alerts, test_r05_intake_payloads",
    "github/*": "changes and mitigations: the room of changes",
    "ical/*": "schedules, here",
    "ntfy/publish.json": "what our channel sends, here",
    "ntfy/subscribe.*": "what phones get from ntfy: never sent to us",
    "pagerduty/event_v2.*": "answers to our channel, here",
    "pagerduty/change_events.1.json": "the answer that our own door gives, here",
    "pagerduty/schedule.*": "PagerDuty's REST API, which we neither call nor are",
    "pagerduty/escalation_policy.*": "PagerDuty's REST API, which we neither call nor are",
    "slack/*": "answers of people, test_r05_answers_come_back",
}


def test_every_file_has_its_place_and_every_place_has_files() -> None:
    files = [str(f.relative_to(PAYLOADS)) for f in PAYLOADS.rglob("*") if f.is_file()]
    assert len(files) > 60
    assert [f for f in files if not any(fnmatch.fnmatch(f, p) for p in PLACES)] == []
    assert [p for p in PLACES if not fnmatch.filter(files, p)] == []


@pytest.fixture
def doors(db: Database) -> Doors:
    return Doors(db)


def test_the_groups_that_alertmanager_shows_are_read_as_the_alerts_in_them(doors: Doors) -> None:
    groups = payload(f"{CAPTURED}/api_v2_alerts_groups.json")
    inside = [a for group in groups for a in group["alerts"]]
    ends = [{**a, "endsAt": "2036-01-01T00:00:00Z"} for a in inside]

    answer = asyncio.run(doors.send("/in/{alertmanager}/api/v2/alerts", ends))

    assert answer.status_code == 200, answer.text
    alerts = doors.alerts()
    assert {a.key for a in alerts} == {a["fingerprint"] for a in inside}
    assert {a.summary for a in alerts} == {a["annotations"]["summary"] for a in inside}


@pytest.mark.parametrize(("kind", "fired", "over"), [("slack", 1, 9), ("discord", 2, 8)])
def test_a_message_for_a_chat_room_opens_an_alert_and_its_end_closes_it(
    doors: Doors, kind: str, fired: int, over: int
) -> None:
    first, last = (payload(f"{CAPTURED}/{kind}.{n}.json")["body"] for n in (fired, over))

    assert asyncio.run(doors.send("/in/{generic}", first)).status_code == 202
    assert doors.only().summary == "[FIRING:2] HighErrorRate eu1 (checkout critical)"
    assert (doors.only().severity, doors.only().urgency) == ("critical", Urgency.PAGE)
    assert doors.only().state is AlertState.OPEN

    assert asyncio.run(doors.send("/in/{generic}", last)).status_code == 202
    assert doors.only().state is AlertState.CLOSED


@pytest.mark.parametrize("path", sorted((PAYLOADS / "ical").iterdir()), ids=lambda p: p.stem)
def test_a_calendar_is_read_and_what_makes_no_sense_in_it_is_told(path: Path) -> None:
    reading = read_calendar(path.read_text(), {"ann": user("ann")}, "UTC", 0.0, START)

    assert reading.unknown or reading.broken  # nobody of these is a user here; none is forgotten
    assert reading.booked == ()


def test_one_event_without_a_beginning_takes_no_other_shift_with_it() -> None:
    text = (PAYLOADS / "ical/icalendar.issue_722_missing_timezones.ics").read_text()
    named = text.replace("SUMMARY:an event with a custom tz name", "SUMMARY:Ann")

    reading = read_calendar(named, {"ann": user("ann")}, "UTC", 0.0, START)

    booked = reading.booked[0]
    assert booked.users == ("ann",)
    assert booked.end - booked.start == 3 * 3600  # New York's eight o'clock to Los Angeles'
    assert len(reading.broken) == 2


def test_a_push_of_ours_has_no_field_that_ntfy_does_not_publish() -> None:
    published = {**payload("ntfy/publish.json"), "actions": None}
    sent = ntfy_body(message(), "ops")

    assert set(sent) <= set(published)
    assert all(isinstance(sent[k], type(v)) for k, v in published.items() if v and k in sent)


def test_what_pagerduty_answers_is_understood() -> None:
    kind, _, settings, address = CASES["pagerduty"]
    taken, busy = (payload(f"pagerduty/event_v2.{n}.json") for n in (0, 2))

    with providers.running(lambda *_: taken) as provider:
        assert channel(kind, provider, **settings).send(message(), address).provider_id == "yes"

    def calming(*_: object) -> object:
        raise providers.RefusedError(429, busy, Retry_After="7")

    with providers.running(calming) as provider, pytest.raises(TransportError) as raised:
        channel(kind, provider, **settings).send(message(), address)
    assert (raised.value.permanent, raised.value.retry_after) == (False, 7.0)


def test_our_door_for_changes_answers_as_pagerduty_does(doors: Doors) -> None:
    body = {"routing_key": doors.keys["pagerduty"], "payload": {"summary": "Build 7 deployed"}}

    answer = asyncio.run(doors.send("/v2/change/enqueue", body))

    assert answer.status_code == 202, answer.text
    assert answer.json() == payload("pagerduty/change_events.1.json")
