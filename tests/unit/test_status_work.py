"""Status pages on both databases: posts are found, subscribers told, pages read at one revision."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.support import duty
from tests.support.duty import SITE
from tests.support.status_place import pages
from watchkeeper.incidents import work as incidents
from watchkeeper.incidents.keeping import By
from watchkeeper.incidents.model import Incident
from watchkeeper.incidents.status import store, subscribing, telling, work
from watchkeeper.incidents.status.model import ComponentView, Level
from watchkeeper.incidents.status.subscribing import TooOftenError
from watchkeeper.kernel.errors import UserError
from watchkeeper.measure.model import Batch, Count
from watchkeeper.notify import outbox
from watchkeeper.notify.model import MessageKind, TransportError
from watchkeeper.notify.outbox import NewDelivery
from watchkeeper.notify.rules import BULK_FOR, after_failure
from watchkeeper.notify.sending import claim
from watchkeeper.slo import work as slo_work
from watchkeeper.slo.model import Correction, Fleet
from watchkeeper.spec.model import Specs
from watchkeeper.store import Database

T0 = duty.START
ANN = By("ann", "web")
FLEET = Fleet((), T0, 0)


def specs() -> Specs:
    found = pages()
    return replace(found, duty=replace(found.duty, users=duty.specs().duty.users))


SPECS = specs()
SHOP = SPECS.response.status_pages["shop"]


def told(db: Database) -> Incident:
    with db.write() as conn:
        made = incidents.declare(conn, SPECS, SITE, "Shard 3", "SEV1", ANN, T0,
                                 services=("checkout",))  # fmt: skip
        incidents.update(conn, SPECS, SITE, made.id, "Inside.", ANN, T0 + 10)
        return incidents.update(conn, SPECS, SITE, made.id, "Orders fail.", ANN, T0 + 20,
                                public=True)  # fmt: skip


def test_a_page_is_read_with_its_incidents_and_measurements(db: Database) -> None:
    told(db)
    with db.read() as conn:
        shop = work.view(conn, SPECS, FLEET, SITE, SHOP, T0 + 60)
        staff = work.view(conn, SPECS, FLEET, SITE, SPECS.response.status_pages["staff"], T0 + 60)
    assert [(s.title, s.level) for s in shop.open] == [("Checkout: major outage", Level.MAJOR)]
    assert [c.level for c in shop.components] == [
        Level.MAJOR, Level.OPERATIONAL, Level.OPERATIONAL,
    ]  # fmt: skip
    assert [len(s.posts) for s in staff.open] == [2]
    assert staff.components[0].measured
    assert shop.revision == staff.revision > 0
    assert shop.url == "https://watch.example/status/shop"


def test_measured_days_leave_out_what_corrections_exclude(db: Database) -> None:
    """Of two days one is all bad for ten minutes; a correction excludes five of them."""
    sli, staff = SPECS.slos["checkout-availability"].sli, SPECS.response.status_pages["staff"]
    assert sli is not None
    first = int(T0 // 60)
    counts = [Count(sli.key, first + m, 0 if m < 10 else 100, 100) for m in range(100)]
    with db.write() as conn:
        slo_work.record_batch(conn, SPECS, Batch(counts), T0 + 6000)

    def checkout() -> ComponentView:
        with db.read() as conn:
            its = work.view(conn, SPECS, FLEET, SITE, staff, T0 + 6000).components[0]
        assert its.measured
        return its

    assert checkout().uptime == pytest.approx(0.90)
    with db.write() as conn:
        slo_work.correct(conn, Correction(
            "c", "checkout-availability", first + 3, first + 8, "a load test", "ann", T0
        ))  # fmt: skip
    assert checkout().uptime == pytest.approx(1 - 5 / 95)
    whole = Correction("d", "checkout-availability", first - 1440, first + 10, "all", "ann", T0)
    with db.write() as conn:
        slo_work.correct(conn, whole)
    assert checkout().uptime == 1


def test_what_was_merged_ends_with_what_it_was_merged_into(db: Database) -> None:
    one = told(db)
    with db.write() as conn:
        two = incidents.declare(conn, SPECS, SITE, "Shard 4", "SEV1", ANN, T0 + 30,
                                services=("checkout",))  # fmt: skip
        incidents.merge(conn, SPECS, SITE, one.id, two.id, ANN, T0 + 40)
    with db.read() as conn:
        assert work.stories(conn, SPECS, SHOP, T0)[0].resolved_at is None
    with db.write() as conn:
        incidents.set_state(conn, SPECS, SITE, two.id, "resolved", "", ANN, T0 + 99)
    with db.read() as conn:
        assert work.stories(conn, SPECS, SHOP, T0)[0].resolved_at == T0 + 99


def test_subscribers_are_told_once_whoever_tells(db: Database) -> None:
    with db.write() as conn:
        made = subscribing.ask(conn, SHOP, SITE, "email", "Me@EXAMPLE.com", (), T0)
        assert made.address == "Me@example.com"
        subscribing.confirm(conn, made, T0)
    told(db)
    with db.write() as conn:
        assert telling.tell(conn, SPECS, SITE, T0 + 20) == 1
        assert telling.tell(conn, SPECS, SITE, T0 + 20) == 0
        assert not store.anything_to_tell(conn)
    with db.write() as conn:
        found = store.of_address(conn, "shop", "email", "Me@example.com")
        assert found is not None
        subscribing.leave(conn, SHOP, found, "ann", T0 + 30)
    with db.read() as conn:
        rows = outbox.latest(conn)
        assert [r.state for r in rows if r.kind is MessageKind.STATUS] == ["cancelled"] * 2


def test_who_never_confirms_is_forgotten_when_others_ask(db: Database) -> None:
    with db.write() as conn:
        subscribing.ask(conn, SHOP, SITE, "email", "a@example.com", (), T0)
        subscribing.ask(conn, SHOP, SITE, "email", "b@example.com", (), T0 + 2 * 86_400)
        assert [s.address for s in store.subscribers(conn, "shop")] == ["b@example.com"]


def test_the_limit_holds_for_a_network_and_empties_with_time(db: Database) -> None:
    with db.write() as conn:
        for _ in range(10):
            subscribing.limit(conn, "shop", "2001:db8::1", T0)
        with pytest.raises(TooOftenError):
            subscribing.limit(conn, "shop", "2001:db8::ffff", T0)
        subscribing.limit(conn, "shop", "2001:db8:0:1::1", T0)
        subscribing.limit(conn, "shop", "2001:db8::1", T0 + 900)


def test_an_update_names_components_and_states_that_exist(db: Database) -> None:
    made = told(db)
    for components, impact in ((("chekout",), ""), ((), "bad")):
        with db.write() as conn, pytest.raises(UserError):
            incidents.update(conn, SPECS, SITE, made.id, "x", ANN, T0 + 30,
                             components=components, impact=impact)  # fmt: skip


def bulk(key: str, due: float = T0) -> NewDelivery:
    return NewDelivery(key, MessageKind.STATUS, "info", "", "mail", f"{key}@x.example", {}, due,
                       priority=outbox.BULK)  # fmt: skip


def test_a_page_goes_first_and_bulk_never_takes_all_the_room(db: Database) -> None:
    page = NewDelivery("page", MessageKind.PAGE, "page", "ann", "mail", "ann@x.example", {}, T0 + 5)
    with db.write() as conn:
        outbox.enqueue(conn, [*(bulk(f"s{i}") for i in range(20)), page], T0)
        claims = claim(conn, "r", T0 + 10, 8, bulk=3)
        assert [c.row.kind for c in claims] == [MessageKind.PAGE, *[MessageKind.STATUS] * 3]
        # What waits for its turn is no broken promise.
        assert outbox.overdue(conn, T0 + 9, bulk=False) == 0
        assert outbox.overdue(conn, T0 + 9) == 17


def test_a_message_to_a_subscriber_is_given_up_after_hours(db: Database) -> None:
    with db.write() as conn:
        outbox.enqueue(conn, [bulk("s")], T0)
        row = claim(conn, "r", T0, 1)[0].row
    away = TransportError("the mail server is away")
    again = after_failure(row, away, T0, 0.5).at
    assert again is not None
    assert after_failure(row, away, T0 + BULK_FOR + 1, 0.5).at is None
    assert after_failure(row, TransportError("no such box", permanent=True), T0, 0.5).at is None
