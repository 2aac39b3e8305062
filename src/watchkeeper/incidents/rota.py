"""Who is on call for an incident, and for each of its roles, at a moment. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from watchkeeper.incidents.model import Incident
from watchkeeper.kernel.clock import Seconds
from watchkeeper.oncall.calling import Changes, people
from watchkeeper.oncall.routing import policy_of_service
from watchkeeper.spec.duty import EscalationPolicyDefinition
from watchkeeper.spec.model import Specs


def policies(incident: Incident, specs: Specs) -> list[EscalationPolicyDefinition]:
    """The escalation policies of its services; of an incident without any, the default one."""
    named = [policy_of_service(s, specs) for s in incident.services or ("",)]
    return list({p.name: p for p in named if p is not None}.values())


def on_call(
    incident: Incident, specs: Specs, changes: Changes, now: Seconds, *, steps: int | None = 1
) -> list[str]:
    """People whom the first ``steps`` steps of its policies mean now, in order; None: all steps."""
    targets = [t for p in policies(incident, specs) for s in p.steps[:steps] for t in s.targets]
    return _names(call.user for call in people(targets, specs, changes, now))


def candidates(
    incident: Incident, specs: Specs, changes: Changes, now: Seconds
) -> dict[str, list[str]]:
    """People who stand ready for each role, best first.

    By the role's own rota; where it has none, those on call for the services: the first step of
    their policies leads, those of later steps take the other roles.
    """
    found: dict[str, list[str]] = {}
    everyone = on_call(incident, specs, changes, now, steps=None)
    for role in specs.response.roles.values():
        if role.targets:
            calls = people(role.targets, specs, changes, now)
            found[role.name] = _names(call.user for call in calls)
        elif role.severities:
            found[role.name] = everyone
    return found


def escalated(incident: Incident, specs: Specs, changes: Changes, now: Seconds) -> list[str]:
    """Everybody who can be called for its services, first steps first."""
    return on_call(incident, specs, changes, now, steps=None)


def _names(users: Iterable[str]) -> list[str]:
    seen: Sequence[str] = [u for u in users if u]
    return list(dict.fromkeys(seen))
