"""Watching a release: does the budget burn faster since it began than before?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from sqlalchemy import Connection

from watchkeeper.alerting.policies.evidence import chance_of
from watchkeeper.kernel.clock import Seconds, minute_of, window_end
from watchkeeper.kernel.errors import UserError
from watchkeeper.slo import work as slo_work
from watchkeeper.slo.subjects import base_name
from watchkeeper.spec.model import Specs

BEFORE = 60
"""Minutes before the release that it is compared with."""
LONGEST = 360
"""Minutes for which a release may be watched."""
LEAST_EVENTS = 30
LEAST_BAD = 3
"""Fewer errors stop nothing, but where none is allowed at all."""
LEAST_BURN = 2.0
"""A burn below twice the even spend is nothing to stop a release for."""
SIGNIFICANT = 0.01 / 60
"""One in a hundred, for sixty looks: who watches an hour, minute by minute, stops one good release
in a hundred at most (Bonferroni)."""


class Advice(StrEnum):
    """What to do with the release."""

    GO_ON = "go_on"
    STOP = "stop"
    WAIT = "wait"


@dataclass(frozen=True, slots=True)
class Compared:
    """One objective before and since. Burn rates are None without events or at a target of 100 %.

    ``chance``: how likely so many bad events are if the rate of errors had stayed what it was.
    """

    slo: str
    bad_before: float
    total_before: float
    bad_since: float
    total_since: float
    burn_before: float | None
    burn_since: float | None
    chance: float
    advice: Advice


@dataclass(frozen=True, slots=True)
class Watched:
    """All objectives of a service's policies, and what follows."""

    service: str
    since: Seconds
    as_of: Seconds
    advice: Advice
    why: str
    compared: tuple[Compared, ...]


def compare(
    slo: str, before: tuple[float, float], since: tuple[float, float], allowed: float
) -> Compared:
    """One objective; (bad, total) of both intervals, ``allowed`` is 1 − target. Pure.

    Stops when the burn is at least `LEAST_BURN`, by `LEAST_BAD` errors, and so many errors would be
    by chance less often than `SIGNIFICANT`, given the rate before, or the allowed one if higher.
    """
    (bad_0, total_0), (bad, total) = before, since
    usual = bad_0 / total_0 if total_0 > 0 else 0.0
    chance = chance_of(bad, total, min(1.0, max(allowed, usual)))
    burn = bad / total / allowed if total > 0 and allowed > 0 else None
    enough = burn is None or (burn >= LEAST_BURN and bad >= LEAST_BAD)
    harmful = chance < SIGNIFICANT and enough
    # Few events may prove harm; that there is none takes more of them.
    advice = Advice.STOP if harmful else Advice.GO_ON
    if advice is Advice.GO_ON and total < LEAST_EVENTS:
        advice = Advice.WAIT
    burn_0 = usual / allowed if total_0 > 0 and allowed > 0 else None
    return Compared(slo, bad_0, total_0, bad, total, burn_0, burn, chance, advice)


def concluded(service: str, since: Seconds, now: Seconds, compared: Sequence[Compared]) -> Watched:
    """What follows from all of them: one that is harmed is enough to stop. Pure."""
    harmed = [c for c in compared if c.advice is Advice.STOP]
    if harmed:
        worst = min(harmed, key=lambda c: c.chance)
        return Watched(service, since, now, Advice.STOP, _stop(worst), tuple(compared))
    known = [c for c in compared if c.advice is Advice.GO_ON]
    if not known:
        said = (
            "Too few requests since then to say anything yet."
            if compared
            else ("No objective counts for this service: nothing can be compared.")
        )
        return Watched(service, since, now, Advice.WAIT, said, tuple(compared))
    said = f"Nothing burns faster than before, over {len(known)} of {len(compared)} objectives."
    return Watched(service, since, now, Advice.GO_ON, said, tuple(compared))


def _stop(worst: Compared) -> str:
    before = "" if worst.burn_before is None else f", before {worst.burn_before:.1f}×"
    burns = "fails" if worst.burn_since is None else f"burns {worst.burn_since:.1f}×{before}"
    return (
        f"{worst.slo} {burns}: {worst.bad_since:,.0f} of {worst.total_since:,.0f} requests failed "
        f"since then, {worst.bad_before:,.0f} of {worst.total_before:,.0f} in the hour before."
    )


def watch(
    conn: Connection, specs: Specs, service: str, names: Sequence[str], since: Seconds, now: Seconds
) -> Watched:
    """Compare the minutes since a release began with the hour before it. Raises UserError.

    ``names``: the objectives that count, each label set by its own name.
    """
    if since > now:
        raise UserError("The release begins in the future.", "Give a time that is past.")
    first, end = minute_of(since), window_end(now)
    if end - first > LONGEST:
        raise UserError(
            f"That was more than {LONGEST // 60} hours ago.", "Watch a release while it goes out."
        )
    counts = slo_work.minutes_of(conn, specs, names, first - BEFORE, end)
    compared = []
    for name in names:
        rows = counts.get(name)
        if rows is None:
            continue
        (good_0, total_0, *_), (good, total, *_) = rows[:BEFORE].sum(0), rows[BEFORE:].sum(0)
        allowed = float(1 - specs.slos[base_name(name)].target)
        compared.append(
            compare(name, (float(total_0 - good_0), float(total_0)),
                    (float(total - good), float(total)), allowed)
        )  # fmt: skip
    return concluded(service, since, now, compared)
