"""The API of what was learnt: similar ones, recurrences, proofs, figures, digests."""

from __future__ import annotations

from dataclasses import asdict
from enum import Enum
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from watchkeeper.faces.api.asked import actor, plain
from watchkeeper.faces.learning import MOST_DAYS, Again, Learning
from watchkeeper.incidents.keeping import By
from watchkeeper.kernel.clock import iso
from watchkeeper.postmortems.figures import Figures
from watchkeeper.postmortems.knowing import Proof, Resembling
from watchkeeper.postmortems.store_digest import Subscription

TAG: list[str | Enum] = ["learning"]
Id = Annotated[int, Path(ge=1, le=2**53)]
Text = Annotated[str, Query(max_length=300)]
Names = Annotated[list[Annotated[str, Field(max_length=300)]], Query(max_length=50)]


class Strict(BaseModel):
    """Refuses what it does not know."""

    model_config = ConfigDict(extra="forbid")


class SameIn(Strict):
    """Whether an incident is ``of`` again. Denying it needs a ``why``."""

    of: int = Field(ge=1, le=2**53)
    same: bool
    why: str = Field("", max_length=2000)


class DigestIn(Strict):
    """A ``user``, or an ``address`` of a ``channel``; ``team``: only of services that it owns."""

    user: str = Field("", max_length=200)
    channel: str = Field("", max_length=200)
    address: str = Field("", max_length=500)
    team: str = Field("", max_length=200)


def learning_routes(router: APIRouter, learning: Learning) -> None:
    """Add the routes; before those of incidents, whose paths take anything as a number."""

    @router.get("/incidents/similar", tags=TAG)
    def similar_to_new(
        title: Text, service: Names = [], journey: Names = [], summary: Text = "",  # noqa: B006
    ) -> dict[str, Any]:  # fmt: skip
        """Past incidents that one which is about to be declared resembles, and why."""
        found = learning.like_new(plain(title), service, journey, summary=plain(summary))
        return {"similar": [_like(r) for r in found]}

    @router.get("/incidents/{incident_id}/similar", tags=TAG)
    def similar_to(incident_id: Id) -> dict[str, Any]:
        """Past incidents that this one resembles, and why."""
        return {"similar": [_like(r) for r in learning.like_incident(incident_id)]}

    @router.get("/incidents/{incident_id}/recurrences", tags=TAG)
    def list_recurrences(incident_id: Id) -> dict[str, Any]:
        """What this incident is again, and which incidents are this one again."""
        return {
            "of": [_again(a) for a in learning.again(incident_id)],
            "since": [_again(a) for a in learning.since(incident_id)],
        }

    @router.post("/incidents/{incident_id}/recurrences", tags=TAG)
    def decide_recurrence(incident_id: Id, body: SameIn, request: Request) -> dict[str, Any]:
        """Say whether it is a past incident again. If so, items that were done open again."""
        by = By(actor(request), "api")
        learning.decide(incident_id, body.of, body.same, plain(body.why), by)
        return {"of": [_again(a) for a in learning.again(incident_id)]}

    @router.get("/learning/proofs", tags=TAG)
    def list_proofs() -> dict[str, Any]:
        """Every action item that promised to prevent an incident, and whether that has held."""
        return {"proofs": [proof_json(p) for p in learning.proofs()]}

    @router.get("/learning/figures", tags=TAG)
    def get_figures(
        days: Annotated[int, Query(ge=1, le=MOST_DAYS)] = 365, service: Text = "",
        severity: Text = "",
    ) -> dict[str, Any]:  # fmt: skip
        """Times to detect, acknowledge, mitigate and resolve; counts; closure of action items."""
        return figures_json(learning.figures(days, plain(service), plain(severity)))

    _digest_routes(router, learning)


def _digest_routes(router: APIRouter, learning: Learning) -> None:
    @router.get("/learning/digests", tags=TAG)
    def list_digests() -> dict[str, Any]:
        """Who is sent the weekly digest."""
        return {"digests": [digest_json(s) for s in learning.digests()]}

    @router.post("/learning/digests", status_code=201, tags=TAG)
    def subscribe(body: DigestIn, request: Request) -> dict[str, Any]:
        """Send the weekly digest to a user, or to an address of a channel."""
        named = {k: plain(v) for k, v in body.model_dump().items()}
        made = learning.subscribe(actor(request), **named)
        return next(digest_json(s) for s in learning.digests() if s.id == made.id)

    @router.post("/learning/digests/me", status_code=201, tags=TAG)
    def subscribe_me(request: Request, team: Text = "") -> dict[str, Any]:
        """Send oneself the weekly digest."""
        who = actor(request)
        return digest_json(learning.subscribe(who, user=who, team=plain(team)))

    @router.delete("/learning/digests/me", status_code=204, tags=TAG)
    def unsubscribe_me(request: Request) -> Response:
        """Send oneself no more digests."""
        learning.unsubscribe_me(actor(request))
        return Response(status_code=204)

    @router.delete("/learning/digests/{digest_id}", status_code=204, tags=TAG)
    def unsubscribe(digest_id: Id, request: Request) -> Response:
        """Send it no more."""
        learning.unsubscribe(digest_id, actor(request))
        return Response(status_code=204)


def _like(found: Resembling) -> dict[str, Any]:
    its = found.incident
    return {
        "incident": its.id, "title": its.title, "severity": its.severity, "state": str(its.state),
        "declared_at": iso(its.declared_at), "causes": list(its.causes),
        "likeness": round(found.like.likeness, 4), "why": found.like.why,
        "postmortem": found.postmortem_id,
    }  # fmt: skip


def _again(found: Again) -> dict[str, Any]:
    kept = found.kept
    return {
        "incident": found.other.id, "title": found.other.title, "kinship": str(kept.kinship),
        "at": iso(kept.at), "because": found.because, "items": [dict(i) for i in kept.items],
        "decided_by": kept.decided_by, "why": kept.why,
    }  # fmt: skip


def proof_json(proof: Proof) -> dict[str, Any]:
    """An item and whether it has held."""
    held = proof.held
    return {
        "item": proof.item.id, "text": proof.item.text, "type": str(proof.item.type),
        "state": str(proof.item.state), "incident": proof.incident.id,
        "title": proof.incident.title, "verdict": str(held.verdict),
        "quiet_seconds": held.quiet, "came_before": held.before, "chance": held.chance,
        "recurred_in": held.recurred_in,
    }  # fmt: skip


def figures_json(found: Figures) -> dict[str, Any]:
    """All figures; times in seconds."""
    return {**asdict(found), "since": iso(found.since), "until": iso(found.until)}


def digest_json(its: Subscription) -> dict[str, Any]:
    """A subscription."""
    return {"id": its.id, "user": its.user, "channel": its.channel, "address": its.address,
            "team": its.team, "made_by": its.made_by, "next_at": iso(its.next_at)}  # fmt: skip
