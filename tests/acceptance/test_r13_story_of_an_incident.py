"""One story, in a real browser with three people: from a bad release to lessons that are tracked,
and to what the budget that is left decides.

The demo's shop and payments serve real requests and are scraped; the release goes out and is rolled
back by the demo's own command; action items go to a server that takes only what GitHub would. Time
is virtual.
"""

from __future__ import annotations

import http.client
import json
import random
import re
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from http.server import ThreadingHTTPServer
from pathlib import Path

import httpx2
import numpy as np
import pytest
from playwright.sync_api import Page, expect

from demo import changes, payments, shop
from demo.past import filled
from demo.run import Ports, write_specs
from demo.service import Service, make_server
from tests.support import trackers
from tests.support.browser import chromium, findings, page_in, serving
from tests.support.processes import free_port, wait_until
from watchkeeper.access.model import Role, Scope
from watchkeeper.access.people import NewAccount, account_named, add_account
from watchkeeper.access.work import create_token, open_session
from watchkeeper.app import build_engine, build_follower, build_mitigation, build_pager, site_of
from watchkeeper.engine.follow import Follower
from watchkeeper.engine.pager import PagerLoop
from watchkeeper.engine.tick import Engine
from watchkeeper.faces.duty import Duty
from watchkeeper.faces.server import build_server
from watchkeeper.faces.services import Services
from watchkeeper.kernel.clock import VirtualClock, minute_of
from watchkeeper.slo import ledger
from watchkeeper.store import Database

DEMO = Path(__file__).resolve().parents[2] / "demo" / "specs"
START = 2_051_861_430.0
"""Monday 2035-01-08 09:30:30 UTC: later than any process started, and in the middle of a minute,
for what a scrape counts belongs to the minute in which it is made."""
TRAFFIC = 20
ORDER = json.dumps({"items": {"bell": 1}})
TRACKER = """
apiVersion: watchkeeper/v1
kind: Tracker
metadata: {{name: issues}}
spec:
  type: github
  settings:
    repository: shop/web
    url: "{url}"
    token: {{file: "{token}"}}
    users: {{ann: octo-ann, ben: octo-ben}}
    allow_private: true
"""
LESSONS = {
    "Summary": "Three quarters of all card payments failed; rolling payments back ended it.",
    "Root cause analysis": "Payments 1.6.1 charged in one step and went to all copies at once.",
    "Contributing factors": "- The release was compared with nothing while it went out.",
    "What went well": "- It was rolled back from the page of the incident.",
    "What went wrong": "- Nobody had tried charging in one step with the card network.",
    "Where we got lucky": "- It was a morning with little traffic.",
    "Action items": "- Release payments to one copy first (owner: ann, due: 2035-02-01)\n"
    "- Alert on refused charges by release (owner: ben, due: 2035-02-10)",
}


@dataclass
class Story:
    """The parts, and the time, which stands still until it is told to go on."""

    clock: VirtualClock
    db: Database
    engine: Engine
    pager: PagerLoop
    follower: Follower
    url: str
    shop: http.client.HTTPConnection
    payments: str
    github: trackers.Board

    def minutes(self, count: int) -> None:
        """So many minutes pass: people order, the shop is scraped, policies decide."""
        for _ in range(count):
            for _ in range(TRAFFIC):
                self.shop.request("POST", "/checkout", ORDER)
                self.shop.getresponse().read()
            self.clock.advance(60)
            self.engine.tick(self.clock.now())
            self.settle()

    def settle(self) -> None:
        """All that is due is done."""
        sender = self.pager.pager.sender
        while self.pager.pager.step(self.clock.now()) or not sender.idle:
            wait_until(lambda: sender.idle, 20, "the messages to go out")
        self.follower.step(self.engine.board.posting.specs, self.clock.now())
        self.engine.board.post()

    def until_called(self) -> None:
        """Minutes pass until somebody is called."""
        for _ in range(8):
            self.minutes(1)
            if httpx2.get(f"{self.url}/api/v1/pages", headers=self.ci).json():
                return
        pytest.fail("nobody was called")

    @property
    def ci(self) -> dict[str, str]:
        """What a pipeline signs in with."""
        if not hasattr(self, "_ci"):
            scopes = [Scope.PUSH, Scope.READ]
            with self.db.write() as conn:
                token = create_token(conn, "ci", scopes, self.clock.now(), "test", None)
            self._ci = {"Authorization": f"Bearer {token}"}
        return self._ci

    def change(self, told: dict[str, object]) -> None:
        """A pipeline records what it changes."""
        answer = httpx2.post(f"{self.url}/api/v1/changes", json=told, headers=self.ci)
        assert answer.status_code < 300, answer.text

    def burn(self) -> float:
        """How fast the budget of the checkout burned in the last five minutes."""
        found = httpx2.get(f"{self.url}/api/v1/slos/checkout-availability", headers=self.ci)
        return float(found.json()["burn_rate"]["5m"])

    def session(self, name: str) -> str:
        """An account of this person, signed in."""
        role = Role.EDITOR if name == "cho" else Role.RESPONDER
        new = NewAccount(name, "correct horse battery staple", role)
        add_account(self.db, new, self.clock.now(), "test")
        with self.db.write() as conn:
            account = account_named(conn, name)
            return open_session(conn, self.clock.now(), account_id=account.id)[0]


