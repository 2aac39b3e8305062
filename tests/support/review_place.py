"""A shop of two weeks: a quiet one, and one with an outage; its review is mailed on Mondays."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from tests.support import duty
from tests.support.alert_place import DOCUMENTS, SLO, Place
from tests.support.duty import SITE
from watchkeeper.changes import work as changes_work
from watchkeeper.changes.model import ChangeKind, Told
from watchkeeper.incidents import work as incidents_work
from watchkeeper.incidents.keeping import By
from watchkeeper.measure.model import Batch, Count
from watchkeeper.notify.channels.email import EmailTransport
from watchkeeper.postmortems import items_work
from watchkeeper.slo import work as slo_work
from watchkeeper.spec import load_text
from watchkeeper.spec.model import Specs

WEEK = 7 * 86_400
MIDNIGHT = duty.START - 9 * 3600  # Monday 2026-01-05 00:00 in Berlin
MONDAY = MIDNIGHT + WEEK
"""Monday 2026-01-12, 00:00 in Berlin: the week 2026-W02 has just ended."""
OWNED = (
    DOCUMENTS.replace("spec: {dependsOn: [payments]}", "spec: {owner: shop, dependsOn: [payments]}")
    + """
---
apiVersion: watchkeeper/v1
kind: Team
metadata: {name: shop, displayName: Shop}
spec: {}
---
apiVersion: watchkeeper/v1
kind: BudgetPolicy
metadata: {name: shop, displayName: The shop's budget}
spec: {services: [checkout]}
---
apiVersion: watchkeeper/v1
kind: Channel
metadata: {name: letters}
spec: {type: email, settings: {host: 127.0.0.1, port: PORT, tls: none, from: wk@example.org}}
---
apiVersion: watchkeeper/v1
kind: Review
metadata: {name: shop-weekly}
spec:
  team: shop
  day: monday
  time: "08:00"
  timeZone: Europe/Berlin
  send: [{channel: letters, address: shop@example.org}]
"""
)


def owned(port: int = 25) -> Specs:
    """The documents with owner, policy and review, and the people of the tests' usual world."""
    loaded = load_text(OWNED.replace("PORT", str(port)))
    assert loaded.specs is not None, [str(f) for f in loaded.findings]
    found, people = loaded.specs, duty.specs().duty
    channels = {**people.channels, "letters": found.duty.channels["letters"]}
    doors = {n: getattr(found.duty, n) for n in ("integrations", "heartbeats", "maintenance")}
    return replace(found, duty=replace(people, **doors, channels=channels))


class ReviewPlace(Place):
    """The whole application on the Monday after the week, with what happened in it."""

    def __init__(self, folder: Path, port: int = 25) -> None:
        self.port = port
        super().__init__(folder)
        letters = self.world.specs.duty.channels["letters"]
        self.world.channels["letters"] = EmailTransport(letters)  # type: ignore[assignment]

    def _measure(self) -> None:
        """100 requests a minute: one in a thousand fails, and a third of them for two hours."""
        self.world.specs = known = owned(self.port)
        self.world.clock.seconds = MONDAY
        sli = known.slos[SLO].sli
        assert sli is not None
        first = int((MIDNIGHT - WEEK) // 60)
        began = int((MIDNIGHT + 2 * 86_400) // 60) + 600  # Wednesday 10:00
        counts = []
        for minute in range(first, int(MONDAY // 60)):
            bad = 33 if began <= minute < began + 120 else int(minute % 10 == 0)
            counts.append(Count(sli.key, minute, 100 - bad, 100))
        with self.db.write() as conn:
            slo_work.apply_specs(conn, known, MIDNIGHT - WEEK)
            slo_work.record_batch(conn, known, Batch(counts), MONDAY)
        self._happen(began * 60.0)
        self.look()

    def look(self) -> None:
        """What a tick would put on the board."""
        with self.db.read() as conn:
            fleet = slo_work.evaluate_fleet(conn, self.world.specs, self.world.clock.now())
        self.board.post(specs=self.world.specs, fleet=fleet, ticked_at=self.world.clock.now())

    def _happen(self, began: float) -> None:
        """A deployment, the incident that it caused, and what was promised after it."""
        known, ada = self.world.specs, By("ada", "web")
        told = Told("Checkout 4.2", ChangeKind.DEPLOYMENT, services=("checkout",), version="4.2",
                    started_at=began - 120, ended_at=began - 60)  # fmt: skip
        with self.db.write() as conn:
            changes_work.record(conn, told, changes_work.OURS, "ci", known, began)
            made = incidents_work.declare(
                conn, known, SITE, "Checkout fails for a third", "SEV2", ada, began + 300,
                services=["checkout"], slos=[SLO], began_at=began,
            )  # fmt: skip
            for state, after in (("mitigated", 7200.0), ("resolved", 9000.0)):
                incidents_work.set_state(
                    conn, known, SITE, made.id, state, "rolled back", ada, began + after
                )
            items_work.add(conn, known, "Canary every release of checkout", "ada", began + 9000,
                           team="shop", due_at=began + 2 * 86_400)  # fmt: skip
