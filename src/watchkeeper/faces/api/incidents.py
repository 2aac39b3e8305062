"""The API of incidents: parse, call one use case, render."""

from __future__ import annotations

from enum import Enum
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Path, Query, Request
from pydantic import BaseModel, ConfigDict, Field

from watchkeeper.faces.api import render
from watchkeeper.faces.api.asked import actor, plain
from watchkeeper.faces.incidents import Incidents, IncidentStory
from watchkeeper.incidents.assessing import Course
from watchkeeper.incidents.impact import sentence
from watchkeeper.incidents.keeping import By
from watchkeeper.incidents.model import MEANING, Entry, EntryKind, Impact, Incident, RoleHolding
from watchkeeper.incidents.rules import TIMES
from watchkeeper.incidents.store import Wanted
from watchkeeper.kernel.clock import MINUTE, Seconds, iso

TAG: list[str | Enum] = ["incidents"]
Id = Annotated[int, Path(ge=1, le=2**53)]
Number = Annotated[int, Path(ge=1, le=2**31 - 1)]
Text = Annotated[str, Query(max_length=300)]
Name = Annotated[str, Field(max_length=300)]
Names = Annotated[list[Name], Field(max_length=200)]
Pages = Annotated[list[Annotated[int, Field(ge=1, le=2**53)]], Field(max_length=200)]
Time = float | str
State = Literal["triggered", "investigating", "identified", "mitigated", "resolved"]
Kind = Literal["message", "note", "decision", "action", "detected", "change"]
Phase = Literal["", "investigating", "identified", "monitoring", "resolved"]
ComponentState = Literal[
    "", "operational", "under_maintenance", "degraded_performance", "partial_outage", "major_outage"
]
Why = Annotated[str, Field(max_length=2000)]
Said = Annotated[str, Field(min_length=1, max_length=20_000)]


class Strict(BaseModel):
    """Refuses what it does not know."""

    model_config = ConfigDict(extra="forbid")


class IncidentIn(Strict):
    """An incident. With ``pages`` it takes their services, objectives and times."""

    title: str = Field(min_length=1, max_length=300)
    severity: str = Field("SEV2", max_length=50)
    summary: str = Field("", max_length=20_000)
    pages: Pages = []
    services: Names = []
    slos: Names = []
    journeys: Names = []
    began_at: Time | None = Field(None, description="RFC 3339 or epoch seconds")
    drill: bool = False


class IncidentChange(Strict):
    """What changes; what is not given stays. Times need a `why`."""

    title: str | None = Field(None, min_length=1, max_length=300)
    summary: str | None = Field(None, max_length=20_000)
    causes: Names | None = None
    began_at: Time | None = None
    detected_at: Time | None = None
    acknowledged_at: Time | None = None
    mitigated_at: Time | None = None
    resolved_at: Time | None = None
    why: Why = ""


class SeverityIn(Strict):
    """Another severity."""

    severity: str = Field(max_length=50)
    why: Why = ""


class StateIn(Strict):
    """Another state; going back needs a `why`."""

    state: State
    why: Why = ""


class UpdateIn(Strict):
    """A status update; `public` ones are shown on public status pages, under `headline`.

    `impact`: how the components are from now on; without, as the severity says.
    """

    text: Said
    public: bool = False
    phase: Phase = ""
    components: Names = []
    headline: str = Field("", max_length=300)
    impact: ComponentState = ""


class EntryIn(Strict):
    """Something for the timeline; `at`: when it happened, if not now."""

    text: Said
    kind: Kind = "message"
    at: Time | None = None


class AmendmentIn(Strict):
    """A correction; what was written stays and is shown beside it."""

    text: Said | None = None
    at: Time | None = None
    pinned: bool | None = None
    why: Why = ""


class RoleIn(Strict):
    """Who has a role: given at once (`user`), handed over (`offer_to`), or accepted."""

    user: Name | None = None
    offer_to: Name | None = None
    accept: bool = False


class ImpactIn(Strict):
    """A figure in the place of the measured one; '' takes it back."""

    what: Literal["users", "revenue", "requests"]
    value: str = Field("", max_length=200)
    why: Why = ""


