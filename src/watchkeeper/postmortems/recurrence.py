"""Whether an incident is one that was there before, and whether what was done has held. Pure.

- The same *cause* on the same service is a recurrence.
- The same *alert* is one too, unless causes are known and differ, or the same alert has had several
  causes before: then it only may be one, until a person says so or names the cause.
- The same *burning budget* only may be one: many causes burn the same budget.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from watchkeeper.kernel.clock import Seconds
from watchkeeper.postmortems import marks
from watchkeeper.postmortems.model import ActionItem, ActionState, ActionType

PREVENTING = (ActionType.PREVENT, ActionType.PROCESS)
"""Items that promise that it does not recur; to detect or mitigate promises something else."""
CHANCE = 0.05
"""A fix is held to be proven when it would be as quiet by chance in at most this share of cases."""
QUIET = 90 * 86_400.0
"""The same in seconds for what was seen only once, so that nobody knows how often it came."""


class Kinship(StrEnum):
    """How sure it is that one incident is another again."""

    SURE = "sure"  # recognised by the rules, or confirmed
    MAYBE = "maybe"
    DENIED = "denied"  # a person, or the causes, said that it is another one


@dataclass(frozen=True, slots=True)
class Traits:
    """What is known of an incident: its strong marks and burning budgets."""

    incident_id: int
    marks: frozenset[str]

    def of(self, kind: str) -> frozenset[str]:
        """Its marks of one kind."""
        return frozenset(m for m in self.marks if marks.kind_of(m) == kind)


@dataclass(frozen=True, slots=True)
class Match:
    """An incident that this one is again, or may be."""

    of: int
    kinship: Kinship
    shared: tuple[str, ...]


def matches(new: Traits, past: Sequence[Traits]) -> list[Match]:
    """The past incidents that recur in a new one, the newest first."""
    return [m for p in sorted(past, key=lambda p: -p.incident_id) if (m := _match(new, p, past))]


def _match(new: Traits, old: Traits, past: Sequence[Traits]) -> Match | None:
    shared = tuple(sorted(new.marks & old.marks))
    causes = new.of(marks.CAUSE) & old.of(marks.CAUSE)
    if causes:
        return Match(old.incident_id, Kinship.SURE, shared)
    differ = bool(new.of(marks.CAUSE) and old.of(marks.CAUSE))
    if not shared or differ:
        return None
    alerts = new.of(marks.ALERT) & old.of(marks.ALERT)
    sure = any(len(_causes_of(alert, past)) < 2 for alert in alerts)
    return Match(old.incident_id, Kinship.SURE if sure else Kinship.MAYBE, shared)


def _causes_of(alert: str, past: Sequence[Traits]) -> set[str]:
    return {c for p in past if alert in p.marks for c in p.of(marks.CAUSE)}


def said(shared: Sequence[str]) -> str:
    """``the same cause bad-deploy on checkout, the same alert PoolExhausted of checkout``."""
    told = []
    for mark in sorted(shared, key=lambda m: (marks.kind_of(m) != marks.CAUSE, m)):
        where, _, what = marks.value_of(mark).partition("/")
        match marks.kind_of(mark):
            case marks.CAUSE:
                told.append(f"the same cause {what}" + (f" on {where}" if where else ""))
            case marks.ALERT:
                told.append(f"the same alert {what}" + (f" of {where}" if where else ""))
            case _:
                told.append(f"the same burning budget {marks.value_of(mark)}")
    return ", ".join(told)


# ---------------------------------------------------------------- has it held


class Verdict(StrEnum):
    """How an action item stands with its promise."""

    PROVEN = "proven"
    HOLDS = "holds so far"
    RECURRED = "recurred"
    OPEN = "not done yet"
    UNKNOWN = "cannot be told"


@dataclass(frozen=True, slots=True)
class Held:
    """``quiet``: seconds since it was done, or until it recurred. ``before``: how often it had come
    by then. ``chance``: the probability that as long would have been quiet anyway; None: unknown.
    """

    verdict: Verdict
    quiet: float | None = None
    before: int = 0
    chance: float | None = None
    recurred_in: int | None = None


def held(
    item: ActionItem, known: bool, before: Sequence[Seconds], after: Sequence[tuple[Seconds, int]],
    now: Seconds, done_before: Seconds | None = None,
) -> Held:  # fmt: skip
    """Whether what an item promised has held.

    ``known``: its incident has marks by which it would be known again. ``before``: when it came, up
    to the item's completion; ``after``: (when, incident) of recurrences since its incident.
    ``done_before``: when the item was done, if it was opened again since.

    Came n times in the T seconds from the first to the completion, it came at a rate of n / T; were
    that still so, q quiet seconds had a probability of exp(−q n / T) (a Poisson process).
    """
    done_at = item.done_at if item.state is ActionState.DONE else done_before
    if done_at is None:
        return Held(Verdict.OPEN, before=len(before))
    recurred = next(((at, i) for at, i in sorted(after) if at > done_at), None)
    if recurred is not None:
        quiet = recurred[0] - done_at
        return Held(Verdict.RECURRED, quiet, len(before), None, recurred[1])
    if not known:
        return Held(Verdict.UNKNOWN, now - done_at, len(before))
    quiet, chance = now - done_at, None
    if len(before) > 1 and done_at > min(before):
        chance = math.exp(-quiet * len(before) / (done_at - min(before)))
    proven = quiet >= QUIET if chance is None else chance <= CHANCE
    return Held(Verdict.PROVEN if proven else Verdict.HOLDS, quiet, len(before), chance)
