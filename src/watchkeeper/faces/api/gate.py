"""The API of budget policies and the release gate: parse, call one use case, render."""

from __future__ import annotations

import asyncio
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Path, Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from watchkeeper.faces.api import render
from watchkeeper.faces.api.asked import actor, plain
from watchkeeper.faces.gate import Gate, PolicyNow
from watchkeeper.kernel.clock import Seconds, iso
from watchkeeper.kernel.errors import UserError
from watchkeeper.policy import rules, work
from watchkeeper.policy.model import Decision, GateException, Question, Standing, Verdict
from watchkeeper.policy.watching import Watched
from watchkeeper.policy.work import Proof

Text = Annotated[str, Query(max_length=300)]
ExceptionId = Annotated[int, Path(ge=1, le=2**53)]
Moment = Annotated[str, Query(max_length=40, description="RFC 3339 or epoch seconds")]
DAY = 86_400.0
ANNOTATION = "watchkeeper.dev/"
"""Before the names of annotations on Kubernetes objects: service, change-kind, change."""


class CheckIn(BaseModel):
    """May this go out? `change`: a version, commit or link, kept with the decision."""

    model_config = ConfigDict(extra="forbid")

    service: str = Field(min_length=1, max_length=200)
    change_kind: str = Field("feature", max_length=40)
    change: str = Field("", max_length=500)
    environment: str = Field("", max_length=200)


class ExceptionIn(BaseModel):
    """Leave to pass a halt; somebody else must give it. `lasts`: seconds, by default a day."""

    model_config = ConfigDict(extra="forbid")

    service: str = Field(min_length=1, max_length=200)
    ground: Literal["security", "reliability", "silver_bullet", "other"] = "other"
    reason: str = Field(min_length=1, max_length=2000)
    change_kind: str = Field("", max_length=40)
    lasts: float | None = Field(None, gt=0, le=366 * DAY)
    most_uses: int | None = Field(None, ge=1, le=10_000)


class FlaggerIn(BaseModel):
    """What Flagger sends to a webhook of a canary; its metadata names service and kind."""

    name: str = Field(max_length=300)
    namespace: str = Field("", max_length=300)
    phase: str = Field("", max_length=100)
    metadata: dict[str, str] = Field(default_factory=dict, max_length=50)


class AdmissionIn(BaseModel):
    """A Kubernetes `AdmissionReview` (admission.k8s.io/v1)."""

    apiVersion: Literal["admission.k8s.io/v1"]  # noqa: N815 - Kubernetes' name
    kind: Literal["AdmissionReview"]
    request: dict[str, Any]


def asked_in(body: CheckIn, who: str) -> Question:
    """The question that a body asks. Raises UserError."""
    kind = work.kind_named(body.change_kind)
    return Question(plain(body.service), kind, plain(body.change), plain(body.environment), who)


def gate_routes(router: APIRouter, gate: Gate) -> None:
    """Add the routes."""
    _ask_routes(router, gate)
    _other_askers(router, gate)
    _decision_routes(router, gate)
    _exception_routes(router, gate)
    _policy_routes(router, gate)


def _ask_routes(router: APIRouter, gate: Gate) -> None:
    @router.post("/gate/check", tags=["gate"])
    async def check(body: CheckIn, request: Request) -> dict[str, Any]:
        """May a release go out? The decision is kept, signed, when this answers."""
        return decision_json(await asyncio.wrap_future(gate.check(asked_in(body, actor(request)))))

    @router.get("/gate/standing", tags=["gate"])
    def standing(service: Text) -> dict[str, Any]:
        """How the budgets stand that rule a service; nothing is decided or kept."""
        return {
            "service": service,
            "standings": [standing_json(s) for s in gate.standings(service)],
        }

    @router.get("/gate/watch", tags=["gate"])
    def watch(service: Text, since: Moment) -> dict[str, Any]:
        """Does the budget burn faster since a release began than in the hour before it?"""
        return watched_json(gate.watch(plain(service), _at(since)))