@contextmanager
def listening(service: Service) -> Iterator[ThreadingHTTPServer]:
    """One of the demo's services, in a thread."""
    with make_server(service, 0) as server:
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        yield server
        server.shutdown()


@pytest.fixture
def story(tmp_path: Path) -> Iterator[Story]:
    rng = random.Random(7)
    with ExitStack() as stack:
        paying = stack.enter_context(listening(payments.build(rng, lambda _: None)))
        selling = shop.build(
            shop.over_http("127.0.0.1", paying.server_port), None, rng, lambda _: None
        )
        selling_at = stack.enter_context(listening(selling)).server_port
        github = stack.enter_context(trackers.github())
        ports = Ports(free_port(), selling_at, paying.server_port)
        write_specs(DEMO, tmp_path / "specs", ports, tmp_path / "access.log")
        (tmp_path / "token").write_text(trackers.TOKEN)
        tracker = TRACKER.format(url=github.url, token=tmp_path / "token")
        (tmp_path / "specs" / "tracker.yaml").write_text(tracker)
        yield from _running(tmp_path, ports, github)


def _running(folder: Path, ports: Ports, github: trackers.Board) -> Iterator[Story]:
    clock, db = VirtualClock(START), Database.open(str(folder / "story.db"))
    engine = build_engine(db, [folder / "specs"])
    engine.start(START)
    _history(db, engine)
    site = site_of(db, ports.url(ports.web))
    pager = build_pager(db, engine.board, site, clock)
    follower = build_follower(db, engine.board, site, clock)
    follower.run = lambda work: work()
    services = Services(db, engine.board, clock)
    loop = build_mitigation(db, engine.board, clock)
    duty = Duty(db, engine.board, clock, site, loop.wake)
    selling = http.client.HTTPConnection("127.0.0.1", ports.shop)
    loop.start()
    with serving(build_server(services, duty=duty), ports.web) as url:
        paying = ports.url(ports.payments)
        yield Story(clock, db, engine, pager, follower, url, selling, paying, github)
    loop.stop()
    selling.close()
    db.close()


def _history(db: Database, engine: Engine) -> None:
    """Thirty good days of what is scraped, so that there is a budget to spend."""
    slos = engine.board.posting.specs.slos.values()
    keys = {s.sli.key for s in slos if s.sli is not None and s.sli.source.endswith("-metrics")}
    end = minute_of(START)
    at = np.arange(end - 43_200, end, dtype=np.int64)
    total = np.full(len(at), float(TRAFFIC))
    with db.write() as conn:
        for number in ledger.register(conn, [(key, ()) for key in sorted(keys)], START):
            rows = np.full(len(at), number, dtype=np.int64)
            ledger.record_arrays(conn, rows, at, total, total, np.ones(len(at)))


