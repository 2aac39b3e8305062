"""A server with two teams on call, three months of pages behind it, and clocks about to change."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from tests.support.browser import serving
from watchkeeper.access.model import Role
from watchkeeper.access.people import NewAccount, account_named, add_account
from watchkeeper.access.work import open_session
from watchkeeper.engine.board import Board
from watchkeeper.faces.duty import Duty
from watchkeeper.faces.server import build_server
from watchkeeper.faces.services import Services
from watchkeeper.kernel.clock import VirtualClock
from watchkeeper.oncall import store, work
from watchkeeper.oncall.model import Call, Page, PageKind, PageState, Site
from watchkeeper.slo.model import Fleet
from watchkeeper.spec import load_text
from watchkeeper.spec.model import Specs
from watchkeeper.store import Database

NOW = 1_774_432_800.0  # Wednesday 2026-03-25 10:00 UTC; Berlin's clocks change on the 29th
DAY = 86_400.0
ROLES = {"ann": Role.RESPONDER, "emil": Role.EDITOR, "vera": Role.VIEWER, "ben": Role.RESPONDER}

YAML = """
{apiVersion: watchkeeper/v1, kind: Team, metadata: {name: shop, displayName: Storefront}, spec: {}}
---
{apiVersion: watchkeeper/v1, kind: Team, metadata: {name: money, displayName: Money}, spec: {}}
---
{apiVersion: watchkeeper/v1, kind: Service, metadata: {name: checkout, displayName: Checkout},
 spec: {owner: shop, escalationPolicy: shop}}
---
{apiVersion: watchkeeper/v1, kind: Service, metadata: {name: payments, displayName: Payments},
 spec: {owner: money}}
---
{apiVersion: watchkeeper/v1, kind: Channel, metadata: {name: push}, spec: {type: inbox}}
---
{apiVersion: watchkeeper/v1, kind: Channel, metadata: {name: sms}, spec: {type: inbox}}
---
apiVersion: watchkeeper/v1
kind: User
metadata: {name: ann, displayName: Ann Archer}
spec:
  team: shop
  timeZone: Europe/Berlin
  contacts: [{channel: push, address: ann-phone}, {channel: sms, address: "+49301"}]
  page: [{after: 0m, channel: push}, {after: 2m, channel: sms}]
---
apiVersion: watchkeeper/v1
kind: User
metadata: {name: ben, displayName: Ben Baker}
spec:
  {team: shop, timeZone: Europe/Berlin, contacts: [{channel: push, address: ben-phone}]}
---
apiVersion: watchkeeper/v1
kind: User
metadata: {name: cho, displayName: Cho Chen}
spec:
  {team: money, timeZone: America/New_York, contacts: [{channel: push, address: cho-phone}]}
---
apiVersion: watchkeeper/v1
kind: User
metadata: {name: dee, displayName: Dee Dunn}
spec:
  {team: money, timeZone: America/New_York, contacts: [{channel: push, address: dee-phone}]}
---
apiVersion: watchkeeper/v1
kind: Schedule
metadata: {name: shop, displayName: "Storefront, first line"}
spec:
  timeZone: Europe/Berlin
  team: shop
  layers:
    - {name: weeks, users: [ann, ben], rotation: weekly, start: 2026-01-05T09:00}
    - name: nights
      users: [cho]
      rotation: weekly
      start: 2026-01-05T09:00
      restrictions: [{from: "22:00", to: "06:00"}]
    - {name: apprentice, users: [dee], rotation: weekly, start: 2026-03-23T09:00, shadow: true}
  holidays: [2026-04-03]
  holidayUsers: [dee]
---
apiVersion: watchkeeper/v1
kind: Schedule
metadata: {name: money, displayName: "Money, working days"}
spec:
  timeZone: America/New_York
  team: money
  layers:
    - name: days
      users: [cho, dee]
      rotation: daily
      start: 2026-01-05T09:00
      restrictions: [{days: [mon-fri], from: "00:00", to: "00:00"}]
---
apiVersion: watchkeeper/v1
kind: EscalationPolicy
metadata: {name: shop, displayName: Storefront}
spec:
  team: shop
  steps:
    - {notify: [{schedule: shop}], wait: 5m}
    - {notify: [{schedule: money}, {user: ben}], wait: 10m}
  repeat: 1
  fallback: [{team: shop}]
