"""R12: stakeholders read a status page and get e-mail: in a real Chromium, with a real SMTP server,
a real webhook receiver, and the files of an export behind a real nginx."""

from __future__ import annotations

import hashlib
import hmac
import json
import re
import threading
from collections.abc import Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit
from xml.etree import ElementTree

import httpx2
import pytest
from playwright.sync_api import Browser, expect

from tests.support.browser import chromium, findings, page_in, serving
from tests.support.mailbox import Mailbox, smtp_server
from tests.support.nginx import serving_files
from tests.support.status_place import ANN, StatusPlace, told_of
from watchkeeper.app import Channels
from watchkeeper.faces.status.export import export
from watchkeeper.spec.duty import ChannelDefinition, ChannelType
from watchkeeper.spec.findings import Place as Where

ME = "me@example.com"


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as started:
        yield started


class Real(StatusPlace):
    """A place whose mails and webhooks are really sent."""

    def __init__(self, folder: Path, box: Mailbox, port: int) -> None:
        settings = {"host": "127.0.0.1", "port": port, "tls": "none",
                    "from": "Shop <status@shop.example>"}  # fmt: skip
        super().__init__(folder, mail=ChannelDefinition("mail", ChannelType.EMAIL, settings, HERE))
        self.box = box
        self.world.pager.sender.open_channel = Channels(self.board)

    def point_to(self, url: str) -> None:
        """The public page is where this test serves it, so that links in mails work."""
        pages = dict(self.world.specs.response.status_pages)
        pages["shop"] = replace(pages["shop"], url=f"{url}/status/shop")
        response = replace(self.world.specs.response, status_pages=pages)
        self.world.specs = replace(self.world.specs, response=response)
        self.board.post(specs=self.world.specs)

    def mails(self) -> list[tuple[str, str]]:
        """(subject, text) of what came to me."""
        return [(m["Subject"], m.get_body(("plain",)).get_content()) for m in self.box.to(ME)]  # type: ignore[union-attr]


HERE = Where("here")


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Real]:
    monkeypatch.setenv("WK_TEST_HOOKS", "secret of hooks")
    with smtp_server() as (box, port):
        made = Real(tmp_path, box, port)
        with serving(made.app) as made.url:
            made.point_to(made.url)
            yield made
        made.db.close()


# ---------------------------------------------------------------- to be read


@pytest.mark.parametrize(("width", "theme"), [(1200, "light"), (1200, "dark"), (390, "light")])
def test_pages_are_accessible_and_fit_their_width(
    place: Real, browser: Browser, width: int, theme: Literal["light", "dark"]
) -> None:
    told_of(place)
    place.status.subscribe("shop", "email", ME, (), "127.0.0.1")
    story = place.status.view("shop").open[0]
    link = re.findall(r"http\S+/s/\S+", place.mails()[0][1])[0]
    found: dict[str, list[str]] = {}
    with page_in(browser, width, 900, theme) as page:
        for path in ("", "/history", f"/incidents/{story.id}", urlsplit(link).path[12:]):
            page.goto(f"{place.url}/status/shop{path}")
            for fold in page.locator("main summary").all():
                fold.click()
            found[path] = findings(page)
            over = page.evaluate(
                "document.documentElement.scrollWidth - document.documentElement.clientWidth"
            )
            assert over <= 0, path
    assert found == {path: [] for path in found}


def test_it_is_read_without_javascript_and_says_the_same_to_who_cannot_see(
    place: Real, browser: Browser
) -> None:
    told_of(place)
    with page_in(browser, 1200, 900, scripts=False) as page:
        page.goto(f"{place.url}/status/shop")
        expect(page.get_by_role("heading", level=1)).to_have_text("Checkout: partial outage")
        expect(page.get_by_text("A faulty release is being taken back.")).to_be_visible()
        days = page.get_by_role("img", name=re.compile("Card payments, last 90 days"))
        expect(days).to_have_attribute("aria-label", re.compile("89 without trouble, 1 with"))
        page.get_by_text("The days of Card payments as a table").click()
        row = page.get_by_role("row", name=re.compile("29 December 2025 Major outage"))
        expect(row).to_be_visible()
        page.get_by_role("link", name="Orders fail for some").click()
        expect(page.get_by_role("heading", level=1)).to_have_text("Orders fail for some")
        page.get_by_role("link", name="History").first.click()
        expect(page.get_by_text("Card payments: major outage")).to_be_visible()


