"""Reviews: making one, freezing it, notes and decisions, sending it when it is due."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from urllib.parse import quote
from zoneinfo import ZoneInfo

from cronsim import CronSim
from sqlalchemy import Connection

from watchkeeper.kernel.clock import Seconds
from watchkeeper.kernel.errors import NotFound, UserError
from watchkeeper.notify import outbox
from watchkeeper.notify.model import MessageKind
from watchkeeper.notify.outbox import LATER, NewDelivery
from watchkeeper.oncall import store as pages
from watchkeeper.oncall.calling import people, ways
from watchkeeper.oncall.model import Call, Site
from watchkeeper.reviews import render, rules, store
from watchkeeper.reviews import sections as own
from watchkeeper.reviews.gather import SectionOf, asked_for, facts
from watchkeeper.reviews.model import EVERYONE, Frozen, Note, NoteKind, Review
from watchkeeper.reviews.store import Due
from watchkeeper.reviews.weeks import Week, last_ended, week_of
from watchkeeper.reviews.weeks import named as week_named
from watchkeeper.slo import ledger
from watchkeeper.spec.duty import EscalationTarget
from watchkeeper.spec.model import Specs
from watchkeeper.spec.review import ReviewDefinition
from watchkeeper.store import Database, timeline

SENT, NOTED = "sent", "noted"
MOST_NOTE = 4_000
Plugs = Sequence[SectionOf]
PLUGGED: Plugs = ()
"""Sections of other rooms, behind our own, in this order: a room adds its function here."""


# ---------------------------------------------------------------- making


def teams(specs: Specs) -> Sequence[tuple[str, str]]:
    """(name, title) of every team that has a review, and of the review of everything."""
    every = [(t.name, t.display_name) for t in specs.teams.values()]
    return every if EVERYONE in specs.teams else [*every, (EVERYONE, "all services")]


def title_of(specs: Specs, team: str) -> str:
    """How a team is called. Raises NotFound."""
    found = dict(teams(specs)).get(team)
    if found is None:
        known = ", ".join(name for name, _ in teams(specs)[:20])
        raise NotFound(f"There is no team {team[:100]!r}.", f"Known: {known}.")
    return found


def zone_of(specs: Specs, team: str) -> str:
    """The time zone of a team's weeks: that of its review, UTC when it has none."""
    its = next((r for r in specs.reviews.values() if r.team == team), None)
    return its.zone if its else "UTC"


def chosen(specs: Specs, team: str, week: str, now: Seconds) -> Week:
    """The week of this name; ``this``, or ``last`` for the one that was over last.

    Raises NotFound, UserError.
    """
    title_of(specs, team)
    zone = zone_of(specs, team)
    if week in ("", "last"):
        return last_ended(now, zone)
    found = week_of(now, zone) if week == "this" else week_named(week, zone)
    if found.start > now:
        raise UserError(f"The week {found.name} has not begun.", "Ask for one that has.")
    return found


def make(
    conn: Connection, specs: Specs, team: str, week: Week, now: Seconds, plugs: Plugs = PLUGGED
) -> Review:
    """The review of a week as far as it has been, whatever was kept. Raises NotFound."""
    title = title_of(specs, team)
    asked = asked_for(specs, team, week, now)
    found = facts(conn, asked)
    plugged = [s for plug in plugs if (s := plug(conn, asked)) is not None]
    return Review(
        team, title, week.name, week.days, week.zone, week.start, week.end, now,
        ledger.revision(conn), sorted(asked.services), rules.summary(found), rules.decide(found),
        [*own.sections(found), *plugged],
    )  # fmt: skip


def read(
    conn: Connection, specs: Specs, team: str, week: Week, now: Seconds, plugs: Plugs = PLUGGED
) -> tuple[Review, Frozen | None]:
    """The review as it was kept, else as it is now; and how it was kept. Raises NotFound."""
    title_of(specs, team)
    kept = store.frozen(conn, team, week.name)
    return (kept.review, kept) if kept else (make(conn, specs, team, week, now, plugs), None)


def keep(conn: Connection, made: Review, why: str, now: Seconds) -> Review:
    """Freeze a review, unless its week is frozen: that stays as it was. Returns what is kept.

    A week that still runs is not frozen, or Monday's mail would tell of a part of it.
    """
    if made.running:
        return made
    if store.freeze(conn, made, now, why):
        subject = f"review/{made.team}/{made.week}"
        timeline.append(conn, now, "review.frozen", subject, "engine", {"why": why})
        return made
    kept = store.frozen(conn, made.team, made.week)
    return kept.review if kept else made


# ---------------------------------------------------------------- notes


def add_note(
    conn: Connection, review: Review, kind: NoteKind, text: str, author: str, now: Seconds
) -> Note:
    """Write down what was said or decided of a review; that freezes it. Raises UserError."""
    said = _text(text)
    keep(conn, review, NOTED, now)
    made = store.add_note(conn, Note(0, review.team, review.week, kind, said, author, now))
    _log(conn, made, "added", author, now)
    return made


def change_note(
    conn: Connection, note_id: int, text: str, kind: NoteKind | None, author: str, now: Seconds
) -> Note:
    """Write a note anew; the timeline keeps what it said. Raises NotFound, UserError."""
    found = store.note(conn, note_id)
    if found is None:
        raise NotFound(f"There is no note {note_id}.", "`wk review show` lists them.")
    changed = replace(
        found, text=_text(text), kind=kind or found.kind, changed_by=author, changed_at=now
    )
    kept = store.save_note(conn, changed)
    if kept is None:
        raise UserError("Somebody changed this note just now.", "Look at it and try again.")
    _log(conn, kept, "changed", author, now, found.text)
    return kept


