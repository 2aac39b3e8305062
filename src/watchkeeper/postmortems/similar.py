"""Which past incidents are like this one, and why. Pure.

Each trait that both have counts by its kind and by how rare it is: with N incidents of which n have
it, ``ln(1 + (N − n + ½) / (n + ½))``, the weight of Robertson and Spärck Jones that BM25 uses too.
The likeness is what the shared traits weigh as a share of all that could be shared, 0 to 1.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from watchkeeper.postmortems import marks

WEIGHTS: Mapping[str, float] = {
    marks.ALERT: 5.0, marks.CAUSE: 5.0, marks.BURN: 3.0, marks.SLO: 2.0, marks.SERVICE: 2.0,
    marks.JOURNEY: 1.0, marks.WORD: 1.0,
}  # fmt: skip
LEAST = 0.15
"""Likeness below which an incident is not shown."""
MOST = 5
MOST_RARE = 25
"""Words that are looked for, the rarest ones."""
_SAID = {
    marks.ALERT: "alert", marks.CAUSE: "cause", marks.BURN: "burning budget", marks.SLO:
    "objective", marks.SERVICE: "service", marks.JOURNEY: "journey",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Like:
    """A past incident, how alike it is (0 to 1), and by which marks, the weightiest first."""

    incident_id: int
    likeness: float
    shared: tuple[str, ...]

    @property
    def why(self) -> str:
        """``Same alert checkout/PoolExhausted, same service checkout; words: pool, query``."""
        same = [
            f"same {_SAID[marks.kind_of(m)]} {marks.value_of(m).strip('/')}"
            for m in self.shared
            if marks.kind_of(m) in _SAID
        ]
        said = [marks.value_of(m) for m in self.shared if marks.kind_of(m) == marks.WORD][:6]
        parts = [", ".join(same[:4])] if same else []
        parts += [f"words: {', '.join(said)}"] if said else []
        told = "; ".join(parts)
        return told[:1].upper() + told[1:]


def weight(mark: str, having: int, total: int) -> float:
    """What sharing a mark counts, when ``having`` of ``total`` incidents have it."""
    rare = math.log(1 + (max(total - having, 0) + 0.5) / (having + 0.5))
    return WEIGHTS.get(marks.kind_of(mark), 0.0) * rare


def worth_asking(own: Sequence[str], having: Mapping[str, int], total: int) -> list[str]:
    """The marks that are looked for: known ones, and of words those that tell incidents apart."""
    known = [m for m in own if having.get(m)]
    said = [m for m in known if marks.kind_of(m) == marks.WORD]
    rare = [m for m in said if having[m] <= max(20, total // 4)]
    rare.sort(key=lambda m: (having[m], m))
    return [m for m in known if marks.kind_of(m) != marks.WORD] + rare[:MOST_RARE]


def alike(
    own: Sequence[str], having: Mapping[str, int], total: int, hits: Iterable[tuple[str, int]],
    most: int = MOST,
) -> list[Like]:  # fmt: skip
    """The most similar ones, the best first; of equals the newest.

    ``having``: how many incidents have each mark; ``hits``: (mark, incident) of those to compare.
    """
    worth = {m: weight(m, having.get(m, 0), total) for m in own}
    # What nobody had before cannot be shared, but it does tell this one apart: it counts once.
    known = sum(w for m, w in worth.items() if having.get(m))
    new = max((w for m, w in worth.items() if not having.get(m)), default=0.0)
    shared: dict[int, list[str]] = {}
    for mark, incident_id in hits:
        shared.setdefault(incident_id, []).append(mark)
    found = []
    for incident_id, both in shared.items():
        both.sort(key=lambda m: (-worth.get(m, 0.0), m))
        likeness = sum(worth.get(m, 0.0) for m in both) / (known + new or 1.0)
        if likeness >= LEAST and _tells(both):
            found.append(Like(incident_id, likeness, tuple(both)))
    found.sort(key=lambda like: (-like.likeness, -like.incident_id))
    return found[:most]


def _tells(shared: Sequence[str]) -> bool:
    """False where only the place is the same, or a single word."""
    kinds = [marks.kind_of(m) for m in shared]
    strong = any(k in (*marks.STRONG, marks.BURN, marks.SLO) for k in kinds)
    said = kinds.count(marks.WORD)
    return strong or said > 1 or (said == 1 and marks.SERVICE in kinds)
