"""The API of mitigations: parse, call one use case, render."""

from __future__ import annotations

from enum import Enum
from typing import Annotated, Any

from fastapi import APIRouter, Path, Request
from pydantic import Field

from watchkeeper.changes.culprits import Culprit
from watchkeeper.faces.api.asked import plain
from watchkeeper.faces.api.incidents import Id, Strict, by
from watchkeeper.faces.mitigations import Mitigations, Offered
from watchkeeper.incidents.mitigation.model import MEANING, Run
from watchkeeper.kernel.clock import Seconds, iso

TAG: list[str | Enum] = ["mitigations"]
Name = Annotated[str, Path(max_length=300)]
Value = Annotated[str, Field(max_length=200)]


class RunIn(Strict):
    """A run. `confirm`: it changes production, and that is meant. `seen`: the `last_run` that you
    know of, 0 for none: if there is a later one, nothing is run."""

    values: dict[Value, Value] = Field({}, max_length=50)
    dry_run: bool = False
    confirm: bool = False
    seen: int | None = Field(None, ge=0, le=2**53)


def mitigation_routes(router: APIRouter, mitigations: Mitigations) -> None:
    """Add the routes."""

    @router.get("/incidents/{incident_id}/mitigations", tags=TAG)
    def list_mitigations(incident_id: Id) -> dict[str, Any]:
        """What to look at and try first: likely culprits, mitigations, and what was run."""
        found = mitigations.first_aid(incident_id)
        return {
            "culprits": [culprit_json(c) for c in found.culprits],
            "mitigations": [offered_json(o) for o in found.offered],
            "runs": [run_json(r) for r in found.runs],
        }

    @router.post("/incidents/{incident_id}/mitigations/{name}", status_code=202, tags=TAG)
    def run_mitigation(
        incident_id: Id, name: Name, body: RunIn, request: Request
    ) -> dict[str, Any]:
        """Ask for a run; `new` is false when the same is under way already."""
        values = {plain(k): plain(v) for k, v in body.values.items()}
        asked = mitigations.request(
            incident_id, plain(name), values, by(request), dry_run=body.dry_run,
            confirmed=body.confirm, seen=body.seen,
        )  # fmt: skip
        return {**run_json(asked.run), "new": asked.new}

    @router.get("/incidents/{incident_id}/runs", tags=TAG)
    def list_runs(incident_id: Id) -> dict[str, Any]:
        """What was run in an incident, the newest first, without what it printed."""
        return {"runs": [run_json(r) for r in mitigations.runs(incident_id)]}

    @router.get("/incidents/{incident_id}/runs/{run_id}", tags=TAG)
    def get_run(incident_id: Id, run_id: Annotated[int, Path(ge=1, le=2**53)]) -> dict[str, Any]:
        """One run with what it printed so far."""
        found = mitigations.run(incident_id, run_id)
        return {**run_json(found), "output": found.output}


def offered_json(o: Offered) -> dict[str, Any]:
    """A mitigation as it is offered."""
    m = o.definition
    return {
        "name": m.name,
        "title": m.display_name,
        "description": m.description,
        "action": m.action,
        "type": str(m.kind),
        "services": list(m.services),
        "parameters": [
            {"name": p.name, "title": p.title, "default": p.default, "choices": list(p.choices),
             "pattern": "" if p.choices else p.pattern}
            for p in m.parameters
        ],
        "dry_run": o.can_try,
        "confirm": m.confirm,
        "timeout": m.timeout,
        "last_run": o.seen,
    }  # fmt: skip


def run_json(r: Run) -> dict[str, Any]:
    """A run without what it printed."""
    return {
        "id": r.id,
        "incident": r.incident_id,
        "mitigation": r.mitigation,
        "title": r.title,
        "action": r.action,
        "type": r.kind,
        "dry_run": r.dry_run,
        "values": dict(r.values),
        "state": str(r.state),
        "meaning": MEANING[r.state],
        "over": r.over,
        "outcome": r.outcome,
        "by": r.by,
        "requested_at": iso(r.requested_at),
        "started_at": _time(r.started_at),
        "ended_at": _time(r.ended_at),
        "helped": None if r.helped is None else str(r.helped),
        "burns": list(r.data.get("burns", ())),
        "check_at": _time(r.check_at),
    }


def culprit_json(c: Culprit) -> dict[str, Any]:
    """A change, or a dependency that fails, to look at first."""
    return {
        "service": c.service,
        "change": None if c.change is None else c.change.id,
        "score": round(c.score, 3),
        "why": c.why,
        "slo": c.slo or None,
        "reasons": list(c.reasons),
    }


def _time(at: Seconds | None) -> str | None:
    return None if at is None else iso(at)
