"""Duty in YAML: times, matchers, addresses; nothing that is written raises."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.support.duty_specs import (
    ANN,
    MAIL,
    codes,
    doc,
    schema_of,
    specs_of,
    watch,
)
from watchkeeper.spec import duty_alerts as alerts
from watchkeeper.spec import duty_channels as channels
from watchkeeper.spec import duty_people as people
from watchkeeper.spec import duty_schedules as schedules
from watchkeeper.spec import load_text, native
from watchkeeper.spec.duty import (
    ChannelType,
    Matcher,
    NotifyRule,
    Restriction,
)
from watchkeeper.spec.duty_fields import parse_matcher
from watchkeeper.spec.model import Severity
from watchkeeper.spec.schema_response import RESPONSE

# ---------------------------------------------------------------- times


@pytest.mark.parametrize(
    ("zone", "start", "shown"),
    [
        ("Europe/Berlin", "2026-03-29T02:00", False),
        ("Europe/Berlin", "2026-03-29T02:59", False),
        ("Europe/Berlin", "2026-03-29T03:00", True),
        ("Europe/Berlin", "2026-10-25T02:30", True),
        ("America/New_York", "2026-03-08T02:30", False),
        ("Australia/Lord_Howe", "2026-10-04T02:15", False),
        ("Australia/Lord_Howe", "2026-10-04T02:30", True),
        ("Africa/Cairo", "2026-04-24T00:30", False),
        ("UTC", "2026-03-29T02:30", True),
    ],
)
def test_a_rotation_begins_at_a_time_that_the_clocks_show(
    zone: str, start: str, shown: bool
) -> None:
    assert codes(*watch(zone, start=start)) == ([] if shown else ["no-such-time"])


@settings(deadline=None, max_examples=60)
@given(
    start=st.datetimes(datetime(2020, 1, 1), datetime(2030, 1, 1)),
    zone=st.sampled_from(["Europe/Berlin", "America/New_York", "Asia/Kathmandu", "Africa/Cairo"]),
)
@example(start=datetime(2026, 3, 29, 2, 30), zone="Europe/Berlin")
def test_a_start_is_refused_exactly_when_no_instant_has_it(start: datetime, zone: str) -> None:
    start = start.replace(second=0, microsecond=0)
    its = ZoneInfo(zone)
    around = [start.replace(tzinfo=its, fold=fold).timestamp() for fold in (0, 1)]
    seen = {datetime.fromtimestamp(t, its).replace(tzinfo=None) for t in around}
    found = codes(*watch(zone, start=start.isoformat()))
    assert found == ([] if start in seen else ["no-such-time"])


@pytest.mark.parametrize(
    ("written", "minutes"),
    [("9:00", 540), ("09:00", 540), ("17:30", 1050), ("00:00", 0)],
)
def test_a_time_of_day_needs_no_quotes(written: str, minutes: int) -> None:
    text = "---\n".join(watch(restrictions=[{"from": "@"}]))
    for form in (written, f'"{written}"', f"'{written}'"):
        loaded = load_text(text.replace("'@'", form))
        assert loaded.specs is not None, loaded.findings
        found = loaded.specs.duty.schedules["it"].layers[0].restrictions
        assert found == (Restriction((), minutes, 1440),)


@pytest.mark.parametrize("written", ["9", "25:00", "24:01", "9h", "noon", "true", "-1:00", "930"])
def test_what_is_no_time_of_day_is_refused(written: str) -> None:
    text = "---\n".join(watch(restrictions=[{"to": "@"}]))
    found = load_text(text.replace("'@'", written)).findings
    assert [f.code for f in found if f.severity is Severity.ERROR] == ["bad-time"]


@pytest.mark.parametrize(
    ("written", "days"),
    [
        ("mon", (0,)),
        ("Monday", (0,)),
        ("mon-fri", (0, 1, 2, 3, 4)),
        ("sat-mon", (0, 5, 6)),
        ("sun-sun", (6,)),
        (["tue", "thursday"], (1, 3)),
    ],
)
def test_days_are_words_or_ranges(written: object, days: tuple[int, ...]) -> None:
    found = specs_of(*watch(restrictions=[{"days": written}])).duty.schedules["it"]
    assert found.layers[0].restrictions[0].days == days


@pytest.mark.parametrize("written", ["monkey", "mo", "mon-", "1", "mon-funday", "-fri"])
def test_what_is_no_day_is_refused(written: str) -> None:
    assert codes(*watch(restrictions=[{"days": [written]}])) == ["bad-value"]


@pytest.mark.parametrize("nothing", ["0", "0s", "0m", 0])
def test_a_delay_may_be_none_at_all(nothing: object) -> None:
    user = {
        "contacts": [{"channel": "mail", "address": "a@b.org"}],
        "page": [{"after": nothing, "channel": "mail"}],
    }
    assert specs_of(MAIL, doc("User", user)).duty.users["it"].page == (NotifyRule(0.0, "mail"),)


@settings(deadline=None, max_examples=50)
@given(seconds=st.integers(1, 10**7))
def test_a_wait_is_taken_from_half_a_minute_to_a_day(seconds: int) -> None:
    steps = [{"notify": [{"user": "ann"}], "wait": f"{seconds}s"}]
    found = codes(MAIL, ANN, doc("EscalationPolicy", {"steps": steps}))
    assert found == ([] if 30 <= seconds <= 86_400 else ["bad-value"])


@pytest.mark.parametrize(
    ("rule", "found"),
    [
        ("FREQ=MONTHLY;BYDAY=1SU", []),
        ("FREQ=DAILY;COUNT=5", []),
        ("FREQ=WEEKLY;UNTIL=20270101T000000", []),
        ("FREQ=DAILY;BYHOUR=1,2,3", ["bad-rrule"]),
        ("FREQ=WEEKLY;INTERVAL=0", ["bad-rrule"]),
        ("FREQ=SECONDLY", ["bad-rrule"]),
        ("BYDAY=SU", ["bad-rrule"]),
        ("FREQ=WEEKLY;BYDAY=XX", ["bad-rrule"]),
        ("FREQ=WEEKLY;UNTIL=20250101T000000", ["bad-rrule"]),
        ("DTSTART:20260101T000000\nFREQ=DAILY", ["bad-rrule"]),
        ("every sunday", ["bad-rrule"]),
    ],
)
def test_recurrences_are_tried_before_they_are_believed(rule: str, found: list[str]) -> None:
    planned = {"match": "a=b", "start": "2026-01-04T02:00", "duration": "2h", "rrule": rule}
    assert codes(doc("Maintenance", planned)) == found


@settings(deadline=None, max_examples=80)
@given(rule=st.text("FREQ=DAILYWKMONTHUCSB;,0123456789-\n ", max_size=40))
@example(rule="FREQ=DAILY;COUNT=0")
@example(rule="FREQ=YEARLY;BYEASTER=1;BYDAY=SU")
@example(rule="FREQ=DAILY;UNTIL=99999999")
def test_no_recurrence_however_odd_raises(rule: str) -> None:
    planned = {"match": "a=b", "start": "9999-12-31T23:00", "duration": "2h", "rrule": rule}
    assert set(codes(doc("Maintenance", planned))) <= {"bad-rrule"}


# ---------------------------------------------------------------- matchers, addresses


@pytest.mark.parametrize(
    ("text", "matcher"),
    [
        ("service=shop", Matcher("service", "=", "shop")),
        (' service != "my shop" ', Matcher("service", "!=", "my shop")),
        ("summary=~'a|b'", Matcher("summary", "=~", "a|b")),
        ("class!~x.*", Matcher("class", "!~", "x.*")),
        ("source=", Matcher("source", "=", "")),
        ("k8s.pod=a=b", Matcher("k8s.pod", "=", "a=b")),
        ("service==shop", None),
        ("service", None),
        ("=shop", None),
        ("summary=~(", None),
    ],
)
def test_a_matcher_is_label_operator_value(text: str, matcher: Matcher | None) -> None:
    assert parse_matcher(text) == matcher


@settings(deadline=None, max_examples=100)
@given(
    label=st.from_regex(r"[A-Za-z_][\w.-]{0,8}", fullmatch=True),
    op=st.sampled_from(["=", "!="]),
    value=st.text(max_size=12).filter(lambda v: v.isprintable()),
)
def test_a_quoted_value_is_kept_as_it_is(label: str, op: str, value: str) -> None:
    assert parse_matcher(f'{label}{op}"{value}"') == Matcher(label, op, value)


@pytest.mark.parametrize(
    ("kind", "right", "wrong"),
    [
        ("email", "ann@example.org", "ann"),
        ("sms", "+4930123456", "030123456"),
        ("voice", "+15551234567", "+0155512"),
        ("webhook", "https://example.org/hook", "example.org/hook"),
        ("matrix", "!room:example.org", "room"),
        ("ntfy", "shop-alerts_1", "shop alerts"),
        ("slack", "#ops", "the ops channel"),
        ("apprise", "tgram://1:2/3", "telegram"),
    ],
)
def test_an_address_is_in_the_terms_of_its_channel(kind: str, right: str, wrong: str) -> None:
    needed = [s[:-1] for s in channels.SETTINGS[ChannelType(kind)] if s.endswith("*")]
    values = {"url": "https://example.org", "from": "w@x.org", "host": "smtp.example.org"}
    body = {k: values.get(k, {"env": "SECRET"}) for k in needed}
    channel = doc("Channel", {"type": kind, "settings": body}, "way")
    for address, found in ((right, []), (wrong, ["bad-address"])):
        user = doc("User", {"contacts": [{"channel": "way", "address": address}]})
        assert [c for c in codes(channel, user) if c != "secret-in-spec"] == found


def test_a_password_is_written_as_one_reference() -> None:
    def channel(password: object) -> str:
        body = {"host": "smtp", "from": "w@x.org", "password": password}
        return doc("Channel", {"type": "email", "settings": body})

    assert codes(channel({"env": "PASSWORD"})) == []
    assert codes(channel("hunter2")) == ["secret-in-spec"]
    assert codes(channel(1234)) == ["secret-in-spec"]
    for wrong in ({}, {"env": ""}, {"env": "A", "file": "b"}, {"vault": "x"}, {"env": ["A"]}):
        assert codes(channel(wrong)) == ["bad-reference"], wrong


def test_a_finding_never_repeats_a_secret() -> None:
    body = {"token": "xoxb-very-secret", "url": "https://u:very-secret@example.org"}
    found = load_text(doc("Channel", {"type": "slack", "settings": body})).findings
    assert [f.code for f in found] == ["secret-in-spec", "secret-in-spec"]
    assert "very-secret" not in "".join(map(str, found))


# ---------------------------------------------------------------- no input raises


NOT_DUTY = ("Team", "Service", "Journey", "CompositeSLO", *RESPONSE)
SPEC_KINDS = [k for k in native.KINDS if k not in NOT_DUTY]
KEYS = sorted(
    {
        *people.USER_KEYS, *people.ESCALATION_KEYS, *schedules.SCHEDULE_KEYS, *schedules.LAYER_KEYS,
        *channels.CHANNEL_KEYS, *channels.INTEGRATION_KEYS, *channels.HEARTBEAT_KEYS,
        *alerts.TRIAGE_KEYS, *alerts.MAINTENANCE_KEYS, *alerts.POLICY_KEYS, "notify", "wait",
        "channel", "address", "from", "to", "days", "urgency", "after", "schedule",
    }
)  # fmt: skip
VALUES = st.recursive(
    st.one_of(
        st.none(), st.booleans(), st.integers(-5, 2000), st.floats(allow_nan=False),
        st.sampled_from(["", "5m", "0s", "1M", "weekly", "email", "09:00", "2026-03-29T02:30",
                         "Europe/Berlin", "../../etc", "ann+", "0 3 * * *", "a=~(", "90%"]),
    ),
    lambda inner: st.lists(inner, max_size=3)
    | st.dictionaries(st.sampled_from(KEYS), inner, max_size=4),
    max_leaves=8,
)  # fmt: skip


@settings(deadline=None, max_examples=250)
@given(kind=st.sampled_from(SPEC_KINDS), spec=st.dictionaries(st.sampled_from(KEYS), VALUES))
@example(kind="User", spec={"timeZone": "../../etc"})
@example(kind="Schedule", spec={"layers": [{"users": ["a"], "start": "0001-01-01T00:00"}]})
@example(kind="Maintenance", spec={"match": [], "start": "9999-12-31T23:59", "duration": "1d"})
def test_no_definition_however_odd_raises(kind: str, spec: dict[str, Any]) -> None:
    loaded = load_text(doc(kind, spec))
    assert all(f.place.line >= 1 and f.message and f.code for f in loaded.findings)
    assert (loaded.specs is None) == bool(loaded.errors)


@settings(deadline=None, max_examples=150)
@given(kind=st.sampled_from(SPEC_KINDS), key=st.sampled_from(KEYS), value=VALUES)
def test_every_key_is_known_or_pointed_out(kind: str, key: str, value: object) -> None:
    known = set(schema_of(kind)["properties"]) | set(channels.COMMON)
    found = [f for f in load_text(doc(kind, {key: value})).findings if f.code == "unknown-key"]
    outer = [f for f in found if f"unknown key '{key}'" in f.message and f.place.column == 3]
    settings_key = kind == "Channel" and any(
        key in (s.rstrip("*") for s in known_settings)
        for known_settings in channels.SETTINGS.values()
    )
    assert bool(outer) == (key not in known and not settings_key)