class LinkIn(Strict):
    """What else belongs to it; or the incident that it is a part of."""

    pages: Pages = []
    services: Names = []
    slos: Names = []
    journeys: Names = []
    merge_into: int | None = Field(None, ge=1, le=2**53)


def by(request: Request) -> By:
    """Who asks, by the API."""
    return By(actor(request), "api")


def incident_routes(router: APIRouter, incidents: Incidents) -> None:
    """Add the routes."""
    _reading(router, incidents)
    _acting(router, incidents)
    _leading(router, incidents)


def _reading(router: APIRouter, incidents: Incidents) -> None:
    @router.get("/incidents", tags=TAG)
    def list_incidents(
        state: Annotated[list[State], Query()] = [],  # noqa: B006 - read only
        severity: Annotated[list[str], Query(max_length=20)] = [],  # noqa: B006
        service: Text = "",
        slo: Text = "",
        journey: Text = "",
        cause: Text = "",
        q: Text = "",
        after: Annotated[int | None, Query(ge=1, le=2**53)] = None,
        limit: Annotated[int, Query(ge=1, le=1000)] = 100,
    ) -> dict[str, Any]:
        """Incidents, newest first. Give `next` as `after` to go on."""
        wanted = Wanted(
            state, [plain(s) for s in severity], plain(service), plain(slo), plain(journey),
            plain(cause), plain(q),
        )  # fmt: skip
        found = incidents.find(wanted, after, limit)
        roles = incidents.roles([i.id for i in found])
        more = found[-1].id if len(found) == limit else None
        shown = [incident_json(i, roles.get(i.id, ())) for i in found]
        return {"incidents": shown, "next": more}

    @router.get("/incidents/verify", tags=TAG)
    def verify_incidents(
        incident: Annotated[int | None, Query(ge=1, le=2**53)] = None,
    ) -> dict[str, Any]:
        """Recomputes the chain of digests of every timeline (or one); what was altered."""
        found = incidents.verify(incident)
        return {
            "timelines": [
                {"incident": i.id, "entries": i.entries, "head": i.head} for i, _ in found
            ],
            "broken": [
                {"incident": b.incident_id, "entry": b.number, "what": b.what}
                for _, broken in found
                for b in broken
            ],
        }

    @router.get("/incidents/severities", tags=TAG)
    def list_severities() -> dict[str, Any]:
        """What severities there are, the worst first, and what each obliges to (seconds)."""
        return {
            "severities": [
                {"name": s.name, "title": s.title, "description": s.description,
                 "update_every": s.update_every, "first_public": s.first_public,
                 "postmortem_within": s.postmortem_within, "action_within": s.action_within}
                for s in incidents.severities()
            ]
        }  # fmt: skip

    @router.get("/incidents/suggestion", tags=TAG)
    def suggest_severity() -> dict[str, Any]:
        """The severity that the last 5 minutes suggest, and why; null when no journey is hurt."""
        found = incidents.suggest()
        if found is None:
            return {"severity": None, "why": "No journey is hurt."}
        return {"severity": found.severity, "why": found.why}

    @router.get("/incidents/{incident_id}/impact", tags=TAG)
    def get_impact(incident_id: Id, minutes: bool = False) -> dict[str, Any]:
        """What it cost, exact to the event: requests by objective, budgets, users, revenue.
        `minutes`: also of the objective that it hurt most, minute by minute."""
        found = impact_json(incidents.impact(incident_id))
        return {**found, "course": course_json(incidents.course(incident_id))} if minutes else found

    @router.get("/incidents/{incident_id}", tags=TAG)
    def get_incident(incident_id: Id) -> dict[str, Any]:
        """One incident with its roles and its whole timeline."""
        return story_json(incidents.story(incident_id))

    @router.get("/incidents/{incident_id}/timeline", tags=TAG)
    def get_timeline(
        incident_id: Id,
        kind: Annotated[list[str], Query(max_length=20)] = [],  # noqa: B006
        after: Annotated[int, Query(ge=0, le=2**31 - 1)] = 0,
    ) -> dict[str, Any]:
        """Entries as they were written, after entry `after`; amendments are entries too."""
        kinds = [EntryKind(k) for k in kind if k in list(EntryKind)]
        found = incidents.entries(incident_id, after, kinds)
        return {"entries": [entry_json(e) for e in found]}