def test_a_page_that_stays_open_is_read_again(place: Real, browser: Browser) -> None:
    number = told_of(place)
    with page_in(browser, 1200, 900) as page:
        page.clock.install()
        page.goto(f"{place.url}/status/shop")
        place.incidents.update(number, "All orders go through.", ANN, public=True,
                               phase="monitoring")  # fmt: skip
        page.clock.run_for(70_000)
        expect(page.get_by_text("All orders go through.")).to_be_visible()


def test_feeds_are_read_by_a_parser(place: Real) -> None:
    told_of(place)
    atom = ElementTree.fromstring(httpx2.get(f"{place.url}/status/shop/history.atom").content)
    names = {"a": "http://www.w3.org/2005/Atom"}
    links = [e.get("href") for e in atom.findall("a:entry/a:link", names)]
    assert all(httpx2.get(str(link)).status_code == 200 for link in links)
    rss = ElementTree.fromstring(httpx2.get(f"{place.url}/status/shop/history.rss").content)
    titles = [i.findtext("title") for i in rss.findall("channel/item")]
    assert titles[-2:] == ["Orders fail for some", "Card payments: major outage"] or {
        "Orders fail for some", "Card payments: major outage",
    } <= set(titles)  # fmt: skip


# ---------------------------------------------------------------- to be told


def test_by_e_mail_from_asking_to_one_click_unsubscribing(place: Real, browser: Browser) -> None:
    number = told_of(place)
    with page_in(browser, 390, 800, scripts=False) as page:
        page.goto(f"{place.url}/status/shop")
        page.get_by_label("E-mail").fill(ME)
        page.get_by_role("button", name="Subscribe").first.click()
        expect(page.get_by_role("heading", level=1)).to_have_text("Look into your mailbox")
        place.step()
        place.incidents.update(number, "Not for those who did not confirm.", ANN, public=True)
        subject, text = place.mails()[-1]
        assert (len(place.mails()), subject) == (1, "Shop status: confirm that you want to be told")
        page.goto(re.findall(r"http\S+/s/\S+", text)[0])
        page.get_by_role("button", name="Yes, subscribe").click()
        expect(page.get_by_role("heading", level=1)).to_have_text("You are subscribed")
    place.incidents.update(number, "All orders go through.", ANN, public=True, phase="monitoring")
    place.step()
    subject, text = place.mails()[-1]
    assert subject == "[Shop status] Monitoring: Orders fail for some"
    assert text.startswith("All orders go through.")
    for inside in ("eu-3", "SEV2", "ann", "Watchkeeper", "4.2"):
        assert inside not in place.box.to(ME)[-1].as_string().replace("unsubscribe", "")
    mail = place.box.to(ME)[-1]
    assert mail["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    link = str(mail["List-Unsubscribe"]).strip("<>")
    done = httpx2.post(link, data={"List-Unsubscribe": "One-Click"})
    assert done.status_code == 200
    place.incidents.update(number, "Heard by nobody.", ANN, public=True)
    place.step()
    assert len(place.mails()) == 2


class _Hook(BaseHTTPRequestHandler):
    got: list[tuple[str, bytes]]

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        type(self).got.append((self.headers["X-Watchkeeper-Signature"], body))
        answer = str(json.loads(body).get("challenge", "thanks")).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, format: str, *args: object) -> None:
        pass


