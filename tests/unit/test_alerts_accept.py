"""Accepting signals: an open alert owns its key, whatever comes in whatever order, at once."""

from __future__ import annotations

import asyncio
import contextlib
import re
import threading
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.duty import HERE, START, specs
from watchkeeper.alerting import silencing, store_doors, work
from watchkeeper.alerting.accepting import Acceptance, Accepted, Hints
from watchkeeper.alerting.folding import short_key
from watchkeeper.alerting.model import Alert, AlertState, Signal, SignalAction, Urgency
from watchkeeper.alerting.quiet import Silence
from watchkeeper.kernel.errors import NotFound, UserError
from watchkeeper.spec.duty import Matcher, TriageRule
from watchkeeper.store import Database, timeline
from watchkeeper.store.direct import Direct

SPECS = specs()
ACTIONS = list(SignalAction)


def signal(
    key: str = "disk", action: SignalAction = SignalAction.TRIGGER, severity: str = "critical"
) -> Signal:
    return Signal(key, action, f"{key} is {severity}", severity, service="checkout")


def take(db: Database, *signals: Signal, at: float = START) -> list[work.Accepted]:
    with db.write() as conn:
        return work.accept(conn, "mon", signals, at, SPECS)


def alerts(db: Database) -> list[Alert]:
    with db.read() as conn:
        return work.find(conn)[::-1]


def test_a_repeat_is_counted_and_opens_nothing(db: Database) -> None:
    first, again, other = take(db, signal(), signal(), signal("cpu"))

    assert (first.created, again.created, other.created) == (True, False, True)
    assert first.alert_id == again.alert_id
    assert [(a.key, a.count) for a in alerts(db)] == [("cpu", 1), ("disk", 2)]


def test_closing_frees_the_key_even_within_one_request(db: Database) -> None:
    resolve = signal(action=SignalAction.RESOLVE)
    opened, closed, second = take(db, signal(), resolve, signal())

    assert opened.alert_id == closed.alert_id != second.alert_id
    assert [a.state for a in alerts(db)] == [AlertState.CLOSED, AlertState.OPEN]


def test_a_resolve_of_nothing_is_taken_and_does_nothing(db: Database) -> None:
    (result,) = take(db, signal(action=SignalAction.RESOLVE))

    assert (result.alert_id, alerts(db)) == (None, [])


def test_an_alert_that_grows_more_urgent_calls_as_a_new_one(db: Database) -> None:
    take(db, signal(severity="warning"))
    take(db, signal(severity="critical"), at=START + 60)
    take(db, signal(severity="warning"), at=START + 120)

    ticket, page = alerts(db)
    assert (ticket.state, ticket.urgency) == (AlertState.CLOSED, Urgency.TICKET)
    assert (page.state, page.urgency, page.due_at) == (AlertState.OPEN, Urgency.PAGE, START + 60)
    assert page.count == 2


def test_long_keys_that_differ_at_their_end_stay_apart(db: Database) -> None:
    take(db, signal("k" * 600 + "a"), signal("k" * 600 + "b"), signal("k" * 600 + "a"))

    assert sorted(a.count for a in alerts(db)) == [1, 2]
    assert all(len(a.key) <= 450 for a in alerts(db))
    assert short_key("short") == "short"


def test_what_opens_and_closes_is_told_in_the_timeline(db: Database) -> None:
    take(db, signal(), signal())
    take(db, signal(action=SignalAction.RESOLVE))

    with db.read() as conn:
        told = [(e.kind, e.subject) for e in timeline.read(conn)]
    number = alerts(db)[0].id
    assert told == [("alert.opened", f"alert/{number}"), ("alert.closed", f"alert/{number}")]


def test_triage_may_drop_route_and_set_urgency(db: Database) -> None:
    rules = {
        "noise": TriageRule("noise", (Matcher("summary", "=~", ".*noise.*"),), HERE, drop=True),
        "calm": TriageRule("calm", (Matcher("severity", "=", "error"),), HERE, urgency="ticket"),
    }
    made = specs(triage=rules)
    with db.write() as conn:
        dropped, kept = work.accept(
            conn, "mon", [signal("noise"), signal("cpu", severity="error")], START, made
        )

    assert (dropped.alert_id, kept.created) == (None, True)
    assert [a.urgency for a in alerts(db)] == [Urgency.TICKET]


def test_a_silence_keeps_the_alert_and_when_it_is_over_people_are_called(db: Database) -> None:
    matcher = silencing.matcher_of('service="checkout"')
    with db.write() as conn:
        made = silencing.create_silence(
            conn, [matcher], START, START + 600, "ann", "works on it", START
        )
    take(db, signal(), at=START + 10)
    (quiet,) = alerts(db)
    assert "silenced by ann" in quiet.quiet
    assert quiet.due_at is None

    with db.write() as conn:
        assert silencing.end_quiet(conn, SPECS, START + 599) == 0
        silencing.expire_silence(conn, made.id, "ann", START + 100)
        assert silencing.anything_quiet(conn, SPECS, START + 101)
        assert silencing.end_quiet(conn, SPECS, START + 101) == 1

    (loud,) = alerts(db)
    assert (loud.quiet, loud.due_at) == ("", START + 101)
    with pytest.raises(NotFound), db.write() as conn:
        silencing.expire_silence(conn, made.id, "ann", START + 102)


@pytest.mark.parametrize("text", ["", "service", "=x", "a=~(", "a" * 600 + "=b"])
def test_a_matcher_that_cannot_be_read_is_refused(text: str) -> None:
    with pytest.raises(UserError):
        silencing.matcher_of(text)


