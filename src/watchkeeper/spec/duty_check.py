"""Duty put together: references followed, and what would keep a page from reaching somebody."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from watchkeeper.spec.duty import Duty, EscalationTarget, TargetKind
from watchkeeper.spec.duty_channels import check_address
from watchkeeper.spec.duty_fields import DutyRead
from watchkeeper.spec.duty_mirrors import check_mirrored
from watchkeeper.spec.findings import Finding, Place, Severity
from watchkeeper.spec.model import JourneyDefinition, ServiceDefinition
from watchkeeper.spec.reader import Reader, dangling, nearest


def resolve_duty(
    read: DutyRead,
    services: Mapping[str, ServiceDefinition],
    teams: Mapping[str, object],
    measured: Mapping[str, Mapping[str, object]],
) -> Duty:
    """The definitions; references to nothing are noted where they stand.

    ``measured``: what else may be referred to (journeys, SLOs), by kind and name.
    """
    known: dict[str, Mapping[str, object]] = {
        "User": read.users,
        "Schedule": read.schedules,
        "EscalationPolicy": read.policies,
        "Channel": read.channels,
        "Service": services,
        "Team": teams,
        **measured,
    }
    for each in read.references:
        # What is written but too wrong to be used has been pointed out already.
        if each.name not in known[each.kind] and (each.kind, each.name) not in read.readers:
            dangling(each.reader, each.key, each.kind, each.name, known[each.kind])
    for reader, channel, address in read.addresses:
        if channel in read.channels:
            check_address(reader, read.channels[channel].type, address)
    check_mirrored(read)
    return Duty(
        read.users,
        read.schedules,
        read.policies,
        read.channels,
        read.integrations,
        read.heartbeats,
        read.triage,
        read.maintenance,
        read.mirrors,
    )


def check_duty(
    duty: Duty,
    read: DutyRead,
    services: Mapping[str, ServiceDefinition],
    critical: Iterable[tuple[JourneyDefinition, Reader]],
    findings: list[Finding],
) -> None:
    """Note what is weak: policies that reach nobody, schedules that nothing calls, and the like.

    ``critical`` are the critical journeys, each with the reader of its spec.
    """
    findings += _reach_nobody(duty, read)
    findings += _unused_schedules(duty, read)
    findings += _unreached_rules(duty)
    findings += _unknown_services(duty, read, services)
    if duty.escalation_policies:
        _without_policy(duty, services, critical)


# ---------------------------------------------------------------- who is reached


def _reach_nobody(duty: Duty, read: DutyRead) -> Iterator[Finding]:
    for name, policy in duty.escalation_policies.items():
        reader = read.readers["EscalationPolicy", name]
        empty = [i for i, s in enumerate(policy.steps) if s.targets and not _any(s.targets, duty)]
        reached = len(empty) < len([s for s in policy.steps if s.targets])
        if not empty:
            continue
        if not reached and not _any(policy.fallback, duty):
            yield Finding(
                reader.place("steps"),
                Severity.ERROR,
                "calls-nobody",
                f"policy '{name}' can call nobody",
                "a target with at least one person who has a contact, or a channel",
                _advice(policy.steps[empty[0]].targets[0], duty),
            )
            continue
        for i in empty:
            yield Finding(
                reader.document.place((*reader.path, "steps", i)),
                Severity.WARNING,
                "calls-nobody",
                f"step {i + 1} of '{name}' can call nobody",
                "a target with at least one person who has a contact, or a channel",
                _advice(policy.steps[i].targets[0], duty),
            )


def _advice(target: EscalationTarget, duty: Duty) -> str:
    match target.kind:
        case TargetKind.USER:
            return f"give '{target.name}' a contact"
        case TargetKind.TEAM:
            members = any(u.team == target.name for u in duty.users.values())
            if members:
                return f"give the users of team '{target.name}' contacts"
            return f"write team: {target.name} at its users"
        case _:
            return f"put people with contacts into the layers of '{target.name}'"


def _any(targets: Iterable[EscalationTarget], duty: Duty) -> bool:
    return any(_reaches(target, duty) for target in targets)


def _reaches(target: EscalationTarget, duty: Duty) -> bool:
    """True when it may reach somebody; what is not defined is said elsewhere."""
    match target.kind:
        case TargetKind.CHANNEL:
            return True
        case TargetKind.USER:
            return _has_contact(target.name, duty)
        case TargetKind.TEAM:
            return any(u.contacts for u in duty.users.values() if u.team == target.name)
        case _:
            schedule = duty.schedules.get(target.name)
            if schedule is None or schedule.ical or not schedule.layers:
                return True
            turns = [t for x in schedule.layers if not x.shadow for t in x.users]
            people = {user for turn in turns for user in turn.split("+")} - {"-"}
            return any(_has_contact(user, duty) for user in people)


def _has_contact(user: str, duty: Duty) -> bool:
    return user not in duty.users or bool(duty.users[user].contacts)


def _unused_schedules(duty: Duty, read: DutyRead) -> Iterator[Finding]:
    used = {r.name for r in read.references if r.kind == "Schedule"}
    for name, schedule in duty.schedules.items():
        if name not in used:
            yield Finding(
                schedule.place,
                Severity.WARNING,
                "unused-schedule",
                f"no escalation policy calls the schedule '{name}'",
                "a step or fallback that names it",
                f"add {{schedule: {name}}} to one, or remove it",
            )


def _without_policy(
    duty: Duty,
    services: Mapping[str, ServiceDefinition],
    critical: Iterable[tuple[JourneyDefinition, Reader]],
) -> None:
    """A service without a policy of its own falls to its owner's, or to the one named default."""
    policies = duty.escalation_policies
    owners = {p.team for p in policies.values() if p.team}
    for journey, reader in critical:
        service = services.get(journey.service)
        if service is None or service.escalation_policy or "default" in policies:
            continue
        if service.owner is None or service.owner not in owners:
            reader.warn(
                "no-escalation",
                f"journey '{journey.name}' is critical, but '{service.name}' has no escalation "
                "policy",
                f"one of: {', '.join(sorted(policies)[:8])}",
                f"add escalationPolicy: to Service '{service.name}'",
                key="service",
            )


# ---------------------------------------------------------------- what rules match


def _unreached_rules(duty: Duty) -> Iterator[Finding]:
    everything = ""
    for name, rule in duty.triage.items():
        if everything:
            yield Finding(
                rule.place,
                Severity.WARNING,
                "never-reached",
                f"rule '{name}' is never reached: '{everything}' before it matches every alert",
                "the rule for everything last",
                "change their order",
            )
        elif not rule.matchers:
            everything = name


def _unknown_services(
    duty: Duty, read: DutyRead, services: Mapping[str, object]
) -> Iterator[Finding]:
    """A matcher of a service that is nearly, but not, one of ours is probably a slip."""
    written = [("TriageRule", n, r.matchers) for n, r in duty.triage.items()]
    written += [("Maintenance", n, m.matchers) for n, m in duty.maintenance.items()]
    for kind, name, matchers in written:
        for matcher in matchers:
            plain = matcher.label == "service" and matcher.op in ("=", "!=")
            near = nearest(matcher.value, services) if plain else ""
            if near and near != matcher.value:
                yield _slip(read.readers[kind, name].place("match"), matcher.value, near)


def _slip(place: Place, written: str, near: str) -> Finding:
    return Finding(
        place,
        Severity.WARNING,
        "unknown-service",
        f"there is no Service '{written}'",
        "the name of a service",
        f"did you mean '{near}'?",
    )
