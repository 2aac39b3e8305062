"""From verdicts and what people said to an account that adds up. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

from watchkeeper.causes.model import Account, Entry, Episode, Kind, Label, Verdict
from watchkeeper.causes.traffic import split
from watchkeeper.kernel.clock import Minute

ELSEWHERE = "Everything else"
MORE_DEMAND = "More demand than usual"


def account(
    slo: str,
    span: tuple[Minute, Minute],
    consumed: Fraction,
    total: Fraction,
    verdicts: Sequence[Verdict],
    labels: Sequence[Label],
    revision: int,
) -> Account:
    """Where ``consumed`` bad events went; entries add up to exactly that, the largest first.

    ``verdicts`` are of episodes that do not overlap. What fails in an episode as it usually does is
    in the last entry, with all that failed outside of episodes.
    """
    entries: list[Entry] = []
    for verdict in verdicts:
        entries.extend(_entries(verdict, said_of(verdict.episode, labels)))
    entries.sort(key=lambda e: (-e.bad, e.episode.start if e.episode else 0, e.kind))
    rest = consumed - sum((e.bad for e in entries), Fraction(0))
    if rest or not entries:
        entries.append(Entry(Kind.UNKNOWN, ELSEWHERE, rest))
    return Account(slo, *span, consumed, total, tuple(entries), revision)


def _entries(verdict: Verdict, label: Label | None) -> list[Entry]:
    its = verdict.episode
    parts = split(Fraction(its.bad), its.total, verdict.usual_rate, verdict.usual_demand)
    worse = parts.rate + parts.interaction
    if label is not None:
        what = label.what or f"Said to be {WORDS[label.kind]}"
        return [Entry(label.kind, what, worse + parts.volume, its, verdict, label)]
    best = verdict.best
    if best.kind is Kind.TRAFFIC_SPIKE:
        return [Entry(best.kind, best.what, worse + parts.volume, its, verdict)]
    entries = [Entry(best.kind, best.what, worse, its, verdict)]
    if parts.volume:
        entries.append(Entry(Kind.TRAFFIC_SPIKE, MORE_DEMAND, parts.volume, its, verdict))
    return entries


WORDS = {
    Kind.DEPLOYMENT: "a deployment or configuration",
    Kind.INFRASTRUCTURE: "infrastructure",
    Kind.DEPENDENCY: "a dependency",
    Kind.TRAFFIC_SPIKE: "a traffic spike",
    Kind.UNKNOWN: "unknown",
}


def said_of(episode: Episode, labels: Sequence[Label]) -> Label | None:
    """What a person said last of this episode; ``labels`` are the oldest first.

    A label is of an episode when they share at least half of the shorter one: episodes move a
    little when late data comes, and what was said of them stays.
    """
    for label in reversed(labels):
        common = min(label.end, episode.end) - max(label.start, episode.start)
        shorter = min(label.end - label.start, episode.end - episode.start)
        if common > 0 and 2 * common >= shorter:
            return label
    return None
