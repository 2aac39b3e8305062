"""The pages of escalation policies: the graph, who that is now, and who would be called when."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from urllib.parse import quote
from zoneinfo import ZoneInfo

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from watchkeeper.access.model import Permission
from watchkeeper.faces import rota_pages as reads
from watchkeeper.faces.duty import Duty
from watchkeeper.faces.reaching import PolicyView, proofs_of
from watchkeeper.faces.services import Services
from watchkeeper.faces.web import change_form, words
from watchkeeper.faces.web import duty_calendar as cal
from watchkeeper.faces.web.acting import Acting, allowed, as_csv, sorry
from watchkeeper.faces.web.policy_graph import Graph, Node, graph
from watchkeeper.faces.web.reached import proof_badge
from watchkeeper.faces.web.readers import known_zone, zone_of
from watchkeeper.faces.web.words import Badge
from watchkeeper.kernel import text
from watchkeeper.kernel.clock import Seconds, iso
from watchkeeper.kernel.errors import UserError
from watchkeeper.oncall.calling import Changes, people
from watchkeeper.oncall.foretell import Told
from watchkeeper.spec.duty import EscalationPolicyDefinition, EscalationTarget, TargetKind
from watchkeeper.spec.model import Specs

LENGTHS = {"1h": 3600.0, "4h": 14_400.0, "24h": 86_400.0}


@dataclass(frozen=True, slots=True)
class PolicyRow:
    """A policy in the list."""

    title: str
    url: str
    team: str
    steps: Sequence[tuple[str, str]]
    ends: str
    services: Sequence[tuple[str, str]]
    badge: Badge
    next_drill: str


@dataclass(frozen=True, slots=True)
class Moment:
    """A minute in which somebody would be called."""

    clock: str
    after: str
    step: str
    lines: Sequence[tuple[str, str]]
    nobody: bool


def url_of(name: str) -> str:
    """The address of a policy's page."""
    return f"/oncall/policies/{quote(name, safe='')}"


def target_words(target: EscalationTarget, specs: Specs, shown: str = "") -> str:
    """``Schedule First line``, ``Team shop``, ``User Ann``, ``Channel chat, #ops``."""
    match target.kind:
        case TargetKind.SCHEDULE:
            found = specs.duty.schedules.get(target.name)
            return f"Schedule {found.display_name if found else target.name}"
        case TargetKind.TEAM:
            return f"Team {words.team_name(specs, target.name)}"
        case TargetKind.CHANNEL:
            return f"Channel {target.name}" + (f", {shown}" if shown else "")
        case _:
            return f"User {cal.names((target.name,), specs)}"


def services_of(policy: EscalationPolicyDefinition, specs: Specs) -> list[str]:
    """Services whose alerts go here: those that name it, and those of its team that name none.

    As `oncall.routing.policy_for` decides: of a team's policies the first.
    """
    first = {
        p.team: p.name for p in reversed(list(specs.duty.escalation_policies.values())) if p.team
    }
    return [
        s.name
        for s in specs.services.values()
        if s.escalation_policy == policy.name
        or (s.escalation_policy is None and s.owner and first.get(s.owner) == policy.name)
    ]


def drawing(
    policy: EscalationPolicyDefinition, specs: Specs, changes: Changes, duty: Duty, now: Seconds
) -> Graph:
    """The policy as it would act now."""

    def node(title: str, targets: Sequence[EscalationTarget], kind: str) -> Node:
        lines = []
        for target in targets:
            who = _who(target, specs, changes, now)
            shown = duty.shown(target.name, target.address) if target.address else ""
            lines.append((target_words(target, specs, shown), who or "nobody now", not who))
        return Node(title, lines, kind)

    steps = [
        node(f"Step {i + 1}" + (", at once" if i == 0 else ""), s.targets, "first" if not i else "")
        for i, s in enumerate(policy.steps)
    ]
    last = policy.fallback or (policy.steps[-1].targets if policy.steps else ())
    title = "Fallback" if policy.fallback else "The last step"
    steps.append(node(f"{title}, every 15 min until somebody answers", last, "fb"))
    return graph(steps, [s.wait for s in policy.steps], policy.repeat)


def _who(target: EscalationTarget, specs: Specs, changes: Changes, now: Seconds) -> str:
    if target.kind is TargetKind.CHANNEL:
        return "everybody there" if target.name in specs.duty.channels else ""
    calls = people((target,), specs, changes, now)
    return cal.names([c.user for c in calls], specs)