def _acting(router: APIRouter, incidents: Incidents) -> None:
    @router.post("/incidents", status_code=201, tags=TAG)
    def declare_incident(body: IncidentIn, request: Request) -> dict[str, Any]:
        """Declare an incident: roles are filled from rotas, people told, the clock started."""
        made = incidents.declare(
            plain(body.title),
            plain(body.severity),
            by(request),
            page_ids=body.pages,
            services=[plain(n) for n in body.services],
            slos=[plain(n) for n in body.slos],
            journeys=[plain(n) for n in body.journeys],
            summary=plain(body.summary),
            began_at=None if body.began_at is None else render.seconds(body.began_at),
            drill=body.drill,
        )
        return story_json(incidents.story(made.id))

    @router.patch("/incidents/{incident_id}", tags=TAG)
    def change_incident(incident_id: Id, body: IncidentChange, request: Request) -> dict[str, Any]:
        """Another title, summary or causes; times, with a reason."""
        times = {n: render.seconds(v) for n in TIMES if (v := getattr(body, n)) is not None}
        title = None if body.title is None else plain(body.title)
        summary = None if body.summary is None else plain(body.summary)
        causes = None if body.causes is None else [plain(c) for c in body.causes]
        if times:
            incidents.set_times(incident_id, times, plain(body.why), by(request))
        if (title, summary, causes) != (None, None, None):
            incidents.describe(
                incident_id, by(request), title=title, summary=summary, causes=causes
            )
        return story_json(incidents.story(incident_id))

    @router.put("/incidents/{incident_id}/impact", tags=TAG)
    def override_impact(incident_id: Id, body: ImpactIn, request: Request) -> dict[str, Any]:
        """Put another figure in the place of a measured one, with a reason."""
        incidents.override(incident_id, body.what, plain(body.value), plain(body.why), by(request))
        return impact_json(incidents.impact(incident_id))

    @router.post("/incidents/{incident_id}/severity", tags=TAG)
    def set_severity(incident_id: Id, body: SeverityIn, request: Request) -> dict[str, Any]:
        """Another severity."""
        incidents.set_severity(incident_id, plain(body.severity), plain(body.why), by(request))
        return story_json(incidents.story(incident_id))

    @router.post("/incidents/{incident_id}/state", tags=TAG)
    def set_state(incident_id: Id, body: StateIn, request: Request) -> dict[str, Any]:
        """Another state."""
        incidents.set_state(incident_id, body.state, plain(body.why), by(request))
        return story_json(incidents.story(incident_id))

    @router.post("/incidents/{incident_id}/updates", status_code=201, tags=TAG)
    def post_update(incident_id: Id, body: UpdateIn, request: Request) -> dict[str, Any]:
        """A status update; says when the next one is due."""
        after = incidents.update(
            incident_id, plain(body.text), by(request), public=body.public, phase=body.phase,
            components=[plain(c) for c in body.components], headline=plain(body.headline),
            impact=body.impact,
        )  # fmt: skip
        return incident_json(after, ())

    @router.post("/incidents/{incident_id}/entries", status_code=201, tags=TAG)
    def add_entry(incident_id: Id, body: EntryIn, request: Request) -> dict[str, Any]:
        """Write into the timeline."""
        at = None if body.at is None else render.seconds(body.at)
        made = incidents.say(incident_id, body.kind, plain(body.text), by(request), at)
        return entry_json(made)

    @router.patch("/incidents/{incident_id}/entries/{number}", tags=TAG)
    def amend_entry(
        incident_id: Id, number: Number, body: AmendmentIn, request: Request
    ) -> dict[str, Any]:
        """Correct an entry, or pin it."""
        made = incidents.amend(
            incident_id, number, by(request), why=plain(body.why),
            text=None if body.text is None else plain(body.text),
            at=None if body.at is None else render.seconds(body.at), pinned=body.pinned,
        )  # fmt: skip
        return entry_json(made)

    @router.post("/incidents/{incident_id}/links", tags=TAG)
    def link_incident(incident_id: Id, body: LinkIn, request: Request) -> dict[str, Any]:
        """Add pages, services, objectives or journeys; or make it a part of another incident."""
        if body.merge_into is not None:
            into = incidents.merge(incident_id, body.merge_into, by(request))
            return story_json(incidents.story(into.id))
        incidents.link(
            incident_id, by(request), page_ids=body.pages,
            services=[plain(n) for n in body.services], slos=[plain(n) for n in body.slos],
            journeys=[plain(n) for n in body.journeys],
        )  # fmt: skip
        return story_json(incidents.story(incident_id))


