"""Knowing an incident again: its marks, what it is like, what recurs in it, what has held."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import Connection

from watchkeeper.alerting import work as alerts_work
from watchkeeper.incidents import store as incidents
from watchkeeper.incidents.keeping import By, log, must
from watchkeeper.incidents.model import EntryKind, Incident, IncidentState, NewEntry
from watchkeeper.kernel import text
from watchkeeper.kernel.clock import Seconds
from watchkeeper.kernel.errors import NotFound, UserError
from watchkeeper.oncall.model import Site
from watchkeeper.postmortems import (
    items,
    items_work,
    marks,
    recurrence,
    similar,
    store,
    store_items,
    store_marks,
    store_words,
    whys,
)
from watchkeeper.postmortems.document import Part, parse
from watchkeeper.postmortems.model import ActionItem, ActionState, PostmortemState
from watchkeeper.postmortems.recurrence import Held, Kinship, Match, Traits
from watchkeeper.postmortems.similar import Like
from watchkeeper.postmortems.store_marks import Past, Recurrence
from watchkeeper.spec.model import Specs

MOST_ALERTS = 200
BATCH = 50
_CAUSAL = (Part.SUMMARY, Part.ROOT_CAUSE, Part.FACTORS)


@dataclass(frozen=True, slots=True)
class Resembling:
    """A past incident that resembles, with the postmortem in which to read of it."""

    incident: Incident
    like: Like
    postmortem_id: int | None


@dataclass(frozen=True, slots=True)
class Proof:
    """An action item that promised that its incident does not recur, and whether it has held."""

    item: ActionItem
    incident: Past
    held: Held


# ---------------------------------------------------------------- marks


def anything_to_know(conn: Connection) -> bool:
    """True when some incident changed since it was looked at, or a text has no words kept."""
    return bool(store_marks.unmarked(conn, 1) or store_words.unindexed(conn, 1))


def step(conn: Connection, specs: Specs, site: Site, now: Seconds) -> int:
    """Take the marks of incidents that changed; see which of them recur. Returns how many."""
    found = store_marks.unmarked(conn, BATCH)
    for incident_id in found:
        its = must(conn, incident_id)
        if mark(conn, its):
            recognise(conn, specs, site, its, now)
    for its_id in store_words.unindexed(conn, BATCH):
        kept = store.get(conn, its_id)
        if kept is not None:
            store_words.index(conn, its_id, kept.its.title, kept.its.text)
    return len(found)


def mark(conn: Connection, incident: Incident) -> bool:
    """Take the marks of an incident; True when they are others than before."""
    found = marks.marks_of(incident, _alerts(conn, incident.pages), _written(conn, incident.id))
    digest = marks.fingerprint(found)
    if digest != incident.fingerprint:
        incidents.note_fingerprint(conn, incident.id, digest)
    return store_marks.save_marks(conn, incident.id, incident.version, found)


def _alerts(conn: Connection, page_ids: Sequence[int]) -> list[Any]:
    return [a for page in page_ids for a in alerts_work.of_page(conn, page, MOST_ALERTS)]


def _written(conn: Connection, incident_id: int) -> str:
    its = store.of_incident(conn, incident_id)
    if its is None or its.state is not PostmortemState.PUBLISHED:
        return ""
    return causal(its.text)


def causal(source: str) -> str:
    """What a postmortem says of what happened and why, without its timeline."""
    document = parse(source)
    blocks = [b for part in _CAUSAL for b in document.within(part) if b.kind != "heading"]
    return " ".join(whys.read(b.text).text for b in blocks)


# ---------------------------------------------------------------- what it is like


def like_new(
    conn: Connection, specs: Specs, title: str, services: Sequence[str] = (),
    journeys: Sequence[str] = (), page_ids: Sequence[int] = (), summary: str = "",
) -> list[Resembling]:  # fmt: skip
    """Past incidents that one which is about to be declared resembles."""
    alerts = _alerts(conn, page_ids)
    named = [*services, *(a.service for a in alerts if a.service in specs.services)]
    slos = [a.labels["slo"] for a in alerts if a.labels.get("slo") in specs.slos]
    sketch = Incident(
        0, title, "", IncidentState.TRIGGERED, 0.0, "", 0, summary=summary,
        services=tuple(dict.fromkeys(named)), slos=tuple(dict.fromkeys(slos)),
        journeys=tuple(journeys),
    )  # fmt: skip
    return _resembling(conn, marks.marks_of(sketch, alerts), 0)


def like_incident(conn: Connection, incident: Incident, source: str = "") -> list[Resembling]:
    """Past incidents that this one resembles; ``source``: of its postmortem as it is written."""
    alerts = _alerts(conn, incident.pages)
    own = marks.marks_of(incident, alerts, causal(source) if source else "")
    return _resembling(conn, own, incident.id)


def _resembling(conn: Connection, own: Sequence[str], but: int) -> list[Resembling]:
    total, having = store_marks.total(conn), store_marks.having(conn, own)
    asked = similar.worth_asking(own, having, total)
    hits = store_marks.hits(conn, asked, but)
    rest = [m for m in own if m in asked or not having.get(m)]
    found = []
    for like in similar.alike(rest, having, total, hits):
        its = incidents.get(conn, like.incident_id)
        if its is None or its.merged_into is not None:
            continue
        written = store.of_incident(conn, its.id)
        found.append(Resembling(its, like, written.id if written else None))
    return found


# ---------------------------------------------------------------- what recurs in it


def recognise(
    conn: Connection, specs: Specs, site: Site, incident: Incident, now: Seconds
) -> list[Recurrence]:
    """Keep which past incidents recur in this one, say so, and open their items again."""
    if incident.drill or incident.merged_into is not None:
        return []
    known = (*marks.STRONG, marks.BURN)
    own = [m for m in store_marks.marks(conn, incident.id) if marks.kind_of(m) in known]
    past = store_marks.earlier(conn, incident.id, own)
    found = {m.of: m for m in recurrence.matches(Traits(incident.id, frozenset(own)), past)}
    kept = {r.of: r for r in store_marks.of_incident(conn, incident.id)}
    made = []
    for match in found.values():
        was = kept.get(match.of)
        if was is None or (was.kinship is Kinship.MAYBE and match.kinship is Kinship.SURE):
            made.append(_note(conn, specs, site, incident, match, was, now))
    for was in kept.values():
        if was.of not in found and was.kinship is not Kinship.DENIED and not was.decided_by:
            _withdraw(conn, incident, was, now)
    return made


def _note(
    conn: Connection, specs: Specs, site: Site, incident: Incident, match: Match,
    was: Recurrence | None, now: Seconds, by: By | None = None, why: str = "",
) -> Recurrence:  # fmt: skip
    old = must(conn, match.of)
    at = _came(incident)
    made = Recurrence(incident.id, old.id, match.kinship, at, match.shared)
    if match.kinship is Kinship.SURE:
        opened = [_again(conn, specs, site, i, incident, now) for i in promised(conn, old.id)]
        made = replace(made, items=tuple(opened))
    if by is not None:
        made = replace(made, decided_by=by.actor, why=why)
    if was is None:
        if not store_marks.add(conn, made):
            return made
    else:
        store_marks.save(conn, made)
    said = told(made, old, at - _came(old))
    who = by or By("engine", "engine")
    data = {"recurs": old.id, "kinship": str(made.kinship), "items": [i["id"] for i in made.items]}
    incidents.append(
        conn, incident.id, NewEntry(EntryKind.LINK, who.actor, who.source, said, data), now
    )
    log(conn, incident, "incident.recurs", who, now, {**data, "text": said[:500]})
    return made


def told(made: Recurrence, old: Incident, apart: float) -> str:
    """What the timeline of the new incident says."""
    how = "Recurrence of" if made.kinship is Kinship.SURE else "Perhaps a recurrence of"
    said = recurrence.said(made.shared)
    lines = [f"{how} incident {old.id}, {old.title}: {said or 'a person says so'}, "
             f"{text.duration(max(apart, 0.0))} after it."]  # fmt: skip
    for item in made.items:
        lines.append(f"Action item #{item['id']}, {item['text']}, {_fate(item)}.")
    if made.kinship is Kinship.SURE and not made.items:
        lines.append("No action item promised to prevent it.")
    if made.kinship is Kinship.MAYBE:
        lines.append("Name the cause, or say whether it is the same.")
    return " ".join(lines)


def _fate(item: Mapping[str, Any]) -> str:
    match item["was"]:
        case ActionState.DONE:
            return "was done and is open again"
        case ActionState.DROPPED:
            return "was dropped"
        case _:
            return "is still open"


def promised(conn: Connection, incident_id: int) -> list[ActionItem]:
    """The items that promised that an incident does not recur, the oldest first."""
    found = store_items.find(conn, incident_id=incident_id)[::-1]
    return [i for i in found if i.type in recurrence.PREVENTING]


def _again(
    conn: Connection, specs: Specs, site: Site, item: ActionItem, incident: Incident, now: Seconds
) -> dict[str, Any]:
    """Open an item again that did not hold; tell its owner, also of one that is still open."""
    was = {"id": item.id, "text": item.text, "was": str(item.state), "done_at": item.done_at}
    said = f"it recurred in incident {incident.id}"
    if item.state is ActionState.DONE:
        item = items_work.reopen(conn, item.id, said, "engine", now)
        items_work.tell(conn, specs, site, item, f"is open again, {said}: {item.text}", now)
    elif item.state not in items.OVER:
        items_work.recurred(conn, item, incident.id, now)
        items_work.tell(conn, specs, site, item, f"is not done, and {said}: {item.text}", now)
    return was


def _withdraw(conn: Connection, incident: Incident, was: Recurrence, now: Seconds) -> None:
    """What was taken for a recurrence is none by what is known now."""
    store_marks.save(conn, replace(was, kinship=Kinship.DENIED, why="the causes differ"))
    said = f"No recurrence of incident {was.of} after all: what is known of them differs."
    entry = NewEntry(EntryKind.LINK, "engine", "engine", said, {"recurs": was.of, "kinship": "no"})
    incidents.append(conn, incident.id, entry, now)


def decide(
    conn: Connection, specs: Specs, site: Site, incident_id: int, of: int, same: bool, why: str,
    by: By, now: Seconds,
) -> Recurrence:  # fmt: skip
    """A person says whether one incident is another again. Raises NotFound, UserError."""
    its, old = must(conn, incident_id), must(conn, of)
    if its.id <= old.id:
        raise UserError(f"Incident {of} does not come before {incident_id}.", "Name a past one.")
    was = next((r for r in store_marks.of_incident(conn, its.id) if r.of == of), None)
    wanted = Kinship.SURE if same else Kinship.DENIED
    if was is not None and was.kinship is wanted:
        raise UserError("That is what is kept already.", "Nothing has to be done.")
    if same:
        match = Match(of, Kinship.SURE, was.shared if was else ())
        return _note(conn, specs, site, its, match, was, now, by, why.strip())
    if was is None:
        raise NotFound(f"Incident {its.id} is not taken for {of}.", "Nothing has to be denied.")
    if not why.strip():
        raise UserError("Denying it needs a reason.", "Say what is different this time.")
    after = replace(was, kinship=Kinship.DENIED, decided_by=by.actor, why=why.strip())
    store_marks.save(conn, after)
    said = f"No recurrence of incident {of}: {why.strip()}"
    data = {"recurs": of, "kinship": "no"}
    incidents.append(conn, its.id, NewEntry(EntryKind.LINK, by.actor, by.source, said, data), now)
    log(conn, its, "incident.recurs", by, now, {**data, "text": said[:500]})
    return after


def _came(incident: Incident) -> Seconds:
    times = (incident.began_at, incident.detected_at, incident.declared_at)
    return next(t for t in times if t is not None)


# ---------------------------------------------------------------- what has held


def proofs(conn: Connection, now: Seconds, limit: int = 1000) -> list[Proof]:
    """Every item among the newest ``limit`` that promised to prevent, and whether it has held; what
    recurred comes first."""
    found = [
        i
        for i in store_items.find(conn, limit=limit)
        if i.type in recurrence.PREVENTING and i.incident_id and i.state is not ActionState.DROPPED
    ]
    its = store_marks.past(conn, [i.incident_id for i in found if i.incident_id])
    after = _sure(store_marks.since(conn, list(its)))
    before = _sure_of(store_marks.of_incidents(conn, list(its)))
    marked = store_marks.with_strong_marks(conn, list(its))
    made = []
    for item in found:
        incident = its.get(item.incident_id or 0)
        if incident is None or incident.drill:
            continue
        again = after.get(incident.id, [])
        came = [incident.came, *before.get(incident.id, ())]
        done = item.done_at or _done_before(again, item.id)
        came += [r.at for r in again if done is not None and r.at <= done]
        held = recurrence.held(
            item, incident.id in marked, came, [(r.at, r.incident_id) for r in again], now,
            _done_before(again, item.id),
        )  # fmt: skip
        made.append(Proof(item, incident, held))
    order = list(recurrence.Verdict)
    first = {recurrence.Verdict.RECURRED: -1}
    made.sort(key=lambda p: (first.get(p.held.verdict, order.index(p.held.verdict)), -p.item.id))
    return made


def _sure(found: Sequence[Recurrence]) -> dict[int, list[Recurrence]]:
    made: dict[int, list[Recurrence]] = {}
    for each in found:
        if each.kinship is Kinship.SURE:
            made.setdefault(each.of, []).append(each)
    return made


def _sure_of(found: Sequence[tuple[Recurrence, Seconds]]) -> dict[int, list[Seconds]]:
    made: dict[int, list[Seconds]] = {}
    for each, at in found:
        if each.kinship is Kinship.SURE:
            made.setdefault(each.incident_id, []).append(at)
    return made


def _done_before(again: Sequence[Recurrence], item_id: int) -> Seconds | None:
    """When an item was done that was opened again since; the last time."""
    times = [
        float(i["done_at"])
        for r in again
        for i in r.items
        if i["id"] == item_id and i["was"] == ActionState.DONE and i["done_at"] is not None
    ]
    return max(times, default=None)