def moments(told: Sequence[Told], start: Seconds, specs: Specs, duty: Duty, zone: str) -> list[Moment]:  # fmt: skip  # noqa: E501
    """What would be sent, minute by minute."""
    found = []
    for (minute, step), its in groupby(told, key=lambda t: (t.at // 60, t.step)):
        rows = list(its)
        at = datetime.fromtimestamp(minute * 60, ZoneInfo(zone))
        lines = [
            (cal.names((t.user,), specs) if t.user else "channel",
             f"{t.channel}, {duty.shown(t.channel, t.address)}")
            for t in rows if t.channel
        ]  # fmt: skip
        past = max(0.0, minute * 60 - start // 60 * 60)
        found.append(
            Moment(
                f"{at:%a %H:%M}",
                f"+{text.duration(past)}" if past else "at once",
                step[:1].upper() + step[1:],
                list(dict.fromkeys(lines)),
                not lines,
            )
        )
    return found


class PolicyHandlers(Acting):
    """All handlers of these pages."""

    def __init__(self, duty: Duty, services: Services) -> None:
        super().__init__(services)
        self.duty = duty

    def all(self, request: Request) -> Response:
        """Every policy."""
        specs, now = self.duty.specs(), self.duty.clock.now()
        rows = [self._row(view, specs, now) for view in proofs_of(self.duty).policies]
        return self.pages.page(request, "policies.html", "oncall", rows=rows,
                               headline=_headline(rows))  # fmt: skip

    def export(self, _: Request) -> Response:
        """Every step of every policy, as CSV."""
        specs, rows = self.duty.specs(), []
        for view in proofs_of(self.duty).policies:
            its, due = view.definition, 0.0
            proved = iso(view.proved_at) if view.proved_at is not None else ""
            for number, step in enumerate(its.steps, 1):
                called = ", ".join(target_words(t, specs) for t in step.targets)
                rows.append((its.name, its.display_name, its.team, number, due, called,
                             its.repeat, proved))  # fmt: skip
                due += step.wait
        head = ("name", "display_name", "team", "step", "after_seconds", "calls", "repeat",
                "proved_at")  # fmt: skip
        return as_csv("escalation-policies", head, rows)

    def _row(self, view: PolicyView, specs: Specs, now: Seconds) -> PolicyRow:
        its = view.definition
        steps, due = [], 0.0
        for step in its.steps:
            when = f"after {text.duration(due)}" if due else "at once"
            steps.append((when, ", ".join(target_words(t, specs) for t in step.targets)))
            due += step.wait
        rounds = f"{its.repeat} × more, then " if its.repeat else "then "
        last = ", ".join(target_words(t, specs) for t in its.fallback) or "the last step again"
        return PolicyRow(
            its.display_name,
            url_of(its.name),
            words.team_name(specs, its.team),
            steps,
            rounds + last,
            [(n, words.service_name(specs, n)) for n in services_of(its, specs)],
            proof_badge(view.proved_at, now),
            f"{words.day_clock(view.next_at)} UTC" if view.next_at else "",
        )

    def one(self, request: Request) -> Response:
        """The graph, and who would be called at some time."""
        specs, now, given = self.duty.specs(), self.duty.clock.now(), request.query_params
        policy = reads.policy_named(self.duty, request.path_params["name"])
        zone = zone_of(request, specs)
        problem, status, start = "", 200, now
        urgency = "ticket" if given.get("urgency") == "ticket" else "page"
        length = given.get("length", "") if given.get("length") in LENGTHS else "1h"
        try:
            zone = known_zone(given.get("zone", ""), zone)
            if given.get("at"):
                start = change_form.at(given["at"], zone, "at")
        except UserError as error:
            problem, status = sorry(error), 400
        told = reads.told(self.duty, policy, start, LENGTHS[length], urgency)
        view = next(v for v in proofs_of(self.duty).policies if v.definition.name == policy.name)
        found = moments(told, start, specs, self.duty, zone)
        names = list(dict.fromkeys(cal.names((t.user,), specs) for t in told if t.user))
        drawn = drawing(policy, specs, reads.all_changes(self.duty, now), self.duty, now)
        return self.pages.page(
            request,
            "policy.html",
            "oncall",
            status,
            row=self._row(view, specs, now),
            name=policy.name,
            graph=drawn,
            expires=text.duration(policy.ack_expires) if policy.ack_expires else "",
            moments=found,
            asked=cal.local(start, zone),
            summary=_summary(names, urgency),
            at=cal.typed(start, zone),
            zone=zone,
            urgency=urgency,
            length=length,
            lengths=list(LENGTHS),
            problem=problem,
            may_drill=allowed(request, Permission.EDIT),
        )


def _headline(rows: Sequence[PolicyRow]) -> str:
    stale = sum(r.badge.key != "ok" for r in rows)
    if not rows:
        return "No escalation policy: nobody is called"
    if stale:
        return f"{words.plural(stale, 'policy', 'policies')} not proved in the last 30 days"
    return "Every policy was proved in the last 30 days"


def _summary(names: Sequence[str], urgency: str) -> str:
    if not names:
        return "Nobody would be called."
    what = "paged" if urgency == "page" else "told"
    return f"{', then '.join(names[:4])}{' and others' if len(names) > 4 else ''} would be {what}."


def policy_routes(duty: Duty, services: Services) -> Sequence[BaseRoute]:
    """All routes of these pages."""
    its = PolicyHandlers(duty, services)
    return [
        Route("/oncall/policies", its.shown(its.all)),
        Route("/oncall/policies.csv", its.shown(its.export)),
        Route("/oncall/policies/{name:path}", its.shown(its.one)),
    ]
