"""R13: in a real Chromium, a mitigation is tried, run and seen by several, from the incident."""

from __future__ import annotations

import re
import sys
import threading
from collections.abc import Iterator
from typing import Literal

import pytest
from playwright.sync_api import Browser, expect

from tests.support.alert_place import NOW, Place
from tests.support.browser import chromium, findings, serving
from tests.support.duty import SITE
from tests.support.mitigations import command, with_mitigations
from watchkeeper.changes import work as changes
from watchkeeper.changes.model import ChangeKind, Told
from watchkeeper.engine.mitigate import MitigationLoop
from watchkeeper.faces.incidents import Incidents
from watchkeeper.incidents.keeping import By
from watchkeeper.incidents.mitigation.running import Runner

SLOWLY = "import time\nprint('one of two', flush=True)\ntime.sleep(1.5)\nprint('two of two')"


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as started:
        yield started


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    made = Place(tmp_path_factory.mktemp("place"))
    revert = command("revert", sys.executable, "-c", SLOWLY, "{version}", asks=["version"],
                     action="revert", services=("payments",),
                     dry_run={"run": [sys.executable, "-c", "print('it would')"]})  # fmt: skip
    note = command("note", sys.executable, "-c", "print('noted')", confirm=False)
    specs = made.world.specs = with_mitigations(made.world.specs, note, revert)
    made.board.post(specs=specs)
    with made.db.write() as conn:
        told = Told(kind=ChangeKind.DEPLOYMENT, services=("payments",), version="2.4.1",
                    summary="Release", started_at=NOW - 240, key="r1")  # fmt: skip
        changes.record(conn, told, changes.OURS, "ci", specs, NOW)

    def start(body: object) -> None:
        threading.Thread(target=body, daemon=True).start()  # type: ignore[arg-type]

    clock = made.world.clock
    loop = MitigationLoop(Runner(made.db, clock, lambda: specs, "here", start, made.board.post))
    loop.start()
    with serving(made.app) as made.url:
        yield made
    loop.stop()
    made.db.close()


def declared(place: Place) -> int:
    its = Incidents(place.db, place.board, place.world.clock, SITE)
    named = {"services": ("checkout",), "began_at": NOW - 120}
    return its.declare("Checkout fails", "SEV1", By("ann", "web"), **named).id


def test_a_change_is_pointed_at_and_taken_back_while_another_watches(
    place: Place, browser: Browser
) -> None:
    number = declared(place)
    with place.seen_by("rosa", browser) as one, place.seen_by("emil", browser) as two:
        two.goto(f"{place.url}/incidents/{number}")
        one.goto(f"{place.url}/incidents/{number}")
        expect(one.locator(".aid")).to_contain_text(
            re.compile("Payments 2.4.1 went out 2\u00a0m before")
        )
        assert one.locator(".mits li b").all_text_contents() == ["Revert", "Note"]
        one.get_by_role("link", name="Run… Revert").click()
        one.get_by_label("version").fill("v1")
        one.get_by_role("button", name="Try it first").click()
        expect(one.locator("#run")).to_contain_text("it would")
        one.get_by_role("link", name="Back to the incident").click()
        one.get_by_role("link", name="Run… Revert").click()
        one.get_by_label("version").fill("v1")
        one.get_by_role("button", name="Run it now").click()
        expect(one.locator("#run")).to_contain_text("one of two")  # as it is printed
        expect(two.locator(".runs")).to_contain_text("one of two")
        expect(one.locator("#run")).to_contain_text("two of two")
        expect(two.locator(".runs")).to_contain_text("Succeeded")
        expect(two.locator("#log")).to_contain_text("Revert (version=v1): succeeded")
        # What is not to be confirmed runs at one click.
        two.get_by_role("button", name="Run Note").click()
        expect(one.locator("#run")).to_be_visible()
        expect(two.locator("#log")).to_contain_text("Note: succeeded")


@pytest.mark.parametrize(("width", "theme"), [(1440, "dark"), (390, "light")])
def test_the_pages_are_accessible_and_fit_their_width(
    place: Place, browser: Browser, width: int, theme: Literal["light", "dark"]
) -> None:
    number = declared(place)
    found = {}
    with place.seen_by("rosa", browser, width, theme) as page:
        page.goto(f"{place.url}/incidents/{number}/mitigations/revert")
        found["form"] = findings(page)
        page.get_by_label("version").fill("v2")
        page.get_by_role("button", name="Try it first").click()
        expect(page.locator("#run")).to_contain_text("it would")
        found["run"] = findings(page)
        over = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
        assert page.evaluate(over) <= 0
    assert found == {"form": [], "run": []}


def test_who_only_reads_is_offered_no_button(place: Place, browser: Browser) -> None:
    number = declared(place)
    with place.seen_by("vera", browser) as page:
        page.goto(f"{place.url}/incidents/{number}")
        expect(page.locator(".mits")).to_contain_text("Revert")
        expect(page.locator(".mits a, .mits button")).to_have_count(0)
