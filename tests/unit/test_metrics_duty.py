"""`/metrics` says what the pager does: equal to the rows, and there with 0 before anything is."""

from __future__ import annotations

import contextlib

from prometheus_client.parser import text_string_to_metric_families

from tests.support.duty import START, World
from watchkeeper.engine.board import Board
from watchkeeper.engine.collect import Collector
from watchkeeper.engine.tick import Engine
from watchkeeper.faces.metrics import exposition
from watchkeeper.faces.services import Services
from watchkeeper.notify.model import Message, TransportError
from watchkeeper.oncall.audit import CODES
from watchkeeper.store import Database

Samples = dict[tuple[str, tuple[tuple[str, str], ...]], float]


def scraped(its: World, board: Board) -> Samples:
    """What Prometheus would read."""
    text = exposition(Services(its.db, board, its.clock))
    found: Samples = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            key = sample.name, tuple(sorted(sample.labels.items()))
            assert key not in found, f"{key} twice"
            found[key] = sample.value
    return found


def value(found: Samples, name: str, **labels: str) -> float:
    return found[f"watchkeeper_{name}", tuple(sorted(labels.items()))]


def board_of(its: World) -> Board:
    board = Board()
    board.post(specs=its.specs, ticked_at=START)
    return board


def test_before_anything_happened_all_is_there_with_zero(db: Database) -> None:
    its = World(db)

    found = scraped(its, board_of(its))

    for state in ("open", "acked"):
        for urgency in ("page", "ticket"):
            assert value(found, "pages", kind="alert", state=state, urgency=urgency) == 0
    for channel in its.specs.duty.channels:
        assert value(found, "deliveries_due", channel=channel) == 0
        assert value(found, "deliveries_failed_total", channel=channel) == 0
    assert {value(found, "audit_faults", code=code) for code in CODES} == {0}
    assert value(found, "delivery_oldest_due_seconds") == 0
    assert value(found, "page_oldest_due_seconds") == 0
    assert value(found, "deliveries_taken_over_total") == 0


def test_pages_and_messages_are_counted_as_they_are(db: Database) -> None:
    its = World(db)
    its.channels["push"].fail = lambda *_: TransportError("wrong number", permanent=True)
    its.signal("a", service="checkout")
    its.signal("b", service="search", severity="warning")
    its.run(1)

    found = scraped(its, board_of(its))

    assert value(found, "pages", kind="alert", state="open", urgency="page") == 1
    assert value(found, "pages_opened_total", kind="alert") == 2
    assert value(found, "deliveries_failed_total", channel="push") >= 1
    assert value(found, "deliveries_waiting", channel="sms") >= 1
    its.ack()
    after = scraped(its, board_of(its))
    assert value(after, "pages", kind="alert", state="open", urgency="page") == 0
    assert value(after, "pages", kind="alert", state="acked", urgency="page") == 1


def test_the_age_of_what_nobody_takes_grows_until_it_is_taken(db: Database) -> None:
    its = World(db)
    its.signal()
    its.run(1)
    its.clock.advance(START + 170 - its.clock.now())  # the text was due at 120 s; nobody ran

    found = scraped(its, board_of(its))
    assert value(found, "delivery_oldest_due_seconds") == 50
    assert value(found, "deliveries_due", channel="sms") == 1
    assert value(found, "page_oldest_due_seconds") == 0

    its.clock.advance(140)  # the next step of the page was due at 300 s
    assert value(scraped(its, board_of(its)), "page_oldest_due_seconds") == 10
    its.run(1)
    found = scraped(its, board_of(its))
    assert value(found, "delivery_oldest_due_seconds") == 0
    assert value(found, "page_oldest_due_seconds") == 0


def test_messages_taken_over_from_a_killed_replica_are_counted(db: Database) -> None:
    its = World(db)
    other = its.replica("replica-2")

    def killed(_: Message, __: str) -> TransportError | None:
        raise KeyboardInterrupt

    its.channels["push"].fail = killed
    its.signal()
    its.pager.sender.beat()
    other.sender.beat()
    with contextlib.suppress(KeyboardInterrupt):
        its.pager.step(its.clock.now())
    for _ in range(4):
        its.clock.advance(1)
        other.sender.beat()

    found = scraped(its, board_of(its))
    assert value(found, "deliveries_taken_over_total") == 1
    assert value(found, "replicas") == 1


def test_what_the_audit_found_is_said_by_code(db: Database) -> None:
    its, board = World(db), Board()
    engine = Engine(db, (), Collector(lambda *_: None), board)  # type: ignore[arg-type]
    board.post(specs=its.specs, ticked_at=START)
    its.signal()
    its.run(1)
    its.clock.advance(200)

    engine.audit(its.clock.now())

    found = scraped(its, board)
    assert value(found, "audit_faults", code="delivery-overdue") == 1
    assert value(found, "audit_faults", code="page-without-step") == 0
    assert value(found, "readiness_faults") == len(board.posting.weak)