def test_by_webhook_after_a_challenge_with_a_secret_of_its_own(
    place: Real, browser: Browser
) -> None:
    number = told_of(place)
    _Hook.got = []
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Hook)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    with page_in(browser, 1200, 900) as page:
        page.goto(f"{place.url}/status/shop")
        page.get_by_text("By webhook").click()
        page.get_by_label("Address of your endpoint").fill(
            f"http://127.0.0.1:{server.server_port}/hook"
        )
        page.get_by_role("button", name="Subscribe").last.click()
        expect(page.get_by_role("heading", level=1)).to_have_text("Subscribed")
        secret = page.locator("dd code").first.inner_text()
    place.incidents.update(number, "All orders go through.", ANN, public=True, phase="monitoring")
    place.step()
    server.shutdown()
    server.server_close()
    assert len(_Hook.got) == 2
    for given, body in _Hook.got:
        stamp, mac = re.fullmatch(r"t=(\d+),v1=(\w+)", given).groups()  # type: ignore[union-attr]
        made = hmac.new(secret.encode(), f"{stamp}.".encode() + body, hashlib.sha256)
        assert hmac.compare_digest(made.hexdigest(), mac)
    document = json.loads(_Hook.got[1][1])
    assert set(document) == {"meta", "page", "incident"}
    assert document["incident"]["incident_updates"][0]["body"] == "All orders go through."
    assert b"eu-3" not in _Hook.got[1][1]


# ---------------------------------------------------------------- from the room to the world


def test_a_template_is_filled_in_and_posted_from_the_room(place: Real, browser: Browser) -> None:
    number = told_of(place)
    with place.seen_by("rosa", browser) as page:
        page.goto(f"{place.url}/incidents/{number}")
        page.get_by_role("link", name="monitoring").click()
        box = page.get_by_placeholder(re.compile("Status update"))
        expect(box).to_have_value(re.compile("Checkout should work again"))
        page.get_by_label("Checkout", exact=True).check()
        page.get_by_label("public").check()
        page.get_by_role("button", name="Post update").click()
        expect(page.locator("#log")).to_contain_text("Checkout should work again")
    with page_in(browser, 1200, 900, scripts=False) as page:
        page.goto(f"{place.url}/status/shop")
        expect(page.get_by_text("Checkout should work again")).to_be_visible()
        expect(page.get_by_role("heading", level=1)).to_contain_text("degraded performance")
    with place.seen_by("rosa", browser, scripts=False) as page:
        page.goto(f"{place.url}/incidents/{number}?template=resolved")
        box = page.get_by_placeholder(re.compile("Status update"))
        expect(box).to_have_value(re.compile("works as usual again"))


# ---------------------------------------------------------------- without us


def test_the_export_is_served_by_nginx_and_outlives_the_server(
    place: Real, browser: Browser, tmp_path: Path
) -> None:
    told_of(place)
    site = tmp_path / "site"
    export(place.status, "shop", site)
    (tmp_path / "nginx").mkdir()
    with serving_files(tmp_path / "nginx", site) as url, page_in(browser, 1200, 900) as page:
        page.goto(url + "/")
        expect(page.get_by_role("heading", level=1)).to_have_text("Checkout: partial outage")
        assert page.evaluate("document.fonts.check('14px Inter')")
        assert findings(page) == []
        page.get_by_role("link", name="Orders fail for some").click()
        expect(page.get_by_text("A faulty release is being taken back.")).to_be_visible()
        page.get_by_role("link", name="History").first.click()
        expect(page.get_by_role("heading", name="December 2025")).to_be_visible()
        summary = httpx2.get(f"{url}/api/v2/summary.json")
        assert summary.headers["content-type"] == "application/json"
        served = httpx2.get(f"{place.url}/status/shop/api/v2/summary.json").json()
        assert summary.json() == served
        # The address of an incident is the same here as on the server.
        story = place.status.view("shop").open[0]
        assert httpx2.get(f"{url}/incidents/{story.id}/").status_code == 200
        ElementTree.fromstring(httpx2.get(f"{url}/history.atom").content)
