"""Who would be called is what the engine does; a change that is tried is what it would be."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support import duty
from tests.support.duty import START, World
from tests.support.rota_world import NOW, specs
from watchkeeper.faces.web import duty_calendar as cal
from watchkeeper.faces.web.policies_page import services_of
from watchkeeper.oncall import store
from watchkeeper.oncall.foretell import foretell
from watchkeeper.oncall.load import LIMIT, busy_shifts, load, weekly
from watchkeeper.oncall.model import Page, PageKind, PageState
from watchkeeper.oncall.schedule.model import Change, ChangeKind
from watchkeeper.oncall.schedule.preview import differences, hours_of
from watchkeeper.oncall.schedule.rules import on_call
from watchkeeper.oncall.store import CallRow
from watchkeeper.spec.duty import TargetKind
from watchkeeper.store import Database

HOUR, DAY = 3600.0, 86_400.0


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(Database.open(str(tmp_path / "wk.db")))


def test_what_is_foretold_is_what_the_engine_sends(world: World) -> None:
    away = Change("c", "second", "override", START, START + DAY, "ben", "", "", "t")
    with world.db.write() as conn:
        store.add_change(conn, away, START)
    policy = world.specs.duty.escalation_policies["default"]
    told = foretell(policy, world.specs, {"second": [away]}, START, HOUR)
    world.signal()
    world.run(HOUR + 30, every=5.0)
    sent = {(round(at / 60), channel, address) for at, channel, address in world.log()}
    assert {(round((t.at - START) / 60), t.channel, t.address) for t in told} == {
        s for s in sent if s[0] <= 60
    }
    assert ("ben@push", 5) in {(t.address, round((t.at - START) / 60)) for t in told}


def test_a_policy_that_reaches_nobody_says_so_and_comes_to_an_end() -> None:
    gone = duty.policy((duty.to(TargetKind.USER, "ghost"), 60.0), repeat=0)
    told = foretell(gone, duty.specs(), {}, START, HOUR)
    assert told
    assert all(t.channel == "" for t in told)


def test_a_ticket_waits_until_those_who_are_told_work() -> None:
    at_night = START - 8 * HOUR  # Monday 00:00 UTC
    policy = duty.policy((duty.to(TargetKind.USER, "ann"), 300.0))
    told = foretell(policy, duty.specs(), {}, at_night, DAY / 2, "ticket")
    assert {t.at for t in told if t.user == "ann"} == {at_night + 9 * HOUR}


# ---------------------------------------------------------------- changes that are tried

KINDS: tuple[ChangeKind, ...] = ("override", "swap", "leave")
PEOPLE = ("ann", "ben", "cho", "dee")


@settings(deadline=None, max_examples=40)
@given(
    kind=st.sampled_from(KINDS),
    start=st.integers(0, 14 * 24),
    hours=st.integers(1, 72),
    user=st.sampled_from(PEOPLE),
    replaces=st.sampled_from(PEOPLE),
)
def test_the_preview_is_the_final_schedule_hour_by_hour(
    kind: ChangeKind, start: int, hours: int, user: str, replaces: str
) -> None:
    schedule = specs().duty.schedules["shop"]
    begin = NOW + start * HOUR
    kept = [Change("k", "shop", "swap", NOW, NOW + 9 * DAY, "dee", "ann", "", "t")]
    tried = Change("t", "shop", kind, begin, begin + hours * HOUR, user, replaces, "", "t")
    found = differences(schedule, kept, tried)
    at = begin - 2 * HOUR
    while at < begin + (hours + 2) * HOUR:
        before = on_call(schedule, kept, at).users
        after = on_call(schedule, [*kept, tried], at).users
        said = [d for d in found if d.start <= at < d.end]
        expected = [(before, after)] if before != after else []
        assert [(d.before, d.after) for d in said] == expected
        at += HOUR / 2


def test_a_day_on_which_clocks_change_is_drawn_as_long_as_it_is() -> None:
    schedule = specs().duty.schedules["shop"]
    week = cal.Asked("week", date(2026, 3, 25), "Europe/Berlin")
    drawn = cal.calendar(schedule, (), specs(), week, NOW, None)
    assert drawn.end - drawn.start == 7 * DAY - HOUR
    days = drawn.rows[0].days
    assert [d.hours for d in days] == [""] * 6 + ["23 h"]
    assert days[6].width == pytest.approx(100 * 23 / 167, abs=0.01)
    assert days[0].width == pytest.approx(100 * 24 / 167, abs=0.01)
    autumn = cal.Asked("week", date(2026, 10, 25), "Europe/Berlin")
    assert cal.calendar(schedule, (), specs(), autumn, NOW, None).rows[0].days[6].hours == "25 h"
    same = cal.calendar(schedule, (), specs(), replace(week, zone="UTC"), NOW, None)
    assert [d.hours for d in same.rows[0].days] == [""] * 7


@pytest.mark.parametrize("view", list(cal.VIEWS))
def test_the_final_schedule_fills_every_week_without_a_hole(view: str) -> None:
    for name in ("shop", "money"):
        schedule = specs().duty.schedules[name]
        asked = cal.Asked(view, date(2026, 3, 25), "Europe/Berlin")
        for row in cal.calendar(schedule, (), specs(), asked, NOW, None).rows:
            final = row.lanes[-1]
            assert final.kind == "final"
            at = 0.0
            for block in final.blocks:
                assert block.left == pytest.approx(at, abs=0.01)
                at = block.left + block.width
            assert at == pytest.approx(100, abs=0.01)


def test_a_weekend_without_anybody_is_a_gap_and_a_month_begins_on_a_monday() -> None:
    asked = cal.Asked("month", date(2026, 3, 25), "America/New_York")
    drawn = cal.calendar(specs().duty.schedules["money"], (), specs(), asked, NOW, None)
    assert drawn.rows[0].days[0].label == "Mon 23"
    assert all([b.kind for b in r.lanes[-1].blocks].count("gap") == 1 for r in drawn.rows)


def test_changes_that_overlap_stand_in_lanes_of_their_own() -> None:
    both = [
        Change(str(i), "shop", "override", NOW, NOW + DAY, u, "", "", "t")
        for i, u in enumerate(("ann", "dee"))
    ]
    asked = cal.Asked("week", date(2026, 3, 25), "Europe/Berlin")
    row = cal.calendar(specs().duty.schedules["shop"], both, specs(), asked, NOW, None).rows[0]
    assert [len(lane.blocks) for lane in row.lanes if lane.kind == "changes"] == [1, 1]


def test_hours_outside_working_hours_are_counted_through_a_change_of_clocks() -> None:
    weekend = (NOW + 2 * DAY + 13 * HOUR, NOW + 4 * DAY + 12 * HOUR)  # Sat 00:00 to Mon 00:00
    assert hours_of([weekend], "Europe/Berlin").total == 47
    assert hours_of([weekend], "Europe/Berlin").outside == 47
    today = (NOW - 11 * HOUR, NOW + 13 * HOUR)  # Wednesday, midnight to midnight in Berlin
    assert hours_of([today], "Europe/Berlin") == hours_of([today, today[:1] * 2], "Europe/Berlin")
    assert hours_of([today], "Europe/Berlin").outside == 15


def test_services_lead_to_the_policy_they_name_or_to_the_first_of_their_team() -> None:
    found = specs()
    policies = found.duty.escalation_policies
    assert services_of(policies["shop"], found) == ["checkout"]
    assert services_of(policies["money"], found) == ["payments"]


# ---------------------------------------------------------------- load


def paged(number: int, at: float, via: str = "schedule:shop") -> tuple[CallRow, Page]:
    page = Page(
        number, PageKind.ALERT, PageState.OPEN, "s", "t", "page", None, 0, 0, 1, None, at, at, 1, 0
    )
    return CallRow(number, number, 1, at, "ann", via), page


@settings(deadline=None, max_examples=40)
@given(st.lists(st.integers(0, 60 * 24), max_size=60))
def test_weeks_and_shifts_add_up_to_the_load(hours: list[int]) -> None:
    calls = [paged(i + 1, NOW + h * HOUR) for i, h in enumerate(hours)]
    whole = load(calls, lambda _: "Europe/Berlin")
    weeks = weekly(calls, lambda _: "Europe/Berlin")
    assert sum(w.in_hours + w.out_of_hours for w in weeks) == len(hours)
    assert sum(w.out_of_hours for w in weeks) == sum(r.out_of_hours for r in whole)
    assert all(w.monday.weekday() == 0 for w in weeks)
    busy = busy_shifts(calls, lambda _: "Europe/Berlin")
    assert len(busy) == sum(r.shifts_over_limit for r in whole)
    for _, start, end, number in busy:
        assert number == sum(start <= NOW + h * HOUR < end for h in hours) > LIMIT
