"""Budget policies: ask the gate, ask for and give exceptions, look whether a state changed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from sqlalchemy import Connection

from watchkeeper.kernel.clock import Seconds
from watchkeeper.kernel.errors import NotFound, UserError
from watchkeeper.kernel.text import duration
from watchkeeper.oncall.model import Site
from watchkeeper.policy import announcing, gate, rules, store
from watchkeeper.policy.model import (
    Decision,
    GateException,
    Ground,
    Question,
    Standing,
    Verdict,
)
from watchkeeper.policy.rules import StatusesOf
from watchkeeper.spec.budget import BudgetPolicyDefinition, ReleaseKind
from watchkeeper.spec.model import Specs
from watchkeeper.store import timeline

LONGEST_REASON = 2000


def kind_named(text: str) -> ReleaseKind:
    """The kind of release that somebody means. Raises UserError."""
    try:
        return ReleaseKind(text.strip().casefold())
    except ValueError:
        raise UserError(
            f"{text!r} is no kind of release.", f"One of: {', '.join(ReleaseKind)}."
        ) from None


def known_service(specs: Specs, service: str) -> str:
    """The service, if it is defined. Raises NotFound."""
    if service not in specs.services:
        some = ", ".join(list(specs.services)[:20]) or "none is defined"
        raise NotFound(f"There is no service {service!r}.", f"Known: {some}.")
    return service


def standings_for(specs: Specs, service: str, by_slo: StatusesOf) -> list[Standing]:
    """How the budgets stand that rule a service's releases. Raises NotFound."""
    known_service(specs, service)
    return [rules.standing(p, specs, by_slo) for p in rules.policies_for(specs, service)]


@dataclass(frozen=True, slots=True)
class Asked:
    """A question, how the budgets stand that decide it, and the name its decision will have."""

    question: Question
    standings: Sequence[Standing]
    uid: str


def check(
    conn: Connection, question: Question, standings: Sequence[Standing], secret: bytes, uid: str,
    now: Seconds,
) -> Decision:  # fmt: skip
    """Decide one question; see `check_many`."""
    return check_many(conn, [Asked(question, standings, uid)], secret, now)[0]


def check_many(
    conn: Connection, asked: Sequence[Asked], secret: bytes, now: Seconds
) -> list[Decision]:
    """Decide in order, and keep each decision with all that it followed from, signed.

    An exception that lets a release pass is used once more by the same transaction.
    """
    leaves = store.given(conn, {a.question.service for a in asked}, now)
    made: list[Decision] = []
    for each in asked:
        its = [e for e in leaves.values() if e.service == each.question.service]
        ruling = gate.ruling_of(each.question, each.standings, its, now)
        inputs = gate.inputs_of(each.question, each.standings, its, now)
        signed = gate.signature(secret, each.uid, gate.canonical(inputs), ruling)
        made.append(Decision(0, each.uid, now, each.question, ruling, inputs, signed))
        if ruling.exception is not None:
            used = leaves[ruling.exception]
            leaves[used.id] = _saved(conn, replace(used, uses=used.uses + 1))
    store.add_decisions(conn, made)
    timeline.append_many(conn, [_told(d) for d in made if _worth_telling(d)])
    return made


def _worth_telling(made: Decision) -> bool:
    return made.ruling.exception is not None or made.ruling.verdict is Verdict.HALT


def _told(made: Decision) -> timeline.NewEvent:
    halted = made.ruling.verdict is Verdict.HALT
    data = {"decision": made.uid, "change": made.question.change, "why": made.ruling.why}
    kind = "gate.halted" if halted else "gate.excepted"
    return made.at, kind, f"service/{made.question.service}", made.question.asked_by, data


@dataclass(frozen=True, slots=True)
class Proof:
    """What a kept decision is worth: ``signed``: nobody altered it; ``same``: it follows again."""

    decision: Decision
    signed: bool
    same: bool


def prove(found: Decision, secret: bytes) -> Proof:
    """Check the signature of a decision and make it again from what it followed from."""
    said = gate.canonical(found.inputs)
    signed = gate.signature(secret, found.uid, said, found.ruling) == found.signature
    return Proof(found, signed, gate.made_again(found.inputs) == found.ruling)


def must_decision(conn: Connection, uid: str) -> Decision:
    """A decision that is there. Raises NotFound."""
    found = store.decision(conn, uid)
    if found is None:
        raise NotFound(f"There is no decision {uid!r}.", "`wk gate log` lists them.")
    return found


# ---------------------------------------------------------------- exceptions


def ask_exception(
    conn: Connection,
    specs: Specs,
    service: str,
    ground: Ground,
    reason: str,
    by: str,
    now: Seconds,
    *,
    kind: str = "",
    lasts: Seconds | None = None,
    most_uses: int | None = None,
) -> GateException:
    """Ask for leave to pass a halt. Raises NotFound, UserError.

    ``lasts``: seconds from now, by default a day; a silver bullet may be used once.
    """
    known_service(specs, service)
    said = reason.strip()
    if not said:
        raise UserError("An exception needs a reason.", "Say what cannot wait, and why.")
    if len(said) > LONGEST_REASON:
        raise UserError(f"The reason is longer than {LONGEST_REASON} characters.", "Be brief.")
    longest = min(p.longest_exception for p in rules.policies_for(specs, service))
    length = min(86_400.0, longest) if lasts is None else lasts
    if not 0 < length <= longest:
        raise UserError(
            f"An exception for {service} lasts {duration(longest)} at most.",
            "Ask for less, or change longestException of the policy.",
        )
    made = GateException(
        0, service, str(kind_named(kind)) if kind else "", ground, said, by, now, now + length,
        most_uses=1 if ground is Ground.SILVER_BULLET else most_uses,
    )  # fmt: skip
    kept = store.add_exception(conn, made)
    _log(conn, kept, "asked", by, now)
    return kept


