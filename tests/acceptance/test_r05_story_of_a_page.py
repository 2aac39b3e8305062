"""One story, in a real browser: a fault spends budget, somebody is called, nobody answers, the next
is called, answers by a link in a mail, and it is resolved when the burn stops.

The shop's definitions are the demo's; mail goes through a real SMTP server, pushes and chat to
servers that take only what ntfy and Slack would. Time is virtual.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from playwright.sync_api import Browser, Page, expect

from tests.support import providers
from tests.support.browser import chromium, findings, page_in, serving
from tests.support.mailbox import Mailbox, smtp_server
from tests.support.processes import free_port, wait_until
from tests.support.providers import Provider
from watchkeeper.access.model import Scope
from watchkeeper.app import build_engine, build_pager, site_of
from watchkeeper.engine.pager import PagerLoop
from watchkeeper.engine.tick import Engine
from watchkeeper.faces.duty import Duty
from watchkeeper.faces.server import build_server
from watchkeeper.faces.services import Services
from watchkeeper.kernel.clock import VirtualClock, minute_of
from watchkeeper.measure.model import Batch, Count
from watchkeeper.slo import ledger
from watchkeeper.slo import work as slo_work
from watchkeeper.store import Database

DEMO = Path(__file__).resolve().parents[2] / "demo" / "specs"
START = 1_767_605_400.0  # Monday 2026-01-05 09:30 UTC
SLO = "checkout-availability"
TRAFFIC = 600
ONCALL = """
apiVersion: watchkeeper/v1
kind: Channel
metadata: {{name: mail}}
spec: {{type: email, settings: {{host: 127.0.0.1, port: {smtp}, tls: none, from: w@example.org}}}}
---
apiVersion: watchkeeper/v1
kind: Channel
metadata: {{name: push}}
spec: {{type: ntfy, settings: {{url: "{ntfy}", allow_private: true}}}}
---
apiVersion: watchkeeper/v1
kind: Channel
metadata: {{name: chat}}
spec: {{type: slack, settings: {{url: "{slack}", token: {{file: "{token}"}}, allow_private: true}}}}
---
apiVersion: watchkeeper/v1
kind: User
metadata: {{name: ann}}
spec: {{contacts: [{{channel: push, address: ann}}, {{channel: mail, address: ann@example.org}}]}}
---
apiVersion: watchkeeper/v1
kind: User
metadata: {{name: ben}}
spec: {{contacts: [{{channel: push, address: ben}}, {{channel: mail, address: ben@example.org}}]}}
---
apiVersion: watchkeeper/v1
kind: EscalationPolicy
metadata: {{name: storefront}}
spec:
  steps:
    - {{notify: [{{user: ann}}, {{channel: chat, address: "#ops"}}], wait: 5m}}
    - {{notify: [{{user: ben}}], wait: 5m}}
