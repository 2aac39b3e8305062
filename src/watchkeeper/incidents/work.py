"""Incidents: declare, lead, tell, end. Each function is one use case within one transaction."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from sqlalchemy import Connection

from watchkeeper.alerting import work as alerts_work
from watchkeeper.incidents import clocks, leading, rules, store, telling
from watchkeeper.incidents.impact import OVERRIDABLE
from watchkeeper.incidents.keeping import (
    By,
    grade_of,
    kept_with,
    known_names,
    log,
    must,
    schedule,
    write,
)
from watchkeeper.incidents.model import (
    MEANING,
    Entry,
    EntryKind,
    Incident,
    IncidentState,
    NewEntry,
)
from watchkeeper.incidents.rules import Changed
from watchkeeper.incidents.status import posting
from watchkeeper.kernel.clock import Seconds
from watchkeeper.kernel.errors import NotFound, UserError
from watchkeeper.oncall import store as pages
from watchkeeper.oncall.model import Page, Site
from watchkeeper.spec.model import Specs

SAYABLE = (EntryKind.MESSAGE, EntryKind.NOTE, EntryKind.DECISION, EntryKind.ACTION,
           EntryKind.DETECTED, EntryKind.CHANGE)  # fmt: skip
"""What people may write into a timeline as they like; other kinds tell of a change."""
MOST_ALERTS = 500


# ---------------------------------------------------------------- declare


def declare(
    conn: Connection,
    specs: Specs,
    site: Site,
    title: str,
    severity: str,
    by: By,
    now: Seconds,
    *,
    page_ids: Sequence[int] = (),
    services: Sequence[str] = (),
    slos: Sequence[str] = (),
    journeys: Sequence[str] = (),
    summary: str = "",
    began_at: Seconds | None = None,
    drill: bool = False,
) -> Incident:
    """Declare an incident in one step: roles filled from rotas, clock started, people told.

    From pages it takes their services, objectives and times. Raises UserError, NotFound.
    """
    grade = rules.severity_named(severity, specs.response.severities)
    known_names(specs, services, slos, journeys)
    found = [_page(conn, p) for p in page_ids]
    made = Incident(
        id=0, title=rules.title_of(title), severity=grade.name, state=IncidentState.TRIGGERED,
        declared_at=now, declared_by=by.actor, version=0, summary=summary.strip(),
        services=tuple(dict.fromkeys(services)), slos=tuple(dict.fromkeys(slos)),
        journeys=tuple(dict.fromkeys(journeys)), began_at=began_at, detected_at=now, drill=drill,
    )  # fmt: skip
    made = _with_pages(conn, made, found, specs)
    made = clocks.begun(made, grade)
    kept = store.add(conn, made)
    write(conn, kept, EntryKind.STATE, by, f"Declared {grade.name}: {kept.title}", now,
           data={"state": str(kept.state), "severity": grade.name})  # fmt: skip
    for page in found:
        _page_linked(conn, kept, page, by, now)
    leading.fill(conn, kept, specs, site, now)
    kept = schedule(conn, kept, specs)
    log(conn, kept, "incident.declared", by, now, {"title": kept.title, "severity": grade.name})
    return kept


def _with_pages(
    conn: Connection, incident: Incident, found: Sequence[Page], specs: Specs
) -> Incident:
    """The incident with what its pages know: services, objectives, journeys, times."""
    services = [p.service for p in found if p.service in specs.services]
    slos: list[str] = []
    began = [] if incident.began_at is None else [incident.began_at]
    for page in found:
        alerts = alerts_work.of_page(conn, page.id, MOST_ALERTS)
        services += [a.service for a in alerts if a.service in specs.services]
        slos += [a.labels["slo"] for a in alerts if a.labels.get("slo") in specs.slos]
        began += [a.opened_at for a in alerts]
    journeys = [j.name for j in specs.journeys.values() if set(j.slos) & set(slos)]
    after = rules.with_parts(
        incident, services=services, slos=slos, journeys=journeys, pages=[p.id for p in found]
    )
    acked = [p.acked_at for p in found if p.acked_at is not None]
    detected = [p.opened_at for p in found]
    return replace(
        after,
        began_at=min(began, default=None),
        detected_at=min([*detected, *([incident.detected_at] if incident.detected_at else [])]),
        acknowledged_at=min(
            [*acked, *([incident.acknowledged_at] if incident.acknowledged_at else [])],
            default=None,
        ),
    )


# ---------------------------------------------------------------- what people do


def set_severity(
    conn: Connection, specs: Specs, site: Site, incident_id: int, severity: str, why: str, by: By,
    now: Seconds,
) -> Incident:  # fmt: skip
    """Another severity; the clock follows, roles that it needs are filled. Raises UserError."""
    incident = must(conn, incident_id)
    grade = rules.severity_named(severity, specs.response.severities)
    changed = rules.graded(incident, grade, why)
    after = clocks.graded(changed.incident, grade, now)
    data = {"from": incident.severity, "to": grade.name}
    kept = kept_with(conn, Changed(after, changed.text), EntryKind.SEVERITY, by, now, specs, data)
    leading.fill_missing(conn, kept, specs, site, now)
    telling.told(conn, specs, site, kept, f"Severity {changed.text}", by.actor, now)
    return schedule(conn, must(conn, incident_id), specs)


def set_state(
    conn: Connection, specs: Specs, site: Site, incident_id: int, state: str, why: str, by: By,
    now: Seconds,
) -> Incident:  # fmt: skip
    """Another state, with the times that it sets. Raises UserError."""
    incident = must(conn, incident_id)
    changed = rules.moved(incident, rules.state_named(state), why, now)
    after = clocks.moved(changed.incident, grade_of(specs, incident), now)
    data = {"from": str(incident.state), "to": str(after.state), "meaning": MEANING[after.state]}
    kept = kept_with(conn, Changed(after, changed.text), EntryKind.STATE, by, now, specs, data)
    telling.told(conn, specs, site, kept, f"Now {after.state}", by.actor, now)
    if after.state is IncidentState.RESOLVED:
        posting.ended(conn, specs, kept, now)
    return kept


def update(
    conn: Connection,
    specs: Specs,
    site: Site,
    incident_id: int,
    text: str,
    by: By,
    now: Seconds,
    *,
    public: bool = False,
    phase: str = "",
    components: Sequence[str] = (),
    headline: str = "",
    impact: str = "",
) -> Incident:
    """A status update: what others are told; the next one is due an interval later.

    ``public``: it is shown on public status pages, with ``phase`` (investigating, identified,
    monitoring, resolved; by default that of the state) and the ``components`` that it is about.
    ``headline``: its title there from now on; ``impact``: how the components are from now on
    (`incidents.status.model.Level`), by default as the severity says. Raises UserError.
    """
    incident = rules.open_for_change(must(conn, incident_id))
    said = rules.text_of(text, "The update")
    posting.known(specs, components, impact)
    after = clocks.updated(incident, grade_of(specs, incident), now, public=public)
    data = {"public": public, "phase": phase or phase_of(incident), "components": list(components),
            "severity": incident.severity, "state": str(incident.state)}  # fmt: skip
    more = {"headline": rules.title_of(headline) if headline.strip() else "", "impact": impact}
    data.update({k: v for k, v in more.items() if v})
    kept = kept_with(conn, Changed(after, said), EntryKind.UPDATE, by, now, specs, data)
    posting.posted(conn, specs, kept, public, now)
    telling.told(conn, specs, site, kept, f"Update: {said}", by.actor, now)
    return kept


PHASES = {
    IncidentState.TRIGGERED: "investigating",
    IncidentState.INVESTIGATING: "investigating",
    IncidentState.IDENTIFIED: "identified",
    IncidentState.MITIGATED: "monitoring",
    IncidentState.RESOLVED: "resolved",
}
"""What the public is told of a state, in the words that status pages use."""


def phase_of(incident: Incident) -> str:
    """The phase that its state is for the public."""
    return PHASES[incident.state]


def say(
    conn: Connection,
    incident_id: int,
    kind: EntryKind,
    text: str,
    by: By,
    now: Seconds,
    *,
    at: Seconds | None = None,
    data: Mapping[str, Any] | None = None,
) -> Entry:
    """Write a message, note, decision or action. ``at``: when it happened. Raises UserError."""
    must(conn, incident_id)
    if kind not in SAYABLE:
        raise UserError(f"A {kind} is not written by hand.", f"One of: {', '.join(SAYABLE)}.")
    if at is not None and at > now:
        raise UserError("That is in the future.", "Give the time at which it happened.")
    made = NewEntry(kind, by.actor, by.source, rules.text_of(text), data or {}, at)
    return store.append(conn, incident_id, made, now)


def amend(
    conn: Connection, incident_id: int, number: int, by: By, now: Seconds, *, why: str = "",
    text: str | None = None, at: Seconds | None = None, pinned: bool | None = None,
) -> Entry:  # fmt: skip
    """Correct an entry, or pin it; what was written stays. Raises NotFound, UserError."""
    target = store.entry(conn, incident_id, number)
    if target is None or target.kind is EntryKind.AMENDMENT:
        raise NotFound(f"Incident {incident_id} has no entry {number}.", "Look at its timeline.")
    data: dict[str, Any] = {}
    if text is not None:
        data["text"] = rules.text_of(text)
    if at is not None:
        if at > now:
            raise UserError("That is in the future.", "Give the time at which it happened.")
        data["at"] = float(at)
    if pinned is not None:
        data["pinned"] = pinned
    if not data:
        raise UserError("Nothing is changed.", "Give another text, time, or pin it.")
    made = NewEntry(EntryKind.AMENDMENT, by.actor, by.source, why.strip(), data, None, number)
    kept = store.append(conn, incident_id, made, now)
    log(conn, must(conn, incident_id), "incident.amended", by, now, {"entry": number})
    return kept


def set_times(
    conn: Connection, specs: Specs, incident_id: int, times: Mapping[str, Seconds | None], why: str,
    by: By, now: Seconds,
) -> Incident:  # fmt: skip
    """Set times that durations are computed from. Raises UserError."""
    changed = rules.timed(must(conn, incident_id), times, why, now)
    return kept_with(conn, changed, EntryKind.NOTE, by, now, specs, {"times": dict(times)})


def override(
    conn: Connection, specs: Specs, incident_id: int, what: str, value: str, why: str, by: By,
    now: Seconds,
) -> Incident:  # fmt: skip
    """Put a figure of the impact in the place of the measured one; '' takes it back.

    Raises UserError.
    """
    incident = must(conn, incident_id)
    if what not in OVERRIDABLE:
        raise UserError(f"{what!r} cannot be set.", f"One of: {', '.join(OVERRIDABLE)}.")
    if value and not why.strip():
        raise UserError("Another figure needs a reason.", "Say where it comes from.")
    held = {k: v for k, v in incident.data.get("impact", {}).items() if k != what}
    if value:
        held[what] = {"value": value.strip(), "why": why.strip(), "by": by.actor}
    after = replace(incident, data={**incident.data, "impact": held})
    said = (
        f"Impact, {what}: {value.strip()}, {why.strip()}" if value else f"Impact, {what}: measured"
    )
    return kept_with(conn, Changed(after, said), EntryKind.METRIC, by, now, specs, {"what": what})


def describe(
    conn: Connection, specs: Specs, incident_id: int, by: By, now: Seconds, *,
    title: str | None = None, summary: str | None = None, causes: Sequence[str] | None = None,
) -> Incident:  # fmt: skip
    """Another title, summary, or causes. Raises UserError."""
    incident = must(conn, incident_id)
    after = replace(
        incident,
        title=incident.title if title is None else rules.title_of(title),
        summary=incident.summary if summary is None else summary.strip(),
        causes=incident.causes if causes is None else tuple(dict.fromkeys(causes)),
    )
    named = [n for n in ("title", "summary", "causes") if getattr(after, n) != getattr(incident, n)]
    if not named:
        return incident
    said = "; ".join(f"{n}: {_shown(getattr(after, n))}" for n in named)
    return kept_with(conn, Changed(after, said), EntryKind.NOTE, by, now, specs, {"changed": named})


def link(
    conn: Connection, specs: Specs, incident_id: int, by: By, now: Seconds, *,
    page_ids: Sequence[int] = (), services: Sequence[str] = (), slos: Sequence[str] = (),
    journeys: Sequence[str] = (),
) -> Incident:  # fmt: skip
    """Add pages, services, objectives or journeys. Raises NotFound, UserError."""
    incident = rules.open_for_change(must(conn, incident_id))
    known_names(specs, services, slos, journeys)
    found = [_page(conn, p) for p in page_ids if p not in incident.pages]
    after = rules.with_parts(incident, services=services, slos=slos, journeys=journeys)
    after = _with_pages(conn, after, found, specs)
    if after == incident:
        return incident
    named = [*(f"page #{p.id}" for p in found), *services, *slos, *journeys]
    data = {"pages": [p.id for p in found], "services": list(services)}
    changed = Changed(after, f"Linked: {', '.join(named)}")
    return kept_with(conn, changed, EntryKind.LINK, by, now, specs, data)


def merge(
    conn: Connection, specs: Specs, site: Site, incident_id: int, into_id: int, by: By, now: Seconds
) -> Incident:
    """Make one incident a part of another; gives the one that goes on. Raises UserError."""
    incident, into = must(conn, incident_id), must(conn, into_id)
    changed = rules.merged(incident, into, now)
    kept_with(conn, changed, EntryKind.LINK, by, now, specs, {"into": into.id})
    after = rules.with_parts(
        into, services=incident.services, slos=incident.slos, journeys=incident.journeys,
        pages=incident.pages,
    )  # fmt: skip
    earliest = [t for t in (into.began_at, incident.began_at) if t is not None]
    after = replace(after, began_at=min(earliest, default=None))
    said = f"Incident {incident.id}, {incident.title}, was merged into this one"
    kept = kept_with(
        conn, Changed(after, said), EntryKind.LINK, by, now, specs, {"of": incident.id}
    )
    telling.told(conn, specs, site, incident, changed.text, by.actor, now)
    return kept


# ---------------------------------------------------------------- helpers


def _page_linked(conn: Connection, incident: Incident, page: Page, by: By, now: Seconds) -> None:
    text = f"Page #{page.id}: {page.title}"
    write(conn, incident, EntryKind.DETECTED, by, text, now, data={"page": page.id},
           at=page.opened_at)  # fmt: skip
    if page.acked_at is not None:
        said = f"Page #{page.id} acknowledged by {page.acked_by}"
        write(conn, incident, EntryKind.ACTION, By(page.acked_by, "engine"), said, now,
               data={"page": page.id}, at=page.acked_at)  # fmt: skip


def _page(conn: Connection, page_id: int) -> Page:
    found = pages.get(conn, page_id)
    if found is None:
        raise NotFound(f"There is no page #{page_id}.", "`wk page list` shows them.")
    return found


def _shown(value: object) -> str:
    return ", ".join(value) if isinstance(value, tuple) else str(value)
