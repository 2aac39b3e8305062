"""R8: the week of a team on one page, in every form, mailed once, kept as it was read."""

from __future__ import annotations

import io
import json
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from secrets import token_hex
from typing import Literal

import httpx2
import pytest
from playwright.sync_api import Browser, expect
from pypdf import PdfReader

from tests.support.alert_place import CUT, SLO
from tests.support.browser import chromium, findings, serving
from tests.support.duty import SITE
from tests.support.mailbox import Mailbox, smtp_server
from tests.support.review_place import MONDAY, ReviewPlace
from watchkeeper.access.model import Scope
from watchkeeper.access.work import create_token
from watchkeeper.engine.follow import Follower
from watchkeeper.faces import printing
from watchkeeper.measure.model import Batch, Count
from watchkeeper.postmortems.trackers.model import Tracker
from watchkeeper.slo import work as slo_work

PATH = "/reviews/shop/2026-W02"
SAYS = "spent 24 % of its budget this week, more than twice as much as last week, 79 % of it in inc"


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as started:
        yield started


@pytest.fixture
def mailed(tmp_path: Path) -> Iterator[tuple[ReviewPlace, Mailbox]]:
    with smtp_server() as (box, port):
        made = ReviewPlace(tmp_path, port)
        with serving(made.app) as made.url:
            yield made, box
        made.db.close()


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ReviewPlace]:
    made = ReviewPlace(tmp_path_factory.mktemp("place"))
    with serving(made.app) as made.url:
        yield made
    made.db.close()


def token(place: ReviewPlace) -> str:
    scopes = [Scope.READ, Scope.WRITE]
    with place.db.write() as conn:
        return create_token(conn, token_hex(4), scopes, place.world.clock.now(), "test")


def wk(place: ReviewPlace, key: str, *words: str) -> subprocess.CompletedProcess[bytes]:
    """The real command, in a process of its own."""
    command = [sys.executable, "-m", "watchkeeper.faces.cli.main", "review", *words]
    command += ["--url", place.url, "--token", key]
    return subprocess.run(command, capture_output=True, timeout=60)


def follow(place: ReviewPlace) -> None:
    """What a replica's tick does beside the pager, and what the pager sends then."""
    clock = place.world.clock
    follower = Follower(place.db, SITE, clock, _no_tracker, lambda act: act(), _no_calendar)
    follower.step(place.world.specs, place.world.clock.now())
    place.step()


def _no_tracker(_: str) -> Tracker:
    raise AssertionError("no item is in a tracker")


def _no_calendar(_: str) -> str:
    raise AssertionError("no schedule has a calendar")


