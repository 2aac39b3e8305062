"""Duty put together: references followed, and what would keep a page from reaching somebody."""

from __future__ import annotations

from collections.abc import Mapping

from watchkeeper.spec.duty import Duty, EscalationPolicyDefinition, TargetKind
from watchkeeper.spec.duty_people import DutyRead
from watchkeeper.spec.findings import Finding, Place, Severity
from watchkeeper.spec.reader import dangling


def resolve_duty(
    read: DutyRead, services: Mapping[str, object], teams: Mapping[str, object]
) -> Duty:
    """The definitions; references to nothing are noted where they stand."""
    known: dict[str, Mapping[str, object]] = {
        "User": read.users,
        "Schedule": read.schedules,
        "EscalationPolicy": read.policies,
        "Channel": read.channels,
        "Service": services,
        "Team": teams,
    }
    for reader, key, kind, name in read.references:
        if name not in known[kind]:
            dangling(reader, key, kind, name, known[kind])
    duty = Duty(
        read.users,
        read.schedules,
        read.policies,
        read.channels,
        read.integrations,
        read.heartbeats,
        read.triage,
        read.maintenance,
    )
    if read.references:
        findings = read.references[0][0].findings
        findings.extend(_weak(duty))
    return duty


def _weak(duty: Duty) -> list[Finding]:
    found = [
        _finding(
            Severity.ERROR,
            "calls-nobody",
            f"the policy '{name}' can call nobody",
            "a target with at least one person or channel",
            "give a schedule users, or the team members",
            policy.place,
        )
        for name, policy in duty.escalation_policies.items()
        if policy.steps and not _anybody(policy, duty)
    ]
    used = {
        t.name
        for p in duty.escalation_policies.values()
        for t in (*p.fallback, *(t for s in p.steps for t in s.targets))
        if t.kind is TargetKind.SCHEDULE
    }
    for name, schedule in duty.schedules.items():
        if name not in used and duty.escalation_policies:
            found.append(
                _finding(
                    Severity.WARNING,
                    "unused",
                    f"no escalation policy calls the schedule '{name}'",
                    "",
                    "name it in a step, or remove it",
                    schedule.place,
                )
            )
    return found


def _anybody(policy: EscalationPolicyDefinition, duty: Duty) -> bool:
    for target in (*policy.fallback, *(t for s in policy.steps for t in s.targets)):
        match target.kind:
            case TargetKind.USER | TargetKind.CHANNEL:
                return True
            case TargetKind.SCHEDULE:
                schedule = duty.schedules.get(target.name)
                if schedule is None or schedule.layers or schedule.ical:
                    return True  # what is not defined is said elsewhere
            case _:
                if any(u.team == target.name for u in duty.users.values()):
                    return True
    return False


def _finding(
    severity: Severity, code: str, message: str, expected: str, fix: str, place: Place
) -> Finding:
    return Finding(place, severity, code, message, expected, fix)
