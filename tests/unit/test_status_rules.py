"""What status pages say: states, stories, days and planned work, from what people wrote."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.status_place import pages
from watchkeeper.incidents.model import Entry, EntryKind, Incident, IncidentState, Told
from watchkeeper.incidents.status import history, planning, rules
from watchkeeper.incidents.status.model import Case, Level, Span, Story
from watchkeeper.incidents.status.rules import World
from watchkeeper.slo.model import Fleet
from watchkeeper.spec.response import UPDATE_TEMPLATES

T0 = 1_767_600_000.0  # 2026-01-05 08:00 UTC
SPECS = pages()
WORLD = World(SPECS)
SHOP, PARTNERS, STAFF = (SPECS.response.status_pages[n] for n in ("shop", "partners", "staff"))
STATES = st.sampled_from([level for level in Level if level is not Level.OPERATIONAL])


def incident(**more: Any) -> Incident:  # noqa: ANN401
    base = Incident(7, "Secret shard eu-3", "SEV2", IncidentState.INVESTIGATING, T0, "ann", 1,
                    services=("checkout",))  # fmt: skip
    return replace(base, **more)


def update(number: int, at: float, text: str = "Some orders fail.", **data: Any) -> Told:  # noqa: ANN401
    said = {"public": True, "severity": "SEV2", "phase": "investigating", **data}
    entry = Entry(number, 7, number, EntryKind.UPDATE, at, at, "ann", "web", text, said)
    return Told(entry, text, at)


def told(*updates: Told, page: Any = SHOP, ends: float | None = None, **more: Any) -> Story | None:  # noqa: ANN401
    return rules.story(page, Case(incident(**more), updates, ends), WORLD)


def must(*updates: Told, **more: Any) -> Story:  # noqa: ANN401
    found = told(*updates, **more)
    assert found is not None
    return found


def level_now(story: Story, component: str = "checkout") -> Level:
    its = next(c for c in SHOP.components if c.name == component)
    return rules.state_now(its, [story], [])[0]


# ---------------------------------------------------------------- what a public page tells


def test_nothing_is_told_before_somebody_says_something_in_public() -> None:
    assert told() is None
    assert told(update(3, T0, public=False)) is None
    assert told(update(3, T0), drill=True) is None


def test_a_title_is_the_last_headline_or_the_components_never_the_one_inside() -> None:
    story = must(update(3, T0, components=["checkout"]))
    assert story.title == "Checkout: partial outage"
    later = update(4, T0 + 60, headline="Orders fail for some")
    assert must(update(3, T0), later, update(5, T0 + 90)).title == "Orders fail for some"
    assert "eu-3" not in repr(must(update(3, T0), later))


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        ({"severity": "SEV1"}, Level.MAJOR),
        ({"severity": "SEV2"}, Level.PARTIAL),
        ({"severity": "SEV3"}, Level.DEGRADED),
        ({"severity": "SEV9"}, Level.DEGRADED),
        ({"severity": "SEV1", "phase": "monitoring"}, Level.DEGRADED),
        ({"severity": "SEV1", "phase": "resolved"}, Level.OPERATIONAL),
        ({"severity": "SEV1", "impact": "degraded_performance"}, Level.DEGRADED),
        ({"severity": "SEV3", "impact": "major_outage", "phase": "monitoring"}, Level.MAJOR),
        ({"severity": "SEV1", "impact": "operational"}, Level.OPERATIONAL),
    ],
)
def test_a_component_is_as_the_last_update_says(data: dict[str, str], expected: Level) -> None:
    story = must(update(3, T0, components=["checkout"], **data))
    assert level_now(story) is expected
    assert level_now(story, "cards") is Level.OPERATIONAL


def test_an_update_that_names_no_component_is_about_those_before_it() -> None:
    story = must(
        update(3, T0, components=["cards"]),
        update(4, T0 + 60, severity="SEV1"),
    )
    assert story.components == ["cards"]
    assert level_now(story, "cards") is Level.MAJOR


def test_components_that_are_named_later_are_added_and_the_end_is_the_end_of_all() -> None:
    first = update(3, T0, components=["checkout"])
    second = update(4, T0 + 60, components=["cards"], severity="SEV3")
    both = must(first, second)
    assert (level_now(both), level_now(both, "cards")) == (Level.PARTIAL, Level.DEGRADED)
    over = must(first, second, update(5, T0 + 90, phase="resolved"))
    assert (level_now(over), level_now(over, "cards")) == (Level.OPERATIONAL, Level.OPERATIONAL)
    assert over.resolved_at == T0 + 90


def test_without_names_it_is_about_what_the_incident_touches_and_on_no_other_page() -> None:
    assert must(update(3, T0)).components == ["checkout"]
    assert told(update(3, T0), page=PARTNERS) is None
    assert must(update(3, T0), services=("payments",)).components == ["cards"]
    near = must(update(3, T0), services=("payments",), slos=("checkout-availability",))
    assert near.components == ["checkout", "accounts"]


def test_what_touches_no_page_is_told_on_all_public_ones_rather_than_to_nobody() -> None:
    for page in (SHOP, PARTNERS):
        story = must(update(3, T0), page=page, services=("search",))
        assert story.components == []
        assert story.title == f"{page.display_name}: trouble"
        assert rules.overall([Level.OPERATIONAL], [story]) is not Level.OPERATIONAL


def test_an_update_that_names_a_component_of_another_page_is_not_told_here() -> None:
    assert told(update(3, T0, components=["feed"])) is None
    assert must(update(3, T0, components=["feed"]), page=PARTNERS).components == ["feed"]


def test_the_end_of_an_incident_ends_its_story_in_one_plain_sentence() -> None:
    story = must(update(3, T0, components=["checkout"]), ends=T0 + 3600)
    assert (story.posts[0].text, story.posts[0].number) == (rules.ENDED, 0)
    assert story.resolved_at == T0 + 3600
    assert story.said == "Some orders fail."
    assert level_now(story) is Level.OPERATIONAL
    said = must(update(3, T0), update(4, T0 + 9, "All is well.", phase="resolved"), ends=T0 + 60)
    assert [p.text for p in said.posts] == ["All is well.", "Some orders fail."]


def test_a_component_is_as_the_worst_of_its_open_incidents() -> None:
    stories = [
        must(update(3, T0, components=["checkout"], severity=s)) for s in ("SEV3", "SEV1", "SEV2")
    ]
    checkout = SHOP.components[0]
    assert rules.state_now(checkout, stories, [])[0] is Level.MAJOR


# ---------------------------------------------------------------- inside


def test_an_internal_page_tells_of_all_updates_from_the_declaration_on() -> None:
    quiet = must(page=STAFF)
    assert (quiet.title, quiet.level) == ("Secret shard eu-3", Level.PARTIAL)
    both = must(update(3, T0, public=False), update(4, T0 + 60), page=STAFF)
    assert [(p.number, p.public) for p in both.posts] == [(4, True), (3, False)]
    assert told(page=STAFF, services=("search",)) is None


def test_a_drill_is_shown_inside_and_changes_no_state() -> None:
    drill = must(update(3, T0, severity="SEV1"), page=STAFF, drill=True)
    assert drill.drill
    assert level_now(drill) is Level.OPERATIONAL
    assert rules.spans(drill, T0 + 60) == []


def test_only_pages_inside_know_what_burns() -> None:
    assert not rules.burning(SHOP.components[0], SPECS, Fleet((), T0, 1))


# ---------------------------------------------------------------- days


def test_spans_go_from_update_to_update() -> None:
    story = must(
        update(3, T0, components=["checkout"], severity="SEV1"),
        update(4, T0 + 600, severity="SEV2"),
        update(5, T0 + 900, phase="resolved"),
    )
    assert [(s.level, s.start - T0, s.end - T0) for s in rules.spans(story, T0 + 9999)] == [
        (Level.MAJOR, 0, 600),
        (Level.PARTIAL, 600, 900),
    ]
    assert rules.spans(must(update(3, T0)), T0 + 60)[0].end == T0 + 60


def test_a_day_is_as_its_worst_span_and_says_for_how_long() -> None:
    spans = [
        Span("c", Level.PARTIAL, T0 - 600, T0 - 300, "Cards"),
        Span("c", Level.PARTIAL, T0 - 500, T0 - 200, "Orders"),
        Span("c", Level.MAINTENANCE, T0 - 90_000, T0 - 80_000),
    ]
    days = history.days_of(spans, None, 0.0, T0)
    assert len(days) == history.DAYS
    assert (days[-1].level, days[-1].seconds) == (Level.PARTIAL, {Level.PARTIAL: 400.0})
    assert days[-1].titles == ["Cards", "Orders"]
    assert days[-2].level is Level.MAINTENANCE
    assert days[0].level is Level.OPERATIONAL


def test_a_measured_day_below_its_target_is_degraded_and_one_without_requests_unknown() -> None:
    shares = [None] * (history.DAYS - 2) + [0.98, 0.995]
    days = history.days_of([], shares, 0.99, T0)
    assert [d.level for d in days[-2:]] == [Level.DEGRADED, Level.OPERATIONAL]
    assert [d.known for d in days[-3:]] == [False, True, True]


def test_the_example_of_uptime_is_right() -> None:
    now = T0 - T0 % history.DAY + history.DAY - 1e-3
    spans = [
        Span("c", Level.MAJOR, T0, T0 + 26 * 60),
        Span("c", Level.PARTIAL, T0 + 1800, T0 + 5400),
        Span("c", Level.DEGRADED, T0 + 5400, T0 + 9000),
    ]
    assert history.uptime_of_time(spans, now) == pytest.approx(0.99966, abs=5e-6)


@given(
    st.lists(st.tuples(STATES, st.integers(0, 10_000), st.integers(1, 5_000)), max_size=8),
    st.integers(1, 90_000),
)
def test_uptime_is_a_share_and_more_trouble_never_raises_it(
    raw: list[tuple[Level, int, int]], extra: int
) -> None:
    spans = [Span("c", level, T0 - at, min(T0, T0 - at + long)) for level, at, long in raw]
    before = history.uptime_of_time(spans, T0)
    after = history.uptime_of_time([*spans, Span("c", Level.MAJOR, T0 - extra, T0)], T0)
    assert 0.0 <= after <= before <= 1.0


@given(st.lists(st.tuples(STATES, st.integers(0, 200_000), st.integers(1, 90_000)), max_size=8))
def test_the_days_hold_no_more_than_a_day_of_each_state(
    raw: list[tuple[Level, int, int]],
) -> None:
    spans = [Span("c", level, T0 - at, min(T0, T0 - at + long)) for level, at, long in raw]
    for day in history.days_of(spans, None, 0.0, T0):
        assert all(0 <= s <= history.DAY for s in day.seconds.values())


# ---------------------------------------------------------------- planned work, templates, ids


def test_planned_work_is_announced_only_where_it_is_written_and_never_with_its_reason() -> None:
    since = history.first_day(T0)
    work = planning.planned(SHOP, SPECS, since, T0)
    assert {p.state for p in work} == {"completed", "scheduled"}
    assert all(p.start < T0 + planning.AHEAD for p in work)
    assert planning.planned(PARTNERS, SPECS, since, T0) == []
    assert "secret" not in repr(work)
    during = planning.planned(SHOP, SPECS, since, T0 - 30 * 3600 + 600)
    lasting = [p for p in during if p.state == "in_progress"]
    assert rules.state_now(SHOP.components[1], [], lasting)[0] is Level.MAINTENANCE


def test_templates_are_filled_in_and_those_that_fit_come_first() -> None:
    found = planning.filled(SPECS, incident(), "identified", T0)
    assert [t.name for t in found if t.fits] == ["identified"]
    assert found[0].text == (
        "We know what is wrong with Checkout and are mending it. We will say more by 08:30 UTC."
    )
    assert "outage" not in [t.name for t in found]
    lone = planning.filled(SPECS, incident(services=(), severity="SEV3"), "investigating", T0)
    assert lone[0].text.startswith("A few users may meet trouble with Our service.")


def test_no_template_that_is_built_in_has_a_field_that_is_not_filled() -> None:
    for severity in ("SEV1", "SEV2", "SEV3"):
        for each in planning.filled(SPECS, incident(severity=severity), "investigating", T0):
            assert "{" not in each.text + each.headline
    assert len(UPDATE_TEMPLATES) == 6


@given(st.lists(st.integers(1, 10**9), min_size=2, max_size=2, unique=True))
def test_public_ids_have_the_form_of_statuspage_and_differ(numbers: list[int]) -> None:
    one, two = (rules.public_id("incident", "shop", n) for n in numbers)
    assert one != two
    assert len(one) == 12
    assert set(one) <= set("0123456789abcdefghijklmnopqrstuvwxyz")
