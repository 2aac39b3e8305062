"""What the pages say, as values."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.fleet import NOW, definition, detail, fleet, services, status
from tests.support.spent import account
from watchkeeper.causes.model import Account, Entry, Episode, Kind
from watchkeeper.faces.web import (
    causes_view,
    charts,
    overview,
    services_page,
    slo_page,
    sources_page,
    words,
)
from watchkeeper.faces.web.alerts import alert_rows
from watchkeeper.faces.web.ask import Ask, chosen
from watchkeeper.faces.web.definition import queries, sentence
from watchkeeper.faces.web.export import to_csv, to_json
from watchkeeper.faces.web.spark import HEIGHT, spark
from watchkeeper.kernel import text
from watchkeeper.measure.model import SourceHealth
from watchkeeper.slo.model import Fleet, Look, SloStatus
from watchkeeper.spec.model import Aspect, CountsSli, LogQuery, ProbeCheck

FLEET, SPECS = fleet(60)


def now_of(*statuses: SloStatus, ask: Ask | None = None) -> overview.NowView:
    made = Fleet(statuses, NOW, 1)
    return overview.now_view(made, SPECS, ask or Ask())


# ---------------------------------------------------------------- overview


def test_the_headline_counts_who_needs_someone_now() -> None:
    view = now_of(status("a", left=0.1, look="burn"), status("b", left=-0.2, look="spent"))
    assert view.headline == "2 objectives need someone now"
    assert view.summary.startswith("1 burning, 1 spent. 2 objectives across 1 service.")


def test_one_objective_needs_and_many_need() -> None:
    assert now_of(status(left=0.1, look="burn")).headline == "1 objective needs someone now"


def test_a_calm_fleet_says_that_nobody_is_needed_and_shows_no_cards() -> None:
    view = now_of(status("a"), status("b", left=None, look="none"))
    assert view.headline == "Nobody is needed now"
    assert view.cards == []


def test_cards_show_burning_before_spent_before_watch_and_the_soonest_gone_first() -> None:
    view = now_of(
        status("watch", left=0.1, look="watch"),
        status("spent", left=-0.5, look="spent"),
        status("later", left=0.5, look="burn", burn=15),
        status("sooner", left=0.02, look="burn", burn=15),
    )
    assert [c.title for c in view.cards] == ["Sooner", "Later", "Spent"]


def test_the_histogram_counts_every_objective_with_evidence_once() -> None:
    view = overview.now_view(FLEET, SPECS, Ask())
    counted = sum(int(band.label.split(" ", 1)[0]) for band in view.bands)
    assert counted == sum(1 for s in FLEET.statuses if s.budget.remaining_ratio is not None)


def test_a_band_chosen_again_is_left_again() -> None:
    view = now_of(status(), ask=Ask(band=15))
    assert view.bands[15].current
    assert view.bands[15].url == "/"
    assert view.bands[14].url == "/?band=14"


def test_the_even_tick_and_the_width_stay_within_the_bar() -> None:
    spent = words.bar(status(left=-0.4, look="spent"))
    assert spent.width == 0
    assert "40 % over" in spent.label
    full = words.bar(status(left=1.0, even_spend_left=1.4))
    assert (full.width, full.even) == (100.0, 100.0)


def test_no_evidence_reads_as_such_and_has_no_tick() -> None:
    bar = words.bar(status(left=None, look="none"))
    assert (bar.label, bar.even, bar.width) == ("no evidence", None, 0.0)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"left": 0.184, "look": "burn", "burn": 14.8}, "gone by 22:23"),
        ({"left": 0.9, "burn": 0.2}, "lasts"),
        ({"left": None, "look": "none"}, "no evidence"),
        ({"left": -0.3, "look": "spent"}, "back in 3 d at best"),
        ({"left": -0.3, "look": "spent", "recovers_in_seconds": None}, "spent"),
    ],
)
def test_fate_is_said_in_words_a_tired_person_understands(
    changes: dict[str, object], said: str
) -> None:
    assert words.fate(status(**changes), NOW) == said


def test_measured_shares_line_up_and_never_round_up() -> None:
    assert text.aligned(0.9987) == "99.870 %"
    assert text.aligned(1.0) == "100 %"
    assert text.aligned(0.999996) == "99.9996 %"
    assert text.aligned(None) == "–"


# ---------------------------------------------------------------- sparklines


@settings(deadline=None, max_examples=80)
@given(
    st.lists(st.one_of(st.none(), st.floats(0, 1)), max_size=40),
    st.sampled_from([0.9, 0.99, 0.999, 1.0]),
)
def test_a_sparkline_stays_in_its_box_and_marks_misses_only(
    values: list[float | None], target: float
) -> None:
    drawn = spark(values, target)
    if drawn is None:
        assert all(v is None for v in values)
        return
    heights = [
        float(part.split()[1].split("h")[0]) for part in drawn.line.replace("L", "M").split("M")[1:]
    ]
    assert len(heights) == sum(1 for v in values if v is not None)
    assert all(0 <= h <= HEIGHT for h in heights)
    assert bool(drawn.below) == any(v is not None and v < target for v in values)


def test_a_gap_in_the_evidence_is_a_gap_in_the_line() -> None:
    drawn = spark([1.0, 0.99, None, 1.0, 1.0], 0.9)
    assert drawn is not None
    assert drawn.line.count("M") == 2


# ---------------------------------------------------------------- one SLO


def view_of(name: str = "checkout-availability", **changes: object) -> slo_page.SloView:
    found = FLEET.get(name)
    assert found is not None
    deep = detail(replace(found, **changes))  # type: ignore[arg-type]
    return slo_page.slo_view(deep, account(deep), SPECS, {}, services().source_health(), NOW)


def test_the_lead_numbers_of_a_burning_objective() -> None:
    view = view_of()
    budget, burn, gone, _ = view.lead
    assert (budget.value, budget.small) == ("18.4 %", "7 m 25 s of 40 m 19 s")
    assert burn.value == "14.8×"
    assert (gone.value, gone.label) == ("8 h 21 m", "Gone at this pace in")
    assert view.promise == "99.9 % of requests succeed, over 28 days, rolling."


def test_an_overspent_budget_says_by_how_much_and_when_it_is_back() -> None:
    budget, _, gone, _ = view_of("pay-availability").lead
    assert (budget.label, budget.value) == ("Overspent", "30 %")
    assert budget.small == "12 m 5 s over 40 m 19 s"
    assert (gone.label, gone.value) == ("Positive again in", "3 d")


def test_without_evidence_no_number_is_made_up() -> None:
    silent = next(s for s in FLEET.statuses if s.look is Look.NONE)
    view = view_of(silent.name)
    assert [f.value for f in view.lead] == ["–"] * 4
    assert view.charts["budget"].sentence == "There is no evidence in this window yet."
    assert (view.causes.rows, view.causes.sentence) == ([], "No evidence in this window.")


@settings(deadline=None, max_examples=80)
@given(st.lists(st.floats(0.001, 1), min_size=1, max_size=8))
def test_shares_of_the_spent_budget_add_up_to_all_of_it(parts: list[float]) -> None:
    shares = [p / sum(parts) for p in parts]
    percents = causes_view.whole_percents(shares)
    assert sum(percents) == 100
    assert all(abs(p - 100 * s) < 1 for p, s in zip(percents, shares, strict=True))


def test_everything_else_takes_what_the_listed_spends_leave() -> None:
    view = view_of()
    assert [row.share for row in view.causes.rows] == ["46 %", "26 %", "28 %"]
    assert [row.mark for row in view.causes.rows] == ["1", "2", ""]
    assert view.causes.rows[-1].what == "Everything else"
    assert view.causes.sentence.endswith("bad events: 100 % unknown.")


def test_many_causes_are_listed_up_to_some_and_the_rest_adds_up_to_what_is_left() -> None:
    entries = [
        Entry(Kind.DEPLOYMENT, f"shop {i}", Fraction(bad), Episode(i, i + 1, i, bad, 99))
        for i, bad in enumerate((50, 20, 10, 6, 4, 3, 2, 1, 1))
    ]
    rest = Entry(Kind.UNKNOWN, "Everything else", Fraction(3))
    found = Account("shop", 0, 99, Fraction(100), Fraction(900), (*entries, rest), 1)

    view = causes_view.causes_view(found)

    assert [row.share for row in view.rows] == [
        "50 %", "20 %", "10 %", "6 %", "4 %", "3 %", "7 %",
    ]  # fmt: skip
    assert view.rows[-1].when == "3 smaller causes, and steady errors outside of episodes"
    assert view.sentence == "100 bad events: 97 % deployment, 3 % unknown."
    assert len(causes_view.causes_view(found, most=None).rows) == 10


def test_a_condition_pages_only_when_both_windows_reach_its_threshold() -> None:
    rates = {"1h": 14.4, "5m": 14.4, "6h": 7.0, "30m": 5.9, "1d": 1.0, "2h": 1.0, "3d": None}
    found = status(burn_rate=rates)
    rows = alert_rows(found, None, SPECS)
    assert [row.badge.word for row in rows] == ["Pages now", "Close", "Quiet", "No data"]
    assert rows[0].long.width == pytest.approx(70.0)


def test_chart_data_is_plain_json_with_gaps_where_nothing_was_seen() -> None:
    found = FLEET.get("checkout-availability")
    assert found is not None
    drawn = json.loads(json.dumps(charts.data(detail(found)), allow_nan=False))
    assert drawn["events"][1][40:43] == [None] * 3
    assert len(drawn["budget"][0]) == len(drawn["budget"][1]) == len(drawn["budget"][2])
    assert drawn["budget"][1][-1] == pytest.approx(18.4, abs=0.01)


def test_the_tables_behind_the_charts_hold_the_same_events() -> None:
    deep = detail(FLEET.statuses[0])
    table = charts.charts(deep)["ratio"].table
    bad = sum(float(row[2].replace("\u2009", "")) for row in table.rows)
    assert bad == pytest.approx(FLEET.statuses[0].events.bad, abs=0.01 * len(table.rows))
    assert len(charts.charts(deep)["events"].table.rows) == 180


def test_a_burn_down_of_nothing_but_nan_is_no_evidence() -> None:
    deep = detail(FLEET.statuses[0])
    empty = replace(
        deep, burn_down=replace(deep.burn_down, left=np.full_like(deep.burn_down.left, math.nan))
    )
    assert charts.charts(empty)["budget"].sentence == "There is no evidence in this window yet."


def test_definitions_read_as_promises() -> None:
    latency = definition("x", "X", "cart", Aspect.LATENCY)
    assert (
        sentence(latency, "99 %") == "99 % of requests take at most 300 ms, over 28 days, rolling."
    )


def test_queries_of_every_kind_are_told_as_their_author_would() -> None:
    log = CountsSli(LogQuery(paths=("/cart/*",)), bad=LogQuery(("/cart/*",), status=("5xx",)))
    assert [(q.role, q.text) for q in queries(log)] == [
        ("bad", "any method, /cart/*, status 5xx"),
        ("total", "any method, /cart/*"),
    ]
    probe = CountsSli(ProbeCheck("https://shop.example/", expect_within=0.5))
    (told,) = queries(probe)
    assert told.text == "GET https://shop.example/, status 2xx 3xx, within 500 ms"


# ---------------------------------------------------------------- services and sources


def test_services_come_worst_first_and_a_missing_aspect_of_a_critical_journey_is_named() -> None:
    view = services_page.services_view(FLEET, SPECS)
    order = [words.URGENCY[Look(s.badge.key)] for s in view.services]
    assert order == sorted(order)
    search = next(s for s in view.services if s.id == "search")
    (find,) = search.journeys
    assert [c.note for c in find.cells] == ["", "", "missing"]


def test_links_that_a_browser_would_run_are_left_out() -> None:
    view = services_page.services_view(FLEET, SPECS)
    assert {name for s in view.services for name, _ in s.links} == {"Runbook"}


def test_a_service_that_no_objective_names_is_still_listed_last() -> None:
    made = Fleet([s for s in FLEET.statuses if s.service != "media"], NOW, 1)
    view = services_page.services_view(made, SPECS)
    assert view.services[-1].id == "media"
    assert view.services[-1].badge.word == "No objectives"


def test_sources_with_trouble_come_first() -> None:
    view = sources_page.sources_view(services().source_health(), SPECS, NOW)
    assert [s.badge.word for s in view.sources] == ["Failing", "Fine", "Fine"]
    assert view.headline == "1 source is not delivering"


def test_a_source_that_was_not_read_for_long_is_late() -> None:
    late = SourceHealth("log", "accesslog", NOW - 600, "", 600.0)
    assert sources_page.state(late, NOW).word == "Late"
    assert sources_page.state(replace(late, last_success=None), NOW).word == "Nothing yet"


# ---------------------------------------------------------------- export


def test_exports_hold_what_the_filter_selects_in_its_order() -> None:
    found = chosen(FLEET.statuses, SPECS, Ask(team="payments"))
    lines = to_csv(found).splitlines()
    assert len(lines) == len(found) + 1
    assert [s["name"] for s in json.loads(to_json(found))] == [s.name for s in found]


def test_a_cell_that_a_spreadsheet_would_run_is_marked_as_text() -> None:
    line = to_csv([status('=HYPERLINK("http://evil.example")')]).splitlines()[1]
    assert line.startswith("\"'=HYPERLINK")
