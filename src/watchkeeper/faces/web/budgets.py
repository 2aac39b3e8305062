"""The pages of budget policies: may we release, why, who may pass, what the gate has said."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from watchkeeper.access.model import Permission
from watchkeeper.faces.duty import Duty
from watchkeeper.faces.gate import PolicyNow, gate_of
from watchkeeper.faces.services import Services
from watchkeeper.faces.web import words
from watchkeeper.faces.web.acting import Acting, Form, actor, allowed, as_csv, number, refused
from watchkeeper.faces.web.budget_card import BADGES
from watchkeeper.faces.web.words import Badge, Bar
from watchkeeper.kernel import text
from watchkeeper.kernel.clock import Seconds, iso
from watchkeeper.kernel.duration import parse_duration
from watchkeeper.kernel.errors import UserError
from watchkeeper.policy import rules
from watchkeeper.policy.model import Decision, Evidence, GateException, Ground, Verdict
from watchkeeper.slo import windows
from watchkeeper.spec.budget import BudgetPolicyDefinition, BudgetState, ReleaseKind

PER_PAGE = 100
LATEST = 10
VERDICTS: Mapping[Verdict, Badge] = {
    Verdict.ALLOW: Badge("ok", "Allowed"),
    Verdict.HALT: Badge("spent", "Halted"),
}
GROUNDS: Mapping[Ground, str] = {
    Ground.SECURITY: "Security fix",
    Ground.RELIABILITY: "Reliability work",
    Ground.SILVER_BULLET: "Silver bullet",
    Ground.OTHER: "Something else",
}
LENGTHS = (("4h", "4 hours"), ("1d", "1 day"), ("3d", "3 days"), ("7d", "7 days"))
HEAD = ("id", "at", "service", "change_kind", "change", "environment", "decision", "state",
        "policy", "exception", "asked_by", "why", "signature")  # fmt: skip
POLICY_HEAD = ("policy", "state", "remaining_ratio", "worst", "services", "releases", "since")


@dataclass(frozen=True, slots=True)
class ObjectiveRow:
    """An objective whose budget counts."""

    name: str
    url: str
    left: str
    bar: Bar
    window: str
    target: str


@dataclass(frozen=True, slots=True)
class StateRow:
    """What a state means: (word, allowed) for each kind of release; ``now``: it is in force."""

    badge: Badge
    when: str
    kinds: Sequence[tuple[str, bool]]
    now: bool


@dataclass(frozen=True, slots=True)
class ExceptionRow:
    """An exception; ``given``: it was; ``over``: it ended or was taken back."""

    id: int
    service: str
    what: str
    reason: str
    badge: Badge
    who: str
    until: str
    uses: str
    waits: bool
    mine: bool


@dataclass(frozen=True, slots=True)
class DecisionRow:
    """A decision in a list."""

    uid: str
    at: str
    service: str
    kind: str
    change: str
    badge: Badge
    excepted: bool
    who: str
    why: str


@dataclass(frozen=True, slots=True)
class PolicyView:
    """A policy: in the list, and on its page."""

    name: str
    url: str
    title: str
    description: str
    badge: Badge
    bar: Bar
    left: str
    why: str
    obliges: str
    since: str
    services: Sequence[str]
    objectives: Sequence[ObjectiveRow]
    states: Sequence[StateRow]
    exceptions: Sequence[ExceptionRow]
    bullets: str
    place: str


def bar(state: BudgetState, left: float | None) -> Bar:
    """What is left, as a bar."""
    width = 0.0 if left is None else round(100 * min(1.0, max(0.0, left)), 2)
    return Bar(BADGES[state].key, width, None, rules.share_words(left))


def policy_view(found: PolicyNow, now: Seconds, who: str) -> PolicyView:
    """Everything that is shown of a policy."""
    policy, its, kept = found.policy, found.standing, found.kept
    return PolicyView(
        name=policy.name,
        url=f"/budgets/{policy.name}",
        title=policy.display_name,
        description=policy.description,
        badge=BADGES[its.state],
        bar=bar(its.state, its.left),
        left=rules.share_words(its.left),
        why=rules.why(its),
        obliges=rules.obliges(its.terms, its.state),
        since=f"since {words.day_clock(kept.since)} UTC" if kept else "",
        services=policy.services,
        objectives=[objective_row(e, policy) for e in its.evidence],
        states=state_rows(policy, its.state),
        exceptions=[exception_row(e, now, who) for e in found.exceptions],
        bullets=_bullets(policy, found.bullets_left),
        place=f"{policy.place.file}:{policy.place.line}",
    )


def objective_row(seen: Evidence, policy: BudgetPolicyDefinition) -> ObjectiveRow:
    """One objective."""
    terms = rules.terms_of(policy)
    return ObjectiveRow(
        seen.slo, words.slo_url(seen.slo), rules.share_words(seen.left),
        bar(rules.state_of(seen.left, terms), seen.left), windows.in_words(seen.window),
        text.percent(float(seen.target)),
    )  # fmt: skip


def state_rows(policy: BudgetPolicyDefinition, state: BudgetState) -> list[StateRow]:
    """What each state means."""
    least, most = f"{float(policy.depleted):.4g}", f"{float(policy.at_risk):.4g}"
    when = {
        BudgetState.HEALTHY: f"more than {float(most) * 100:g} % left",
        BudgetState.AT_RISK: f"{float(most) * 100:g} % left or less",
        BudgetState.DEPLETED: f"{float(least) * 100:g} % left or less",
        BudgetState.NO_DATA: "nothing was measured",
    }
    return [
        StateRow(
            BADGES[each], when[each],
            [(str(k), k not in policy.halt.get(each, ())) for k in ReleaseKind], each is state,
        )
        for each in (*rules.RANK[1:], BudgetState.NO_DATA)
    ]  # fmt: skip


def exception_row(found: GateException, now: Seconds, who: str) -> ExceptionRow:
    """One exception."""
    over = found.revoked_at is not None or found.expires_at <= now
    used = found.most_uses is not None and found.uses >= found.most_uses
    given = found.approved_at is not None
    state = (
        ("none", "Over")
        if over
        else ("none", "Used")
        if used
        else (("ok", "In force") if given else ("watch", "Waits"))
    )
    said = f"asked for by {found.requested_by}"
    if given:
        said += f", given by {found.approved_by}"
    most = f" of {found.most_uses}" if found.most_uses is not None else ""
    kind = f" ({found.kind} releases)" if found.kind else ""
    return ExceptionRow(
        found.id, found.service, f"{GROUNDS[found.ground]}{kind}", found.reason, Badge(*state),
        said, f"until {words.day_clock(found.expires_at)} UTC", f"used {found.uses}{most} times",
        not given and not over, found.requested_by == who,
    )  # fmt: skip


def decision_row(found: Decision) -> DecisionRow:
    """One decision."""
    asked, ruling = found.question, found.ruling
    return DecisionRow(
        found.uid, words.day_clock(found.at), asked.service, str(asked.kind), asked.change,
        VERDICTS[ruling.verdict], ruling.exception is not None, asked.asked_by, ruling.why,
    )  # fmt: skip


def _bullets(policy: BudgetPolicyDefinition, left: int) -> str:
    if not policy.silver_bullets:
        return ""
    return f"{left} of {policy.silver_bullets} silver bullets left this quarter"


class BudgetHandlers(Acting):
    """All handlers, over the same services."""

    def __init__(self, duty: Duty, services: Services) -> None:
        super().__init__(services)
        self.duty, self.gate = duty, gate_of(duty)

    def all(self, request: Request) -> Response:
        """Every policy, the worst first, and the latest decisions."""
        return self.pages.page(request, "budgets.html", "budgets", view=self._all(request))

    def part(self, request: Request) -> Response:
        """The list again."""
        return self.pages.part("_budgets.html", view=self._all(request))

    def _all(self, request: Request) -> dict[str, object]:
        now, who = self.duty.clock.now(), actor(request)
        policies = [policy_view(p, now, who) for p in self.gate.policies()]
        ruled = {s for p in self.duty.specs().budgets.values() for s in p.services}
        return {
            "headline": _headline([p.badge for p in policies]),
            "policies": policies,
            "unruled": [s for s in self.duty.specs().services if s not in ruled],
            "decisions": [decision_row(d) for d in self.gate.decisions(limit=LATEST)],
        }

    def one(self, request: Request, problem: str = "", status: int = 200) -> Response:
        """One policy."""
        found = self.gate.policy(request.path_params["name"])
        view = policy_view(found, self.duty.clock.now(), actor(request))
        rows = [d for s in found.policy.services for d in self.gate.decisions(s, limit=LATEST)]
        rows.sort(key=lambda d: -d.at)
        return self.pages.page(
            request, "budget.html", "budgets", status, view=view, problem=problem,
            decisions=[decision_row(d) for d in rows[:LATEST]],
            grounds=[(str(g), w) for g, w in GROUNDS.items()], lengths=LENGTHS,
            kinds=[str(k) for k in ReleaseKind],
            may_respond=allowed(request, Permission.RESPOND),
            may_edit=allowed(request, Permission.EDIT),
        )  # fmt: skip

    def log(self, request: Request) -> Response:
        """The decisions."""
        asked = request.query_params
        service, verdict = asked.get("service", "")[:200], asked.get("decision", "")
        verdict = verdict if verdict in (str(v) for v in Verdict) else ""
        before = asked.get("before", "")
        after = int(before) if before.isascii() and before.isdigit() and len(before) < 16 else None
        found = self.gate.decisions(service, verdict, before=after, limit=PER_PAGE)
        more = found[-1].id if len(found) == PER_PAGE else None
        return self.pages.page(
            request, "gate.html", "budgets", rows=[decision_row(d) for d in found], more=more,
            service=service, verdict=verdict, services=list(self.duty.specs().services),
        )  # fmt: skip

    def decision(self, request: Request) -> Response:
        """One decision, and whether it is as it was made."""
        proof = self.gate.decision(request.path_params["uid"][:40])
        found = proof.decision
        evidence = [e for s in found.inputs["standings"] for e in s["evidence"]]
        rows = [
            (e["slo"], words.slo_url(e["slo"]), rules.share_words(e["left"]),
             text.number(e["total"] - e["good"], 0), text.number(e["total"], 0), e["window"])
            for e in evidence
        ]  # fmt: skip
        return self.pages.page(
            request, "gate_decision.html", "budgets", row=decision_row(found), rows=rows,
            whole=proof.signed and proof.same, signature=found.signature,
            policy=found.ruling.policy, exception=found.ruling.exception,
            environment=found.question.environment,
        )  # fmt: skip

    def export(self, _: Request) -> Response:
        """Decisions as CSV."""
        rows = [
            (d.uid, iso(d.at), d.question.service, d.question.kind, d.question.change,
             d.question.environment, d.ruling.verdict, d.ruling.state, d.ruling.policy,
             d.ruling.exception or "", d.question.asked_by, d.ruling.why, d.signature)
            for d in self.gate.decisions(limit=10_000)
        ]  # fmt: skip
        return as_csv("gate", HEAD, rows)

    def export_policies(self, _: Request) -> Response:
        """Policies as CSV."""
        rows = [
            (p.policy.name, p.standing.state, p.standing.left, p.standing.worst,
             " ".join(p.policy.services), rules.obliges(p.standing.terms, p.standing.state),
             iso(p.kept.since) if p.kept else "")
            for p in self.gate.policies()
        ]  # fmt: skip
        return as_csv("budgets", POLICY_HEAD, rows)

    # -- exceptions
    def ask(self, request: Request, form: Form) -> Response:
        """Ask for an exception."""
        try:
            ground = form.get("ground", "")
            if ground not in tuple(Ground):
                raise UserError(f"{ground!r} is no ground.", "Choose one of the list.")
            self.gate.ask_exception(
                form.get("service", ""), ground, form.get("reason", ""), actor(request),
                kind=form.get("kind", ""), lasts=_lasts(form.get("lasts", "")),
            )  # fmt: skip
        except UserError as error:
            return self._again(request, form, error)
        return RedirectResponse(f"{_back(form)}#exceptions", 303)

    def approve(self, request: Request, form: Form) -> Response:
        """Give one."""
        return self._decide(request, form, self.gate.approve)

    def revoke(self, request: Request, form: Form) -> Response:
        """Take one back, or decline it."""
        return self._decide(request, form, self.gate.revoke)

    def _decide(self, request: Request, form: Form, act: object) -> Response:
        assert callable(act)
        try:
            act(number(request.path_params["id"], "exception"), actor(request))
        except UserError as error:
            return self._again(request, form, error)
        return RedirectResponse(f"{_back(form)}#exceptions", 303)

    def _again(self, request: Request, form: Form, error: UserError) -> Response:
        request.path_params["name"] = form.get("policy", "")
        return refused(request, error, lambda said: self.one(request, said, error.http_status))


def _back(form: Form) -> str:
    name = form.get("policy", "")
    return f"/budgets/{name}" if name and "/" not in name else "/budgets"


def _lasts(written: str) -> Seconds | None:
    if not written:
        return None
    try:
        return parse_duration(written).average_seconds
    except ValueError as error:
        raise UserError(f"{error}.", "Choose how long.") from None


def _headline(badges: Sequence[Badge]) -> str:
    if not badges:
        return "No budget policy is defined"
    spent = sum(b.key == "spent" for b in badges)
    risky = sum(b.key == "watch" for b in badges)
    if spent:
        return words.plural(spent, "budget is", "budgets are") + " depleted: features wait there"
    if risky:
        return words.plural(risky, "budget is", "budgets are") + " at risk"
    return "Every budget lets releases go out"


def budget_routes(duty: Duty, services: Services) -> Sequence[BaseRoute]:
    """All routes of these pages."""
    its = BudgetHandlers(duty, services)
    return [
        Route("/budgets", its.shown(its.all)),
        Route("/budgets.csv", its.shown(its.export_policies)),
        Route("/budgets/{name:path}", its.shown(its.one), methods=["GET"]),
        Route("/parts/budgets", its.shown(its.part)),
        Route("/gate", its.shown(its.log)),
        Route("/gate.csv", its.shown(its.export)),
        Route("/gate/exceptions", its.posted(its.ask), methods=["POST"]),
        Route("/gate/exceptions/{id}/approve", its.posted(its.approve), methods=["POST"]),
        Route("/gate/exceptions/{id}/revoke", its.posted(its.revoke), methods=["POST"]),
        Route("/gate/{uid}", its.shown(its.decision)),
    ]
