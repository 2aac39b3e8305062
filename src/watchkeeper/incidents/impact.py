"""What an incident cost, and how severe it looks: from measured events. Pure.

Over each minute *m* of the incident, for each objective with ``total`` requests of which ``bad``
failed, the share that failed is ``bad / total`` (0 where nobody asked). Of a service the share is
the largest of those of its objectives. With the figures of its definition for a full outage,

    users   = Σ over minutes of share(m) × usersPerMinute
    revenue = Σ over minutes of share(m) × revenuePerMinute

so an outage of 10 minutes that half of the requests feel costs as much as 5 minutes of all of them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from watchkeeper.incidents.model import Impact, Incident
from watchkeeper.kernel import text
from watchkeeper.kernel.clock import MINUTE, Minute, Seconds
from watchkeeper.slo.model import FloatArray
from watchkeeper.spec.model import ServiceDefinition

MOST_MINUTES = 31 * 1440
"""Longer incidents are counted from this long before their end."""
OVERRIDABLE = ("users", "revenue", "requests")
WHOLE, PART = 0.9, 0.01
"""Shares of failing requests from which on a journey fails for all, or for a part, of its users."""


@dataclass(frozen=True, slots=True)
class Suggestion:
    """A severity that measurements suggest, and why. A person decides."""

    severity: str
    why: str


def interval(incident: Incident, now: Seconds) -> tuple[Minute, Minute]:
    """The minutes [start, end) in which users were hurt: from when it began until mitigated."""
    start = incident.began_at if incident.began_at is not None else incident.detected_at
    start = incident.declared_at if start is None else start
    end = incident.mitigated_at if incident.mitigated_at is not None else incident.resolved_at
    end = now if end is None else end
    last = int(-(-end // MINUTE))
    first = min(int(start // MINUTE), last)
    return max(first, last - MOST_MINUTES), last


def assess(
    incident: Incident,
    counts: Mapping[str, FloatArray],
    services_of: Mapping[str, str],
    budgets: Mapping[str, float],
    services: Mapping[str, ServiceDefinition],
    now: Seconds,
) -> Impact:
    """What it cost so far.

    ``counts``: (good, total, …) of each minute of `interval`, [minutes, ≥ 2], by SLO;
    ``services_of``: the service of each SLO; ``budgets``: the events that each SLO's whole budget
    allows.
    """
    start, end = interval(incident, now)
    bad = {name: float((c[:, 1] - c[:, 0]).sum()) for name, c in counts.items()}
    total = {name: float(c[:, 1].sum()) for name, c in counts.items()}
    shares: dict[str, FloatArray] = {}
    for name, c in counts.items():
        failed = np.divide(c[:, 1] - c[:, 0], c[:, 1], out=np.zeros(len(c)), where=c[:, 1] > 0)
        service = services_of.get(name, "")
        held = shares.get(service)
        shares[service] = failed if held is None else np.maximum(held, failed)
    users, revenue = _costs(shares, services)
    return Impact(
        start=start * float(MINUTE),
        end=end * float(MINUTE),
        bad=bad,
        total=total,
        budget={n: bad[n] / budgets[n] for n in bad if budgets.get(n)},
        users=users,
        revenue=revenue,
        overrides=incident.data.get("impact", {}),
    )


def _costs(
    shares: Mapping[str, FloatArray], services: Mapping[str, ServiceDefinition]
) -> tuple[float | None, dict[str, float]]:
    users: float | None = None
    revenue: dict[str, float] = {}
    for name, share in shares.items():
        known = services.get(name)
        if known is None:
            continue
        lost = float(share.sum())
        if known.users_per_minute is not None:
            users = (users or 0.0) + lost * float(known.users_per_minute)
        if known.revenue_per_minute is not None:
            held = revenue.get(known.currency, 0.0)
            revenue[known.currency] = held + lost * float(known.revenue_per_minute)
    return users, revenue


def sentence(impact: Impact) -> str:
    """The cost in one sentence, with what a person put in its place."""
    said = []
    worst = max(impact.bad, key=lambda n: impact.bad[n], default="")
    if worst and impact.total[worst]:
        share = text.percent(impact.bad[worst] / impact.total[worst], 2)
        said.append(
            f"{text.count(impact.bad[worst])} of {text.count(impact.total[worst])} requests failed"
            f" ({share}) by {worst}"
        )
    if "users" in impact.overrides:
        said.append(f"about {impact.overrides['users']['value']} users were affected")
    elif impact.users is not None:
        said.append(f"about {text.count(round(impact.users))} users were affected")
    if "revenue" in impact.overrides:
        said.append(f"{impact.overrides['revenue']['value']} of revenue were lost")
    else:
        said += [f"about {text.count(round(v))} {c} of revenue were lost".replace("  ", " ")
                 for c, v in impact.revenue.items() if v]  # fmt: skip
    spent = max(impact.budget, key=lambda n: impact.budget[n], default="")
    if spent and impact.budget[spent]:
        said.append(f"{text.percent(impact.budget[spent], 1)} of the budget of {spent} was spent")
    return "; ".join(said) + "." if said else "Nothing was measured in this time."


def suggest(
    shares: Mapping[str, float], critical: Sequence[str], severities: Sequence[str]
) -> Suggestion | None:
    """A severity from the share of requests that fail now, by journey; None: nothing is hurt.

    The worst one when a critical journey fails for nearly all, the second when one fails for a
    part of its users, the third when others do. ``severities``: names, the worst first.
    """
    hurt = {n: s for n, s in shares.items() if s >= PART}
    if not hurt or not severities:
        return None
    key = [n for n in hurt if n in critical]
    worst = max(key or list(hurt), key=lambda n: hurt[n])
    told = f"{text.percent(hurt[worst], 1)} of the requests of {worst} fail"
    more = len(hurt) - 1
    if more:
        told += f", and {more} other journey{'s' if more > 1 else ''} hurt"
    if key and hurt[worst] >= WHOLE:
        return Suggestion(severities[0], f"{told}: it is down, and it is critical.")
    if key or hurt[worst] >= WHOLE:
        return Suggestion(severities[min(1, len(severities) - 1)], f"{told}: a part is hurt.")
    return Suggestion(severities[min(2, len(severities) - 1)], f"{told}: no critical journey.")
