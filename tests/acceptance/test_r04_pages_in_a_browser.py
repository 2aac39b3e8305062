"""R4: the pages in a real Chromium: legible, accessible, live, usable by keyboard and by phone."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import replace
from typing import Literal
from urllib.request import urlopen

import pytest
from playwright.sync_api import Browser, Page, Route, expect

from tests.support import fleet
from tests.support.browser import chromium, findings, page_in, serving, web_app
from tests.support.fleet import FakeServices
from tests.support.processes import free_port
from watchkeeper.slo.model import Fleet, Look
from watchkeeper.spec.model import Finding, Place, Severity, Specs

BROKEN = Finding(Place("slos/shop.yaml", 7, 3), Severity.ERROR, "unknown-key", "unknown key")
SHOWN, _ = fleet.fleet(60)
SPENT = next(s.name for s in SHOWN.statuses if s.look is Look.SPENT)
SILENT = next(s.name for s in SHOWN.statuses if s.look is Look.NONE)
PATHS = (
    "/",
    "/?q=nothing-like-it",
    "/slo/checkout-availability",
    f"/slo/{SPENT}",
    f"/slo/{SILENT}",
    "/services",
    "/sources",
    "/no/such/page",
)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as started:
        yield started


@pytest.fixture
def services() -> FakeServices:
    return fleet.services(60)


@pytest.fixture
def url(services: FakeServices) -> Iterator[str]:
    with serving(web_app(services)) as base:
        yield base


def live(page: Page) -> None:
    """Wait until the page is connected."""
    expect(page.locator("#live")).to_contain_text("Live, as of", timeout=10_000)


def titles(page: Page) -> list[str]:
    return page.locator("#list a.name").all_inner_texts()


def burning(services: FakeServices, name: str) -> Fleet:
    """The same fleet, with one objective of it burning."""
    changed = [
        replace(fleet.status(name, left=0.07, look="burn", burn=30), display_name=s.display_name)
        if s.name == name
        else s
        for s in services.shown.statuses
    ]
    return Fleet(changed, fleet.NOW + 15, services.shown.revision + 1)


# ---------------------------------------------------------------- looks


@pytest.mark.parametrize(("width", "theme"), [(1440, "light"), (1440, "dark"), (390, "light")])
def test_every_page_is_accessible_and_fits_its_width(
    browser: Browser, width: int, theme: Literal["light", "dark"]
) -> None:
    crowded = fleet.services(24, demo="Made for the demo.", hindrance="Slow.", problems=(BROKEN,))
    empty = FakeServices(Fleet((), 0.0, 0), Specs({}, {}, {}, {}, {}, {}))
    found: dict[str, list[str]] = {}
    with (
        serving(web_app(crowded)) as full,
        serving(web_app(empty)) as bare,
        page_in(browser, width, 900, theme) as page,
    ):
        for path in [*(full + p for p in PATHS), bare + "/", bare + "/services", bare + "/sources"]:
            page.goto(path)
            expect(page.locator("h1")).to_be_visible()
            wider = page.evaluate(
                "document.documentElement.scrollWidth - document.documentElement.clientWidth"
            )
            found[path] = findings(page) + ([f"{wider} px too wide"] if wider > 0 else [])
    assert {path: said for path, said in found.items() if said} == {}


@pytest.mark.parametrize("width", [320, 390, 600, 768, 1024, 1200, 1440])
def test_no_table_is_cut_off_at_any_width(browser: Browser, url: str, width: int) -> None:
    with page_in(browser, width, 844) as page:
        for path in ("/", "/slo/checkout-availability", "/services", "/sources"):
            page.goto(url + path)
            cut = page.evaluate(
                """() => [...document.querySelectorAll("main :is(table, td, svg, div, a, span)")]
                    .filter(e => e.checkVisibility() && !e.closest(".scroll, .hide, caption"))
                    .filter(e => {
                        const holder = e.closest(".card")?.getBoundingClientRect().right;
                        return e.getBoundingClientRect().right > (holder ?? innerWidth) + 0.5;
                    })
                    .map(e => e.outerHTML.slice(0, 80))"""
            )
            assert cut == [], path


def test_nothing_is_asked_of_another_host_and_the_policy_is_never_broken(
    browser: Browser, url: str
) -> None:
    asked: list[str] = []
    with page_in(browser) as page:
        page.on("request", lambda request: asked.append(request.url))
        for path in ("/", "/slo/checkout-availability", "/services", "/sources"):
            page.goto(url + path)
            live(page)
        # page_in fails on a console error, which is how Chromium reports a broken policy.
        assert page.evaluate("document.fonts.check('14px Inter')")
    assert len(asked) > 10
    assert {request.split("/")[2] for request in asked} == {url.split("/")[2]}


def test_the_theme_can_be_chosen_and_is_kept(browser: Browser, url: str) -> None:
    with page_in(browser) as page:
        page.goto(url)
        light = page.evaluate("getComputedStyle(document.body).backgroundColor")
        page.get_by_role("button", name="Dark").click()
        dark = page.evaluate("getComputedStyle(document.body).backgroundColor")
        assert light != dark
        page.goto(url + "/sources")
        assert page.evaluate("getComputedStyle(document.body).backgroundColor") == dark
        page.get_by_role("button", name="Auto").click()
        assert page.evaluate("getComputedStyle(document.body).backgroundColor") == light
        page.reload()
        assert page.evaluate("document.documentElement.dataset.theme") is None


# ---------------------------------------------------------------- finding one


def test_typing_filters_the_list_and_the_address_can_be_shared(browser: Browser, url: str) -> None:
    with page_in(browser) as page:
        page.goto(url)
        live(page)
        page.keyboard.press("/")
        page.keyboard.type("cart correctness")
        expect(page.locator("#list a.name").first).to_contain_text("Cart correctness")
        page.wait_for_url("**/?q=cart+correctness")
        filtered = titles(page)
        assert 0 < len(filtered) < 10
        page.select_option("#f-sort", "name")
        page.wait_for_url("**/?q=cart+correctness&sort=name")
        assert titles(page) == sorted(filtered, key=str.casefold)
        page.reload()
        assert titles(page) == sorted(filtered, key=str.casefold)
        assert page.input_value("#q") == "cart correctness"


def test_enter_in_the_search_does_not_leave_the_page(browser: Browser, url: str) -> None:
    with page_in(browser) as page:
        page.goto(url)
        live(page)
        page.evaluate("window.still = true")
        page.fill("#q", "ledger")
        page.press("#q", "Enter")
        page.wait_for_url("**/?q=ledger")
        assert page.evaluate("window.still") is True


def test_the_histogram_and_the_tally_lead_to_what_they_count(browser: Browser, url: str) -> None:
    with page_in(browser) as page:
        page.goto(url)
        tally = page.locator(".tally a", has_text="Spent")
        number = int(tally.locator("b").inner_text())
        tally.click()
        expect(page.locator("#list a.name")).to_have_count(number)
        page.goto(url)
        page.locator(".hist a[aria-label$='nothing left']").click()
        page.wait_for_url("**/?*")
        expect(page.locator("#list a.name")).to_have_count(number)


def test_rows_are_walked_and_opened_by_keyboard(browser: Browser, url: str) -> None:
    with page_in(browser) as page:
        page.goto(url)
        live(page)
        page.keyboard.press("j")
        page.keyboard.press("j")
        page.keyboard.press("j")
        page.keyboard.press("k")
        second = titles(page)[1]
        assert page.evaluate("document.activeElement.textContent") == second
        page.keyboard.press("Enter")
        expect(page.locator("h1")).to_have_text(second)
        live(page)
        page.keyboard.press("?")
        expect(page.get_by_role("dialog")).to_be_visible()
        page.keyboard.press("Escape")
        page.keyboard.press("g")
        page.keyboard.press("v")
        page.wait_for_url("**/services")


def test_the_first_tab_skips_to_the_content(browser: Browser, url: str) -> None:
    with page_in(browser) as page:
        page.goto(url)
        page.keyboard.press("Tab")
        assert page.evaluate("document.activeElement.textContent") == "Skip to content"
        page.keyboard.press("Enter")
        assert page.evaluate("document.activeElement.id") == "main"


def test_the_menu_of_a_phone_opens_and_leads_on(browser: Browser, url: str) -> None:
    with page_in(browser, 390, 844) as page:
        page.goto(url)
        link = page.get_by_role("link", name="Services", exact=True)
        expect(link).to_be_hidden()
        page.get_by_text("Menu", exact=True).click()
        link.click()
        page.wait_for_url("**/services")


def test_everything_but_charts_works_without_javascript(browser: Browser, url: str) -> None:
    with page_in(browser, scripts=False) as page:
        page.goto(url)
        assert len(titles(page)) == 50
        page.get_by_role("link", name="Next").click()
        expect(page.locator("#list a.name")).to_have_count(10)
        page.goto(url)
        page.fill("#q", "ledger")
        page.select_option("#f-state", "burn")
        page.get_by_role("button", name="Show").click()
        expect(page.locator("#list a.name")).to_have_text(["Ledger correctness, US"])
        page.get_by_role("link", name="Ledger correctness, US", exact=True).click()
        page.locator(".behind summary").first.click()
        expect(page.locator(".behind table").first).to_be_visible()


# ---------------------------------------------------------------- live


def test_a_page_whose_scripts_come_slowly_is_live_nevertheless(browser: Browser, url: str) -> None:
    with page_in(browser) as page:
        slow = {"app.js": 600, "htmx-sse.min.js": 300}

        def late(route: Route) -> None:
            name = route.request.url.split("?")[0].rsplit("/", 1)[-1]
            page.wait_for_timeout(slow.get(name, 0))
            route.continue_()

        page.route("**/static/**/*.js*", late)
        page.goto(url)
        live(page)


def test_a_change_is_seen_without_reloading_and_disturbs_nothing(
    browser: Browser, url: str, services: FakeServices
) -> None:
    calm = next(s for s in services.shown.statuses if s.look is Look.OK)
    with page_in(browser) as page:
        page.goto(url)
        live(page)
        page.evaluate("window.still = true")
        page.focus("#q")
        services.post(burning(services, calm.name))
        expect(page.locator("h1")).to_have_text("7 objectives need someone now")
        expect(page.locator("#live")).to_have_text("Live, as of 14:02:55 UTC")
        expect(page.locator("#list")).to_contain_text("7 %")
        assert page.evaluate("document.activeElement.id") == "q"
        assert page.evaluate("window.still") is True


def test_trouble_and_a_broken_change_are_said_on_pages_that_are_open(
    browser: Browser, url: str, services: FakeServices
) -> None:
    with page_in(browser) as page:
        page.goto(url + "/sources")
        live(page)
        expect(page.locator("#notices .note")).to_have_count(0)
        services.problems, services.hindrance = (BROKEN,), "The disk is full."
        services.post(burning(services, "checkout-latency"))
        expect(page.locator("#notices")).to_contain_text("The disk is full.")
        expect(page.locator("#notices")).to_contain_text("slos/shop.yaml:7:3")
        expect(page.locator("#needed")).to_contain_text("7")
        services.problems, services.hindrance = (), ""
        services.post()
        expect(page.locator("#notices .note")).to_have_count(0)


def test_a_change_keeps_the_filter_and_the_page(
    browser: Browser, url: str, services: FakeServices
) -> None:
    with page_in(browser) as page:
        page.goto(url + "/?q=checkout")
        live(page)
        before = titles(page)
        services.post(burning(services, "checkout-latency"))
        expect(page.locator("#list .st.is-burn")).to_have_count(2)
        assert sorted(titles(page)) == sorted(before)


def test_charts_follow_a_change_and_open_tables_stay_open(
    browser: Browser, url: str, services: FakeServices
) -> None:
    with page_in(browser) as page:
        page.goto(url + "/slo/checkout-latency")
        live(page)
        expect(page.locator(".chart canvas")).to_have_count(3)
        page.locator(".behind summary").first.click()
        before = page.locator("#c-budget canvas").evaluate("c => c.toDataURL()")
        services.post(burning(services, "checkout-latency"))
        expect(page.locator(".lead")).to_contain_text("7 %")
        expect(page.locator(".chart canvas")).to_have_count(3)
        assert page.locator("#c-budget canvas").evaluate("c => c.toDataURL()") != before
        expect(page.locator(".behind table").first).to_be_visible()


def test_every_chart_is_drawn_and_labelled_with_a_sentence(browser: Browser, url: str) -> None:
    with page_in(browser) as page:
        page.goto(url + "/slo/checkout-availability")
        charts = page.locator(".chart")
        expect(page.locator(".chart canvas")).to_have_count(3)
        for i in range(3):
            label = charts.nth(i).get_attribute("aria-label") or ""
            assert label.endswith(".")
            inks = (
                charts.nth(i)
                .locator("canvas")
                .evaluate(
                    """c => new Set(c.getContext("2d")
                    .getImageData(0, 0, c.width, c.height).data
                    .filter((_, i) => i % 4 == 3)).size"""
                )
            )
            assert inks > 2, "nothing is drawn"
        page.hover("#c-budget .u-over", position={"x": 300, "y": 60})
        expect(page.locator("#c-budget .reading")).to_contain_text("% left")


def test_a_lost_connection_is_said_and_mends_itself(
    browser: Browser, services: FakeServices
) -> None:
    port = free_port()
    with page_in(browser) as page:
        with serving(web_app(services), port) as base:
            page.goto(base)
            live(page)
        expect(page.locator("#live")).to_have_text(
            "Connection lost, last data 14:02:40 UTC", timeout=15_000
        )
        services.post(burning(services, "checkout-latency"))
        with serving(web_app(services), port):
            expect(page.locator("#live")).to_have_text("Live, as of 14:02:55 UTC", timeout=20_000)
            expect(page.locator("h1")).to_have_text("7 objectives need someone now")


def test_a_hundred_readers_take_no_thread_from_the_pages(services: FakeServices) -> None:
    with serving(web_app(services)) as base:
        streams = [urlopen(f"{base}/events?seen=1", timeout=20) for _ in range(100)]
        try:
            assert threading.active_count() < 60
            with urlopen(base + "/", timeout=5) as answer:
                assert answer.status == 200
            services.post()
            for stream in streams:
                lines = (line.decode().strip() for line in stream)
                assert next(line for line in lines if line == "event: revision")
                assert next(lines) == "id: 2"
        finally:
            for stream in streams:
                stream.close()


# ---------------------------------------------------------------- corrections


def test_an_interval_is_excluded_and_counted_again_in_the_browser(
    browser: Browser, url: str, services: FakeServices
) -> None:
    with page_in(browser) as page:
        page.goto(url + "/slo/checkout-availability")
        page.get_by_text("Exclude an interval").click()
        page.fill("[name=from]", "2026-11-22T10:00")
        page.fill("[name=to]", "2026-11-22T11:30")
        page.fill("[name=reason]", "Load test <b>")
        page.get_by_role("button", name="Exclude", exact=True).click()
        listed = page.locator("#corrections li")
        expect(listed).to_contain_text("22 Nov 10:00 to 22 Nov 11:30")
        expect(listed).to_contain_text("Load test <b>")
        expect(listed).to_contain_text("by amara")
        page.get_by_role("button", name="Count again").click()
        expect(page.locator("#corrections")).to_contain_text("None: every event")
        assert services.corrections["checkout-availability"] == []
