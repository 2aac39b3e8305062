"""The audit log as a page: what was recorded, in words."""

from __future__ import annotations

from tests.support.people import House
from watchkeeper.access.model import Role
from watchkeeper.faces.web.audit import FIELDS, ROWS, audit_view
from watchkeeper.kernel.clock import Seconds
from watchkeeper.store import Database
from watchkeeper.store.timeline import Event

AT: Seconds = 1_767_776_400.0  # 2026-01-07T09:00:00Z
ASKED = dict.fromkeys(FIELDS, "")


def event(number: int = 1, **data: object) -> Event:
    return Event(number, AT, "silence.made", "silence/7", "emil", data)


def test_data_is_said_in_words_and_times_are_times() -> None:
    (row,) = audit_view(
        ASKED,
        [event(due_at=AT, end=AT + 3600, owner="ann", alerts=[3, 4], count=2, ratio=0.5)],
    ).rows
    assert list(row.data) == [
        ("alerts", "3, 4"),
        ("count", "2"),
        ("due at", "2026-01-07 09:00:00 UTC"),
        ("end", "2026-01-07 10:00:00 UTC"),
        ("owner", "ann"),
        ("ratio", "0.5"),
    ]


def test_what_is_empty_says_nothing_and_what_is_nested_stays_readable() -> None:
    (row,) = audit_view(
        ASKED, [event(roles={}, reason="", until=None, sign={"by": "ann"}, done=False, n=0)]
    ).rows
    assert dict(row.data) == {"sign": '{"by": "ann"}', "done": "false", "n": "0"}


def test_a_number_that_is_no_instant_is_not_taken_for_one() -> None:
    (row,) = audit_view(ASKED, [event(format=2e9, at=12.5, end=7)]).rows
    assert dict(row.data) == {"format": "2000000000.0", "at": "12.5", "end": "7"}


def test_what_is_asked_for_goes_along_to_older_pages_and_exports() -> None:
    found = [event(i) for i in range(ROWS + 1, 0, -1)]
    view = audit_view({**ASKED, "actor": "emil"}, found)
    assert len(view.rows) == ROWS
    assert view.older == "/audit?actor=emil&before=2"
    assert view.csv == "/audit.csv?actor=emil"
    assert audit_view(ASKED, found[:ROWS]).older == ""


def test_the_way_to_the_audit_log_is_shown_to_those_who_may_read_it(db: Database) -> None:
    house = House(db)
    house.add("ada", Role.ADMIN)
    house.add("vera", Role.VIEWER)
    shown = {
        who: house.ask("GET", "/sources", {"cookie": house.session(who)}).text
        for who in ("ada", "vera")
    }
    assert 'href="/audit"' in shown["ada"]
    assert 'href="/audit"' not in shown["vera"]
    assert all('href="/account"' in page for page in shown.values())
