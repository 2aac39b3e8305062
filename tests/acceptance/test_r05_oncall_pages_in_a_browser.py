"""R5: who is on call, and every change to it, in a real Chromium: seen, tried, kept, proved."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.support.browser import chromium, findings, page_in
from tests.support.rota_world import DAY, NOW, RotaWorld, rota_world, with_history

PATHS = (
    "/oncall",
    "/oncall/schedules/shop",
    "/oncall/schedules/money?view=month&tz=mine",
    "/oncall/mine",
    "/oncall/policies",
    "/oncall/policies/shop",
    "/drills",
    "/load?days=90",
    "/reach",
)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as started:
        yield started


@pytest.fixture(scope="module")
def lived(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RotaWorld]:
    """A world with history that tests only look at."""
    with rota_world(tmp_path_factory.mktemp("lived")) as made:
        with_history(made)
        yield made


@pytest.fixture
def fresh(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RotaWorld]:
    """A world of its own, for tests that change it."""
    with rota_world(tmp_path_factory.mktemp("fresh")) as made:
        yield made


@contextmanager
def signed_in(
    browser: Browser,
    world: RotaWorld,
    name: str,
    width: int = 1440,
    theme: Literal["light", "dark"] = "light",
    scripts: bool = True,
) -> Iterator[Page]:
    with page_in(browser, width, 900, theme, scripts) as page:
        page.context.add_cookies([world.cookie(name)])  # type: ignore[list-item]
        yield page


# ---------------------------------------------------------------- looks


@pytest.mark.parametrize(("width", "theme"), [(1440, "light"), (1440, "dark"), (390, "light")])
def test_every_page_of_on_call_is_accessible_and_fits_its_width(
    browser: Browser, lived: RotaWorld, width: int, theme: Literal["light", "dark"]
) -> None:
    found: dict[str, list[str]] = {}
    with signed_in(browser, lived, "ann", width, theme) as page:
        for path in PATHS:
            page.goto(lived.url + path)
            expect(page.locator("h1")).to_be_visible()
            wider = page.evaluate(
                "document.documentElement.scrollWidth - document.documentElement.clientWidth"
            )
            found[path] = findings(page) + ([f"{wider} px too wide"] if wider > 0 else [])
    assert found == {path: [] for path in PATHS}


def test_one_look_says_who_is_on_call_until_when_how_they_are_reached_and_the_gaps(
    browser: Browser, lived: RotaWorld
) -> None:
    with signed_in(browser, lived, "vera") as page:
        page.goto(lived.url + "/oncall")
        shop = page.get_by_role("region", name="Storefront, first line")
        expect(shop.locator(".who")).to_have_text("Ben Baker")
        expect(shop).to_contain_text("push, ben-phone")
        expect(shop).to_contain_text("Never proved")
        money = page.get_by_role("region", name="Money, working days")
        expect(money).to_contain_text("4 gaps")
        expect(money.locator(".blk.is-gap")).to_have_count(1)


def test_the_calendar_names_both_time_zones_and_tells_each_in_its_own(
    browser: Browser, lived: RotaWorld
) -> None:
    with signed_in(browser, lived, "ann") as page:
        page.goto(lived.url + "/oncall/schedules/money?view=week")
        zones = page.get_by_role("navigation", name="Time zone")
        expect(zones).to_contain_text("America/New_York")
        expect(zones).to_contain_text("Europe/Berlin")
        gap = page.locator(".lane.is-final .blk.is-gap")
        expect(gap).to_have_attribute(
            "title", "On call: Nobody, Sat 28 Mar 00:00 to Mon 30 Mar 00:00"
        )
        zones.get_by_text("Yours").click()
        moved = page.locator("[title='On call: Nobody, Sat 28 Mar 05:00 to Mon 30 Mar 00:00']")
        expect(moved).to_have_count(1)
        expect(page.locator(".day em").first).to_have_text("23 h")


# ---------------------------------------------------------------- changes


@pytest.mark.parametrize("scripts", [True, False])
def test_a_shift_changes_hands_in_two_clicks_and_is_seen_before_it_is_kept(
    browser: Browser, fresh: RotaWorld, scripts: bool
) -> None:
    with signed_in(browser, fresh, "emil", scripts=scripts) as page:
        page.goto(fresh.url + "/oncall/schedules/money?view=week")
        page.locator(".lane.is-final a.blk", has_text="Dee").first.click()
        tried = page.get_by_role("status").filter(has_text="As it would be")
        expect(tried).to_contain_text("Cho Chen instead of Dee Dunn")
        expect(page.locator(".lane.is-final .blk.is-new")).to_have_count(1)
        assert fresh.duty.changes("money") == []
        page.get_by_role("button", name="Save").click()
        kept = page.get_by_role("region", name="Overrides, swaps and leave")
        expect(kept).to_contain_text("Override: Cho Chen for everybody")
        (change,) = fresh.duty.changes("money")
        assert (change.user, change.kind, change.author) == ("cho", "override", "emil")
        assert change.end - change.start == DAY
        kept.get_by_role("button", name="Take back").click()
        expect(kept).to_contain_text("None. The layers decide.")
        assert fresh.duty.changes("money") == []


def test_the_preview_follows_the_form_and_warns_of_a_gap(
    browser: Browser, fresh: RotaWorld
) -> None:
    fresh.duty.change("money", "leave", NOW, NOW + 20 * DAY, "", "dee", "", "emil")
    with signed_in(browser, fresh, "emil") as page:
        page.goto(fresh.url + "/oncall/schedules/money")
        page.get_by_label("From (America/New_York)").fill("2026-03-26T09:00")
        page.get_by_label("To (America/New_York)").fill("2026-03-27T09:00")
        form = page.get_by_role("region", name="Someone else takes over")
        form.locator("select[name=replaces]").select_option("cho")
        form.get_by_text("Leave", exact=True).click()
        tried = page.get_by_role("status").filter(has_text="As it would be")
        expect(tried).to_contain_text("nobody instead of Cho Chen: a gap")
        form.get_by_label("Who takes over").select_option("ben")
        expect(tried).to_contain_text("Ben Baker instead of Cho Chen")


def test_a_form_that_says_nonsense_is_answered_with_what_to_do(
    browser: Browser, fresh: RotaWorld
) -> None:
    with signed_in(browser, fresh, "emil") as page:
        page.goto(fresh.url + "/oncall/schedules/shop")
        page.get_by_label("From (Europe/Berlin)").fill("2026-03-27T09:00")
        page.get_by_label("To (Europe/Berlin)").fill("2026-03-26T09:00")
        page.get_by_role("button", name="Save").click()
        expect(page.get_by_role("alert")).to_contain_text("It must end after it starts.")
        expect(page.get_by_label("From (Europe/Berlin)")).to_have_value("2026-03-27T09:00")
    assert fresh.duty.changes("shop") == []


# ---------------------------------------------------------------- my shifts


def test_a_responder_sees_their_duty_gives_a_shift_away_and_leaves_a_note(
    browser: Browser, fresh: RotaWorld
) -> None:
    fresh.opened("ann", "Checkout answers errors")
    with signed_in(browser, fresh, "ann") as page:
        page.goto(fresh.url + "/oncall/mine")
        expect(page.locator("h1")).to_contain_text("You are next on call in 4 d 21 h")
        expect(page.get_by_role("region", name="Open pages")).to_contain_text(
            "Checkout answers errors"
        )
        expect(page.get_by_role("region", name="When you are called")).to_contain_text("after 2 m")
        page.get_by_role("link", name="Give away").first.click()
        expect(page.get_by_role("status").filter(has_text="As it would be")).to_contain_text(
            "Ben Baker instead of Ann Archer"
        )
        page.get_by_role("button", name="Save").click()
        expect(page.get_by_role("region", name="Changes kept")).to_contain_text("Leave: Ann Archer")
        page.get_by_label("What should the next person know?").first.fill("The cache is warm.")
        page.get_by_role("button", name="Leave the note").first.click()
        expect(page.get_by_text("The cache is warm.")).to_be_visible()
        page.get_by_role("button", name="Send a test").first.click()
        expect(page.get_by_role("status").filter(has_text="on its way")).to_be_visible()
    (change,) = fresh.duty.changes("shop")
    assert (change.kind, change.replaces, change.author) == ("leave", "ann", "ann")
    assert [d.kind for d in fresh.duty.deliveries("push")] == ["test"]


def test_a_responder_changes_nobody_elses_shifts(browser: Browser, fresh: RotaWorld) -> None:
    with signed_in(browser, fresh, "ann") as page:
        page.goto(fresh.url + "/oncall/mine?kind=leave&from=2026-03-26T09:00&to=2026-03-27T09:00")
        page.locator("select[name=replaces]").select_option("ben")
        page.get_by_role("button", name="Save").click()
        expect(page.get_by_role("alert")).to_contain_text("nobody's shift but your own")
        page.goto(fresh.url + "/oncall/schedules/shop")
        expect(page.get_by_role("button", name="Save")).to_have_count(0)
        assert page.locator("a.blk").count() == 0
    assert fresh.duty.changes("shop") == []


# ---------------------------------------------------------------- policies, drills, load


def test_the_graph_says_who_that_is_now_and_the_clock_says_who_it_would_be(
    browser: Browser, lived: RotaWorld
) -> None:
    with signed_in(browser, lived, "ann") as page:
        page.goto(lived.url + "/oncall/policies/shop")
        graph = page.locator(".flow svg")
        for words in ("Step 1, at once", "Ben Baker, Dee Dunn", "no answer for 5 m", "1 × more"):
            expect(graph).to_contain_text(words)
        page.get_by_label("A page opens at (Europe/Berlin)").fill("2026-03-29T23:00")
        page.get_by_role("button", name="Show").click()
        lines = page.locator(".tl > li")
        expect(lines.first).to_contain_text("Sun 23:00")
        expect(lines.first).to_contain_text("Cho Chen")
        expect(lines.nth(1)).to_contain_text("Sun 23:05")
        expect(lines.nth(1)).to_contain_text("Ben Baker")
        expect(page.get_by_role("link", name="Checkout")).to_be_visible()


def test_a_drill_is_started_by_hand_and_its_proof_is_shown(
    browser: Browser, fresh: RotaWorld
) -> None:
    with signed_in(browser, fresh, "emil") as page:
        page.goto(fresh.url + "/drills")
        expect(page.locator("h1")).to_have_text("5 ways to reach people not proved for 30 days")
        page.get_by_role("button", name="Page them now").click()
        expect(page.locator("h1")).to_contain_text("Fire drill")
        page.goto(fresh.url + "/drills")
        expect(page.get_by_role("region", name="Drills held")).to_contain_text("Running")
        fresh.drilled()
        page.reload()
        expect(page.get_by_role("region", name="Drills held")).to_contain_text("Answered")
        expect(page.locator("h1")).to_have_text("4 ways to reach people not proved for 30 days")


def test_load_names_rotations_and_weeks_and_no_person(browser: Browser, lived: RotaWorld) -> None:
    with signed_in(browser, lived, "vera") as page:
        page.goto(lived.url + "/load?days=90")
        expect(page.locator("h1")).to_have_text("1 rotation over the limit of 2 incidents a shift")
        over = page.get_by_role("region", name="Shifts over the limit")
        expect(over).to_contain_text("3 pages")
        text = page.locator("main").inner_text()
        assert not any(name in text for name in ("Ann", "Ben", "Cho", "Dee"))
        table = page.locator("details.behind tbody tr")
        bars = page.locator(".wkbars > span")
        assert table.count() == bars.count() == 12
        made = page.request.get(lived.url + "/load.csv?days=90")
        rows = list(csv.DictReader(io.StringIO(made.text())))
        told = json.loads(page.request.get(lived.url + "/load.json?days=90").text())
        assert [r["rotation"] for r in rows] == [r["rotation"] for r in told["rotations"]]
        assert sum(w["in_hours"] + w["out_of_hours"] for w in told["weeks"]) == sum(
            int(r["pages"]) for r in rows
        )


def test_the_shifts_as_a_file_are_those_of_the_api_and_of_the_feed(
    browser: Browser, lived: RotaWorld
) -> None:
    with signed_in(browser, lived, "vera") as page:
        page.goto(lived.url + "/oncall/schedules/shop")
        links = page.locator(".pager .ex a")
        made = page.request.get(lived.url + (links.nth(0).get_attribute("href") or "")).text()
        told = json.loads(
            page.request.get(lived.url + (links.nth(1).get_attribute("href") or "")).text()
        )
        rows = list(csv.DictReader(io.StringIO(made)))
        assert [(r["start"], r["on_call"]) for r in rows] == [
            (s["start"], "+".join(s["users"])) for s in told
        ]
        feed = page.request.get(lived.url + (links.nth(2).get_attribute("href") or ""))
        assert feed.text().startswith("BEGIN:VCALENDAR")
