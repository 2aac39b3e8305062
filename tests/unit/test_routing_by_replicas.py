"""Several replicas route alerts of one database: each alert is placed once, and no news is lost."""

from __future__ import annotations

import threading

import pytest
from sqlalchemy import text

from tests.support.duty import SITE, World
from tests.support.processes import wait_until
from watchkeeper.alerting import store as alerts
from watchkeeper.alerting.model import AlertState
from watchkeeper.oncall import store, work
from watchkeeper.oncall.model import PageState
from watchkeeper.oncall.routing import Placement
from watchkeeper.store import Database


@pytest.fixture
def shared(postgres_url: str) -> Database:
    """Replicas share a PostgreSQL; SQLite has one writer."""
    return Database.open(postgres_url)


def test_an_alert_that_two_replicas_see_at_once_is_put_on_one_page_once(shared: Database) -> None:
    world = World(shared)
    world.signal()
    now = world.clock.now()
    placed: list[int] = []

    def route() -> None:
        with shared.write() as conn:
            placed.append(work.route(conn, world.specs, SITE, now))

    with shared.write() as conn:
        assert work.route(conn, world.specs, SITE, now) == 1
        other = threading.Thread(target=route)
        other.start()
        wait_until(lambda: _waits_for_lock(shared), 10, "the other replica waits for its turn")
    other.join(10)
    assert placed == [0]
    with shared.read() as conn:
        pages = store.find(conn)
    assert [page.alerts for page in pages] == [1]
    shared.close()


def test_an_alert_that_is_over_while_it_is_routed_ends_its_page(shared: Database) -> None:
    world = World(shared)
    world.signal()
    with shared.write() as conn:
        (seen,) = alerts.due(conn, world.clock.now(), 10)
    world.signal(action="resolve")  # by another transaction, before the page is written
    with shared.write() as conn:
        placement = Placement("checkout", None, [seen])
        work._put(conn, placement, world.specs, SITE, world.clock.now())
    world.run(1.0)
    assert world.page().state is PageState.RESOLVED
    assert world.sent == []
    shared.close()


def test_an_alert_that_is_over_while_its_acknowledgement_is_handled_ends_its_page(
    shared: Database,
) -> None:
    world = World(shared)
    world.signal()
    world.run()
    world.signal(action="acknowledge")
    with shared.write() as conn:
        (seen,) = alerts.due(conn, world.clock.now(), 10)
        assert seen.state is AlertState.ACKNOWLEDGED
    world.signal(action="resolve")
    with shared.write() as conn:
        alerts.done_with(conn, [seen])
    world.run(1.0)
    assert world.page().state is PageState.RESOLVED
    shared.close()


def _waits_for_lock(db: Database) -> bool:
    with db.read() as conn:
        query = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"
        return bool(conn.execute(text(query)).scalar())
