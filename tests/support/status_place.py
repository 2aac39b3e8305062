"""A place with a public and an internal status page, two days of measurements, and incidents."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from tests.support.alert_place import Place
from tests.support.duty import SITE
from watchkeeper.faces.incidents import Incidents
from watchkeeper.faces.status.pages import StatusPages
from watchkeeper.incidents.keeping import By
from watchkeeper.spec import load_text
from watchkeeper.spec.duty import ChannelDefinition
from watchkeeper.spec.model import Specs

DAY = 86_400.0
ANN = By("ann", "web")
PAGES = """
apiVersion: watchkeeper/v1
kind: Service
metadata: {name: checkout}
spec: {}
---
apiVersion: watchkeeper/v1
kind: Service
metadata: {name: payments}
spec: {}
---
apiVersion: openslo/v1
kind: DataSource
metadata: {name: pushed}
spec: {type: push}
---
apiVersion: watchkeeper/v1
kind: Journey
metadata: {name: checkout}
spec: {service: checkout, source: pushed, window: 30d, availability: {target: 99%, total: checkout}}
---
apiVersion: watchkeeper/v1
kind: Channel
metadata: {name: mail}
spec:
  type: email
  settings: {host: 127.0.0.1, port: 1, tls: none, from: Shop <status@shop.example>}
---
apiVersion: watchkeeper/v1
kind: Channel
metadata: {name: hooks}
spec: {type: webhook, settings: {secret: {env: WK_TEST_HOOKS}, allow_private: true}}
---
apiVersion: watchkeeper/v1
kind: StatusPage
metadata: {name: shop, displayName: Shop status}
spec:
  public: true
  channel: mail
  webhooks: hooks
  components:
    - {name: checkout, title: Checkout, description: Cart and payment, journeys: [checkout]}
    - {name: cards, title: Card payments, services: [payments]}
    - {name: accounts, title: Accounts, slos: [checkout-availability]}
---
apiVersion: watchkeeper/v1
kind: StatusPage
metadata: {name: partners, displayName: Partner status}
spec:
  public: true
  components: [{name: feed, title: Product feed, services: [feeds]}]
---
apiVersion: watchkeeper/v1
kind: StatusPage
metadata: {name: staff, displayName: Staff status}
spec:
  channel: mail
  components:
    - {name: checkout, title: Checkout, journeys: [checkout]}
    - {name: cards, title: Card payments, services: [payments]}
---
apiVersion: watchkeeper/v1
kind: Service
metadata: {name: feeds}
spec: {}
---
apiVersion: watchkeeper/v1
kind: Maintenance
metadata: {name: tuning}
spec:
  match: [service=payments]
  start: 2026-01-04T02:00
  duration: 2h
  rrule: FREQ=WEEKLY
  reason: the secret database moves
  statusPages: [shop]
  title: Card payments are being tuned
  text: Payments by card may wait for some minutes.
  components: [cards]
"""


def pages() -> Specs:
    """The definitions, read as users write them."""
    loaded = load_text(PAGES)
    assert loaded.specs is not None, [str(f) for f in loaded.errors]
    return loaded.specs


class StatusPlace(Place):
    """The whole application with status pages."""

    def __init__(self, folder: Path, **channels: ChannelDefinition) -> None:
        super().__init__(folder)
        found, known = pages(), self.world.specs
        duty = replace(
            known.duty,
            channels={**known.duty.channels, **found.duty.channels, **channels},
            maintenance=found.duty.maintenance,
        )
        services = {**found.services, **known.services}
        response = replace(known.response, status_pages=found.response.status_pages)
        self.world.specs = replace(known, services=services, duty=duty, response=response)
        self.board.post(specs=self.world.specs)
        self.incidents = Incidents(self.db, self.board, self.world.clock, SITE, self.step)
        self.status = StatusPages(self.db, self.board, self.world.clock, SITE, self.step)

    def back(self, days: float) -> None:
        """Go back so many days, to let something happen there."""
        self.world.clock.seconds -= days * DAY


def told_of(place: StatusPlace) -> int:
    """An open incident of which the public was told twice, and one long over. Its number."""
    its, clock = place.incidents, place.world.clock
    now = clock.now()
    clock.seconds = now - 9 * DAY
    old = its.declare("db-7 is on fire", "SEV1", ANN, services=("payments",))
    its.update(old.id, "Cards are refused.", ANN, public=True, components=("cards",))
    clock.seconds = now - 9 * DAY + 1800
    its.update(old.id, "Most cards work again.", ANN, public=True, phase="monitoring")
    clock.seconds = now - 9 * DAY + 3600
    its.set_state(old.id, "resolved", "", ANN)
    clock.seconds = now - 1500
    made = its.declare("Checkout answers 500 from shard eu-3", "SEV2", ANN, services=("checkout",))
    its.say(made.id, "decision", "We roll back release 4.2, Bob broke it", ANN)
    its.update(made.id, "Looking at shard eu-3.", ANN)
    clock.seconds = now - 1200
    its.update(
        made.id,
        "Some orders fail.\nWe look into it.",
        ANN,
        public=True,
        components=("checkout",),
        phase="investigating",
        headline="Orders fail for some",
    )
    clock.seconds = now - 300
    its.update(
        made.id, "A faulty release is being taken back.", ANN, public=True, phase="identified"
    )
    clock.seconds = now
    return made.id


def status_doors(everybody: set[str], viewers: set[str], editors: set[str]) -> dict[str, set[str]]:
    """For whom the doors of status pages are, asked of a page that does not exist: a stranger is
    not told so."""
    return {
        "GET /status": viewers,
        "GET /status/{name}": viewers,
        "GET /status/{name}/history": viewers,
        "GET /status/{name}/history/{month}": viewers,
        "GET /status/{name}/incidents/{id}": viewers,
        "GET /status/{name}/history.atom": viewers,
        "GET /status/{name}/history.rss": viewers,
        "GET /status/{name}/api/v2/{rest:path}": viewers,
        "POST /status/{name}/subscribe": viewers,
        "GET /status/{name}/s/{signed}": everybody,
        "POST /status/{name}/s/{signed}": everybody,
        "GET /status/{name}/subscribers": editors,
        "GET /status/{name}/subscribers.csv": editors,
        "POST /status/{name}/subscribers/{id}/remove": editors,
        "GET /api/v1/status-pages": viewers,
        "GET /api/v1/status-pages/{name}": viewers,
        "GET /api/v1/status-pages/{name}/subscribers": editors,
        "POST /api/v1/status-pages/{name}/subscribers": editors,
        "DELETE /api/v1/status-pages/{name}/subscribers/{subscriber_id}": editors,
    }


STATUS_FREE = (
    "/status/{name}",
    "/status/{name}/history",
    "/status/{name}/history/{month}",
    "/status/{name}/incidents/{id}",
    "/status/{name}/history.atom",
    "/status/{name}/history.rss",
    "/status/{name}/api/v2/{rest:path}",
    "/status/{name}/subscribe",
    "/status/{name}/s/{signed}",
)
"""Doors that ask for no principal while the page is public, or have a key of their own."""
