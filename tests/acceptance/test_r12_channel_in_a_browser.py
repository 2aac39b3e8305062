"""R12: the incident's channel in a real Chromium: commands, Markdown, files, pins."""

from __future__ import annotations

import re
from collections.abc import Iterator

import httpx2
import pytest
from playwright.sync_api import Browser, expect

from tests.support.alert_place import Place
from tests.support.browser import chromium, findings, serving
from tests.support.duty import SITE
from watchkeeper.faces.incidents import Incidents
from watchkeeper.incidents.chat import store_rooms
from watchkeeper.incidents.chat.model import Room
from watchkeeper.incidents.keeping import By

ANN = By("ann", "web")
PNG = bytes.fromhex(
    "89504e470d0a1a0a0000000d4948445200000001000000010806000000"
    "1f15c4890000000d49444154789c6360f8cf000001010100c9fe92ef0000000049454e44ae426082"
)
MESSAGE = "Say what you see or do"


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as started:
        yield started


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    made = Place(tmp_path_factory.mktemp("channel"))
    with serving(made.app) as made.url:
        yield made
    made.db.close()


@pytest.fixture
def number(place: Place) -> int:
    its = Incidents(place.db, place.board, place.world.clock, SITE)
    return its.declare("Checkout fails", "SEV2", ANN, services=("checkout",)).id


def test_commands_are_offered_while_one_types_and_answer_only_their_writer(
    place: Place, browser: Browser, number: int
) -> None:
    address = f"{place.url}/incidents/{number}"
    with place.seen_by("rosa", browser) as one, place.seen_by("emil", browser) as two:
        one.goto(address)
        two.goto(address)
        box = one.get_by_placeholder(MESSAGE)
        box.press_sequentially("/s")
        expect(one.locator("#hints button:visible")).to_have_count(2)
        box.press("Tab")
        expect(box).to_have_value("/sev ")
        expect(one.locator("#hints button:visible")).to_contain_text("changes the severity")
        box.press_sequentially("1 everybody")
        box.press("Control+Enter")
        expect(one.locator("#told")).to_have_text("It is SEV1 now.")
        expect(two.locator("#room")).to_contain_text("SEV1")
        expect(two.locator("#told")).to_be_hidden()
        for line, told in [
            ("/role ops @ben", "Operations Lead: ben."),
            ("/update public Some payments fail.", "Posted. The next one is due"),
            ("/action Alert on the pool @cho due 5d", "Action item 1: Alert on the pool (cho, due"),
            ("/help", "/decision TEXT"),
        ]:
            box.fill(line)
            box.press("Control+Enter")
            expect(one.locator("#told")).to_contain_text(told)
            expect(box).to_have_value("")
        box.fill("/resolv")
        box.press("Control+Enter")
        expect(one.locator("#said")).to_contain_text("There is no command /resolv.")
        expect(one.locator("#said")).to_contain_text("Did you mean /resolve")
        expect(box).to_have_value("/resolv")  # nothing that was written is lost
        expect(two.locator("#log")).to_contain_text("Action item 1: Alert on the pool")
        expect(two.locator("#log")).not_to_contain_text("/resolv")
        expect(two.locator("#said")).to_be_hidden()
        box.fill("//resolve is how one ends it")
        box.press("Control+Enter")
        expect(two.locator("#log")).to_contain_text("/resolve is how one ends it")


def test_markdown_is_shown_and_cannot_run(place: Place, browser: Browser, number: int) -> None:
    its = Incidents(place.db, place.board, place.world.clock, SITE)
    told = its.say(number, "message", "**Pool** is `full`\n\n- one\n- two\n\n<script>x()</script>"
                   " [go](javascript:x()) https://e.org/graph", ANN)  # fmt: skip
    with place.seen_by("rosa", browser) as page:
        page.goto(f"{place.url}/incidents/{number}")
        entry = page.locator(f"#e-{told.number}").first
        expect(entry.locator("strong")).to_have_text("Pool")
        expect(entry.locator(".said li")).to_have_count(2)
        expect(entry).to_contain_text("<script>x()</script>")
        assert entry.locator(".said a").evaluate_all("all => all.map(a => a.href)") == [
            "https://e.org/graph"
        ]
        entry.get_by_role("button", name="Pin").click()
        expect(page.locator(".pins")).to_contain_text("Pool is full")
        assert findings(page) == []