---
apiVersion: watchkeeper/v1
kind: EscalationPolicy
metadata: {name: money, displayName: Money}
spec: {team: money, steps: [{notify: [{schedule: money}], wait: 5m}], fallback: [{team: money}]}
"""


def specs() -> Specs:
    """What the YAML defines."""
    loaded = load_text(YAML)
    assert not [f for f in loaded.findings if f.severity == "error"], loaded.findings
    assert loaded.specs is not None
    return loaded.specs


@dataclass
class RotaWorld:
    """The server, its database and its clock."""

    db: Database
    clock: VirtualClock
    duty: Duty
    url: str

    def cookie(self, name: str) -> dict[str, str]:
        """The session cookie of this account, as a browser keeps it."""
        with self.db.write() as conn:
            who = account_named(conn, name)
            value = open_session(conn, self.clock.now(), account_id=who.id)[0]
        return {"name": "wk_session", "value": value, "url": self.url}

    def paged(
        self, at: float, via: str = "schedule:shop", user: str = "ann", title: str = "It fails"
    ) -> Page:
        """A page that was opened then, answered after 3 minutes and over after 40."""
        policy = self.duty.specs().duty.escalation_policies["shop"]
        made = Page(
            0, PageKind.ALERT, PageState.RESOLVED, "checkout", title, "page", policy, 1, 0, 1,
            None, at, at, 1, 0, at + 180, user, None, at + 2400, user, at,
        )  # fmt: skip
        with self.db.write() as conn:
            kept = store.add(conn, made)
            store.add_calls(conn, kept.id, 1, [Call(user, via)], at)
        return kept

    def opened(self, user: str = "ann", title: str = "Checkout answers errors") -> Page:
        """A page that runs now."""
        policy = self.duty.specs().duty.escalation_policies["shop"]
        now = self.clock.now()
        made = replace(self.paged(now - 60, user=user, title=title))
        fresh = Page(
            0, PageKind.ALERT, PageState.OPEN, "checkout", title, "page", policy, 1, 0, 1,
            now + 240, now - 60, now - 60, 1, 0, first_call_at=now - 60,
        )  # fmt: skip
        with self.db.write() as conn:
            kept = store.add(conn, fresh)
            store.add_calls(conn, kept.id, 1, [Call(user, "schedule:shop")], made.opened_at)
        return kept

    def drilled(self, answered: bool = True) -> Page:
        """A drill, answered or not."""
        specs = self.duty.specs()
        with self.db.write() as conn:
            page = work.drill(conn, "shop", "emil", specs, self.clock.now())
        if answered:
            with self.db.write() as conn:
                store.note_drill(conn, ("ann", "push", "ann-phone"), self.clock.now())
            self.duty.acknowledge(page.id, "ann")
        return page


@contextmanager
def rota_world(directory: Path, port: int | None = None) -> Iterator[RotaWorld]:
    """The world, served for the length of the block."""
    db, clock, board = Database.open(str(directory / "wk.db")), VirtualClock(NOW), Board()
    board.post(specs=specs(), fleet=Fleet((), NOW, 1), ticked_at=NOW)
    services = Services(db, board, clock)
    duty = Duty(db, board, clock, Site("", b"secret of the tests"))
    for name, role in ROLES.items():
        new = NewAccount(name, "correct horse battery staple", role)
        add_account(db, new, NOW, "test")
    with serving(build_server(services, duty=duty), port) as url:
        yield RotaWorld(db, clock, duty, url)
    db.close()


def with_history(world: RotaWorld) -> None:
    """Three months of pages, one bad night, changes, notes and drills."""
    chance = random.Random(7)
    for week in range(13):
        for _ in range(chance.randint(0, 4)):
            at = NOW - (13 - week) * 7 * DAY + chance.random() * 7 * DAY
            if at < NOW:
                world.paged(at, chance.choice(("schedule:shop", "schedule:money")))
    for minute in (0, 40, 95, 200):
        world.paged(NOW - 2 * DAY + 43_200 + minute * 60)
    world.opened()
    duty = world.duty
    duty.change("shop", "swap", NOW + 2 * DAY, NOW + 3 * DAY, "ben", "ann", "Doctor", "emil")
    duty.change("", "leave", NOW + 8 * DAY, NOW + 11 * DAY, "", "ben", "Holiday", "ben")
    world.drilled()
    world.drilled(answered=False)