def _text(text: str) -> str:
    said = text.strip()
    if not said:
        raise UserError("The note is empty.", "Say what was noted or decided.")
    if len(said) > MOST_NOTE:
        raise UserError("This note is too long.", f"It may have {MOST_NOTE} characters.")
    return said


def _log(conn: Connection, its: Note, what: str, author: str, now: Seconds, was: str = "") -> None:
    data = {
        "note": its.id,
        "kind": str(its.kind),
        "text": its.text,
        **({"was": was} if was else {}),
    }
    subject = f"review/{its.team}/{its.week}"
    timeline.append(conn, now, f"review.note.{what}", subject, author, data)


# ---------------------------------------------------------------- sending


def path_of(team: str, week: str) -> str:
    """Where a review is read."""
    return f"/reviews/{quote(team, safe='')}/{week}"


def send(
    conn: Connection, specs: Specs, site: Site, review: Review,
    targets: Sequence[EscalationTarget], by: str, key: str, now: Seconds,
) -> int:  # fmt: skip
    """Send a review to people and channels, which freezes it. Returns how many are told.

    ``key``: sending under the same key again sends nothing.
    """
    its = keep(conn, review, SENT, now)
    notes = store.notes(conn, its.team, its.week)
    content = render.mail(its, notes, site.base_url, path_of(its.team, its.week))
    calls = people(targets, specs, pages.changes(conn, now), now)
    rows = [row for call in calls if (row := _row(specs, call, content, key, now)) is not None]
    outbox.enqueue(conn, rows, now)
    subject = f"review/{its.team}/{its.week}"
    timeline.append(conn, now, "review.sent", subject, by, {"told": len(rows)})
    return len(rows)


def targets_of(specs: Specs, team: str) -> Sequence[EscalationTarget]:
    """To whom a team's review is sent. Raises UserError when nothing says."""
    found = [t for r in specs.reviews.values() if r.team == team for t in r.send]
    if not found:
        raise UserError(
            f"No Review says to whom that of {team} is sent.",
            "Define one: kind: Review, with team and send.",
        )
    return found


def _row(
    specs: Specs, call: Call, content: Mapping[str, object], key: str, now: Seconds
) -> NewDelivery | None:
    found = [(call.channel, call.address)]
    if not call.channel:
        its_ways = ways(specs.duty.users[call.user], "ticket", specs)
        found = list(dict.fromkeys((c, a) for _, c, a in its_ways))
    if not found:
        return None
    (channel, address), *others = found
    to = f"{key}/{call.user}/{channel}/{address}"
    return NewDelivery(
        key=f"review-{hashlib.sha256(to.encode()).hexdigest()[:40]}",
        kind=MessageKind.UPDATE,
        urgency="ticket",
        user=call.user,
        channel=channel,
        address=address,
        content=content,
        due_at=now,
        priority=LATER,
        fallbacks=tuple(others),
    )


# ---------------------------------------------------------------- when it is due


def next_at(its: ReviewDefinition, now: Seconds) -> Seconds:
    """When it is sent next, after now, by the wall clock of its time zone."""
    local = datetime.fromtimestamp(now, ZoneInfo(its.zone))
    return next(CronSim(its.cron, local)).timestamp()


def anything_due(conn: Connection, specs: Specs, now: Seconds) -> bool:
    """True when a review is to be sent, or a definition is not planned as it is written."""
    known = store.plans(conn)
    written = {r.name: r.schedule for r in specs.reviews.values()}
    return written != {n: d.schedule for n, d in known.items()} or any(
        d.next_at <= now for d in known.values()
    )


def send_due(db: Database, specs: Specs, site: Site, now: Seconds, plugs: Plugs = PLUGGED) -> int:
    """Plan what is new, and send what is due: each once, whoever comes first.

    What was due while nobody ran is sent late, once. A review is made before the transaction that
    sends it, so that nobody waits for that. Returns how many are told.
    """
    with db.write() as conn:
        _plan(conn, specs, now)
        due = [d for d in store.plans(conn).values() if d.next_at <= now]
    return sum(_send_one(db, specs, site, d, now, plugs) for d in due)


def _plan(conn: Connection, specs: Specs, now: Seconds) -> None:
    known = store.plans(conn)
    for name in known.keys() - specs.reviews.keys():
        store.forget(conn, name)
    for its in specs.reviews.values():
        planned = Due(its.name, its.schedule, next_at(its, now))
        if its.name not in known:
            store.plan(conn, planned)
        elif known[its.name].schedule != its.schedule:
            store.plan_anew(conn, planned, known[its.name])


def _send_one(db: Database, specs: Specs, site: Site, due: Due, now: Seconds, plugs: Plugs) -> int:
    its = specs.reviews[due.name]
    week = last_ended(due.next_at, its.zone)
    with db.read() as conn:
        made, _ = read(conn, specs, its.team, week, now, plugs)
    with db.write() as conn:
        if not store.plan_anew(conn, replace(due, next_at=next_at(its, now)), due):
            return 0  # another replica has sent it
        return send(conn, specs, site, made, its.send, "engine", f"{due.name}/{due.next_at}", now)


def weeks_back(specs: Specs, team: str, now: Seconds, number: int) -> Sequence[Week]:
    """The running week of a team and those before it, the latest first."""
    found = [week_of(now, zone_of(specs, team))]
    while len(found) < number:
        found.append(found[-1].before)
    return found
