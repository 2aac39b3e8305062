"""Which change did it: the true one among decoys, around each incident of PetShop.

The true change is one of the labelled component at the labelled time. Decoys are of components
drawn from all 41, at times drawn evenly from the two hours before to ten minutes after, by a seed.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from benchmarks.attribution import petshop
from benchmarks.attribution.petshop import SAMPLE, Issue
from watchkeeper.causes import graph, weighing
from watchkeeper.causes.judging import THIN
from watchkeeper.causes.model import Change

DECOYS = 20
BEFORE, AFTER = 7200.0, 600.0
TRUE = "true"
Answer = Callable[[Issue, Sequence[Change]], Sequence[str]]
"""(incident, changes) → ids of changes, the likeliest first; none: unknown."""


def around(
    issue: Issue, seed: int, decoys: int = DECOYS, *, with_true: bool = True
) -> list[Change]:
    """The changes around an incident, in the order of time."""
    chance = random.Random(f"{issue.name}/{issue.since}/{seed}")
    components = sorted(petshop.calls(issue.home))
    made = [
        _change(
            f"decoy-{i}", chance.choice(components), issue.since + chance.uniform(-BEFORE, AFTER)
        )
        for i in range(decoys)
    ]
    if with_true:
        made.append(_change(TRUE, issue.root, issue.since))
    return sorted(made, key=lambda c: (c.at, c.id))


def _change(name: str, service: str, at: float) -> Change:
    return Change(name, (service,), "deployment", at, at, name)


def ours(issue: Issue, changes: Sequence[Change]) -> Sequence[str]:
    """Time decay × standing among the components that fail; unknown where that is thin."""
    return [w.change.id for w in _weighed(issue, changes) if w.score > THIN]


def ours_pressed(issue: Issue, changes: Sequence[Change]) -> Sequence[str]:
    """The same, pressed for an answer however thin the evidence."""
    return [w.change.id for w in _weighed(issue, changes)]


def _weighed(issue: Issue, changes: Sequence[Change]) -> list[weighing.Weighed]:
    own = {s.service: s.standing for s in petshop.ours(issue)}
    calls = petshop.calls(issue.home)
    depth = graph.reachable(issue.entry, calls)
    standing = weighing.standings(issue.entry, own, sorted(depth), depth, calls, ())
    began = float(issue.times[petshop.onset(issue)])
    return weighing.weigh(changes, began, standing, tolerance=SAMPLE)


def latest(issue: Issue, changes: Sequence[Change]) -> Sequence[str]:
    """The latest change before it got worse."""
    began = float(issue.times[petshop.onset(issue)])
    return [c.id for c in reversed(changes) if c.at <= began + SAMPLE]


def correlated(issue: Issue, changes: Sequence[Change]) -> Sequence[str]:
    """The latest change of the component whose metric moves most as the entry's does."""
    order = {c: i for i, c in enumerate(petshop.by_correlation(issue))}
    known = list(reversed([c for c in changes if c.services[0] in order]))
    return [c.id for c in sorted(known, key=lambda c: order[c.services[0]])]


@dataclass
class Score:
    """How often an answer was given, and how often it was right."""

    asked: int = 0
    answered: int = 0
    right: int = 0
    in_three: int = 0


def measure(
    answer: Answer, issues: Sequence[Issue], seeds: int, *, with_true: bool = True
) -> Score:
    """Ask for every incident and seed."""
    score = Score()
    for issue in issues:
        for seed in range(seeds):
            said = answer(issue, around(issue, seed, with_true=with_true))
            score.asked += 1
            score.answered += bool(said)
            score.right += said[:1] == [TRUE]
            score.in_three += TRUE in said[:3]
    return score
