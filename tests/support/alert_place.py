"""The whole application over one database, with people, a pager stepped by hand and a browser."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Literal

import httpx2
from playwright.sync_api import Browser, Page

from tests.support import duty
from tests.support.browser import page_in
from tests.support.duty import SITE, World
from watchkeeper.access.model import Role
from watchkeeper.access.people import NewAccount, account_named, add_account
from watchkeeper.access.work import open_session
from watchkeeper.alerting import keys, store_intake, store_lists
from watchkeeper.alerting.model import AlertState
from watchkeeper.alerting.store_lists import Wanted
from watchkeeper.engine.board import Board
from watchkeeper.faces.duty import Duty
from watchkeeper.faces.server import build_server
from watchkeeper.faces.services import Services
from watchkeeper.kernel.clock import VirtualClock
from watchkeeper.measure.model import Batch, Count
from watchkeeper.slo import work as slo_work
from watchkeeper.spec import load_text
from watchkeeper.spec.duty import IntegrationType
from watchkeeper.spec.model import Specs
from watchkeeper.store import Database

MINUTES = 2 * 1440
NOW = duty.START + MINUTES * 60
SLO = "checkout-availability"
TYPES = [t.value for t in IntegrationType]
DOCUMENTS = """
apiVersion: openslo/v1
kind: DataSource
metadata: {name: pushed}
spec: {type: push}
---
apiVersion: watchkeeper/v1
kind: Service
metadata: {name: checkout, displayName: Checkout}
spec: {dependsOn: [payments]}
---
apiVersion: watchkeeper/v1
kind: Service
metadata: {name: payments, displayName: Payments}
spec: {}
---
apiVersion: watchkeeper/v1
kind: Journey
metadata: {name: checkout, displayName: Check out}
spec: {service: checkout, source: pushed, window: 30d, availability: {target: 99%, total: checkout}}
---
apiVersion: watchkeeper/v1
kind: Heartbeat
metadata: {name: backup}
spec: {cron: 30 3 * * *, timeZone: Europe/Berlin, grace: 30m, service: payments, urgency: ticket}
---
apiVersion: watchkeeper/v1
kind: Maintenance
metadata: {name: sundays}
spec: {match: [service=payments], start: 2026-01-04T02:00, duration: 2h, rrule: FREQ=WEEKLY}
""" + "".join(
    f"---\napiVersion: watchkeeper/v1\nkind: Integration\nmetadata: {{name: {t}}}\n"
    f"spec: {{type: {t}}}\n"
    for t in TYPES
)
PEOPLE = {
    "vera": Role.VIEWER,
    "rosa": Role.RESPONDER,
    "emil": Role.EDITOR,
    "ada": Role.ADMIN,
}


def specs() -> Specs:
    """The documents, with the people and schedules of the tests' usual world."""
    loaded = load_text(DOCUMENTS)
    assert loaded.specs is not None, [str(f) for f in loaded.findings]
    found, people = loaded.specs, duty.specs().duty
    doors = {n: getattr(found.duty, n) for n in ("integrations", "heartbeats", "maintenance")}
    return replace(found, duty=replace(people, **doors))