@pytest.fixture
def people(story: Story) -> Iterator[dict[str, Page]]:
    """Three browsers, and one of somebody who only reads what is public."""
    with ExitStack() as stack:
        browser = stack.enter_context(chromium())
        found = {n: stack.enter_context(page_in(browser)) for n in ("ann", "ben", "cho", "user")}
        for name in ("ann", "ben", "cho"):
            cookie = {"name": "wk_session", "value": story.session(name), "url": story.url}
            found[name].context.add_cookies([cookie])  # type: ignore[list-item]
        yield found


def say(page: Page, text: str) -> None:
    box = page.get_by_placeholder("Say what you see or do")
    box.fill(text)
    box.press("Control+Enter")
    expect(box).to_have_value("")


def test_from_a_bad_release_to_lessons_in_the_tracker(
    story: Story, people: dict[str, Page]
) -> None:
    story.minutes(2)
    httpx2.post(f"{story.payments}/admin/release", json={"version": "1.6.1"})
    story.change(changes.bad_release(1))
    story.until_called()
    story.change(changes.innocent(1))
    number = declared_from_the_page(story, people["ann"])
    led_by_three(story, people, number)
    story.minutes(2)
    rolled_back(story, people)
    the_public_is_told(story, people)
    written_down(story, people)
    tracked(story, people)
    the_budget_decides(story, people)


def declared_from_the_page(story: Story, ann: Page) -> str:
    ann.goto(story.url + "/pages/1")
    ann.get_by_role("link", name="Declare an incident from this page").click()
    ann.get_by_label("What do users notice?").fill("Card payments fail")
    ann.locator('input[name="severity"][value="SEV2"]').check()
    ann.get_by_role("button", name="Declare").click()
    expect(ann.get_by_role("heading", level=1)).to_have_text("Card payments fail")
    story.settle()
    return ann.url.rpartition("/")[2]


def led_by_three(story: Story, people: dict[str, Page], number: str) -> None:
    three = [people[n] for n in ("ann", "ben", "cho")]
    for page in three:
        page.goto(f"{story.url}/incidents/{number}")
        expect(page.locator("#live")).to_contain_text("Live, as of", timeout=10_000)
    ann, _, cho = three
    expect(ann.locator("#log")).to_contain_text(re.compile("Incident Commander: .*, by rota"))
    lead = ann.locator("section", has=ann.get_by_role("heading", name="Lead it"))
    lead.get_by_label("Role").select_option("ops")
    lead.get_by_label("Person").select_option("cho")
    lead.get_by_role("button", name="Hand over").click()
    cho.get_by_role("button", name="Accept Operations Lead").click()
    expect(ann.locator(".roles")).to_contain_text("Cho Chen")
    for name, page in zip(("ann", "ben", "cho"), three, strict=True):
        say(page, f"{name} is here")
    for page in three:
        for name in ("ann", "ben", "cho"):
            expect(page.locator("#log")).to_contain_text(f"{name} is here")


def rolled_back(story: Story, people: dict[str, Page]) -> None:
    ann, cho = people["ann"], people["cho"]
    first = cho.locator(".aid .first li").first
    expect(first).to_contain_text("Payments 1.6.1 went out")
    before = story.burn()
    assert before > 14.4
    cho.get_by_role("link", name="Run… Roll payments back").click()
    cho.get_by_role("button", name="Run it now").click()
    expect(cho.locator("#run")).to_contain_text("1.5.0 runs", timeout=20_000)
    expect(ann.locator(".runs")).to_contain_text("Succeeded", timeout=20_000)
    story.minutes(8)
    expect(ann.locator("#log")).to_contain_text("Roll payments back", timeout=10_000)
    expect(ann.locator("#log")).to_contain_text(re.compile(r"It helped: payments-charges burned"))
    assert story.burn() == 0.0


def the_public_is_told(story: Story, people: dict[str, Page]) -> None:
    ben, user = people["ben"], people["user"]
    ben.get_by_placeholder(re.compile("Status update")).fill("Card payments work again.")
    ben.get_by_label("public").check()
    ben.get_by_role("button", name="Post update").click()
    expect(people["ann"].locator("#log")).to_contain_text("Card payments work again.")
    user.goto(story.url + "/status/shop")
    expect(user.locator("main")).to_contain_text("Card payments work again.")
    assert "Incident Commander" not in user.content()
    for button in ("I am looking", "Cause found", "Users are fine again", "Resolve"):
        people["ann"].get_by_role("button", name=button).click()
    expect(people["ann"].locator("#room")).to_contain_text("It is over")


