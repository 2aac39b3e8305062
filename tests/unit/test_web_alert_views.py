"""What the pages on alerts and intake are made of: forms, addresses, texts to paste."""

from __future__ import annotations

import itertools
import json
from dataclasses import replace
from decimal import Decimal
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.duty import HERE, START, specs
from watchkeeper.alerting.backtest.grid import usual
from watchkeeper.alerting.backtest.model import Plan
from watchkeeper.alerting.heartbeats import Beat, exit_code, said
from watchkeeper.alerting.model import Alert, AlertState, Urgency
from watchkeeper.alerting.policies.rules import rules_in
from watchkeeper.alerting.quiet import in_force, occurrences
from watchkeeper.faces.web import alert_story, duty_views, silences, whatif_form
from watchkeeper.faces.web.alert_list import AlertAsk, badge
from watchkeeper.faces.web.integration_examples import guide
from watchkeeper.kernel.duration import parse_duration
from watchkeeper.kernel.errors import UserError
from watchkeeper.oncall.model import Page, PageKind, PageState
from watchkeeper.spec import load_text
from watchkeeper.spec.duty import (
    AlertRule,
    BurnRule,
    ConsumedRule,
    ExhaustionRule,
    Guards,
    IntegrationDefinition,
    IntegrationType,
    MaintenanceDefinition,
    Matcher,
    NoDataRule,
)

DAY = 86_400.0
URGENCY = st.sampled_from(["page", "ticket", "info"])
LENGTH = st.sampled_from(["1m", "5m", "90m", "2h", "36h", "3d"])
FACTOR = st.decimals(Decimal("0.1"), 1000, places=2).map(float)
WINDOWS = st.lists(LENGTH.map(parse_duration), min_size=2, max_size=2).map(
    lambda two: sorted(two, key=lambda d: -d.seconds)
)
BURN = st.builds(
    lambda w, factor, urgency: BurnRule(w[0], w[1], factor, urgency), WINDOWS, FACTOR, URGENCY
)
GONE = st.builds(
    ExhaustionRule, LENGTH.map(lambda t: parse_duration(t).seconds), URGENCY, st.booleans()
)
SPENT = st.builds(ConsumedRule, st.integers(1, 300).map(lambda n: n / 100), URGENCY)
SILENT = st.builds(NoDataRule, LENGTH.map(lambda t: parse_duration(t).seconds), URGENCY)
GUARDS = st.builds(
    Guards,
    st.integers(0, 5000).map(float),
    st.integers(0, 50).map(float),
    st.sampled_from([None, 0.001, 0.01, 0.25]),
    st.sampled_from([0.0, 60.0, 300.0, 5400.0]),
)


@st.composite
def plans(draw: st.DrawFn) -> Plan:
    """Any policy that fits the form."""
    rules: tuple[AlertRule, ...] = (
        *draw(st.lists(GONE, max_size=3)),
        *draw(st.lists(BURN, min_size=1, max_size=6)),
        *draw(st.lists(SPENT, max_size=4)),
        *draw(st.lists(SILENT, max_size=1)),
    )
    return Plan(whatif_form.TRIED, rules, draw(GUARDS))


def as_query(fields: whatif_form.Fields) -> dict[str, str]:
    """What a browser sends for a form with these fields."""
    sent = {"min_events": fields.min_events, "min_bad": fields.min_bad, "hold": fields.hold}
    sent["significance"] = fields.significance
    for i, (long, short, factor, urgency) in enumerate(fields.burn):
        sent |= {f"long{i}": long, f"short{i}": short, f"factor{i}": factor, f"burn_u{i}": urgency}
    for i, (within, urgency, roll) in enumerate(fields.gone):
        sent |= {f"gone{i}": within, f"gone_u{i}": urgency}
        sent |= {f"gone_roll{i}": roll} if roll else {}
    for i, (share, urgency) in enumerate(fields.spent):
        sent |= {f"spent{i}": share, f"spent_u{i}": urgency}
    return sent | {"silent": fields.silent[0], "silent_u": fields.silent[1]}


@given(plans())
@settings(max_examples=80, deadline=None)
def test_a_policy_survives_its_form_and_its_definition(plan: Plan) -> None:
    assert whatif_form.plan_of(as_query(whatif_form.fields_of(plan))) == plan
    loaded = load_text(whatif_form.as_yaml(plan, "tried"))
    assert loaded.specs is not None, loaded.findings
    policy = loaded.specs.alert_policies["tried"]
    assert sorted(map(repr, rules_in(policy))) == sorted(map(repr, plan.rules))
    assert policy.guards == plan.guards


def test_every_built_in_policy_fits_the_form() -> None:
    for plan in usual():
        fields = whatif_form.fields_of(plan)
        again = whatif_form.plan_of(as_query(fields))
        assert set(again.rules) == set(plan.rules), plan.name
        assert again.guards == plan.guards


@pytest.mark.parametrize(
    ("wrong", "said_so"),
    [
        ({}, "never alerts"),
        ({"long0": "1h", "factor0": "fast"}, "is no number"),
        ({"long0": "1h", "factor0": "-1"}, "out of range"),
        ({"long0": "1h", "factor0": "nan"}, "out of range"),
        ({"long0": "soon", "factor0": "1"}, "soon"),
        ({"long0": "5m", "short0": "1h", "factor0": "1"}, "longer than the long one"),
        ({"long0": "900d", "factor0": "1"}, "400 days"),
        ({"long0": "1h", "factor0": "1", "burn_u0": "panic"}, "no urgency"),
    ],
)
def test_a_policy_that_makes_no_sense_is_told_what_is_wrong(
    wrong: dict[str, str], said_so: str
) -> None:
    with pytest.raises(UserError, match=said_so):
        whatif_form.plan_of(wrong)