---
apiVersion: watchkeeper/v1
kind: EscalationPolicy
metadata: {{name: money}}
spec: {{steps: [{{notify: [{{user: ben}}], wait: 5m}}]}}
"""


@dataclass
class Story:
    """The parts, and the time, which stands still until it is told to go on."""

    clock: VirtualClock
    db: Database
    engine: Engine
    pager: PagerLoop
    url: str
    mail: Mailbox
    ntfy: Provider
    slack: Provider
    failing: float = 0.0

    def minutes(self, count: int) -> None:
        """So many minutes pass: requests are counted, policies decide, messages go out."""
        for _ in range(count):
            minute = minute_of(self.clock.now())
            self.clock.advance(60)
            bad = round(TRAFFIC * self.failing)
            counts = [Count(SLO_KEY, minute, TRAFFIC - bad, TRAFFIC, 1)]
            now = self.clock.now()
            with self.db.write() as conn:
                slo_work.record_batch(conn, self.engine.board.posting.specs, Batch(counts), now)
            self.engine.publish(now)
            self.engine.alert(now)
            self.deliver()

    def deliver(self) -> None:
        """Everything that is due goes out."""
        sender = self.pager.pager.sender
        while self.pager.pager.step(self.clock.now()) or not sender.idle:
            wait_until(lambda: sender.idle, 20, "the messages to go out")

    def pushes(self, topic: str) -> int:
        """How many pages this person got by push."""
        return sum(m["topic"] == topic and m["priority"] == 5 for m in self.ntfy.taken)


SLO_KEY = ""


@pytest.fixture
def story(tmp_path: Path) -> Iterator[Story]:
    with (
        smtp_server() as (mail, smtp),
        providers.running(providers.ntfy) as ntfy,
        providers.running(providers.slack) as slack,
    ):
        specs = tmp_path / "specs"
        shutil.copytree(DEMO, specs, ignore=lambda _d, n: [x for x in n if x.startswith("oncall")])
        token = tmp_path / "token"
        token.write_text("xoxb-right")
        (specs / "oncall.yaml").write_text(
            ONCALL.format(smtp=smtp, ntfy=ntfy.url, slack=slack.url, token=token)
        )
        yield from _running(tmp_path, specs, mail, ntfy, slack)


def _running(
    tmp_path: Path, specs: Path, mail: Mailbox, ntfy: Provider, slack: Provider
) -> Iterator[Story]:
    global SLO_KEY
    clock, port = VirtualClock(START), free_port()
    db = Database.open(str(tmp_path / "story.db"))
    engine = build_engine(db, [specs])
    engine.start(START)
    sli = engine.board.posting.specs.slos[SLO].sli
    assert sli is not None
    SLO_KEY = sli.key
    _history(db, sli.key)
    site = site_of(db, f"http://127.0.0.1:{port}")
    pager = build_pager(db, engine.board, site, clock)
    services = Services(db, engine.board, clock)
    duty = Duty(db, engine.board, clock, site, pager.wake)
    app = build_server(services, None, frozenset({Scope.READ, Scope.WRITE}), duty)
    with serving(app, port) as url:
        yield Story(clock, db, engine, pager, url, mail, ntfy, slack)
    db.close()


def _history(db: Database, key: str) -> None:
    """Thirty good days, so that there is a budget to spend."""
    end = minute_of(START)
    at = np.arange(end - 43_200, end, dtype=np.int64)
    total = np.full(len(at), float(TRAFFIC))
    with db.write() as conn:
        ids = ledger.register(conn, [(key, ())], START)
        rows = np.full(len(at), ids[0], dtype=np.int64)
        ledger.record_arrays(conn, rows, at, total, total, np.ones(len(at)))


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as started:
        yield started


def link(text: str) -> str:
    found = re.search(r"Acknowledge: (http\S+)", text)
    assert found, text
    return found[1]


def see(page: Page, url: str, says: str) -> None:
    page.goto(url)
    expect(page.locator("h1")).to_contain_text(says)


def test_a_fault_pages_the_first_then_the_second_who_answers_by_a_link(
    story: Story, browser: Browser
) -> None:
    with page_in(browser) as page:
        story.minutes(2)
        see(page, story.url + "/alerts", "Nobody is needed now")
        assert (story.mail.mails, story.ntfy.taken, story.slack.taken) == ([], [], [])

        story.failing = 0.9
        story.minutes(2)

        (mail,) = story.mail.to("ann@example.org")
        assert "too fast" in mail["Subject"]
        assert story.pushes("ann") == 1
        assert story.slack.taken[0]["channel"] == "#ops"
        assert story.mail.to("ben@example.org") == []
        see(page, story.url + "/alerts", "1 page is open and nobody has it yet")
        assert findings(page) == []

        story.minutes(5)

        (mail,) = story.mail.to("ben@example.org")
        assert story.pushes("ben") == 1

        body = mail.get_body(("plain",))
        assert body is not None
        page.goto(link(body.get_content()))
        before = len(story.mail.mails)
        assert "Nobody" not in page.locator("main").inner_text()  # following a link does nothing
        page.get_by_role("button", name="Acknowledge").click()
        expect(page.locator("[role=status]").last).to_contain_text("You have it.")

        story.minutes(10)
        assert len(story.mail.mails) == before
        assert (story.pushes("ann"), story.pushes("ben")) == (1, 1)
        see(page, story.url + "/alerts", "1 page is in someone's hands")

        story.failing = 0.0
        story.minutes(50)

        see(page, story.url + "/pages/1", "Check out")
        expect(page.locator(".answer")).to_contain_text("Resolved")
        expect(page.locator(".story")).to_contain_text("Acknowledged by ben")
        assert findings(page) == []
        over = [m["Subject"] for m in story.mail.to("ben@example.org") if "is over" in m["Subject"]]
        assert len(over) == 1
        assert story.slack.refused == story.ntfy.refused == []
