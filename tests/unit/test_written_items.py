"""Action items as a postmortem writes them, and that they are made when it is published."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from tests.unit.test_postmortem_work import FILLED, Desk
from watchkeeper.postmortems import store_items
from watchkeeper.postmortems.model import ActionItem, ActionType
from watchkeeper.postmortems.written_items import Written, numbered, written
from watchkeeper.spec.response import DAY
from watchkeeper.store import Database

HEAD = "# T\n\n## Action items\n\n"


def at(day: str) -> float:
    return datetime.fromisoformat(f"{day}T17:00").replace(tzinfo=UTC).timestamp()


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (
            "- Limit the queue (prevent, owner: ann, due: 2026-12-01)",
            Written(5, "Limit the queue", ActionType.PREVENT, "ann", at("2026-12-01")),
        ),
        (
            "- Alert on full disks (80 %) (owner: @ann, P1) #12",
            Written(5, "Alert on full disks (80 %)", ActionType.DETECT, "ann", None, 1, number=12),
        ),
        (
            "- [x] Write a runbook, owner: ben, due 2026-12-01",
            Written(5, "Write a runbook", ActionType.PROCESS, "ben", at("2026-12-01"), done=True),
        ),
        ("1. Roll back at once", Written(5, "Roll back at once", ActionType.MITIGATE)),
        ("- Fix it (see #12 there)", Written(5, "Fix it (see #12 there)", ActionType.PREVENT)),
    ],
)
def test_an_item_of_a_list_is_read_with_all_that_is_said_of_it(
    line: str, expected: Written
) -> None:
    assert written(HEAD + line + "\n") == [expected]


def test_a_table_is_read_by_its_head() -> None:
    table = (
        "| Owner | What will be done | Deadline | Type | Prio |\n|---|---|---|---|---|\n"
        "| ann | Cap retries | 2026-12-01 | mitigate | P1 |\n| | TBD | | | |\n"
    )
    (found,) = written(HEAD + table)
    assert found == Written(
        7, "Cap retries", ActionType.MITIGATE, "ann", at("2026-12-01"), 1, column=1
    )
    after = numbered(HEAD + table, [(found, 3)])
    assert "| ann | Cap retries #3 | 2026-12-01 |" in after
    assert written(after) == [replace(found, number=3)]


def test_numbers_are_read_where_they_were_written() -> None:
    text = HEAD + "- One (owner: ann)\n- Two\n  goes on\n"
    found = written(text)
    after = numbered(text, [(found[0], 8), (found[1], 9)])
    assert [(w.text, w.number) for w in written(after)] == [("One", 8), ("Two goes on", 9)]


@pytest.fixture
def desk(db: Database) -> Desk:
    return Desk(db)


def items(desk: Desk) -> list[ActionItem]:
    with desk.world.db.read() as conn:
        return store_items.find(conn)[::-1]


def test_publication_makes_the_items_with_owner_and_due_date(desk: Desk) -> None:
    desk.opened()
    more = FILLED + "- Alert on full pools (owner: Ben)\n- Ask around (owner: zoe)\n"
    desk.save(1, more)
    desk.act("publish")
    made = items(desk)
    assert [(i.text, str(i.type), i.owner, i.priority) for i in made] == [
        ("Test releases with the pool of production", "prevent", "ann", 1),
        ("Alert on full pools", "detect", "ben", 1),
        ("Ask around", "prevent", "", 1),
    ]
    assert made[0].due_at == at("2026-02-01")
    assert made[1].due_at == desk.now + 15 * DAY
    assert made[2].data["notes"] == "Owner as written: zoe"
    assert {(i.incident_id, i.postmortem_id) for i in made} == {(1, 1)}
    text = desk.get(1).text
    assert "due: 2026-02-01) #1\n" in text
    assert "- Alert on full pools (owner: Ben) #2\n" in text


def test_items_are_made_once_however_often_it_is_published(desk: Desk) -> None:
    desk.opened()
    desk.save(1, FILLED)
    desk.act("publish")
    desk.act("reopen", why="one is missing")
    text = desk.get(1).text
    desk.save(desk.get(1).version, text + "- Cap retries (owner: ben, due: 2026-02-02)\n")
    desk.act("publish")
    assert [i.text for i in items(desk)] == [
        "Test releases with the pool of production", "Cap retries"
    ]  # fmt: skip
