"""The gate: from a question, standings and exceptions to a ruling that can be made again. Pure."""

from __future__ import annotations

import hmac
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

import orjson

from watchkeeper.kernel.clock import Seconds, iso
from watchkeeper.policy import rules
from watchkeeper.policy.model import (
    Evidence,
    GateException,
    Ground,
    Question,
    Ruling,
    Standing,
    Terms,
    Verdict,
)
from watchkeeper.spec.budget import BudgetState, ReleaseKind


def applies(leave: GateException, question: Question, now: Seconds) -> bool:
    """Whether an exception lets this question pass now."""
    return (
        leave.service == question.service
        and leave.kind in ("", question.kind)
        and leave.approved_at is not None
        and leave.approved_at <= now < leave.expires_at
        and leave.revoked_at is None
        and (leave.most_uses is None or leave.uses < leave.most_uses)
    )


def ruling_of(
    question: Question,
    standings: Sequence[Standing],
    exceptions: Sequence[GateException],
    now: Seconds,
) -> Ruling:
    """What the gate answers. A release halts when any policy that rules it halts its kind.

    The same inputs give the same ruling, always.
    """
    ranked = sorted(standings, key=lambda s: (-rules.RANK.index(s.state), s.terms.policy))
    if not ranked:
        said = f"No policy rules {question.service}: the release may go out."
        return Ruling(Verdict.ALLOW, BudgetState.NO_DATA, said, "")
    halting = [s for s in ranked if str(question.kind) in s.terms.halt.get(str(s.state), ())]
    if not halting:
        worst = ranked[0]
        return Ruling(Verdict.ALLOW, worst.state, _allowed(question, worst), worst.terms.policy)
    worst = halting[0]
    leave = next((e for e in sorted(exceptions, key=_first) if applies(e, question, now)), None)
    if leave is not None:
        return Ruling(Verdict.ALLOW, worst.state, _excepted(worst, leave), worst.terms.policy,
                      leave.id)  # fmt: skip
    return Ruling(Verdict.HALT, worst.state, _halted(question, worst), worst.terms.policy)


def _first(leave: GateException) -> tuple[Seconds, int]:
    return leave.expires_at, leave.id


def _allowed(question: Question, worst: Standing) -> str:
    said = rules.why(worst)
    if worst.state is BudgetState.NO_DATA:
        return f"{said} The policy {worst.terms.policy} lets releases pass without evidence."
    state = rules.WORDS[worst.state]
    return f"{said} It is {state}: a {question.kind} release may go out."


def _halted(question: Question, worst: Standing) -> str:
    state, kind = rules.WORDS[worst.state], question.kind
    free = [str(k) for k in ReleaseKind if str(k) not in worst.terms.halt.get(str(worst.state), ())]
    ways = f"{' and '.join(free)} releases may go out; for this one " if free else ""
    return (
        f"{rules.why(worst)} It is {state}, so {kind} releases halt by the policy "
        f"{worst.terms.policy}. {ways}".rstrip()
        + (" " if ways else " For this one ")
        + "somebody may ask for an exception, and somebody else may give it."
    )


def _excepted(worst: Standing, leave: GateException) -> str:
    state = rules.WORDS[worst.state]
    return (
        f"The budget is {state}, but exception {leave.id} lets it pass until "
        f"{iso(leave.expires_at)}: {leave.reason} (asked for by {leave.requested_by}, given by "
        f"{leave.approved_by})."
    )


# ---------------------------------------------------------------- to keep, and to make again


def inputs_of(
    question: Question,
    standings: Sequence[Standing],
    exceptions: Sequence[GateException],
    now: Seconds,
) -> dict[str, Any]:
    """All that a ruling follows from, to be written by `canonical`."""
    return {
        "at": now,
        "question": question,
        "standings": [{"terms": s.terms, "evidence": s.evidence} for s in standings],
        "exceptions": exceptions,
    }


def made_again(inputs: Mapping[str, Any]) -> Ruling:
    """The ruling that follows from what was read back; states are judged anew from the evidence."""
    asked = inputs["question"]
    question = Question(**{**asked, "kind": ReleaseKind(asked["kind"])})
    standings = [
        rules.judged(
            Terms(**{**s["terms"], "halt": {k: tuple(v) for k, v in s["terms"]["halt"].items()}}),
            [Evidence(**e) for e in s["evidence"]],
        )
        for s in inputs["standings"]
    ]
    leaves = [GateException(**{**e, "ground": Ground(e["ground"])}) for e in inputs["exceptions"]]
    return ruling_of(question, standings, leaves, inputs["at"])


def canonical(inputs: Mapping[str, Any]) -> bytes:
    """The one way in which inputs are written: JSON, keys in the order of the definitions.

    What was read back is written the same again: JSON keeps order, and floats their shortest form.
    """
    return orjson.dumps(inputs)


def signature(secret: bytes, uid: str, inputs: bytes, ruling: Ruling) -> str:
    """HMAC-SHA256, hex, over the name of the decision, what it followed from, and what it was."""
    said = b"\n".join([uid.encode(), inputs, orjson.dumps(ruling)])
    return hmac.digest(_key(secret), said, "sha256").hex()


@lru_cache(maxsize=8)
def _key(secret: bytes) -> bytes:
    return hmac.digest(secret, b"watchkeeper gate decisions", "sha256")
