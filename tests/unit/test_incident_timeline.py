"""The timeline of an incident: appended, never altered without notice, amended in the open."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import delete, update

from watchkeeper.incidents import chain, store
from watchkeeper.incidents.model import Entry, EntryKind, Incident, IncidentState, NewEntry
from watchkeeper.store import Database

NOW = 1_767_225_600.0
FIELDS = ("text", "actor", "source", "at", "written_at", "kind", "data", "amends", "number")


def incident(**fields: Any) -> Incident:  # noqa: ANN401 - any field
    made = Incident(
        id=0, title="Checkout fails", severity="SEV1", state=IncidentState.TRIGGERED,
        declared_at=NOW, declared_by="ann", version=0,
    )  # fmt: skip
    return replace(made, **fields)


def written(*new: NewEntry) -> tuple[Incident, list[Entry]]:
    """An incident and its entries, a second apart."""
    held, entries = incident(id=7), []
    for number, each in enumerate(new):
        made = chain.link(held, each, NOW + number)
        held = replace(held, entries=made.number, head=made.digest)
        entries.append(made)
    return held, entries


def note(text: str, **fields: Any) -> NewEntry:  # noqa: ANN401 - any field
    return replace(NewEntry(EntryKind.NOTE, "ann", "web", text), **fields)


TIMELINES = st.lists(
    st.builds(
        NewEntry,
        kind=st.sampled_from(EntryKind),
        actor=st.sampled_from(["ann", "bob", "engine"]),
        source=st.sampled_from(["web", "slack"]),
        text=st.text(max_size=8),
        data=st.dictionaries(st.text(max_size=3), st.integers() | st.text(max_size=3), max_size=2),
        at=st.none() | st.integers(0, 9).map(float),
    ),
    min_size=1,
    max_size=6,
)


@settings(deadline=None, max_examples=60)
@given(TIMELINES)
def test_what_was_written_is_found_whole(new: list[NewEntry]) -> None:
    assert chain.check(*written(*new)) == []


@settings(deadline=None, max_examples=150)
@given(TIMELINES, st.data())
def test_no_field_of_any_entry_can_be_altered_without_notice(
    new: list[NewEntry], data: st.DataObject
) -> None:
    held, entries = written(*new)
    index = data.draw(st.integers(0, len(entries) - 1))
    field = data.draw(st.sampled_from(FIELDS))
    was = getattr(entries[index], field)
    others: Mapping[str, Any] = {
        "kind": next(k for k in EntryKind if k is not was),
        "data": {"b": "c", "more": 1},
        "amends": 99,
    }
    if field not in others:
        others = {field: f"{was}x" if isinstance(was, str) else was + 1}
    after = others[field]
    entries[index] = replace(entries[index], **{field: after})
    assert chain.check(held, entries) != []


@settings(deadline=None, max_examples=60)
@given(TIMELINES, st.data())
def test_no_entry_can_be_left_out_cut_off_or_moved_without_notice(
    new: list[NewEntry], data: st.DataObject
) -> None:
    held, entries = written(*new)
    gone = data.draw(st.integers(0, len(entries) - 1))
    assert chain.check(held, entries[:gone] + entries[gone + 1 :]) != []
    assert chain.check(held, entries[:gone]) != []
    if len(entries) > 1:
        assert chain.check(held, entries[::-1]) != []


def test_a_forger_who_mends_the_digest_is_found_at_the_next_entry() -> None:
    held, entries = written(note("a"), note("b"), note("c"))
    forged = replace(entries[1], text="never said")
    entries[1] = replace(forged, digest=chain.digest_of(forged))
    assert [(b.number, b.what) for b in chain.check(held, entries)] == [
        (3, "does not follow the entry before it")
    ]
    last = replace(entries[2], text="never said", previous=entries[1].digest)
    entries[2] = replace(last, digest=chain.digest_of(last))
    assert [b.what for b in chain.check(held, entries)] == ["is not the last that was written"]


def test_an_amendment_changes_what_is_read_and_leaves_what_was_written() -> None:
    amends = NewEntry(
        EntryKind.AMENDMENT, "bob", "web", "typing error", {"text": "10:05"}, amends=1
    )
    pins = NewEntry(EntryKind.AMENDMENT, "bob", "web", "", {"pinned": True}, amends=2)
    held, entries = written(note("10:50"), note("second"), amends, pins)
    told = chain.tell(entries)
    assert [(t.text, t.entry.text, t.amendments, t.pinned) for t in told] == [
        ("10:05", "10:50", 1, False),
        ("second", "second", 0, True),
    ]
    assert chain.check(held, entries) == []


def test_entries_read_in_the_order_in_which_things_happened() -> None:
    _, entries = written(note("late"), note("told later, happened first", at=NOW - 600))
    assert [t.text for t in chain.tell(entries)] == ["told later, happened first", "late"]


def test_an_incident_comes_back_as_it_was_kept(db: Database) -> None:
    made = incident(
        services=("checkout", "shop"), slos=("a",), journeys=("buy",), pages=(10, 9),
        causes=("bad-deploy",), data={"reminded": [1, 2]}, began_at=NOW - 60, drill=True,
    )  # fmt: skip
    with db.write() as conn:
        kept = store.add(conn, made)
    with db.read() as conn:
        assert store.get(conn, kept.id) == replace(kept, pages=(9, 10))
        assert store.of_page(conn, 9) == [replace(kept, pages=(9, 10))]
        assert store.of_page(conn, 1) == []
        wanted = store.Wanted(service="shop", text="CHECK", severities=("SEV1",))
        assert store.find(conn, wanted) == [replace(kept, pages=(9, 10))]
        assert store.count(conn, store.Wanted(drills=False)) == 0


def test_the_slower_of_two_who_change_an_incident_is_told(db: Database) -> None:
    with db.write() as conn:
        kept = store.add(conn, incident())
        assert store.save(conn, replace(kept, severity="SEV2")) is not None
        assert store.save(conn, replace(kept, severity="SEV3")) is None


def test_entries_written_at_once_by_many_make_one_chain(db: Database) -> None:
    with db.write() as conn:
        kept = store.add(conn, incident())

    def write(number: int) -> None:
        with db.write() as conn:
            store.append(conn, kept.id, note(f"entry {number}"), NOW)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(write, range(40)))
    with db.read() as conn:
        held = store.get(conn, kept.id)
        entries = store.entries(conn, kept.id)
    assert held is not None
    assert len(entries) == 40
    assert chain.check(held, entries) == []


def test_a_row_altered_or_deleted_in_the_database_is_found(db: Database) -> None:
    with db.write() as conn:
        kept = store.add(conn, incident())
        for text in ("a", "b", "c"):
            store.append(conn, kept.id, note(text), NOW)
        c = store.incident_entry.c
        conn.execute(update(store.incident_entry).where(c.number == 2).values(text="never said"))
        held = store.get(conn, kept.id)
        assert held is not None
        assert [b.what for b in chain.check(held, store.entries(conn, kept.id))] == ["was altered"]
        conn.execute(delete(store.incident_entry).where(c.number == 3))
        broken = chain.check(held, store.entries(conn, kept.id))
        assert broken[-1].what == "3 entries were written, 2 are there"


def test_an_entry_for_an_incident_that_is_not_there_is_refused(db: Database) -> None:
    with db.write() as conn, pytest.raises(LookupError):
        store.append(conn, 404, note("x"), NOW)
