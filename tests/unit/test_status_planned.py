"""Subscribers are told when planned work begins and when it ends: once, and only what is news."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from tests.support import duty
from tests.support.duty import HERE, SITE
from tests.support.status_place import pages
from watchkeeper.incidents.status import announcing, subscribing, telling
from watchkeeper.kernel.clock import Seconds
from watchkeeper.notify import outbox
from watchkeeper.notify.model import MessageKind
from watchkeeper.spec.duty import MaintenanceDefinition
from watchkeeper.spec.model import Specs
from watchkeeper.store import Database

START = duty.START + 3600
LASTS = 1800.0


def specs(components: tuple[str, ...] = ("cards",)) -> Specs:
    found = pages()
    start = datetime.fromtimestamp(START, UTC).replace(tzinfo=None).isoformat()
    planned = MaintenanceDefinition(
        "db", (), HERE, start, LASTS, status_pages=("shop",), title="New database",
        text="Payments by card pause.", components=components,
    )  # fmt: skip
    return replace(found, duty=replace(found.duty, maintenance={"db": planned}))


SPECS = specs()
SHOP = SPECS.response.status_pages["shop"]


def subscribe(db: Database, address: str, components: tuple[str, ...] = ()) -> None:
    with db.write() as conn:
        kind = "email" if "@" in address else "webhook"
        made = subscribing.ask(conn, SHOP, SITE, kind, address, components, duty.START)
        subscribing.confirm(conn, made, duty.START)


def look(db: Database, now: Seconds, its: Specs = SPECS) -> int:
    """What every tick does; how many messages subscribers are sent."""
    with db.read() as conn:
        due = announcing.anything_to_announce(conn, its, now)
    with db.write() as conn:
        made = announcing.announce(conn, its, now) if due else 0
        return telling.tell(conn, its, SITE, now) if made else 0


def sent(db: Database, kind: str) -> list[Mapping[str, Any]]:
    with db.read() as conn:
        rows = [r for r in outbox.latest(conn) if r.kind is MessageKind.STATUS]
    found = [r for r in rows if (kind == "hook") == ("document" in r.content)]
    return [r.content for r in found if "confirm" not in r.content["title"]][::-1]


def test_subscribers_are_told_when_planned_work_begins_and_when_it_ends(db: Database) -> None:
    subscribe(db, "me@example.com")
    assert look(db, START - 60) == 0
    assert look(db, START + 2) == 1
    assert look(db, START + 7) == 0
    assert look(db, START + LASTS) == 1
    assert look(db, START + LASTS + 5) == 0

    began, ended = sent(db, "mail")
    assert began["title"] == "[Shop status] In progress: New database"
    assert "The work has begun. It is to last until" in began["body"]
    assert "Payments by card pause." in began["body"]
    assert "Affected: Card payments. Now: under maintenance." in began["body"]
    assert began["url"] == "https://watch.example/status/shop"
    assert ended["title"] == "[Shop status] Completed: New database"
    assert "The work is over." in ended["body"]
    assert began["thread"] == ended["thread"]


def test_whoever_asked_for_other_components_is_not_told(db: Database) -> None:
    subscribe(db, "cards@example.com", ("cards",))
    subscribe(db, "accounts@example.com", ("accounts",))
    look(db, START - 60)
    assert look(db, START) == 1
    look(db, START + LASTS)
    assert len(sent(db, "mail")) == 2


def test_a_webhook_is_told_in_the_words_of_statuspage(db: Database) -> None:
    subscribe(db, "https://hooks.example/shop")
    look(db, START - 60)
    look(db, START)
    look(db, START + LASTS)
    began, ended = (content["document"] for content in sent(db, "hook"))
    assert (began["page"]["status_indicator"], began["incident"]["status"]) == (
        "maintenance", "in_progress",
    )  # fmt: skip
    assert (ended["page"]["status_indicator"], ended["incident"]["status"]) == ("none", "completed")
    assert ended["incident"]["id"] == began["incident"]["id"]
    assert ended["incident"]["resolved_at"] is not None


def test_what_began_before_a_page_was_looked_at_or_long_ago_is_not_told(db: Database) -> None:
    subscribe(db, "me@example.com")
    assert look(db, START + 60) == 0  # the first look
    assert look(db, START + LASTS + 5) == 1  # that it ended is news
    with db.write() as conn:
        assert announcing.announce(conn, SPECS, START + 86_400) == 0


def test_a_server_that_was_down_for_all_of_it_says_nothing(db: Database) -> None:
    subscribe(db, "me@example.com")
    look(db, START - 60)
    assert look(db, START + LASTS + 600) == 0


def test_work_that_was_called_off_after_it_was_noted_is_not_told(db: Database) -> None:
    subscribe(db, "me@example.com")
    look(db, START - 60)
    called_off = replace(SPECS, duty=replace(SPECS.duty, maintenance={}))
    with db.write() as conn:
        assert announcing.announce(conn, SPECS, START) == 1
        assert telling.tell(conn, called_off, SITE, START) == 0
    assert sent(db, "mail") == []


def test_two_replicas_that_look_at_once_tell_it_once(db: Database) -> None:
    subscribe(db, "me@example.com")
    look(db, START - 60)
    with db.write() as conn:
        assert announcing.announce(conn, SPECS, START + 1) == 1
    with db.write() as conn:
        assert announcing.announce(conn, SPECS, START + 1) == 0
        assert announcing.announce(conn, SPECS, START + 1.5) == 0