def _other_askers(router: APIRouter, gate: Gate) -> None:
    @router.post("/gate/flagger", tags=["gate"], responses={409: {"description": "Halt."}})
    async def flagger(body: FlaggerIn, request: Request, response: Response) -> dict[str, Any]:
        """For a webhook of a Flagger canary (`confirm-rollout`, `pre-rollout`): 200 goes on, 409
        halts. `metadata.service` names the service, else the canary does."""
        service = body.metadata.get("service", body.name)
        kind = work.kind_named(body.metadata.get("change_kind", "feature"))
        change = body.metadata.get("change", f"{body.namespace}/{body.name} {body.phase}".strip())
        asked = Question(plain(service), kind, plain(change)[:500], plain(body.namespace),
                         actor(request))  # fmt: skip
        made = await asyncio.wrap_future(gate.check(asked))
        response.status_code = 200 if made.ruling.verdict is Verdict.ALLOW else 409
        return decision_json(made)

    @router.post("/gate/admission", tags=["gate"])
    async def admission(body: AdmissionIn, request: Request) -> dict[str, Any]:
        """For a validating webhook of Kubernetes. The annotation `watchkeeper.dev/service` of the
        object names its service; an object without it is none of ours and passes."""
        asked = _of_admission(body.request, actor(request))
        uid = str(body.request.get("uid", ""))
        answer: dict[str, Any] = {"uid": uid, "allowed": True}
        if asked is not None:
            made = await asyncio.wrap_future(gate.check(asked))
            answer["allowed"] = made.ruling.verdict is Verdict.ALLOW
            answer["auditAnnotations"] = {"decision": made.uid}
            if not answer["allowed"]:
                answer["status"] = {"code": 403, "message": made.ruling.why}
        return {"apiVersion": body.apiVersion, "kind": body.kind, "response": answer}


def _of_admission(request: dict[str, Any], who: str) -> Question | None:
    """The question that an object's annotations ask. Raises UserError."""
    found = request.get("object")
    metadata = found.get("metadata") if isinstance(found, dict) else None
    notes = metadata.get("annotations") if isinstance(metadata, dict) else None
    if not isinstance(notes, dict) or not isinstance(metadata, dict):
        return None
    said = {n: notes.get(ANNOTATION + n) for n in ("service", "change-kind", "change")}
    if not said["service"]:
        return None
    if any(v is not None and not isinstance(v, str) for v in said.values()):
        raise UserError("An annotation is no text.", f"Annotate {ANNOTATION}service: NAME.")
    name = str(metadata.get("name") or metadata.get("generateName") or "")
    namespace = str(request.get("namespace", ""))
    change = plain(str(said["change"] or f"{namespace}/{name}"))[:500]
    kind = work.kind_named(str(said["change-kind"] or "feature"))
    return Question(plain(str(said["service"])), kind, change, plain(namespace)[:200], who)


def _at(written: str) -> Seconds:
    """A moment of a query. Raises UserError."""
    try:
        return render.seconds(float(written))
    except ValueError:
        return render.seconds(written)


def _decision_routes(router: APIRouter, gate: Gate) -> None:
    @router.get("/gate/decisions", tags=["gate"])
    def list_decisions(
        service: Text = "",
        decision: Literal["", "allow", "halt"] = "",
        since: Moment = "",
        until: Moment = "",
        after: Annotated[int | None, Query(ge=1, le=2**53)] = None,
        limit: Annotated[int, Query(ge=1, le=1000)] = 100,
    ) -> dict[str, Any]:
        """Decisions, newest first. Give `next` as `after` to go on."""
        found = gate.decisions(
            plain(service), decision, _at(since) if since else None,
            _at(until) if until else None, after, limit,
        )  # fmt: skip
        more = found[-1].id if len(found) == limit else None
        return {"decisions": [decision_json(d) for d in found], "next": more}

    @router.get("/gate/replay", tags=["gate"])
    def replay(since: Moment, until: Moment) -> dict[str, Any]:
        """Make the decisions of an interval again from what they followed from."""
        found = gate.replay(_at(since), _at(until))
        return {"decisions": found.count, "broken": [proof_json(p) for p in found.broken]}

    @router.get("/gate/decisions/{uid}", tags=["gate"])
    def get_decision(uid: Annotated[str, Path(max_length=40)]) -> dict[str, Any]:
        """One decision, all that it followed from, and whether both are as they were."""
        return {**proof_json(found := gate.decision(plain(uid))),
                "inputs": dict(found.decision.inputs)}  # fmt: skip