def approve(
    conn: Connection, specs: Specs, exception_id: int, by: str, now: Seconds
) -> GateException:
    """Give an exception: somebody else than who asked for it. Raises NotFound, UserError."""
    found = _must(conn, exception_id)
    if found.approved_at is not None:
        raise UserError("It was given already.", f"By {found.approved_by}.")
    if found.revoked_at is not None or found.expires_at <= now:
        raise UserError("It is over.", "Ask for another one.")
    if by == found.requested_by:
        raise UserError(
            "Nobody gives themselves an exception.", "Have somebody else look at it and give it."
        )
    if found.ground is Ground.SILVER_BULLET:
        _bullets_left(conn, specs, found.service, now)
    kept = _saved(conn, replace(found, approved_by=by, approved_at=now))
    _log(conn, kept, "given", by, now)
    return kept


def revoke(conn: Connection, exception_id: int, by: str, now: Seconds) -> GateException:
    """Take an exception back, or decline it. Raises NotFound, UserError."""
    found = _must(conn, exception_id)
    if found.revoked_at is not None or found.expires_at <= now:
        raise UserError("It is over already.", "Nothing has to be done.")
    kept = _saved(conn, replace(found, revoked_by=by, revoked_at=now))
    _log(conn, kept, "revoked" if found.approved_at is not None else "declined", by, now)
    return kept


def quarter_of(now: Seconds) -> Seconds:
    """When the calendar quarter of this moment began, UTC."""
    at = datetime.fromtimestamp(now, UTC)
    return datetime(at.year, at.month - (at.month - 1) % 3, 1, tzinfo=UTC).timestamp()


def bullets_left(
    conn: Connection, policy: BudgetPolicyDefinition, now: Seconds
) -> int:  # fmt: skip
    """How many silver bullets a policy has left this quarter."""
    spent = store.bullets(conn, policy.services, quarter_of(now))
    return max(0, policy.silver_bullets - spent)


def _bullets_left(conn: Connection, specs: Specs, service: str, now: Seconds) -> None:
    for policy in rules.policies_for(specs, service):
        if bullets_left(conn, policy, now) == 0:
            raise UserError(
                f"The policy {policy.name} has no silver bullet left this quarter "
                f"({policy.silver_bullets} in all).",
                "Wait for the budget, or ask for an exception on other grounds.",
            )


def _must(conn: Connection, exception_id: int) -> GateException:
    found = store.exception(conn, exception_id)
    if found is None:
        raise NotFound(f"There is no exception {exception_id}.", "`wk gate exceptions` lists them.")
    return found


def _saved(conn: Connection, changed: GateException) -> GateException:
    kept = store.save_exception(conn, changed)
    if kept is None:
        raise UserError("Somebody changed this exception just now.", "Look at it and try again.")
    return kept


def _log(conn: Connection, kept: GateException, what: str, by: str, now: Seconds) -> None:
    data = {"exception": kept.id, "service": kept.service, "ground": str(kept.ground),
            "kind": kept.kind, "reason": kept.reason, "expires_at": kept.expires_at}  # fmt: skip
    timeline.append(conn, now, f"exception.{what}", f"service/{kept.service}", by, data)


# ---------------------------------------------------------------- states


def looked(
    conn: Connection, specs: Specs, by_slo: StatusesOf, now: Seconds
) -> list[tuple[BudgetPolicyDefinition, Standing]]:
    """The policies whose state must be written: it changed, or has lasted long enough to hold."""
    known = store.states(conn)
    found = []
    for policy in specs.budgets.values():
        its = rules.standing(policy, specs, by_slo)
        kept = known.get(policy.name)
        after = rules.observed(kept, its, policy.hold, now)
        if kept is None or (after.state, after.seen) != (kept.state, kept.seen):
            found.append((policy, its))
    return found


def step(
    conn: Connection, specs: Specs, site: Site,
    changed: Sequence[tuple[BudgetPolicyDefinition, Standing]], now: Seconds,
) -> int:  # fmt: skip
    """Write what changed and announce new states, each once. Returns how many were announced."""
    known = store.states(conn)
    announced = 0
    for policy, its in changed:
        before = known.get(policy.name)
        after = rules.observed(before, its, policy.hold, now)
        if not store.keep_state(conn, after):
            continue  # another replica was quicker, and announces it
        if before is None or after.state is before.state:
            continue
        data = {"from": str(before.state), "to": str(after.state), "left": its.left,
                "why": rules.why(its)}  # fmt: skip
        timeline.append(conn, now, "budget.state", f"budget/{policy.name}", "engine", data)
        announcing.announce(conn, specs, site, policy, its, before.state, now)
        announced += 1
    return announced
