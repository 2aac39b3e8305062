"""Every page of the product, asked of a real accessibility checker in light and in dark.

The doors of the server say which pages there are, so one that is new is checked as well.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path

import httpx2
import pytest
from playwright.sync_api import Browser, Page

from tests.support.alert_place import SLO, filled
from tests.support.browser import chromium, findings, page_in, serving
from tests.support.status_place import StatusPlace, told_of
from watchkeeper.faces.doors import DOORS
from watchkeeper.faces.postmortems import Postmortems
from watchkeeper.oncall import links
from watchkeeper.oncall.links import Tap

NO_PAGES = re.compile(
    r"/(api|parts|static|hook|in|hb|ical|v2|v1)/|\.(csv|json|md|pdf|atom|rss)$|/events|/metrics|/feed$"
)
"""Doors behind which there is no whole page."""
CLOSED = ("/setup",)
"""Pages that are there only for who has a key; what is shown without one is checked."""


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StatusPlace]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("WK_TEST_HOOKS", "secret of hooks")
        made = StatusPlace(tmp_path_factory.mktemp("place"))
        with serving(made.app) as made.url:
            filled(made)
            told_of(made)
            yield made
        made.db.close()


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as started:
        yield started


def examples(place: StatusPlace) -> Mapping[str, str]:
    """Patterns of doors with something that is there in the place of each parameter."""
    Postmortems(place.db, place.board, place.world.clock, place.status.site).open_for(1, "ann")
    headers = {"Sec-Fetch-Site": "same-origin"}
    cookies = {"wk_session": place.cookie("ada")}
    item = {"text": "Alert on the shard", "owner": "ann", "type": "detect"}
    made = httpx2.post(f"{place.url}/api/v1/actions", json=item, headers=headers, cookies=cookies)
    assert made.status_code < 300, made.text
    asked = place.status.subscribe("shop", "email", "me@example.com", (), "127.0.0.1")
    site, now = place.status.site, place.world.clock.now()
    tap = links.sign(Tap(1, "ack", "ann", int(now) + 3600), site.secret)
    manage = place.status._manage(place.status.page("shop"), asked.subscriber)
    return {
        "/t/{signed:path}": f"/t/{tap}",
        "/alerts/{id}": "/alerts/1",
        "/pages/{id}": "/pages/1",
        "/integrations/{name:path}": "/integrations/alertmanager",
        "/oncall/schedules/{name:path}": "/oncall/schedules/first",
        "/oncall/policies/{name:path}": "/oncall/policies/default",
        "/actions/{id}": "/actions/1",
        "/postmortems/{id}": "/postmortems/1",
        "/postmortems/{id}/edit": "/postmortems/1/edit",
        "/postmortems/{id}/versions": "/postmortems/1/versions",
        "/incidents/{id}": "/incidents/2",
        "/slo/{name:path}": f"/slo/{SLO}",
        "/reviews/{team:path}/{week}": "/reviews/all/this",
        "/whatif/{name:path}": f"/whatif/{SLO}",
        "/status/{name}": "/status/shop",
        "/status/{name}/history": "/status/shop/history",
        "/status/{name}/history/{month}": "/status/shop/history/2025-12",
        "/status/{name}/incidents/{id}": (
            f"/status/shop/incidents/{place.status.view('shop').open[0].id}"
        ),
        "/status/{name}/s/{signed}": "/status/shop/s/" + manage.rpartition("/")[2],
        "/status/{name}/subscribers": "/status/shop/subscribers",
    }


def paths(known: Mapping[str, str]) -> dict[str, str]:
    """Every page by the pattern of its door; where nothing is known, what is shown then."""
    doors = {d.pattern for d in DOORS if "GET" in d.methods and not NO_PAGES.search(d.pattern)}
    return {p: known.get(p, re.sub(r"\{[^}]*\}", "1", p)) for p in sorted(doors)}


@pytest.mark.slow
def test_no_page_has_a_serious_finding_in_light_or_in_dark(
    place: StatusPlace, browser: Browser
) -> None:
    known = examples(place)
    every = paths(known)
    assert len(every) >= 40
    assert set(known) <= set(every), "a door is gone, or its pattern changed"
    found: dict[str, list[str]] = {}
    with page_in(browser, 1280, 900) as page:
        page.context.add_cookies(
            [{"name": "wk_session", "value": place.cookie("ada"), "url": place.url}]
        )
        for pattern, path in every.items():
            page.emulate_media(color_scheme="light")
            answer = page.goto(place.url + path, wait_until="load")
            assert answer is not None
            if pattern in known or ("{" not in pattern and pattern not in CLOSED):
                assert answer.status == 200, f"{path}: {answer.status}"
            if not answer.headers.get("content-type", "").startswith("text/html"):
                continue
            problems = checked(page)
            if problems:
                found[path] = problems
    assert found == {}


def checked(page: Page) -> list[str]:
    """Everything in light, with all that is folded unfolded; what colours do again in dark."""
    page.evaluate("for (const d of document.querySelectorAll('main details')) d.open = true")
    found = findings(page)
    page.emulate_media(color_scheme="dark")
    dark = findings(page)
    return found + [f"dark, {line}" for line in dark]


def test_the_checker_finds_what_is_wrong(browser: Browser, tmp_path: Path) -> None:
    wrong = tmp_path / "wrong.html"
    wrong.write_text(
        "<!doctype html><html lang=en><title>t</title><style>:root{color-scheme:light dark}</style>"
        "<main><h1>t</h1><img src=''>"
        "<p style='color:light-dark(#000,#222);background:light-dark(#fff,#000)'>dim words</p>"
        "</main>"
    )
    with page_in(browser) as page:
        page.goto(wrong.as_uri())
        found = checked(page)
    assert any(line.startswith("image-alt") for line in found)
    assert any(line.startswith("dark, color-contrast") for line in found)
