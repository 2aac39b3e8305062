"""Action items: what they need, when people are reminded, what is escalated."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.duty import SITE, START, specs
from watchkeeper.kernel.errors import NotFound, UserError
from watchkeeper.notify import outbox
from watchkeeper.postmortems import items, items_work, store_items
from watchkeeper.postmortems.items import Shared, agree
from watchkeeper.postmortems.model import ActionItem, ActionState, ActionType
from watchkeeper.spec.response import DAY
from watchkeeper.store import Database

SPECS = specs()


def made(db: Database, text: str = "Alert on full disks", **more: object) -> ActionItem:
    with db.write() as conn:
        return items_work.add(conn, SPECS, text, "ann", START, **more)  # type: ignore[arg-type]


def told(db: Database, now: float) -> list[str]:
    """Who is told what by looking at this moment."""
    with db.write() as conn:
        items_work.remind(conn, SPECS, SITE, now)
        rows = outbox.latest(conn, limit=100)
    return [f"{r.user}: {r.content['title']}" for r in reversed(rows) if r.created_at == now]


@pytest.mark.parametrize(("severity", "days"), [("SEV1", 15), ("SEV2", 30), ("SEV3", 30)])
def test_an_item_without_a_date_is_due_by_the_severity(
    db: Database, severity: str, days: int
) -> None:
    assert made(db, severity=severity).due_at == START + days * DAY


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"text": "  "}, "empty"),
        ({"text": "x" * 501}, "longer"),
        ({"type_": "hope"}, "no type"),
        ({"owner": "zoe"}, "no user"),
        ({"priority": 0}, "no priority"),
    ],
)
def test_what_is_wrong_with_a_new_item_is_said(
    db: Database, fields: dict[str, object], said: str
) -> None:
    with pytest.raises(UserError, match=said):
        made(db, **fields)  # type: ignore[arg-type]


def test_the_owner_is_reminded_three_days_before_and_on_the_day(db: Database) -> None:
    made(db, owner="ann", due_at=START + 10 * DAY)

    assert told(db, START + 6 * DAY) == []
    assert told(db, START + 7 * DAY) == ["ann: Action item due in 3 days: Alert on full disks"]
    assert told(db, START + 7 * DAY + 1) == []
    assert told(db, START + 10 * DAY) == ["ann: Action item due today: Alert on full disks"]


def test_an_overdue_item_is_told_to_the_whole_team_every_week(db: Database) -> None:
    made(db, owner="ann", due_at=START + DAY)
    told(db, START)
    told(db, START + DAY)

    late = told(db, START + 8 * DAY)

    assert [line.partition(":")[0] for line in late] == ["ann", "ben", "cho", "dee"]
    assert "overdue by 7 days" in late[0]
    assert told(db, START + 14 * DAY) == []
    assert len(told(db, START + 15 * DAY)) == 4


def test_what_is_done_reminds_nobody(db: Database) -> None:
    item = made(db, owner="ann", due_at=START + DAY)
    with db.write() as conn:
        items_work.move(conn, item.id, "done", "ann", START)

    assert told(db, START + 20 * DAY) == []


def test_nothing_is_dropped_without_a_reason(db: Database) -> None:
    item = made(db)
    with db.write() as conn, pytest.raises(UserError, match="without a reason"):
        items_work.move(conn, item.id, "dropped", "ann", START)


def test_what_recurs_opens_again_with_its_reason(db: Database) -> None:
    item = made(db)
    with db.write() as conn:
        items_work.move(conn, item.id, "done", "ann", START)
        back = items_work.reopen(conn, item.id, "it happened again", "engine", START + DAY)

    assert (back.state, back.done_at, back.data["why"]) == ("open", None, "it happened again")
    assert back.next_at is not None


def test_an_item_that_is_not_there_is_named(db: Database) -> None:
    with db.write() as conn, pytest.raises(NotFound, match="no action item 9"):
        items_work.move(conn, 9, "done", "ann", START)


def test_items_are_found_by_state_owner_text_and_lateness(db: Database) -> None:
    late = made(db, owner="ann", due_at=START - DAY)
    other = made(db, "Cache the price list", owner="ben")
    with db.write() as conn:
        items_work.move(conn, other.id, "doing", "ben", START)

    with db.read() as conn:
        assert [i.id for i in store_items.find(conn, overdue_at=START)] == [late.id]
        assert [i.id for i in store_items.find(conn, states=["doing"])] == [other.id]
        assert [i.id for i in store_items.find(conn, text="PRICE")] == [other.id]
        assert [i.id for i in store_items.find(conn, owner="ann")] == [late.id]


# ---------------------------------------------------------------- laws

shared = st.builds(
    Shared,
    st.sampled_from(["a", "b", "c"]),
    st.booleans(),
    st.sampled_from(["", "ann", "ben"]),
    st.sampled_from(["", "2026-12-01", "2026-12-24"]),
)


@given(shared, shared, shared)
def test_two_trackers_agree_and_stay_agreed(base: Shared, ours: Shared, theirs: Shared) -> None:
    agreed = agree(base, ours, theirs)

    assert (agreed.ours, agreed.theirs) == (agreed.value != ours, agreed.value != theirs)
    again = agree(agreed.value, agreed.value, agreed.value)
    assert (again.ours, again.theirs, again.conflicts) == (False, False, ())


@given(shared, shared, shared)
def test_a_change_by_one_side_alone_is_never_lost(
    base: Shared, ours: Shared, theirs: Shared
) -> None:
    value = agree(base, ours, theirs).value
    for name in items.FIELDS:
        was, here, there = (getattr(s, name) for s in (base, ours, theirs))
        if was in (here, there) and here != there:
            assert getattr(value, name) == (there if here == was else here)


@given(st.integers(0, 400), st.integers(0, 400))
def test_the_next_look_is_always_later_than_now(due: int, at: int) -> None:
    item = ActionItem(1, "x", ActionType.PREVENT, ActionState.OPEN, "", due * DAY / 4, 2, 0.0, 0)
    found = items.next_look(item, at * DAY / 4)
    assert found is not None
    assert found > at * DAY / 4
    over = replace(item, state=ActionState.DONE)
    assert items.next_look(over, at * DAY / 4) is None
