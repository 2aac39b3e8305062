"""Duty in YAML: what is read, who can be reached, and what is written back."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.support.duty_specs import (
    ANN,
    EVERYTHING,
    MAIL,
    codes,
    doc,
    documents,
    layer,
    specs_of,
)
from watchkeeper.kernel.duration import parse_duration
from watchkeeper.spec import load, load_text
from watchkeeper.spec.convert import to_openslo, write_documents
from watchkeeper.spec.duty import (
    BurnRule,
    ChannelDefinition,
    ChannelType,
    ConsumedRule,
    ContactDefinition,
    Duty,
    EscalationTarget,
    ExhaustionRule,
    Guards,
    HeartbeatDefinition,
    IntegrationDefinition,
    IntegrationType,
    Matcher,
    NoDataRule,
    NotifyRule,
    Restriction,
    RotationKind,
    TargetKind,
)
from watchkeeper.spec.model import Severity

ROOT = Path(__file__).resolve().parents[2]
WRONG = ROOT / "tests" / "specs" / "wrong"


@pytest.fixture(scope="module")
def duty() -> Duty:
    return specs_of(EVERYTHING).duty


# ---------------------------------------------------------------- what is read


def test_a_user_has_contacts_and_rules_in_the_order_of_their_delay(duty: Duty) -> None:
    ann = duty.users["ann"]
    assert (ann.display_name, ann.time_zone, ann.team) == ("Ann Archer", "Europe/Berlin", "shop")
    assert ann.contacts == (
        ContactDefinition("mail", "ann@example.org"),
        ContactDefinition("sms", "+4915112345678"),
    )
    assert ann.page == (NotifyRule(0.0, "mail"), NotifyRule(120.0, "sms"))
    assert ann.ticket == (NotifyRule(0.0, "mail"),)
    assert duty.users["ben"].time_zone == "UTC"
    assert duty.users["ben"].page == ()


def test_a_schedule_has_layers_restrictions_and_holidays(duty: Duty) -> None:
    primary = duty.schedules["primary"]
    week, office, apprentice = primary.layers
    assert (primary.time_zone, primary.team) == ("Europe/Berlin", "shop")
    assert (week.users, week.kind, week.every) == (("ann", "ben+cho", "-"), RotationKind.WEEKLY, 1)
    assert (week.start, week.end) == ("2026-01-05T09:00", None)
    assert (office.start, office.end) == ("2026-01-05T09:00", "2026-12-24T17:00")
    assert office.restrictions == (
        Restriction((0, 1, 2, 3, 4), 540, 1020),
        Restriction((5, 6), 1320, 360),
    )
    assert (apprentice.shadow, apprentice.kind, apprentice.every) == (True, RotationKind.HOURLY, 12)
    assert primary.holidays == ("2026-12-25", "2027-01-01")
    assert primary.holiday_users == ("cho",)
    assert duty.schedules["secondary"].ical == "https://calendar.example.org/second.ics"
    assert duty.schedules["secondary"].may_be_empty


def test_an_escalation_policy_has_steps_and_a_fallback(duty: Duty) -> None:
    policy = duty.escalation_policies["shop"]
    assert [s.wait for s in policy.steps] == [300.0, 600.0]
    assert policy.steps[1].targets == (
        EscalationTarget(TargetKind.SCHEDULE, "secondary"),
        EscalationTarget(TargetKind.USER, "ann"),
        EscalationTarget(TargetKind.TEAM, "shop"),
        EscalationTarget(TargetKind.CHANNEL, "chat", "#ops"),
    )
    assert policy.fallback == (EscalationTarget(TargetKind.TEAM, "shop"),)
    assert (policy.repeat, policy.ack_expires, policy.team) == (1, None, "shop")


def test_a_service_names_its_escalation_policy() -> None:
    assert specs_of(EVERYTHING).services["shop"].escalation_policy == "shop"


def test_a_channel_keeps_its_settings_and_references_to_secrets(duty: Duty) -> None:
    mail = duty.channels["mail"]
    assert isinstance(mail, ChannelDefinition)
    assert mail.type is ChannelType.EMAIL
    assert mail.settings["password"] == {"env": "SMTP_PASSWORD"}
    assert (mail.settings["port"], mail.settings["per_minute"]) == (465, 60)


def test_integrations_and_heartbeats_are_read(duty: Duty) -> None:
    mixer = duty.integrations["mixer"]
    assert mixer == IntegrationDefinition(
        "mixer",
        IntegrationType.GENERIC,
        mixer.place,
        "shop",
        "shop",
        {"summary": "{{alert.name}} on {{host}}", "dedup_key": "items[0].id"},
        86_400.0,
        600,
    )
    backup, queue = duty.heartbeats["backup"], duty.heartbeats["queue"]
    assert backup == HeartbeatDefinition(
        "backup", backup.place, None, "30 3 * * mon-fri", "Europe/Berlin", 1800.0, "shop", "ticket"
    )
    assert (queue.every, queue.grace, queue.urgency) == (60.0, 0.0, "page")


def test_triage_rules_and_maintenance_are_read(duty: Duty) -> None:
    disks, sundays = duty.triage["disks"], duty.maintenance["sundays"]
    assert disks.matchers == (
        Matcher("component", "=", "disk"),
        Matcher("summary", "=~", "(?i).* full"),
        Matcher("severity", "!=", "critical"),
    )
    assert (disks.urgency, disks.service, disks.auto_close) == ("ticket", "shop", 21_600.0)
    assert (sundays.start, sundays.duration) == ("2026-01-04T02:00", 7200.0)
    assert sundays.rrule == "FREQ=WEEKLY;BYDAY=SU"


def test_an_alert_policy_has_rules_and_guards() -> None:
    policy = specs_of(EVERYTHING).alert_policies["strict"]
    assert policy.rules == (
        ExhaustionRule(3600.0, "page", True),
        ExhaustionRule(86_400.0, "ticket", False),
        BurnRule(parse_duration("1h"), parse_duration("5m"), 14.4, "page"),
        ConsumedRule(0.9, "ticket"),
        ConsumedRule(1.5, "page"),
        NoDataRule(600.0, "ticket"),
    )
    assert policy.guards == Guards(20.0, 3.0, 0.01, 300.0)


def test_burn_rules_that_call_somebody_also_make_prometheus_rules() -> None:
    rules = [
        {"long": "1h", "short": "5m", "factor": 14.4, "urgency": "page"},
        {"long": "3d", "short": "6h", "factor": 1, "urgency": "info"},
    ]
    conditions = specs_of(doc("AlertPolicy", {"burn": rules})).alert_policies["it"].conditions
    assert [(str(c.long), str(c.short), str(c.threshold), c.severity) for c in conditions] == [
        ("1h", "5m", "14.4", "page")
    ]


def test_definitions_keep_the_order_in_which_they_are_written(duty: Duty) -> None:
    assert list(duty.users) == ["ann", "ben", "cho"]
    assert list(duty.channels) == ["mail", "sms", "chat"]


def test_everything_has_the_place_where_it_was_written(duty: Duty) -> None:
    line = EVERYTHING.splitlines().index("metadata: {name: backup}") - 1
    assert duty.heartbeats["backup"].place.line == line


# ---------------------------------------------------------------- who is reached


def reaching(target: object, *texts: str) -> list[str]:
    policy = doc("EscalationPolicy", {"steps": [{"notify": [target]}]})
    team = doc("Team", {"email": "shop@example.org"}, "shop")
    return [c for c in codes(MAIL, team, *texts, policy) if c != "no-contact"]


def test_a_policy_must_be_able_to_reach_somebody() -> None:
    silent = doc("User", {"team": "shop"}, "dee")
    member = doc("User", {"team": "shop", "contacts": [{"channel": "mail", "address": "e@f.org"}]})
    nobody = doc("Schedule", {"layers": [layer(users=["-"])]}, "s")
    shown = doc("Schedule", {"layers": [layer(shadow=True)]}, "s")
    somebody = doc("Schedule", {"layers": [layer(users=["-", "dee+ann"])]}, "s")
    calendar = doc("Schedule", {"ical": "team.ics"}, "s")
    assert reaching({"user": "dee"}, silent) == ["calls-nobody"]
    assert reaching({"user": "ann"}, ANN) == []
    assert reaching({"team": "shop"}) == ["calls-nobody"]
    assert reaching({"team": "shop"}, silent) == ["calls-nobody"]
    assert reaching({"team": "shop"}, silent, member) == []
    assert reaching({"schedule": "s"}, nobody) == ["calls-nobody"]
    assert reaching({"schedule": "s"}, ANN, shown) == ["calls-nobody"]
    assert reaching({"schedule": "s"}, ANN, silent, somebody) == []
    assert reaching({"schedule": "s"}, calendar) == []
    assert reaching({"channel": "mail", "address": "ops@example.org"}) == []


def test_a_policy_whose_fallback_reaches_somebody_is_only_warned_about() -> None:
    silent = doc("User", {}, "dee")
    spec = {"steps": [{"notify": [{"user": "dee"}]}], "fallback": [{"user": "ann"}]}
    found = load_text("---\n".join((MAIL, ANN, silent, doc("EscalationPolicy", spec)))).findings
    assert [(f.code, f.severity) for f in found] == [
        ("no-contact", Severity.WARNING),
        ("calls-nobody", Severity.WARNING),
    ]


def critical(service: dict[str, object], *texts: str) -> list[str]:
    source = write_documents(
        [
            {
                "apiVersion": "openslo/v1",
                "kind": "DataSource",
                "metadata": {"name": "m"},
                "spec": {"type": "scrape", "connectionDetails": {"url": "http://127.0.0.1:1/m"}},
            }
        ]
    )
    aspect = {"target": "99%", "total": "a_total", "bad": "b_total"}
    journey = {
        **{"service": "shop", "critical": True, "source": "m", "availability": aspect},
        **{"correctness": aspect, "latency": {"target": "99%", "good": "c", "total": "d"}},
    }
    made = (source, doc("Service", service, "shop"), doc("Journey", journey))
    return codes(*made, *texts)


def test_a_critical_journey_needs_an_escalation_policy_once_there_are_any() -> None:
    team = doc("Team", {"email": "t@x.org"}, "shop")
    steps = [{"notify": [{"user": "ann"}]}]
    some = doc("EscalationPolicy", {"steps": steps}, "some")
    of_team = doc("EscalationPolicy", {"steps": steps, "team": "shop"}, "some")
    usual = doc("EscalationPolicy", {"steps": steps}, "default")
    assert critical({}) == []
    assert critical({}, MAIL, ANN, some) == ["no-escalation"]
    assert critical({"escalationPolicy": "some"}, MAIL, ANN, some) == []
    assert critical({}, MAIL, ANN, usual) == []
    assert critical({"owner": "shop"}, MAIL, ANN, team, of_team) == []
    assert critical({"owner": "shop"}, MAIL, ANN, team, some) == ["no-escalation"]


def test_a_definition_that_is_wrong_is_not_said_to_be_missing_as_well() -> None:
    broken = doc("Schedule", "weekly")
    policy = doc("EscalationPolicy", {"steps": [{"notify": [{"schedule": "it"}]}]})
    assert codes(broken, policy) == ["wrong-type"]


def test_one_policy_may_not_have_two_definitions_in_two_forms() -> None:
    ours = doc("AlertPolicy", {"consumed": [{"share": "90%", "urgency": "ticket"}]})
    inline = {"kind": "AlertPolicy", "metadata": {"name": "it"}, "spec": {"conditions": []}}
    text = ours + "---\n" + (WRONG / "duty_critical_journey_without_policy.yaml").read_text()
    assert "duplicate" not in codes(text)
    slo = {
        "apiVersion": "openslo/v1", "kind": "SLO", "metadata": {"name": "s"},
        "spec": {
            "service": "shop", "alertPolicies": [inline], "objectives": [{"target": 0.9}],
            "indicator": {"metadata": {"name": "s"}, "spec": {"ratioMetric": {
                "counter": True,
                "good": {"metricSource": {"metricSourceRef": "push", "spec": {"stream": "a"}}},
                "total": {"metricSource": {"metricSourceRef": "push", "spec": {"stream": "b"}}},
            }}},
        },
    }  # fmt: skip
    assert "duplicate" in codes(ours, write_documents([slo]))


# ---------------------------------------------------------------- written back, and the demo


def test_an_alert_policy_is_exported_with_its_burn_rules(tmp_path: Path) -> None:
    (tmp_path / "duty.yaml").write_text(EVERYTHING)
    text = to_openslo(tmp_path)
    loaded = load_text(text)
    assert loaded.errors == ()
    policy = next(d for d in yaml.safe_load_all(text) if d["kind"] == "AlertPolicy")
    burn = policy["spec"]["conditions"][0]["spec"]
    assert burn["severity"] == "page"
    assert burn["condition"]["threshold"] == 14.4
    kept = policy["metadata"]["annotations"]
    assert json.loads(kept["watchkeeper/noData"]) == [{"after": "10m", "urgency": "ticket"}]
    assert loaded.specs is not None
    ours, theirs = specs_of(EVERYTHING).alert_policies["strict"], loaded.specs.alert_policies
    assert theirs["strict"].conditions == ours.conditions


def test_definitions_written_back_are_read_as_the_same(duty: Duty) -> None:
    again = specs_of(write_documents(documents(EVERYTHING))).duty
    kinds = ("users", "schedules", "escalation_policies", "heartbeats", "triage", "maintenance")
    for kind in kinds:
        ours, theirs = getattr(duty, kind), getattr(again, kind)
        assert list(ours) == list(theirs)
        for name in ours:
            assert _but_place(ours[name]) == _but_place(theirs[name])


def _but_place(definition: object) -> dict[str, Any]:
    names = type(definition).__slots__  # type: ignore[attr-defined]
    return {n: getattr(definition, n) for n in names if n != "place"}


def test_the_demo_calls_somebody_for_every_service() -> None:
    loaded = load(ROOT / "demo" / "specs")
    assert loaded.findings == ()
    assert loaded.specs is not None
    duty = loaded.specs.duty
    assert duty.channels["inbox"].type is ChannelType.INBOX
    assert {"ann", "ben"} <= set(duty.users)
    for service in loaded.specs.services.values():
        assert service.escalation_policy in duty.escalation_policies
    assert loaded.specs.slos["checkout-availability"].alert_policies == ("checkout-budget",)