def test_a_picture_is_attached_shown_and_handed_out_safely(
    place: Place, browser: Browser, number: int
) -> None:
    with place.seen_by("rosa", browser) as page:
        page.goto(f"{place.url}/incidents/{number}")
        page.locator('#attach input[name="file"]').set_input_files(
            {"name": "pool.png", "mimeType": "text/html", "buffer": PNG}
        )
        page.get_by_placeholder("What it shows").fill("The pool is full")
        page.get_by_role("button", name="Attach").click()
        shown = page.get_by_role("img", name="pool.png")
        expect(shown).to_be_visible()
        expect(page.locator("#log")).to_contain_text("sha256")
        page.wait_for_function("document.querySelector('.file img').naturalWidth === 1")
        assert findings(page) == []
        page.locator('#attach input[name="file"]').set_input_files(
            {"name": "run.exe", "mimeType": "image/png", "buffer": b"MZ\x90\0\3\0"}
        )
        page.get_by_role("button", name="Attach").click()
        expect(page.locator("#said")).to_contain_text("not taken")
        address = place.url + str(shown.get_attribute("src"))
    cookies = {"wk_session": place.cookie("vera")}
    given = httpx2.get(address.removesuffix("?show"), cookies=cookies)
    assert given.content == PNG
    assert given.headers["content-type"] == "image/png"
    assert given.headers["content-disposition"].startswith('attachment; filename="pool.png"')
    assert given.headers["x-content-type-options"] == "nosniff"
    assert given.headers["content-security-policy"] == "default-src 'none'; sandbox"
    assert httpx2.get(address).status_code == 401


@pytest.mark.parametrize("width", [1440, 390])
def test_a_room_that_is_behind_says_why_and_until_when(
    place: Place, browser: Browser, number: int, width: int
) -> None:
    room = Room(
        number, "slack", "inc-1-checkout-fails", "C1", 1, said="slack.com answered 503.", tries=3,
        due_at=place.world.clock.now() + 40,
    )  # fmt: skip
    with place.db.write() as conn:
        store_rooms.open_room(conn, room)
    with place.seen_by("rosa", browser, width) as page:
        page.goto(f"{place.url}/incidents/{number}")
        card = page.locator(".rooms")
        expect(card).to_contain_text("behind")
        expect(card).to_contain_text(
            "2 entries are not there yet: slack.com answered 503. Next try"
        )
        over = page.evaluate(
            "document.documentElement.scrollWidth - document.documentElement.clientWidth"
        )
        assert over <= 0
        assert findings(page) == []


def test_commands_and_files_need_no_javascript(place: Place, browser: Browser, number: int) -> None:
    with place.seen_by("rosa", browser, scripts=False) as page:
        page.goto(f"{place.url}/incidents/{number}")
        page.get_by_placeholder(MESSAGE).fill("/sev 3")
        page.get_by_role("button", name="Write").click()
        expect(page.locator("#told")).to_have_text("It is SEV3 now.")
        page.get_by_placeholder(MESSAGE).fill("/upate x")
        page.get_by_role("button", name="Write").click()
        expect(page.get_by_role("alert").first).to_contain_text("Did you mean /update")
        page.locator('#attach input[name="file"]').set_input_files(
            {"name": "a.log", "mimeType": "text/plain", "buffer": b"ERROR pool\n"}
        )
        page.get_by_role("button", name="Attach").click()
        expect(page.locator("#log")).to_contain_text("a.log")


def test_who_may_not_press_the_buttons_may_not_use_commands(place: Place, number: int) -> None:
    vera = {"wk_session": place.cookie("vera")}
    ours = {"Sec-Fetch-Site": "same-origin"}
    for path, body in [("say", {"text": "/sev 1"}), ("attach", {"text": "x"})]:
        found = httpx2.post(
            f"{place.url}/incidents/{number}/{path}", data=body, cookies=vera, headers=ours
        )
        assert found.status_code == 403
    rosa = {"wk_session": place.cookie("rosa")}
    elsewhere = httpx2.post(
        f"{place.url}/incidents/{number}/attach", files={"file": ("a.txt", b"x")}, cookies=rosa,
        headers={"Sec-Fetch-Site": "cross-site"},
    )  # fmt: skip
    assert elsewhere.status_code == 403
    large = httpx2.post(
        f"{place.url}/incidents/{number}/attach", cookies=rosa,
        files={"file": ("a.txt", b"x" * (11 * 1024 * 1024))},
        headers={"Sec-Fetch-Site": "same-origin"},
    )  # fmt: skip
    assert large.status_code == 400
    assert re.search("larger than 10 MiB", large.text)
