"""R4: the real server over a real ledger: pages, API and an independent recount say the same."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.support.browser import chromium, findings, page_in, serving
from tests.support.slo import slo, specs
from tests.support.slo_room import Bad, Recount, Room, counts, room
from watchkeeper.access.model import Scope
from watchkeeper.engine.board import Board
from watchkeeper.faces.server import build_server
from watchkeeper.faces.services import Services
from watchkeeper.kernel import text
from watchkeeper.kernel.clock import VirtualClock
from watchkeeper.slo.work import evaluate_fleet

END = 29_923_920  # 2026-11-23 12:00 UTC, in minutes
DAYS = 9


@dataclass
class Running:
    """A served room; ``show`` evaluates and publishes as a tick does."""

    room: Room
    services: Services
    url: str
    events: Bad

    def record(self, events: Bad) -> None:
        now = self.services.clock.now()
        self.room.record(counts("checkout-sli", events), now)
        for minute, (bad, total) in events.items():
            known = self.events.get(minute, (0, 0))
            self.events[minute] = (known[0] + bad, known[1] + total)

    def show(self) -> None:
        now = self.services.clock.now()
        with self.room.db.read() as conn:
            fleet = evaluate_fleet(conn, self.room.specs, now)
        self.services.board.post(fleet=fleet, specs=self.room.specs, ticked_at=now)

    def api(self, path: str) -> Any:  # noqa: ANN401 (JSON)
        with urlopen(self.url + path, timeout=10) as answer:
            return json.load(answer)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as started:
        yield started


@pytest.fixture
def running(tmp_path: Path) -> Iterator[Running]:
    now = END * 60.0
    with room(tmp_path, specs(slo("checkout"), slo("search", "0.99")), now) as it:
        services = Services(it.db, Board(), VirtualClock(now))
        app = build_server(services, None, frozenset({Scope.READ, Scope.WRITE}))
        with serving(app) as url:
            made = Running(it, services, url, {})
            quiet = {m: (0, 40 + m % 7) for m in range(END - DAYS * 1440, END)}
            outage = dict.fromkeys(range(END - 3000, END - 2990), (30, 40))
            made.record(quiet | outage)
            made.show()
            yield made


def recount(running: Running, holes: list[tuple[int, int]] | None = None) -> Recount:
    return Recount(running.events, Fraction(999, 1000), holes or [])


def row(page: Page) -> str:
    return page.locator("#list tr", has_text="Checkout").inner_text()


def shown(page: Page, label: str) -> str:
    return page.locator(".lead > div", has_text=label).inner_text()


def measured(page: Page) -> str:
    """The counts on the page: ``300 bad of 556 k events``."""
    return shown(page, "Measured").splitlines()[-1].split(";")[0]


def test_the_page_the_api_and_a_recount_agree_to_the_event(
    browser: Browser, running: Running
) -> None:
    bad, total, allowed = recount(running).window(END - 43_200, END)
    listed = {s["name"]: s for s in running.api("/api/v1/slos")}
    api = listed["checkout"]
    assert (api["events"]["bad"], api["events"]["total"]) == (bad, total)

    attainment, left = float(1 - Fraction(bad, total)), float(1 - bad / allowed)
    with page_in(browser) as page:
        page.goto(running.url)
        assert text.aligned(attainment) in row(page)
        assert text.left(left).removesuffix(" left") in row(page)
        page.get_by_role("link", name="Checkout", exact=True).click()
        page.wait_for_url("**/slo/*")
        assert text.percent(attainment) in shown(page, "Measured")
        assert measured(page) == f"{text.count(bad)} bad of {text.count(total)} events"
        assert text.percent(left, 1) in shown(page, "Budget left")
        drawn = json.loads(page.locator("#chart-data").inner_text())
        assert findings(page) == []

    assert drawn["budget"][1][-1] == pytest.approx(100 * left, abs=0.001)
    assert drawn["marks"][0]["from"] == (END - 3000) * 60
    minutes = range(END - 180, END)
    assert drawn["events"][0] == [m * 60 for m in minutes]
    assert drawn["events"][1] == [running.events[m][1] for m in minutes]


def test_new_events_are_seen_live_and_equal_the_recount(browser: Browser, running: Running) -> None:
    with page_in(browser) as page:
        page.goto(running.url)
        expect(page.locator("#live")).to_contain_text("Live, as of 12:00:00 UTC", timeout=10_000)
        expect(page.locator("h1")).to_have_text("Nobody is needed now")
        running.record(dict.fromkeys(range(END - 60, END), (50, 50)))
        running.show()
        expect(page.locator("h1")).to_have_text("1 objective needs someone now")
        bad, total, allowed = recount(running).window(END - 43_200, END)
        expect(page.locator(".attn a")).to_contain_text(text.left(float(1 - bad / allowed)))
        expect(page.locator("#list")).to_contain_text(text.aligned(float(1 - Fraction(bad, total))))


def test_an_interval_excluded_on_the_page_is_excluded_everywhere_at_once(
    browser: Browser, running: Running
) -> None:
    hole = (END - 3000, END - 2990)  # 10:00 to 10:10 two days before
    with page_in(browser) as page:
        page.goto(running.url + "/slo/checkout")
        page.get_by_text("Exclude an interval").click()
        page.fill("[name=from]", "2026-11-21T10:00")
        page.fill("[name=to]", "2026-11-21T10:10")
        page.fill("[name=reason]", "Broken probe")
        page.fill("[name=author]", "Amara")
        page.get_by_role("button", name="Exclude", exact=True).click()
        expect(page.locator("#corrections")).to_contain_text("by Amara")
        bad, total, _ = recount(running, [hole]).window(END - 43_200, END)
        assert bad == 0
        assert measured(page) == f"0 bad of {text.count(total)} events"
        api = running.api("/api/v1/slos/checkout")
        assert (api["events"]["bad"], api["events"]["total"]) == (bad, total)
        page.get_by_role("button", name="Count again").click()
        expect(page.locator("#corrections")).to_contain_text("None: every event")
        bad, total, _ = recount(running).window(END - 43_200, END)
        assert measured(page) == f"{text.count(bad)} bad of {text.count(total)} events"


def test_an_objective_without_evidence_claims_nothing(browser: Browser, running: Running) -> None:
    with page_in(browser) as page:
        page.goto(running.url + "/slo/search")
        expect(page.locator(".lead")).to_contain_text("no evidence")
        expect(page.locator(".lead .pill")).to_have_text("No data")
        assert "%" not in shown(page, "Measured")
