"""Thirty days before the demo began, made from the same traffic shape as the live traffic.

Nobody measured these minutes; the pages say so (``NOTE``). They exist so that windows, budgets
and burn-downs have something to show at once. Pure: the same seed and time give the same history.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from demo.shape import SHARES, requests_per_second
from watchkeeper.kernel.clock import DAY_MINUTES, Seconds, minute_of
from watchkeeper.measure.model import Count
from watchkeeper.spec.model import SloDefinition, Specs

NOTE = (
    "Demo shop. The 30 days before it started are replayed from a traffic shape, not measured; "
    "everything since then is real requests on this machine."
)

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

BROWSING = SHARES["home"] + SHARES["list"] + SHARES["product"]


@dataclass(frozen=True, slots=True)
class Profile:
    """What an SLI usually sees: which traffic, and the share of it that is bad."""

    share: float
    usual_bad: float
    after: str = ""  # only events that are good for this other profile reach this one


PROFILES: Mapping[str, Profile] = {
    "browse/availability": Profile(BROWSING, 0.0002),
    "browse/latency": Profile(BROWSING, 0.0004),
    "checkout/availability": Profile(SHARES["checkout"], 0.0002),
    "checkout/latency": Profile(SHARES["checkout"], 0.0002),
    "checkout/correctness": Profile(SHARES["checkout"], 0.0001, after="checkout/availability"),
    "payments-charges": Profile(SHARES["checkout"], 0.0002),
    "payments-speed": Profile(SHARES["checkout"], 0.0002),
}
"""By ``journey/aspect``, or by the SLO's name where it belongs to no journey."""


@dataclass(frozen=True, slots=True)
class Incident:
    """Something that went wrong: when it began, how long it lasted, share of bad by profile."""

    what: str
    days_ago: float
    minutes: int
    bad: Mapping[str, float] = field(default_factory=dict)


STORY: tuple[Incident, ...] = (
    Incident(
        "payments refused a third of all charges",
        21.4,
        38,
        {"checkout/availability": 0.35, "payments-charges": 0.35},
    ),
    Incident("the catalogue was slow", 12.6, 95, {"browse/latency": 0.12}),
    Incident(
        "a bad release was rolled back",
        6.2,
        11,
        {"browse/availability": 0.6, "checkout/availability": 0.6},
    ),
    Incident("orders were totalled wrongly", 2.1, 120, {"checkout/correctness": 0.15}),
    Incident("payments was slow", 0.6, 45, {"checkout/latency": 0.2, "payments-speed": 0.2}),
)
UNSEEN = (9.0, 25)
"""(days ago, minutes): an outage of the monitoring itself; no counts at all."""


def profile_name(slo: SloDefinition) -> str:
    """The key into ``PROFILES`` for an SLO of the demo."""
    return f"{slo.journey}/{slo.aspect}" if slo.journey and slo.aspect else slo.name


def expected_per_minute(minutes: Ints) -> Floats:
    """All requests the shop expects in each of these minutes."""
    return np.array([60 * requests_per_second(60.0 * m + 30) for m in minutes.tolist()])


def bad_share(name: str, minutes: Ints, now: Seconds) -> Floats:
    """The share of bad events of a profile in each minute: the usual, or what an incident made."""
    share = np.full(len(minutes), PROFILES[name].usual_bad)
    for incident in STORY:
        if name in incident.bad:
            start = minute_of(now - incident.days_ago * 86400)
            inside = (minutes >= start) & (minutes < start + incident.minutes)
            share[inside] = incident.bad[name]
    return share


def draw(now: Seconds, days: int, seed: int) -> tuple[Ints, dict[str, tuple[Ints, Ints]]]:
    """Minutes (those seen, before the one in progress) and per profile (good, total) in each."""
    rng = np.random.default_rng(seed)
    end = minute_of(now)
    minutes: Ints = np.arange(end - days * DAY_MINUTES, end, dtype=np.int64)
    gap = minute_of(now - UNSEEN[0] * 86400)
    minutes = minutes[(minutes < gap) | (minutes >= gap + UNSEEN[1])]
    rate = expected_per_minute(minutes) * rng.lognormal(0.0, 0.04, len(minutes))
    traffic = {s: rng.poisson(rate * s) for s in sorted({p.share for p in PROFILES.values()})}
    counts: dict[str, tuple[Ints, Ints]] = {}
    for name, profile in PROFILES.items():
        total = counts[profile.after][0] if profile.after else traffic[profile.share]
        bad = rng.binomial(total, bad_share(name, minutes, now))
        counts[name] = (total - bad, total)
    return minutes, counts


def history_counts(specs: Specs, now: Seconds, days: int = 30, seed: int = 20) -> Iterator[Count]:
    """Counts of every SLI in the specs for the ``days`` before ``now``, minute by minute.

    The minute in progress is left to the live measurement. An SLI that several SLOs share is
    given once. Raises KeyError for an SLO that no profile describes.
    """
    minutes, counts = draw(now, days, seed)
    done: set[str] = set()
    for slo in specs.slos.values():
        if slo.sli is None or slo.sli.key in done:
            continue
        done.add(slo.sli.key)
        good, total = counts[profile_name(slo)]
        for minute, g, t in zip(minutes.tolist(), good.tolist(), total.tolist(), strict=True):
            yield Count(slo.sli.key, minute, float(g), float(t))
