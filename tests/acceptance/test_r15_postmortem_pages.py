"""R15 to R19: postmortems in a real Chromium, written by several, checked, published, found."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Literal
from xml.etree import ElementTree

import httpx2
import pytest
from playwright.sync_api import Browser, expect

from tests.support.alert_place import Place
from tests.support.browser import chromium, findings, serving
from tests.support.duty import SITE
from tests.unit.test_postmortem_work import FILLED
from watchkeeper.faces.incidents import Incidents
from watchkeeper.faces.postmortems import Postmortems
from watchkeeper.incidents.keeping import By

ANN = By("ann", "web")
ATOM = "{http://www.w3.org/2005/Atom}"


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


def opened(place: Place) -> int:
    """The postmortem of an incident that is over."""
    its = Incidents(place.db, place.board, place.world.clock, SITE)
    made = its.declare("Checkout fails", "SEV1", ANN, services=("checkout",))
    its.say(made.id, "decision", "We roll back <script>alert(1)</script>", ANN)
    place.world.clock.advance(1200)
    its.set_state(made.id, "resolved", "", ANN)
    return desk(place).open_for(made.id, "ann").id


@pytest.mark.parametrize(("width", "theme"), [(1440, "light"), (1440, "dark"), (390, "light")])
def test_every_page_is_accessible_and_fits_its_width(
    place: Place, browser: Browser, width: int, theme: Literal["light", "dark"]
) -> None:
    number = opened(place)
    found: dict[str, list[str]] = {}
    desk(place).save(number, 1, FILLED, "ann")
    with place.seen_by("ada", browser, width, theme) as page:
        for path in ("", f"/{number}", f"/{number}/edit", f"/{number}/versions"):
            page.goto(f"{place.url}/postmortems{path}")
            found[path] = findings(page)
            over = page.evaluate(
                "document.documentElement.scrollWidth - document.documentElement.clientWidth"
            )
            assert over <= 0, path
    assert found == {path: [] for path in found}


def test_what_is_wrong_is_said_while_one_writes(place: Place, browser: Browser) -> None:
    number = opened(place)
    with place.seen_by("rosa", browser) as page:
        page.goto(f"{place.url}/postmortems/{number}/edit")
        box = page.get_by_label("Markdown, version 1")
        box.fill(FILLED.replace("The connection pool was too small", "The engineer forgot to look"))
        expect(page.locator("#findings")).to_contain_text("blames a person")
        expect(page.locator("#preview")).to_contain_text("Half of the payments failed")
        box.fill(FILLED)
        expect(page.locator("#findings")).not_to_contain_text("blames a person")
        page.get_by_role("button", name="Save").click()
        expect(page.locator(".prose")).to_contain_text("The connection pool was too small")
        page.get_by_role("button", name="Publish").click()
        expect(page.locator("main")).to_contain_text("Published")
    assert desk(place).get(number).published_by == "rosa"


def test_two_who_write_at_once_both_see_what_the_other_wrote(
    place: Place, browser: Browser
) -> None:
    number = opened(place)
    desk(place).save(number, 1, FILLED, "ann")
    with place.seen_by("rosa", browser) as one, place.seen_by("emil", browser) as two:
        for page in (one, two):
            page.goto(f"{place.url}/postmortems/{number}/edit")
        one.locator("#text").fill(FILLED.replace("Half of the payments", "Most payments"))
        one.get_by_role("button", name="Save").click()
        expect(one.locator(".prose")).to_contain_text("Most payments")
        mine = FILLED.replace("Half of the payments", "Some payments").replace(
            "No test", "No trial"
        )
        two.locator("#text").fill(mine)
        two.get_by_role("button", name="Save").click()
        expect(two.get_by_role("alert")).to_contain_text("Nothing of yours is lost")
        both = two.locator("#text").input_value()
        assert "Most payments" in both
        assert "Some payments" in both
        assert "No trial" in both
        decided = "\n".join(
            line for line in both.splitlines()
            if not line.startswith(("<<<<<<<", "=======", ">>>>>>>", "Some payments"))
        )  # fmt: skip
        two.locator("#text").fill(decided)
        two.get_by_role("button", name="Save").click()
        expect(two.locator(".prose")).to_contain_text("Most payments")
    text = desk(place).get(number).text
    assert "Most payments" in text
    assert "No trial" in text


def test_what_people_write_does_not_run(place: Place, browser: Browser) -> None:
    number = opened(place)
    evil = FILLED + "\n<img src=x onerror=alert(1)>\n[here](javascript:alert(2))\n"
    desk(place).save(number, 1, evil, "ann")
    with place.seen_by("vera", browser) as page:
        page.on("dialog", lambda dialog: pytest.fail(dialog.message))
        page.goto(f"{place.url}/postmortems/{number}")
        expect(page.locator(".prose")).to_contain_text("<img src=x onerror=alert(1)>")
        assert page.locator(".prose a[href^=javascript]").count() == 0
        expect(page.locator("#main form")).to_have_count(0)


def test_it_works_without_javascript(place: Place, browser: Browser) -> None:
    number = opened(place)
    with place.seen_by("rosa", browser, scripts=False) as page:
        page.goto(f"{place.url}/postmortems/{number}/edit")
        page.locator("#text").fill(FILLED)
        page.get_by_role("button", name="Save").click()
        expect(page.locator(".prose")).to_contain_text("The connection pool was too small")


def test_published_ones_are_found_and_fed(place: Place, browser: Browser) -> None:
    del browser
    number = opened(place)
    desk(place).save(number, 1, FILLED, "ann")
    assert "Checkout fails" not in place.get("/postmortems/feed").text
    desk(place).act(number, "publish", "ann")
    root = ElementTree.fromstring(place.get("/postmortems/feed").text)
    assert [e.text for e in root.iter(f"{ATOM}title")] == ["Postmortems", "Checkout fails"]
    assert root.find(f"{ATOM}updated") is not None
    assert "Checkout fails" in place.get("/postmortems?q=pool").text
    assert "Checkout fails" not in place.get("/postmortems?q=kafka").text
    # Publication made the action item, whose number stands behind it.
    assert place.get(f"/postmortems/{number}.md").text == FILLED.rstrip() + " #1\n"


def test_the_api_merges_and_refuses_as_the_page_does(place: Place, browser: Browser) -> None:
    del browser
    number = opened(place)
    with httpx2.Client(
        base_url=place.url,
        cookies={"wk_session": place.cookie("rosa")},
        headers={"Sec-Fetch-Site": "same-origin"},
    ) as rosa:
        path = f"/api/v1/postmortems/{number}"
        assert rosa.put(f"{path}/text", json={"text": FILLED, "base": 1}).json()["version"] == 2
        one = FILLED.replace("Half", "Most")
        assert rosa.put(f"{path}/text", json={"text": one, "base": 2}).json()["version"] == 3
        two = FILLED.replace("Half", "Few")
        done = rosa.put(f"{path}/text", json={"text": two, "base": 2}).json()
        assert (done["version"], done["conflicts"]) == (3, 1)
        assert "Few" in done["text"]
        assert "Most" in done["text"]
        marked = rosa.put(f"{path}/text", json={"text": done["text"], "base": 3})
        assert marked.status_code == 400
        assert rosa.put(f"{path}/text", json={"text": "x", "base": 9}).status_code == 400
        assert rosa.get(f"{path}/versions").json()["versions"][0]["author"] == "rosa"
        lines = rosa.get(f"{path}/diff/2/3").json()["lines"]
        assert any(line.startswith("+Most") for line in lines)
        assert rosa.post(f"{path}/acts", json={"act": "publish"}).json()["state"] == "published"