def test_the_next_occurrences_of_a_maintenance_begin_with_the_one_that_lasts() -> None:
    zone = "Europe/Berlin"
    planned = MaintenanceDefinition(
        "nights", (Matcher("service", "=", "x"),), HERE, "2026-03-01T02:30", 7200.0, zone,
        "FREQ=WEEKLY;BYDAY=SU",
    )  # fmt: skip
    during = 1_774_749_600.0  # 2026-03-29 02:00 UTC: 04:00 in Berlin, whose clocks went forward
    starts = occurrences(planned, during, 3)
    assert starts[0] <= during < starts[0] + 7200
    assert in_force(planned, during)
    assert [round((b - a) / DAY, 3) for a, b in pairwise(starts)] == [
        pytest.approx(7, abs=0.05)
    ] * 2
    once = replace(planned, rrule="", start="2026-01-05T10:00", time_zone="UTC")
    assert occurrences(once, START, 3) == [START + 2 * 3600]
    assert occurrences(once, START + DAY, 3) == []


def alert(**more: object) -> Alert:
    """An alert of the usual kind."""
    made: dict[str, object] = {
        "id": 7, "integration": "prometheus", "key": "k", "state": AlertState.OPEN,
        "urgency": Urgency.PAGE, "severity": "critical", "service": "checkout",
        "summary": "p99 is 2 s", "opened_at": START, "last_at": START, "count": 1,
        "labels": {"service": "checkout", "alertname": "Slow", "instance": "a:80"}, **more,
    }  # fmt: skip
    return Alert(**made)  # type: ignore[arg-type]


def test_a_silence_from_an_alert_holds_for_others_like_it_and_not_for_one_host() -> None:
    assert silences.from_alert(alert()).matchers == "service=checkout\nalertname=Slow"
    bare = alert(labels={"summary": "p99 is 2 s"})
    assert silences.from_alert(bare).matchers == "summary=p99 is 2 s"


def test_the_state_of_an_alert_is_a_shape_and_a_word() -> None:
    assert badge(alert()).word == "Open"
    assert badge(alert(urgency=Urgency.TICKET)).word == "Ticket"
    assert badge(alert(quiet="silenced by ann")).word == "Silenced"
    assert badge(alert(state=AlertState.CLOSED, quiet="silenced by ann")).word == "Closed"


def test_the_numbers_of_a_budget_alert_are_its_figures() -> None:
    details = {
        "evidence": [{"bad": 41, "total": 900}], "burn_rate": {"1h": 14.8, "5m": 17.6},
        "budget_remaining_ratio": 0.184, "window": "30d", "time_to_exhaustion_seconds": 30_060,
    }  # fmt: skip
    figures = alert_story.lead(alert(details=details), START)
    assert [f[:2] for f in figures] == [
        ("Bad events", "41"), ("Burn rate", "14.8×"), ("Budget left", "18.4 %"),
        ("Gone in", "8 h 21 m"),
    ]  # fmt: skip
    plain = alert_story.lead(alert(details={"evidence": "none", "burn_rate": 3}), START + 60)
    assert plain[2] == ("Open for", "1 m", "until now")


@given(st.dictionaries(st.sampled_from(["q", "state", "service", "before", "x"]), st.text()))
def test_an_address_that_makes_no_sense_asks_for_something_all_the_same(
    params: dict[str, str],
) -> None:
    ask = AlertAsk.read(params)
    assert ask.wanted().text == ask.q
    assert "\0" not in ask.q + ask.service


def test_an_exit_code_is_read_from_what_a_ping_left() -> None:
    assert exit_code(Beat()) is None
    assert exit_code(Beat(last=1.0)) == 0
    assert exit_code(Beat(last=1.0, failed=True, note="disk")) is None
    failed = Beat(last=1.0, failed=True, note="exit code 3: no space left")
    assert (exit_code(failed), said(failed)) == (3, "no space left")


def test_an_example_of_a_mapped_door_is_read_by_its_mapping() -> None:
    mapping = {"key": "check.id", "summary": "{{host}}: {{check.said[0]}}", "action": "now"}
    door = IntegrationDefinition("m", IntegrationType.GENERIC, HERE, mapping=mapping)
    command = guide(door, "https://watch.example", "KEY").examples[0].text
    body = json.loads(command.split("--data-binary '")[1].removesuffix("'"))
    assert body["check"]["id"] == "db-1/disk"
    assert body["check"]["said"] == ["Disk full on db-1"]
    assert body["now"] == "trigger"


def test_whoever_is_woken_sees_first_what_nobody_has_and_tickets_last() -> None:
    opened = itertools.count(START)

    def one(number: int, state: PageState, urgency: str) -> Page:
        at = next(opened)
        return Page(
            number, PageKind.ALERT, state, "shop", "t", urgency, None, 0, 0, 0, at, at, at, 1, 1,
            acked_by="ann", resolved_at=at, resolved_by="ann",
        )  # fmt: skip

    pages = [
        one(1, PageState.OPEN, "ticket"),
        one(2, PageState.ACKED, "page"),
        one(3, PageState.RESOLVED, "page"),
        one(4, PageState.OPEN, "page"),
        one(5, PageState.ACKED, "ticket"),
        one(6, PageState.OPEN, "page"),
    ]
    view = duty_views.pages_view(pages, specs(), (), START + 60, True, 10)

    assert [r.id for r in view.rows] == [4, 6, 2, 1, 5, 3]
    assert view.headline == "2 pages are open and nobody has them yet"
    rest = duty_views.pages_view([pages[0], pages[4]], specs(), (), START, True, 10)
    assert rest.headline == "Nobody is needed now; 1 ticket waits"