def test_a_silence_of_everything_is_refused(db: Database) -> None:
    everything = [silencing.matcher_of("service=~.*")]
    with pytest.raises(UserError, match="every alert"), db.write() as conn:
        silencing.create_silence(conn, everything, START, START + 60, "ann", "why", START)
    with db.read() as conn:
        assert store_doors.silences(conn, START) == []


def test_64_identical_first_alerts_at_once_make_one_alert_and_no_error(db: Database) -> None:
    """Each in a transaction of its own, as 64 replicas would."""
    gate, results, errors = threading.Barrier(64), [], []

    def send() -> None:
        gate.wait()
        try:
            results.extend(take(db, signal()))
        except Exception as error:
            errors.append(error)

    threads = [threading.Thread(target=send) for _ in range(64)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()

    assert errors == []
    (only,) = alerts(db)
    assert (only.count, sum(r.created for r in results)) == (64, 1)


def _alone(signals: Sequence[Signal]) -> list[tuple[str, AlertState, int]]:
    """What the signals must come to: a few lines without rounds, batches or SQL."""
    made: list[list[object]] = []
    held: dict[str, list[object]] = {}
    for s in signals:
        mine = held.get(s.key)
        if s.action is SignalAction.TRIGGER and mine is None:
            held[s.key] = [s.key, AlertState.OPEN, 1]
            made.append(held[s.key])
        elif mine is not None and s.action is SignalAction.TRIGGER:
            mine[2] = int(str(mine[2])) + 1
        elif mine is not None and s.action is SignalAction.RESOLVE:
            held.pop(s.key)[1] = AlertState.CLOSED
        elif mine is not None:
            mine[1] = AlertState.ACKNOWLEDGED
    return sorted((str(k), AlertState(str(v)), int(str(n))) for k, v, n in made)


@given(
    st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from(ACTIONS)), max_size=14),
    st.lists(st.integers(0, 14), max_size=3),
)
@settings(deadline=None, max_examples=60)
def test_however_signals_are_batched_the_alerts_are_the_same(
    drawn: list[tuple[str, SignalAction]], cuts: list[int]
) -> None:
    signals = [signal(key, action) for key, action in drawn]
    edges = sorted({0, len(signals), *[c for c in cuts if c < len(signals)]})
    db = Database.open(":memory:")
    try:
        for a, b in pairwise(edges):
            take(db, *signals[a:b])
        found = sorted((a.key, a.state, a.count) for a in alerts(db))
    finally:
        db.close()
    assert found == _alone(signals)


async def _begun(acceptance: Acceptance, direct: Direct) -> list[Accepted] | None:
    with contextlib.closing(direct):
        return await acceptance.begin(direct)


def _mixed(db: Database, hints: Hints | None) -> list[str]:
    """A day with repeats, drops, ends and silences that come and go; all that is kept of it."""
    rules = {
        "noise": TriageRule("noise", (Matcher("summary", "=~", "z.*"),), place=HERE, drop=True)
    }
    drops = replace(SPECS, duty=replace(SPECS.duty, triage=rules))
    matcher = silencing.matcher_of("component=disk")
    told: list[object] = []
    for minute in range(8):
        now = START + 60 * minute
        names = [f"new{minute}", f"k{minute}", "always", f"z{minute}"]
        signals = [replace(signal(n), component="disk" if n[0] == "k" else "") for n in names]
        signals += [
            signal(f"k{minute - 1}", SignalAction.RESOLVE),
            signal("twice"),
            signal("twice"),
        ]
        with db.write() as conn:
            if minute == 2:
                made = silencing.create_silence(conn, [matcher], now, now + 999, "ann", "x", now)
            if minute == 4:
                silencing.create_silence(conn, [matcher], now, now + 90, "bob", "y", now)
            if minute == 5:
                silencing.expire_silence(conn, made.id, "ann", now)
        acceptance = Acceptance([("mon", s) for s in signals], now, drops, hints)
        direct = None if hints is None else db.direct()
        made_of = asyncio.run(_begun(acceptance, direct)) if direct else None
        if made_of is None:
            with db.write() as conn:
                made_of = acceptance.finish(conn)
        told.append([(a.alert_id is None, a.created, a.state) for a in made_of])
    names_of = {a.id: f"{a.key} of {a.opened_at}" for a in alerts(db)}
    with db.read() as conn:
        events = timeline.read(conn)
    for e in events:
        about = e.subject.removeprefix("alert/")
        told.append((e.at, e.kind, names_of.get(int(about)) if about.isdigit() else "", e.data))
    kept = [replace(a, id=0, quiet=re.sub("[0-9a-f]{32}", "an id", a.quiet)) for a in alerts(db)]
    return sorted(map(repr, told + kept))


def test_what_was_remembered_makes_accepting_faster_and_nothing_different(
    db: Database, tmp_path: Path
) -> None:
    with contextlib.closing(Database.open(str(tmp_path / "plain.db"))) as plain:
        expected = _mixed(plain, None)
    matcher = silencing.matcher_of("component=disk")
    wrong = Silence("gone", (matcher,), START, START + 9e9, "eve", "never was", START)
    found = _mixed(db, Hints(mostly_new=True, silences=[wrong]))

    assert "silenced by ann" in repr(expected)
    assert "silenced by bob" in repr(expected)
    assert found == expected


def test_an_alert_outlives_the_process(tmp_path: Path) -> None:
    db = Database.open(str(tmp_path / "kept.db"))
    take(db, signal())
    db.close()
    again = Database.open(str(tmp_path / "kept.db"))
    assert [a.key for a in alerts(again)] == ["disk"]
    again.close()
