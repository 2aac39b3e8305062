"""R16, R17, R19: a draft with its numbers, a tree of whys answered by keyboard, what was seen
before; in a real Chromium."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from tests.support.alert_place import Place
from tests.support.browser import chromium, findings, serving
from tests.support.duty import SITE, START
from tests.unit.test_postmortem_work import FILLED
from watchkeeper.faces.incidents import Incidents
from watchkeeper.faces.postmortems import Postmortems
from watchkeeper.incidents.keeping import By
from watchkeeper.incidents.model import Incident
from watchkeeper.postmortems import knowing
from watchkeeper.postmortems.checks import check
from watchkeeper.postmortems.document import Part, parse

ANN = By("ann", "web")
WHYS = FILLED.replace(
    "## Contributing", "### Five whys\n\n- Why did payments fail?\n\n## Contributing"
)


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


def desk(place: Place) -> Postmortems:
    return Postmortems(place.db, place.board, place.world.clock, SITE)


def over(place: Place, title: str, cause: str = "", **more: object) -> Incident:
    """An incident that is over, and known."""
    its = Incidents(place.db, place.board, place.world.clock, SITE)
    made = its.declare(title, "SEV1", ANN, services=("checkout",), **more)
    if cause:
        its.describe(made.id, ANN, causes=[cause])
    place.world.clock.advance(1200)
    its.set_state(made.id, "resolved", "", ANN)
    with place.db.write() as conn:
        knowing.step(conn, place.world.specs, SITE, place.world.clock.now())
    return made


def test_r16_a_draft_has_every_part_and_the_numbers_that_were_measured(place: Place) -> None:
    began = START + 1500 * 60  # when half of the requests began to fail, for 20 minutes
    made = over(place, "Checkout fails", began_at=began, slos=("checkout-availability",))
    text = desk(place).open_for(made.id, "ann").text
    document = parse(text)
    for part in (Part.SUMMARY, Part.IMPACT, Part.TIMELINE, Part.ROOT_CAUSE, Part.FACTORS,
                 Part.WHYS, Part.DETECTION, Part.ACTIONS):  # fmt: skip
        assert document.of(part), part
    assert "checkout-availability: 1,000 of" in text
    assert "All times in UTC." in text
    assert not [f for f in check(text) if f.code in ("no-time-zone", "out-of-order", "no-times")]


def test_r17_a_tree_of_whys_is_answered_by_keyboard_until_it_is_complete(
    place: Place, browser: Browser
) -> None:
    number = desk(place).open_for(over(place, "Payments fail").id, "ann").id
    desk(place).save(number, 1, WHYS, "ann")
    with place.seen_by("rosa", browser) as page:
        page.goto(f"{place.url}/postmortems/{number}")
        tree = page.locator("#whys")
        expect(tree).to_contain_text("1 branch does not end yet")
        expect(page.locator("main")).to_contain_text("the five whys are not complete")
        for text, leaf in (("The pool was used up", ""), ("No test has many users", "process")):
            summary = tree.locator("summary").last
            summary.focus()
            page.keyboard.press("Enter")
            page.keyboard.press("Tab")
            page.keyboard.type(text)
            page.keyboard.press("Tab")
            page.keyboard.type("graph, 08:01")
            page.keyboard.press("Tab")
            if leaf:
                page.keyboard.type("in the p")
            page.keyboard.press("Tab")
            page.keyboard.press("Enter")
            expect(tree).to_contain_text(text)
        expect(tree).to_contain_text("complete")
        assert findings(page) == []
        page.get_by_role("button", name="Publish").click()
        expect(page.locator("main")).to_contain_text("Published")
    text = desk(place).get(number).text
    assert (
        "- Why did payments fail?\n  - The pool was used up [evidence: graph, 08:01]\n"
        "    - No test has many users [evidence: graph, 08:01] (process)\n"
    ) in text


def test_r19_what_was_seen_before_stands_beside_the_form_and_on_the_page(
    place: Place, browser: Browser
) -> None:
    first = over(place, "Connection pool exhausted", "bad deploy")
    made = desk(place).open_for(first.id, "ann")
    desk(place).save(made.id, 1, FILLED, "ann")
    desk(place).act(made.id, "publish", "ann")
    place.world.clock.advance(3600)
    with place.seen_by("rosa", browser) as page:
        page.goto(f"{place.url}/incidents/declare")
        page.get_by_label("What do users notice?").fill("The pool of connections is used up")
        expect(page.locator("#similar")).to_contain_text("Connection pool exhausted")
        expect(page.locator("#similar")).to_contain_text("Words: connection, pool")
        again = over(place, "Payments are refused", "bad deploy")
        page.goto(f"{place.url}/incidents/{again.id}")
        expect(page.locator("#again")).to_contain_text("It happened before")
        expect(page.locator("#again")).to_contain_text("the same cause bad deploy on checkout")
        page.get_by_label("What is different").fill("another database")
        page.get_by_role("button", name="It is another one").click()
        expect(page.locator("#again")).to_contain_text("Another one than")
        page.goto(f"{place.url}/postmortems?q=connection+poo")
        expect(page.locator(".hits mark").first).to_contain_text("connection")
        for path in ("/learning", "/learning/proof", "/postmortems?q=pool"):
            page.goto(place.url + path)
            assert findings(page) == []