def test_a_meeting_decides_on_the_page_and_the_review_reads_the_same_a_month_later(
    mailed: tuple[ReviewPlace, Mailbox], browser: Browser
) -> None:
    place, _ = mailed
    with place.seen_by("rosa", browser) as rosa:
        rosa.goto(place.url + "/reviews")
        rosa.get_by_role("link", name="5 – 11 Jan 2026").first.click()
        expect(rosa.get_by_role("heading", level=1)).to_have_text(
            "Weekly review of Shop, 5 – 11 Jan 2026"
        )
        decide = rosa.get_by_label("What should we decide?")
        expect(decide).to_contain_text("One action item is late.")
        expect(rosa.get_by_label("The week in three sentences")).to_contain_text(SAYS)
        causes = rosa.get_by_label("Budget by cause")
        expect(causes).to_contain_text("checkout 4.2")
        rosa.get_by_label("What was said or decided").fill("Every release goes to a canary first")
        rosa.get_by_role("button", name="Write as a decision").click()
        expect(rosa.locator("#notes")).to_contain_text("Decided. Every release goes to a canary")
        rosa.get_by_text("Change note 1").click()
        rosa.get_by_label("What it should say").fill("Every release of checkout goes to a canary")
        rosa.get_by_role("button", name="Save").click()
        expect(rosa.locator("#notes")).to_contain_text("changed by rosa")
    sli = place.world.specs.slos[SLO].sli
    assert sli is not None
    with place.db.write() as conn:
        late = [Count(sli.key, int(MONDAY // 60) - 60, 0, 50_000)]
        slo_work.record_batch(conn, place.world.specs, Batch(late), MONDAY)
    place.world.clock.advance(30 * 86_400.0)
    place.sessions.clear()
    place.sessions["rosa"] = place.cookie("vera")
    with place.seen_by("vera", browser) as vera:
        vera.goto(place.url + PATH)
        expect(vera.locator("main")).to_contain_text("Kept as it read on 12 Jan 2026 00:00")
        expect(vera.get_by_label("The week in three sentences")).to_contain_text(SAYS)
        expect(vera.get_by_label("What was said or decided")).to_have_count(0)
        expect(vera.get_by_role("button", name="Send it now")).to_have_count(0)


def test_it_is_mailed_once_on_monday_by_two_replicas_with_what_was_decided(
    mailed: tuple[ReviewPlace, Mailbox],
) -> None:
    place, box = mailed
    follow(place)
    assert wk(place, token(place), "note", "shop", "Canary first", "--decided").returncode == 0
    place.world.clock.advance(8 * 3600.0)
    for _ in range(2):
        follow(place)
    (mail,) = [m for m in box.to("shop@example.org") if "Weekly review" in str(m["Subject"])]
    assert mail["Subject"] == "Weekly review of Shop, 2026-W02: 1 to decide"
    for kind in ("plain", "html"):
        part = mail.get_body((kind,))
        assert part is not None
        said = " ".join(part.get_content().split())
        assert SAYS in said
        assert "Decided: Canary first" in said
        assert f"{SITE.base_url}{PATH}" in said
    place.world.clock.advance(60.0)
    assert wk(place, token(place), "send", "shop", "--week", "2026-W02").stdout == b"sent to 1\n"
    place.step()
    assert len([m for m in box.to("shop@example.org") if "review" in str(m["Subject"])]) == 2


def test_markdown_json_and_the_command_say_the_same(place: ReviewPlace) -> None:
    key = token(place)
    shown = wk(place, key, "show", "shop", "--week", "2026-W02")
    assert shown.returncode == 0, shown.stderr
    written = wk(place, key, "show", "shop", "--format", "md").stdout.decode()
    found = json.loads(wk(place, key, "show", "shop", "--format", "json").stdout)
    assert written == place.get(f"{PATH}.md").text
    assert {**place.get(f"{PATH}.json").json(), "made_at": ""} == {**found, "made_at": ""}
    for text in (shown.stdout.decode(), written, found["summary"][0]):
        assert SAYS in text
    bad = next(s for s in found["sections"] if s["key"] == "slos")["rows"][0]
    # 120 minutes of 33 bad requests, and one each ten minutes of the other 9,960: 4,956.
    # 100 a minute over the 14 days there are: 1 % of 2,016,000 is the budget. 4,956 / 20,160.
    assert bad[4]["text"] == "24 %"
    assert bad[2]["text"] == "99.508 %"  # 1 - 4,956 / 1,008,000
    listed = json.loads(wk(place, key, "list", "--json").stdout)
    assert [t["team"] for t in listed["teams"]] == ["shop", "all"]


def test_what_cannot_be_is_refused_and_says_why(place: ReviewPlace) -> None:
    key = token(place)
    for words, said in (
        (("show", "shp"), "There is no team 'shp'"),
        (("show", "shop", "--week", "2026-W60"), "There is no week"),
        (("show", "shop", "--week", "2099-W01"), "has not begun"),
        (("send", "all"), "No Review says to whom"),
    ):
        ran = wk(place, key, *words)
        assert (ran.returncode, said in ran.stderr.decode()) == (2, True), ran.stderr
    headers = {"Authorization": f"Bearer {key}"}
    wrong = httpx2.post(f"{place.url}/api/v1{PATH}/notes", json={"text": ""}, headers=headers)
    assert wrong.status_code == 400


def test_the_pdf_is_one_and_holds_the_words(place: ReviewPlace, tmp_path: Path) -> None:
    out = tmp_path / "review.pdf"
    ran = wk(place, token(place), "show", "shop", "--format", "pdf", "--out", str(out))
    assert ran.returncode == 0, ran.stderr
    said = " ".join(" ".join(page.extract_text() for page in PdfReader(out).pages).split())
    assert "What should we decide?" in said
    assert SAYS in said
    assert "Check out: availability" in said


def figures(said: str) -> Counter[str]:
    """Every number that is told: not those of lists, of pages, or in addresses."""
    said = re.sub(r"\]\([^)]*\)|(?m:^\d\. )|Page \d of \d", " ", said)
    return Counter(re.findall(r"\d+(?:[.:]\d+)*", said))


def test_page_markdown_and_pdf_tell_the_same_figures_and_the_mail_no_others(
    mailed: tuple[ReviewPlace, Mailbox], browser: Browser
) -> None:
    place, box = mailed
    follow(place)  # it is planned
    headers = {"Authorization": f"Bearer {token(place)}"}

    def form(name: str) -> bytes:
        found = httpx2.get(f"{place.url}/api/v1{PATH}?format={name}", headers=headers, timeout=60)
        assert found.status_code == 200, found.text
        return found.content

    told = figures(form("md").decode())
    with place.seen_by("rosa", browser) as rosa:
        rosa.goto(place.url + PATH)
        # What only screen readers are told says the sentence above a table again.
        rosa.evaluate("() => document.querySelectorAll('caption').forEach(c => c.remove())")
        parts = "h1, main .top p.muted, .decide, .week, section.sect"
        shown = rosa.locator(parts).all_inner_texts()
    pages = PdfReader(io.BytesIO(form("pdf"))).pages
    footer = "Weekly review of Shop, 5 – 11 Jan 2026"
    printed = "\n".join(p.extract_text() for p in pages).replace(footer, " ")
    assert sum(told.values()) > 30
    assert figures("\n".join(shown)) == told
    assert figures(printed) == told - figures(footer)
    place.world.clock.advance(8 * 3600.0)
    follow(place)
    (mail,) = [m for m in box.to("shop@example.org") if "Weekly review" in str(m["Subject"])]
    part = mail.get_body(("plain",))
    assert part is not None
    body = part.get_content().partition("Open: ")[0]
    assert not figures(body).keys() - told.keys()


def test_without_chromium_pdf_says_what_to_install(
    place: ReviewPlace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(printing, "BROWSERS", ())
    key = {"Authorization": f"Bearer {token(place)}"}
    refused = httpx2.get(f"{place.url}/api/v1{PATH}?format=pdf", headers=key)
    assert refused.status_code == 400
    assert "apt install chromium" in refused.json()["hint"]


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width", [1440, 390])
def test_the_pages_fit_and_are_accessible(
    place: ReviewPlace, browser: Browser, width: int, theme: Literal["light", "dark"]
) -> None:
    with place.seen_by("ada", browser, width, theme) as page:
        for path in ("/reviews", PATH):
            page.goto(place.url + path)
            assert page.evaluate(CUT) == []
            assert findings(page) == []
