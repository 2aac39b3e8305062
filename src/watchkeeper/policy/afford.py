"""What changes have cost, and how many more fit into what is left. Pure.

A change costs the bad events that `watchkeeper.causes` puts down to it; one that it puts nothing
down to costs nothing, and counts as that. Nothing here knows who made a change.

How many fit is asked of the costs that were seen, with no shape assumed: costs of changes are
mostly nothing, sometimes much, so a mean with a normal interval would lie. The interval of the mean
is a percentile bootstrap, and the cautious number a bootstrap of what comes next: past costs are
drawn anew (what we do not know of the mean), then future ones from these (luck), until the room is
spent (Efron and Tibshirani, An Introduction to the Bootstrap, 1993, chapters 6 and 13). When no
cost was ever seen, at most 1 − 0.05^(1/n) of changes cost something at a confidence of 95 %, nearly
3/n (Hanley and Lippman-Hand, If Nothing Goes Wrong, Is Everything All Right?, JAMA 1983).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from watchkeeper.causes.model import Account, Entry
from watchkeeper.changes.model import Change, Intent

FEW = 5
"""Below so many changes there is no mean to speak of, only the costliest."""
MOST_FIT = 200
"""More than that is no limit to anybody."""
DRAWS = 1_000
SEED = 20_130_331
"""The same question has the same answer."""
CAUTION = 10
"""The cautious number holds in all but so many of a hundred futures."""
NOTHING = Fraction(0)


@dataclass(frozen=True, slots=True)
class Spent:
    """What of an account is whose: all parts add up to exactly what was consumed.

    ``own``: by change of the service; ``elsewhere``: put down to changes of other services;
    ``unnamed``: to a deployment, but to none that is recorded; ``other``: to no change.
    """

    own: Mapping[str, Fraction]
    elsewhere: Fraction
    unnamed: Fraction
    other: Fraction


@dataclass(frozen=True, slots=True)
class Spread:
    """Costs of ``n`` changes in any unit; ``costly`` of them cost something.

    ``low`` and ``high``: the mean lies between them at a confidence of 90 %; None with few changes
    or no cost. ``may_cost``: no more than this share of changes costs something, at 95 %; known
    when none did.
    """

    n: int
    costly: int
    mean: float
    median: float
    p10: float
    p90: float
    low: float | None
    high: float | None
    may_cost: float | None


@dataclass(frozen=True, slots=True)
class Fit:
    """How many more fit; None: what was seen sets no limit, or (``few``) is too little to say.

    ``cautious`` holds in nine of ten futures; with few changes it takes each as the costliest.
    """

    expected: int | None
    cautious: int | None
    few: bool = False


@dataclass(frozen=True, slots=True)
class Line:
    """A budget that must last: an objective's, or the mean of several (``parts``).

    ``left`` and ``room`` are shares of it; the room ends where its policy calls it depleted.
    """

    name: str
    policy: str
    left: float
    room: Fraction
    parts: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Group:
    """Changes of one kind or intent: ``by`` says which of the two ``of`` is."""

    by: str
    of: str
    changes: tuple[str, ...]


def change_of(entry: Entry) -> str:
    """The id of the change that a cause is put down to, '' for none.

    A person who agrees with what is held names no id: the cause of the same name is meant.
    """
    label, verdict = entry.label, entry.verdict
    if label is not None:
        said = [h.change for h in (verdict.hypotheses if verdict else ()) if h.what == label.what]
        return label.change or next(iter(said), "")
    if verdict is None or verdict.best.kind is not entry.kind:
        return ""
    return verdict.best.change


def spent_of(account: Account, own: Collection[str]) -> Spent:
    """What each change cost by this account; ``own``: ids of the service's changes."""
    costs = dict.fromkeys(own, NOTHING)
    elsewhere = unnamed = other = NOTHING
    for entry in account.entries:
        change = change_of(entry)
        if change in costs:
            costs[change] += entry.bad
        elif change:
            elsewhere += entry.bad
        elif entry.kind == "deployment":
            unnamed += entry.bad
        else:
            other += entry.bad
    return Spent(costs, elsewhere, unnamed, other)


