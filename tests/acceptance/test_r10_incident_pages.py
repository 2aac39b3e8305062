"""R10 to R14: incidents in a real Chromium, declared, led, told and written down by several."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.support.alert_place import Place, filled
from tests.support.browser import chromium, findings, serving
from tests.support.duty import SITE
from watchkeeper.faces.incidents import Incidents
from watchkeeper.incidents import chain, store
from watchkeeper.incidents.keeping import By

ANN = By("ann", "web")


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as started:
        yield started


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    made = Place(tmp_path)
    with serving(made.app) as made.url:
        yield made
    made.db.close()


def incidents(place: Place) -> Incidents:
    return Incidents(place.db, place.board, place.world.clock, SITE)


def declared(place: Place) -> int:
    """An incident in which something has happened."""
    its = incidents(place)
    made = its.declare("Checkout fails", "SEV1", ANN, services=("checkout",))
    its.say(made.id, "decision", "We roll back", ANN)
    its.update(made.id, "Some payments fail.", ANN, public=True)
    return made.id


def live(page: Page) -> None:
    expect(page.locator("#live")).to_contain_text("Live, as of", timeout=10_000)


@pytest.mark.parametrize(("width", "theme"), [(1440, "light"), (1440, "dark"), (390, "light")])
def test_every_page_is_accessible_and_fits_its_width(
    place: Place, browser: Browser, width: int, theme: Literal["light", "dark"]
) -> None:
    filled(place)
    number = declared(place)
    found: dict[str, list[str]] = {}
    with place.seen_by("ada", browser, width, theme) as page:
        for path in ("/incidents", "/incidents/declare?page=1", f"/incidents/{number}"):
            page.goto(place.url + path)
            found[path] = findings(page)
            over = page.evaluate(
                "document.documentElement.scrollWidth - document.documentElement.clientWidth"
            )
            assert over <= 0, path
    assert found == {path: [] for path in found}


def test_from_a_page_to_the_end_by_clicks(place: Place, browser: Browser) -> None:
    filled(place)
    with place.seen_by("rosa", browser) as page:
        page.goto(place.url + "/pages/1")
        page.get_by_role("link", name="Declare an incident from this page").click()
        page.get_by_label("What do users notice?").fill("Checkout answers errors")
        page.locator('input[name="severity"][value="SEV1"]').check()
        page.get_by_role("button", name="Declare").click()
        expect(page.get_by_role("heading", level=1)).to_have_text("Checkout answers errors")
        live(page)
        page.get_by_role("button", name="I am looking").click()
        expect(page.locator("#room")).to_contain_text("Investigating")
        page.get_by_placeholder("Say what you see or do").fill("Connections are used up")
        page.get_by_role("button", name="Write").click()
        expect(page.locator("#log")).to_contain_text("Connections are used up")
        expect(page.get_by_placeholder("Say what you see or do")).to_have_value("")
        page.get_by_placeholder(re.compile("Status update")).fill("Payments fail for some.")
        page.get_by_label("public").check()
        page.get_by_role("button", name="Post update").click()
        expect(page.locator("#log")).to_contain_text("Update · public")
        for button in ("Cause found", "Users are fine again", "Resolve"):
            page.get_by_role("button", name=button).click()
        expect(page.locator("#room")).to_contain_text("It is over")
    its = incidents(place)
    made = its.find(store.Wanted())[0]
    assert (made.pages, str(made.state)) == ((1,), "resolved")
    story = its.story(made.id)
    assert chain.check(made, story.entries) == []


def test_what_one_does_another_sees_without_loading_again(place: Place, browser: Browser) -> None:
    number = declared(place)
    address = f"{place.url}/incidents/{number}"
    with (
        place.seen_by("rosa", browser) as one,
        place.seen_by("emil", browser) as two,
        place.seen_by("ada", browser) as three,
    ):
        for page in (one, two, three):
            page.goto(address)
            live(page)
        two.get_by_placeholder("Say what you see or do").fill("half a sentence")
        one.get_by_placeholder("Say what you see or do").fill("Rolled back")
        one.get_by_placeholder("Say what you see or do").press("Control+Enter")
        for page in (one, two, three):
            expect(page.locator("#log")).to_contain_text("Rolled back")
        # What somebody is writing stays when others change the page.
        expect(two.get_by_placeholder("Say what you see or do")).to_have_value("half a sentence")
        three.get_by_role("button", name=re.compile("Take it.*Operations Lead")).click()
        expect(one.locator(".roles")).to_contain_text("ada")


def test_it_works_without_javascript(place: Place, browser: Browser) -> None:
    number = declared(place)
    with place.seen_by("rosa", browser, scripts=False) as page:
        page.goto(f"{place.url}/incidents/{number}")
        page.get_by_placeholder("Say what you see or do").fill("Written without scripts")
        page.get_by_role("button", name="Write").click()
        expect(page.locator("#log")).to_contain_text("Written without scripts")
        page.locator('form[action$="/state"] select[name="state"]').last.select_option("identified")
        page.get_by_role("button", name="Change state").click()
        expect(page.locator("#room")).to_contain_text("Identified")


def test_who_only_reads_is_shown_no_forms(place: Place, browser: Browser) -> None:
    number = declared(place)
    with place.seen_by("vera", browser) as page:
        page.goto(f"{place.url}/incidents/{number}")
        expect(page.locator("#main form")).to_have_count(0)


def test_what_is_refused_says_why_and_loses_nothing(place: Place, browser: Browser) -> None:
    number = declared(place)
    with place.seen_by("rosa", browser) as page:
        page.goto(f"{place.url}/incidents/{number}")
        page.get_by_text("Correct, link, merge").click()
        page.get_by_label("Mitigated (UTC)").fill("25:61")
        page.get_by_label("How it is known").fill("the log")
        page.get_by_role("button", name="Set times").click()
        expect(page.get_by_role("alert").first).to_contain_text("'25:61' is no time")
        page.goto(place.url + "/incidents/declare")
        page.get_by_label("What do users notice?").fill("   x   ")
        page.locator('input[name="severity"][value="SEV2"]').check()
        page.get_by_role("button", name="Declare").click()
        expect(page.get_by_role("heading", level=1)).to_have_text("x")


def test_the_timeline_is_a_file_that_proves_itself(place: Place, browser: Browser) -> None:
    del browser
    number = declared(place)
    document = place.get(f"/incidents/{number}.json").json()
    assert document["incident"]["head"] == document["entries"][-1]["digest"]
    said = place.get(f"/incidents/{number}.md").text
    assert said.startswith(f"# Incident {number}: Checkout fails")
    assert "**decision** ann: We roll back" in said
    listed = place.get("/incidents.csv").text.splitlines()
    assert listed[0].startswith("id,title,severity")
    assert listed[1].startswith(f"{number},Checkout fails,SEV1,triggered")