def _leading(router: APIRouter, incidents: Incidents) -> None:
    @router.put("/incidents/{incident_id}/roles/{role}", tags=TAG)
    def set_role(
        incident_id: Id, role: Annotated[str, Path(max_length=100)], body: RoleIn, request: Request
    ) -> dict[str, Any]:
        """Give a role (`user`, '' leaves it empty), hand it over (`offer_to`), or `accept` it."""
        if body.accept:
            held = incidents.accept(incident_id, plain(role), by(request))
        elif body.offer_to is not None:
            held = incidents.offer(incident_id, plain(role), plain(body.offer_to), by(request))
        else:
            held = incidents.assign(incident_id, plain(role), plain(body.user or ""), by(request))
        return role_json(held)


# ---------------------------------------------------------------- as JSON


def story_json(story: IncidentStory) -> dict[str, Any]:
    """An incident with all that was written."""
    return {
        **incident_json(story.incident, story.roles),
        "empty_roles": [r.name for r in story.empty],
        "timeline": [entry_json(e) for e in story.entries],
        "broken": [{"entry": b.number, "what": b.what} for b in story.broken],
    }


def incident_json(i: Incident, roles: Any) -> dict[str, Any]:  # noqa: ANN401 - any sequence
    """An incident as the API shows it."""
    return {
        "id": i.id,
        "title": i.title,
        "severity": i.severity,
        "state": str(i.state),
        "meaning": MEANING[i.state],
        "summary": i.summary,
        "declared_at": iso(i.declared_at),
        "declared_by": i.declared_by,
        **{n: _time(getattr(i, n)) for n in (*TIMES, "last_update_at", "update_due_at")},
        "services": list(i.services),
        "slos": list(i.slos),
        "journeys": list(i.journeys),
        "pages": list(i.pages),
        "causes": list(i.causes),
        "merged_into": i.merged_into,
        "drill": i.drill,
        "entries": i.entries,
        "head": i.head,
        "roles": [role_json(r) for r in roles],
    }


def course_json(its: Course | None) -> dict[str, Any] | None:
    """An objective's requests, minute by minute; None: nothing is measured."""
    if its is None:
        return None
    rows = [
        {"at": iso((its.start + i) * MINUTE), "total": total, "bad": bad}
        for i, (total, bad) in enumerate(zip(its.total, its.bad, strict=True))
    ]
    return {"objective": its.slo, "minutes": rows}


def impact_json(i: Impact) -> dict[str, Any]:
    """What an incident cost; durations in seconds."""
    return {
        "start": iso(i.start),
        "end": iso(i.end),
        "sentence": sentence(i),
        "objectives": {
            n: {"bad": i.bad[n], "total": i.total[n], "budget_share": i.budget.get(n)}
            for n in sorted(i.bad)
        },
        "users": i.users,
        "revenue": dict(i.revenue),
        "to_detect": i.to_detect,
        "to_acknowledge": i.to_acknowledge,
        "to_mitigate": i.to_mitigate,
        "to_resolve": i.to_resolve,
        "overrides": {k: dict(v) for k, v in i.overrides.items()},
    }


def role_json(r: RoleHolding) -> dict[str, Any]:
    """Who has a role."""
    return {"role": r.role, "user": r.user, "since": iso(r.since), "offered_to": r.offered_to}


def entry_json(e: Entry) -> dict[str, Any]:
    """An entry as it was written."""
    return {
        "number": e.number,
        "kind": str(e.kind),
        "at": iso(e.at),
        "written_at": iso(e.written_at),
        "actor": e.actor,
        "source": e.source,
        "text": e.text,
        "data": dict(e.data),
        "amends": e.amends,
        "previous": e.previous,
        "digest": e.digest,
    }


def _time(at: Seconds | None) -> str | None:
    return None if at is None else iso(at)
