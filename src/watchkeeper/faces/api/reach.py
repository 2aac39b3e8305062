"""The API of channels, contacts, policies and drills: parse, call one use case, render."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response
from pydantic import BaseModel, Field

from watchkeeper.faces.api.asked import actor
from watchkeeper.faces.api.duty_json import delivery_json, page_json, when
from watchkeeper.faces.duty import Duty
from watchkeeper.faces.reaching import (
    ChannelView,
    ContactView,
    PersonView,
    PolicyView,
    proofs_of,
)
from watchkeeper.spec.duty import EscalationTarget

Name = Annotated[str, Field(max_length=200)]
Shown = Callable[[str, str], str]
"""(channel, address) as people may read it: `Duty.shown`."""
Address = Annotated[str, Field(min_length=1, max_length=1000)]


class TestIn(BaseModel):
    """Where a test message goes."""

    address: Address


class DrillIn(BaseModel):
    """Which policy is drilled."""

    policy: Name


class ContactIn(BaseModel):
    """A contact as it is defined with its user."""

    user: Name
    channel: Name
    address: Address


class CodeIn(ContactIn):
    """The code that came back from it."""

    code: Annotated[str, Field(min_length=1, max_length=20)]


def reach_routes(router: APIRouter, duty: Duty) -> None:
    """Add the routes."""
    _drills(router, duty)
    _policies(router, duty)
    _channels(router, duty)
    _contacts(router, duty)


def _drills(router: APIRouter, duty: Duty) -> None:
    @router.post("/drills", status_code=201, tags=["drills"])
    def start_drill(body: DrillIn, request: Request) -> dict[str, Any]:
        """A real page through the real ways of a policy."""
        return page_json(duty.drill(body.policy, actor(request)))

    @router.get("/drills", tags=["drills"])
    def list_drills() -> list[dict[str, Any]]:
        """Drills, newest first."""
        return [page_json(p) for p in duty.drills()]

    @router.get("/drills/proofs", tags=["drills"])
    def list_proofs() -> dict[str, list[dict[str, Any]]]:
        """The last proof of every policy, channel, person and contact; null is never."""
        found = proofs_of(duty)
        return {
            "policies": [_policy_proof(p) for p in found.policies],
            "channels": [channel_json(c) for c in found.channels],
            "people": [person_json(p) for p in found.people],
            "contacts": [contact_json(c, duty.shown) for c in found.contacts],
        }


def _policies(router: APIRouter, duty: Duty) -> None:
    @router.get("/escalation-policies", tags=["oncall"])
    def list_policies() -> list[dict[str, Any]]:
        """Escalation policies: whom they call, after which waits, with their last drill."""
        return [policy_json(p, duty.shown) for p in proofs_of(duty).policies]


def _channels(router: APIRouter, duty: Duty) -> None:
    @router.get("/channels", tags=["channels"])
    def list_channels() -> list[dict[str, Any]]:
        """Channels with what came of their last message; never their settings."""
        return [channel_json(c) for c in proofs_of(duty).channels]

    @router.post("/channels/{name}/test", status_code=202, tags=["channels"])
    def test_channel(name: str, body: TestIn, request: Request) -> dict[str, Any]:
        """Send a test message; its outcome is under `deliveries`, by this key."""
        return {"key": duty.test_channel(name, body.address, actor(request))}

    @router.get("/deliveries", tags=["channels"])
    def list_deliveries(
        channel: Annotated[str, Query(max_length=200)] = "",
        limit: Annotated[int, Query(ge=1, le=500)] = 50,
    ) -> list[dict[str, Any]]:
        """The newest messages and what came of them."""
        return [delivery_json(d) for d in duty.deliveries(channel, limit)]


def _contacts(router: APIRouter, duty: Duty) -> None:
    @router.get("/contacts", tags=["channels"])
    def list_contacts() -> list[dict[str, Any]]:
        """How every person is reached, with the last proof that it works."""
        return [contact_json(c, duty.shown) for c in proofs_of(duty).contacts]

    @router.post("/contacts/code", status_code=202, tags=["channels"])
    def send_code(body: ContactIn) -> dict[str, Any]:
        """Send a code to a contact; it holds for 15 minutes."""
        duty.send_code(body.user, body.channel, body.address)
        return {"user": body.user, "channel": body.channel}

    @router.post("/contacts/verify", status_code=204, tags=["channels"])
    def verify_code(body: CodeIn) -> Response:
        """The code that came back proves the contact."""
        duty.verify_code(body.user, body.channel, body.address, body.code)
        return Response(status_code=204)


# ---------------------------------------------------------------- as others script against it


def _policy_proof(view: PolicyView) -> dict[str, Any]:
    return {
        "name": view.definition.name,
        "drill": view.definition.drill or None,
        "drill_time_zone": view.definition.drill_zone,
        "last_drill_at": when(view.started_at),
        "proved_at": when(view.proved_at),
        "next_drill_at": when(view.next_at),
    }


def policy_json(view: PolicyView, shown: Shown) -> dict[str, Any]:
    """An escalation policy; waits in seconds."""
    its = view.definition
    return {
        **_policy_proof(view),
        "display_name": its.display_name,
        "team": its.team,
        "steps": [
            {"notify": [_target(t, shown) for t in s.targets], "wait_seconds": s.wait}
            for s in its.steps
        ],
        "repeat": its.repeat,
        "fallback": [_target(t, shown) for t in its.fallback],
        "ack_expires_seconds": its.ack_expires,
    }


def _target(target: EscalationTarget, shown: Shown) -> dict[str, str]:
    where = {"address": shown(target.name, target.address)} if target.address else {}
    return {"kind": str(target.kind), "name": target.name, **where}


def channel_json(view: ChannelView) -> dict[str, Any]:
    """A channel; what its settings hold stays with us."""
    return {
        "name": view.definition.name,
        "type": str(view.definition.type),
        "contacts": view.contacts,
        "proved_at": when(view.proved_at),
        "last": delivery_json(view.last) if view.last else None,
    }


def person_json(view: PersonView) -> dict[str, Any]:
    """A person with their last proof."""
    return {
        "name": view.definition.name,
        "display_name": view.definition.display_name,
        "team": view.definition.team,
        "proved_at": when(view.proved_at),
        "contacts_unproved": view.unproved,
    }


def contact_json(view: ContactView, shown: Shown) -> dict[str, Any]:
    """A contact with its proofs."""
    return {
        "user": view.user,
        "channel": view.channel,
        "address": shown(view.channel, view.address),
        "verified_at": when(view.verified_at),
        "drilled_at": when(view.drilled_at),
        "last": delivery_json(view.last) if view.last else None,
    }