def groups_of(changes: Sequence[Change]) -> list[Group]:
    """The changes by kind, then by intent where it was told; the most numerous first."""
    kinds: dict[str, list[str]] = {}
    intents: dict[str, list[str]] = {}
    for change in changes:
        kinds.setdefault(str(change.kind), []).append(str(change.id))
        if change.intent is not Intent.UNKNOWN:
            intents.setdefault(str(change.intent), []).append(str(change.id))
    return [*_groups("kind", kinds), *_groups("intent", intents)]


def _groups(by: str, found: Mapping[str, Sequence[str]]) -> list[Group]:
    ranked = sorted(found.items(), key=lambda item: (-len(item[1]), item[0]))
    return [Group(by, of, tuple(ids)) for of, ids in ranked]


def spread(costs: Sequence[Fraction]) -> Spread:
    """Mean and spread of costs, of at least one change."""
    values = np.asarray([float(c) for c in costs], dtype=np.float64)
    costly = int((values > 0).sum())
    p10, median, p90 = (float(v) for v in np.percentile(values, (10, 50, 90)))
    low = high = None
    if len(values) >= FEW and costly:
        random = np.random.default_rng(SEED)
        means = values[random.integers(0, len(values), (DRAWS, len(values)))].mean(axis=1)
        low, high = (float(v) for v in np.percentile(means, (5, 95)))
    may_cost = None if costly else 1 - 0.05 ** (1 / len(values))
    mean = float(sum(costs, NOTHING) / len(costs))
    return Spread(len(values), costly, mean, median, p10, p90, low, high, may_cost)


def fit(costs: Sequence[Fraction], room: Fraction) -> Fit:
    """How many changes that cost as these did fit into ``room``, in the same unit.

    Never fewer when there is more room.
    """
    few = len(costs) < FEW
    if room <= 0:
        return Fit(0, 0, few)
    most = max(costs, default=NOTHING)
    if most == 0:
        return Fit(None, None, few)
    if few:
        return Fit(None, min(MOST_FIT, int(room // most)), few)
    expected = min(MOST_FIT, int(room * len(costs) // sum(costs, NOTHING)))
    return Fit(expected, min(expected, _cautious(costs, room)))


def _cautious(costs: Sequence[Fraction], room: Fraction) -> int:
    """How many fit in all but ``CAUTION`` of a hundred futures."""
    n, unit = len(costs), max(costs)
    values = np.asarray([float(c / unit) for c in costs], dtype=np.float64)
    random = np.random.default_rng(SEED)
    seen = random.integers(0, n, (DRAWS, n))
    drawn = np.take_along_axis(seen, random.integers(0, n, (DRAWS, MOST_FIT)), axis=1)
    counts = (np.cumsum(values[drawn], axis=1) <= float(room / unit)).sum(axis=1)
    return int(np.percentile(counts, CAUTION, method="lower"))


def fit_all(
    group: Group, lines: Sequence[Line], shares: Mapping[str, Mapping[str, Fraction]]
) -> Fit:
    """How many of a group fit into every line: the scarcest decides.

    ``shares``: by objective what each change cost, as a share of its budget.
    """
    found = [fit([cost_in(line, c, shares) for c in group.changes], line.room) for line in lines]
    expected = [f.expected for f in found if f.expected is not None]
    cautious = [f.cautious for f in found if f.cautious is not None]
    return Fit(min(expected, default=None), min(cautious, default=None), len(group.changes) < FEW)


def cost_in(line: Line, change: str, shares: Mapping[str, Mapping[str, Fraction]]) -> Fraction:
    """What a change cost of a line: the mean over its parts."""
    costs = [shares[part].get(change, NOTHING) for part in line.parts]
    return sum(costs, NOTHING) / len(costs)
