"""Standings, questions to the gate, exceptions and decisions. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from watchkeeper.kernel.clock import Seconds
from watchkeeper.spec.budget import BudgetState, ReleaseKind


class Verdict(StrEnum):
    """What the gate answers."""

    ALLOW = "allow"
    HALT = "halt"


class Ground(StrEnum):
    """Why an exception is asked for."""

    SECURITY = "security"
    RELIABILITY = "reliability"
    SILVER_BULLET = "silver_bullet"
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class Evidence:
    """One objective as the gate saw it. ``left``: share of its budget, None without evidence."""

    slo: str
    target: str
    window: str
    good: float
    total: float
    left: float | None


@dataclass(frozen=True, slots=True)
class Terms:
    """What of a policy decides, as it was at the time of a decision."""

    policy: str
    combine: str
    at_risk: float
    depleted: float
    halt: Mapping[str, tuple[str, ...]]


@dataclass(frozen=True, slots=True)
class Standing:
    """How a budget stands by its policy. ``worst``: the objective that has the least left."""

    terms: Terms
    state: BudgetState
    left: float | None
    worst: str
    evidence: tuple[Evidence, ...]


@dataclass(frozen=True, slots=True)
class Question:
    """May this go out? ``change``: version, commit or link; ``asked_by``: a principal."""

    service: str
    kind: ReleaseKind
    change: str = ""
    environment: str = ""
    asked_by: str = ""


@dataclass(frozen=True, slots=True)
class GateException:
    """A leave to pass a halt: asked for by one person, given by another, for a time.

    ``kind``: one kind of release, '' for any. ``most_uses``: None for as often as one likes.
    ``data``: what else is known, as JSON.
    """

    id: int
    service: str
    kind: str
    ground: Ground
    reason: str
    requested_by: str
    requested_at: Seconds
    expires_at: Seconds
    approved_by: str = ""
    approved_at: Seconds | None = None
    revoked_by: str = ""
    revoked_at: Seconds | None = None
    uses: int = 0
    most_uses: int | None = None
    version: int = 0


@dataclass(frozen=True, slots=True)
class Ruling:
    """What follows from a question, the standings and the exceptions at one moment."""

    verdict: Verdict
    state: BudgetState
    why: str
    policy: str
    exception: int | None = None


@dataclass(frozen=True, slots=True)
class Decision:
    """A ruling as it is kept, with all it followed from, signed.

    ``uid`` is its public name. ``inputs`` are those of `gate.ruling_of`, from which the ruling can
    be made again. ``signature``: see `gate.signature`.
    """

    id: int
    uid: str
    at: Seconds
    question: Question
    ruling: Ruling
    inputs: Mapping[str, Any] = field(default_factory=dict)
    signature: str = ""


@dataclass(frozen=True, slots=True)
class Kept:
    """The state of a policy as it was last announced, and the one seen since.

    A better state is announced only after it has lasted (``seen_since``).
    """

    policy: str
    state: BudgetState
    since: Seconds
    left: float | None
    seen: BudgetState
    seen_since: Seconds
    version: int = 0