class Place:
    """The whole application over one database, a pager that is stepped by hand, and people."""

    def __init__(self, folder: Path) -> None:
        self.db = Database.open(str(folder / "wk.db"))
        self.world = World(self.db, specs(), VirtualClock(NOW))
        self.board = Board()
        self._measure()
        self.services = Services(self.db, self.board, self.world.clock)
        pages = Duty(self.db, self.board, self.world.clock, SITE, self.step)
        self.app = build_server(self.services, duty=pages)
        self.url = ""
        self.sessions: dict[str, str] = {}

    def _measure(self) -> None:
        """Two days of 100 requests a minute; half of them fail for 20 minutes of the second."""
        known, first = self.world.specs, int(duty.START // 60)
        sli = known.slos[SLO].sli
        assert sli is not None
        bad = [50 if 1500 <= m < 1520 else 0 for m in range(MINUTES)]
        counts = [Count(sli.key, first + m, 100 - b, 100) for m, b in enumerate(bad)]
        with self.db.write() as conn:
            slo_work.apply_specs(conn, known, duty.START)
            slo_work.record_batch(conn, known, Batch(counts), NOW)
        with self.db.read() as conn:
            fleet = slo_work.evaluate_fleet(conn, known, NOW)
        self.board.post(specs=known, fleet=fleet, ticked_at=NOW)

    def step(self, seconds: float = 0.0) -> None:
        """What the engine does for this long."""
        self.world.run(seconds, every=30.0)
        self.board.post()

    def cookie(self, name: str) -> str:
        """A session of this person, whose account is made when it is first asked for."""
        if name not in self.sessions:
            new = NewAccount(name, "correct horse battery staple", PEOPLE[name])
            now = self.world.clock.now()
            add_account(self.db, new, now, "test")
            with self.db.write() as conn:
                who = account_named(conn, name)
                self.sessions[name] = open_session(conn, now, account_id=who.id)[0]
        return self.sessions[name]

    def key(self, integration: str) -> str:
        with self.db.write() as conn:
            return keys.create_key(conn, integration, "test", self.world.specs, NOW, "test")

    def send(self, path: str, body: object, headers: Mapping[str, str] | None = None) -> int:
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        answer = httpx2.post(self.url + path, content=content, headers=dict(headers or {}))
        self.step()
        return answer.status_code

    def event(self, key: str, summary: str = "Disk full", service: str = "checkout") -> None:
        """An alert of this dedup key through the generic door."""
        if not hasattr(self, "_generic"):
            self._generic = self.key("generic")
        body = {"key": key, "summary": summary, "service": service, "severity": "critical"}
        assert self.send(f"/in/{self._generic}", body) == 202

    def get(self, path: str, name: str = "ada") -> httpx2.Response:
        """What this person is shown."""
        found = httpx2.get(self.url + path, cookies={"wk_session": self.cookie(name)})
        assert found.status_code == 200, found.text
        return found

    def kept(self, alert_id: int) -> bool:
        with self.db.read() as conn:
            return store_intake.message_of(conn, alert_id) is not None

    def alerts(self) -> list[tuple[str, AlertState]]:
        with self.db.read() as conn:
            return [(a.key, a.state) for a in store_lists.find(conn, Wanted(), None, 100)]

    @contextmanager
    def seen_by(
        self,
        name: str,
        browser: Browser,
        width: int = 1440,
        theme: Literal["light", "dark"] = "light",
        scripts: bool = True,
    ) -> Iterator[Page]:
        """A browser in which this person is signed in."""
        with page_in(browser, width, 900, theme, scripts) as page:
            page.context.add_cookies(
                [{"name": "wk_session", "value": self.cookie(name), "url": self.url}]
            )
            yield page


def filled(place: Place) -> None:
    """A bit of everything."""
    place.event("db-1/disk", "Disk 97 % full on db-1", "payments")
    place.event("slow", "Checkout answers slowly: p99 is 1.8 s")
    assert place.send(f"/in/{place.key('cloudevents')}", b"{") == 400
    ping = place.key("heartbeat/backup")
    assert place.send(f"/hb/{ping}/3", b"no space left") == 200
    with httpx2.Client(base_url=place.url, cookies={"wk_session": place.cookie("emil")}) as emil:
        made = emil.post(
            "/silences",
            data={"matchers": "service=search", "for": "2h", "reason": "rebuilt"},
            headers={"Sec-Fetch-Site": "same-origin"},
        )
        assert made.status_code == 303


CUT = """() => [...document.querySelectorAll("main :is(table, td, pre, div, a, span, input)")]
    .filter(e => e.checkVisibility() && !e.closest(".scroll, .hide, caption, .matching li"))
    .filter(e => {
        const holder = e.closest(".card")?.getBoundingClientRect().right;
        return e.getBoundingClientRect().right > (holder ?? innerWidth) + 0.5;
    })
    .map(e => e.outerHTML.slice(0, 80))"""
PATHS = (
    "/alerts",
    "/alerts?all=1",
    "/alerts?q=nothing-like-it",
    "/alerts/1",
    "/pages/1",
    "/integrations",
    "/integrations/alertmanager",
    "/silences",
    "/silences?alert=1",
    "/heartbeats",
    f"/whatif/{SLO}",
)