def _exception_routes(router: APIRouter, gate: Gate) -> None:
    @router.get("/gate/exceptions", tags=["gate"])
    def list_exceptions(service: Text = "", alive: bool = False) -> list[dict[str, Any]]:
        """Exceptions, newest first; `alive`: only those that are not over."""
        return [exception_json(e) for e in gate.exceptions(plain(service), alive)]

    @router.post("/gate/exceptions", status_code=201, tags=["gate"])
    def ask_exception(body: ExceptionIn, request: Request) -> dict[str, Any]:
        """Ask for leave to pass a halt."""
        made = gate.ask_exception(
            plain(body.service), body.ground, plain(body.reason), actor(request),
            kind=plain(body.change_kind), lasts=body.lasts, most_uses=body.most_uses,
        )  # fmt: skip
        return exception_json(made)

    @router.post("/gate/exceptions/{exception_id}/approve", tags=["gate"])
    def approve(exception_id: ExceptionId, request: Request) -> dict[str, Any]:
        """Give it; somebody else than who asked for it."""
        return exception_json(gate.approve(exception_id, actor(request)))

    @router.post("/gate/exceptions/{exception_id}/revoke", tags=["gate"])
    def revoke(exception_id: ExceptionId, request: Request) -> dict[str, Any]:
        """Take it back, or decline it."""
        return exception_json(gate.revoke(exception_id, actor(request)))


def _policy_routes(router: APIRouter, gate: Gate) -> None:
    @router.get("/budgets", tags=["gate"])
    def list_policies() -> list[dict[str, Any]]:
        """Budget policies with the state of each, the worst first."""
        return [policy_json(p) for p in gate.policies()]

    @router.get("/budgets/{name:path}", tags=["gate"])
    def get_policy(name: Annotated[str, Path(max_length=300)]) -> dict[str, Any]:
        """One budget policy."""
        return policy_json(gate.policy(plain(name)))


# ---------------------------------------------------------------- as JSON


def decision_json(made: Decision) -> dict[str, Any]:
    """A decision as the API shows it."""
    return {
        "id": made.uid,
        "decision": str(made.ruling.verdict),
        "service": made.question.service,
        "change_kind": str(made.question.kind),
        "change": made.question.change,
        "environment": made.question.environment,
        "asked_by": made.question.asked_by,
        "state": str(made.ruling.state),
        "why": made.ruling.why,
        "policy": made.ruling.policy,
        "exception": made.ruling.exception,
        "at": iso(made.at),
        "signature": made.signature,
    }


def proof_json(proof: Proof) -> dict[str, Any]:
    """A decision and what it is worth."""
    return {**decision_json(proof.decision), "signed": proof.signed, "replays": proof.same}


def standing_json(its: Standing) -> dict[str, Any]:
    """How a budget stands."""
    return {
        "policy": its.terms.policy,
        "state": str(its.state),
        "remaining_ratio": its.left,
        "worst": its.worst or None,
        "why": rules.why(its),
        "releases": rules.obliges(its.terms, its.state),
        "halted": list(its.terms.halt.get(str(its.state), ())),
        "objectives": [
            {"slo": e.slo, "target": e.target, "window": e.window, "good": e.good,
             "total": e.total, "remaining_ratio": e.left}
            for e in its.evidence
        ],
    }  # fmt: skip


def policy_json(found: PolicyNow) -> dict[str, Any]:
    """A policy with its state."""
    policy, kept = found.policy, found.kept
    return {
        **standing_json(found.standing),
        "name": policy.name,
        "display_name": policy.display_name,
        "description": policy.description,
        "services": list(policy.services),
        "at_risk": float(policy.at_risk),
        "depleted": float(policy.depleted),
        "announced": str(kept.state) if kept else None,
        "announced_at": iso(kept.since) if kept else None,
        "silver_bullets": policy.silver_bullets,
        "silver_bullets_left": found.bullets_left,
        "exceptions": [exception_json(e) for e in found.exceptions],
    }


def exception_json(found: GateException) -> dict[str, Any]:
    """An exception as the API shows it."""
    return {
        "id": found.id,
        "service": found.service,
        "change_kind": found.kind or None,
        "ground": str(found.ground),
        "reason": found.reason,
        "requested_by": found.requested_by,
        "requested_at": iso(found.requested_at),
        "expires_at": iso(found.expires_at),
        "approved_by": found.approved_by or None,
        "approved_at": iso(found.approved_at) if found.approved_at is not None else None,
        "revoked_by": found.revoked_by or None,
        "revoked_at": iso(found.revoked_at) if found.revoked_at is not None else None,
        "uses": found.uses,
        "most_uses": found.most_uses,
    }


def watched_json(found: Watched) -> dict[str, Any]:
    """A release under watch."""
    return {
        "service": found.service,
        "advice": str(found.advice),
        "why": found.why,
        "since": iso(found.since),
        "as_of": iso(found.as_of),
        "objectives": [
            {
                "slo": c.slo,
                "advice": str(c.advice),
                "before": {"bad": c.bad_before, "total": c.total_before, "burn": c.burn_before},
                "since": {"bad": c.bad_since, "total": c.total_since, "burn": c.burn_since},
                "chance": c.chance,
            }
            for c in found.compared
        ],
    }