def written_down(story: Story, people: dict[str, Page]) -> None:
    story.minutes(1)
    ann, cho = people["ann"], people["cho"]
    ann.goto(story.url + "/postmortems/1/edit")
    draft = ann.locator("#text").input_value()
    assert "It helped: payments-charges" in draft
    expect(ann.locator("#findings")).to_contain_text("'Action items' is empty")
    ann.locator("#text").fill(filled(draft, LESSONS, ""))
    ann.get_by_role("button", name="Save").click()
    expect(ann.locator("main")).to_contain_text("the five whys are not complete")
    tree = ann.locator("#whys")
    tree.locator("summary").click()
    tree.get_by_label("Because").fill("A release goes to all copies at once")
    tree.get_by_label("How it is known").fill("the pipeline")
    tree.get_by_label("It ends there").select_option("process")
    tree.get_by_role("button", name="Add the answer").click()
    expect(tree).to_contain_text("complete")
    with ann.expect_navigation():
        ann.get_by_role("button", name="Ask for a review").click()
    cho.goto(story.url + "/postmortems/1")
    cho.get_by_role("button", name="Approve").click()
    cho.get_by_role("button", name="Publish").click()
    expect(cho.locator("main")).to_contain_text("Published")
    assert findings(cho) == []


def tracked(story: Story, people: dict[str, Page]) -> None:
    story.settle()
    cho = people["cho"]
    cho.goto(story.url + "/actions")
    for text in ("Release payments to one copy first", "Alert on refused charges by release"):
        expect(cho.locator("main")).to_contain_text(text)
    there = {i["title"]: [a["login"] for a in i["assignees"]] for i in story.github.issues.values()}
    assert there == {
        "Release payments to one copy first": ["octo-ann"],
        "Alert on refused charges by release": ["octo-ben"],
    }
    assert story.github.refused == []


def the_budget_decides(story: Story, people: dict[str, Page]) -> None:
    """The release is named, not the innocent change after it; features halt, what mends
    passes, and so does what a second person lets pass; the week's review tells it all."""
    ann, cho = people["ann"], people["cho"]
    ann.goto(story.url + "/slo/checkout-availability/causes")
    cause = ann.locator("article.cause").first
    expect(cause).to_contain_text(re.compile(r"payments 1\.6\.1Deployment.*100 %"))
    expect(cause).to_contain_text("this looks like a bystander")
    assert (decided(story, "feature"), decided(story, "reliability")) == ("halt", "allow")
    ann.goto(story.url + "/budgets/shop-budget")
    expect(ann.get_by_label("May we release?")).to_contain_text("Feature releases halt")
    ann.get_by_text("Ask for an exception", exact=True).click()
    ann.locator("#exceptions").get_by_label("Service").select_option("payments")
    ann.get_by_label("What cannot wait, and why").fill("The tax rate changes at midnight")
    ann.get_by_role("button", name="Ask", exact=True).click()
    expect(ann.locator("#exceptions")).to_contain_text("Somebody else must give it")
    assert decided(story, "feature") == "halt"
    cho.goto(story.url + "/budgets/shop-budget")
    cho.get_by_role("button", name="Give it").click()
    expect(cho.locator("#exceptions")).to_contain_text("given by cho")
    assert decided(story, "feature") == "allow"
    cho.goto(story.url + "/reviews/money/2035-W02")
    for told in ("Card payments fail", "payments 1.6.1", "The tax rate changes at midnight"):
        expect(cho.locator("main")).to_contain_text(told)


def decided(story: Story, kind: str) -> str:
    """What the gate rules of such a release of payments."""
    asked = {"service": "payments", "change_kind": kind}
    answer = httpx2.post(f"{story.url}/api/v1/gate/check", json=asked, headers=story.ci)
    return str(answer.json()["decision"])
