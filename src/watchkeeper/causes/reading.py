"""From the ledger and the changes to the facts about one episode."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from sqlalchemy import Connection

from watchkeeper.causes import graph, slices, traffic, weighing
from watchkeeper.causes.judging import LEAST_LIFT, Demand, Facts, Failing, Saturated, hypotheses
from watchkeeper.causes.model import Change, Episode, Verdict
from watchkeeper.causes.onset import split
from watchkeeper.causes.scene import Scene, scene_of
from watchkeeper.changes import work as changes_work
from watchkeeper.changes.model import Change as Told
from watchkeeper.changes.rules import away_from_users, made_against, until
from watchkeeper.kernel.clock import DAY_MINUTES, MINUTE, Minute
from watchkeeper.slo import ledger
from watchkeeper.slo import work as slo_work
from watchkeeper.slo.fleet import Subject
from watchkeeper.slo.model import FloatArray
from watchkeeper.slo.subjects import base_name
from watchkeeper.slo.view import GOOD, TOTAL, View
from watchkeeper.spec.model import Specs

BEFORE = 120
"""Minutes before the onset that are compared with."""
DURING = 60
"""Minutes from the onset on that are looked at: the beginning tells what it was."""
CHANGES_BEFORE = 86_400.0
"""Seconds before the onset in which changes matter."""
SATURATED_BEFORE = 30
"""Minutes before the onset in which a level may have been crossed."""
MOST_LEAVES = 5_000
MOST_CHANGES = 200
WEEK = 7 * DAY_MINUTES


@dataclass(frozen=True, slots=True)
class Usual:
    """How the SLO fares in quiet hours: bad events, and all."""

    bad: float
    total: float

    @property
    def rate(self) -> float:
        """The usual share of bad events."""
        return max(0.0, self.bad / self.total) if self.total > 0 else 0.0


@dataclass(frozen=True, slots=True)
class Case:
    """An SLO whose episodes are judged: where its counts are, who is around it."""

    conn: Connection
    specs: Specs
    subject: Subject
    view: View
    scene: Scene
    usual: Usual

    def near(self, episode: Episode) -> list[Change]:
        """The changes that may matter to this episode."""
        onset = episode.onset * MINUTE
        start, end = onset - CHANGES_BEFORE, onset + weighing.TOLERANCE
        services = self.scene.services
        told = changes_work.changes_between(self.conn, services, start, end, MOST_CHANGES)
        return [
            _change(c, services)
            for c in told
            if c.services and not away_from_users(c) and not made_against(c, onset)
        ]


def case_of(conn: Connection, specs: Specs, subject: Subject, view: View, usual: Usual) -> Case:
    """The case of an SLO."""
    return Case(conn, specs, subject, view, scene_of(specs, subject.definition), usual)


def _change(told: Told, services: Sequence[str]) -> Change:
    """A change as causes see it: of those of its services that matter here."""
    here = tuple(s for s in told.services if s in services) or told.services
    title = f"{here[0]} {told.version}" if told.version else told.summary
    title = title or f"{told.kind} of {here[0]}"
    kind = str(told.kind)
    return Change(str(told.id), here, kind, told.started_at, until(told), title, told.version)


def seen(changes: Sequence[Change]) -> str:
    """Which changes these are, in short: when it differs, a verdict is out of date."""
    told = sorted(f"{c.id} {c.kind} {c.at} {c.until} {c.version}" for c in changes)
    return hashlib.blake2b("\n".join(told).encode(), digest_size=8).hexdigest()


def judge(case: Case, episode: Episode) -> Verdict:
    """What caused this episode, as far as can be known."""
    near = case.near(episode)
    start = episode.onset - BEFORE
    end = min(episode.end, episode.onset + DURING)
    mine = np.diff(case.view.cum(np.arange(start, end + 1, dtype=np.int64)), axis=0)
    theirs = _dependencies(case, start, end)
    excesses = {service: _excess(counts) for service, counts in theirs.items()}
    its = _total(mine[BEFORE:])
    excesses[case.scene.service] = graph.excess_of_counts(*its, case.usual.bad, case.usual.total)
    suspects = graph.suspects(excesses, case.scene.calls, case.scene.service)
    standing = weighing.standings(
        case.scene.service,
        {s.service: s.standing for s in suspects},
        [*theirs, case.scene.service],
        case.scene.depth,
        case.scene.calls,
        case.scene.callers,
    )
    demand = _demand(case, episode, mine)
    found = _slices(case, episode.onset, end)
    facts = Facts(
        case.scene.service,
        episode.onset,
        frozenset((*theirs, case.scene.service)),
        weighing.weigh(near, episode.onset * MINUTE, standing),
        _failing(case, suspects, theirs, episode.onset),
        found,
        _saturated(case, episode.onset),
        demand,
    )
    more = demand is not None and demand.total > demand.top
    return Verdict(
        episode,
        hypotheses(facts),
        case.usual.rate,
        demand.middle / demand.total if demand is not None and more else 1.0,
        tuple(s.text for s in found[:3] if s.lift >= LEAST_LIFT),
        seen(near),
    )


# ---------------------------------------------------------------- dependencies


def _dependencies(case: Case, start: Minute, end: Minute) -> dict[str, FloatArray]:
    """(good, total) of each minute, by dependency: of the objective of it that failed most."""
    names = [name for told in case.scene.told_by.values() for name in told]
    if not names:
        return {}
    counts: dict[str, FloatArray] = {}
    for name, rows in slo_work.minutes_of(case.conn, case.specs, names, start, end).items():
        base = base_name(name) if name not in case.specs.slos else name
        counts[base] = counts[base] + rows if base in counts else rows
    found: dict[str, FloatArray] = {}
    for service, told in case.scene.told_by.items():
        known = [counts[name] for name in told if name in counts and counts[name][:, TOTAL].any()]
        if known:
            found[service] = max(known, key=lambda c: _excess(c).sigmas)
    return found


def _total(counts: FloatArray) -> tuple[float, float]:
    """(bad, total) of some minutes."""
    good, total = float(counts[:, GOOD].sum()), float(counts[:, TOTAL].sum())
    return total - good, total


def _excess(counts: FloatArray) -> graph.Excess:
    return graph.excess_of_counts(*_total(counts[BEFORE:]), *_total(counts[:BEFORE]))


def _failing(
    case: Case,
    suspects: Sequence[graph.Suspect],
    theirs: Mapping[str, FloatArray],
    onset: Minute,
) -> list[Failing]:
    mine = next((s.excess.amount for s in suspects if s.service == case.scene.service), 0.0)
    found = []
    for suspect in suspects:
        counts = theirs.get(suspect.service)
        if counts is None:
            continue
        step = split(_bad_share(counts), counts[:, TOTAL])
        began = onset if step is None else onset - BEFORE + step
        covers = min(1.0, suspect.excess.amount / mine) if mine > 0 else 1.0
        found.append(Failing(suspect, began, covers))
    return found


def _bad_share(counts: FloatArray) -> FloatArray:
    total = counts[:, TOTAL]
    return np.divide(total - counts[:, GOOD], total, out=np.zeros(len(total)), where=total > 0)


# ---------------------------------------------------------------- levels, demand, slices


def _saturated(case: Case, onset: Minute) -> list[Saturated]:
    """Levels that were crossed when it began."""
    if not case.scene.gauges:
        return []
    start = onset - SATURATED_BEFORE
    rows = slo_work.minutes_of(case.conn, case.specs, list(case.scene.gauges), start, onset + 3)
    found = []
    for name, counts in rows.items():
        bad = np.flatnonzero(counts[:, TOTAL] - counts[:, GOOD] > 0)
        if not len(bad) or bad[-1] < SATURATED_BEFORE - 2:
            continue  # never, or over before it began
        gaps = np.flatnonzero(np.diff(bad) > 2)
        since = start + int(bad[gaps[-1] + 1 if len(gaps) else 0])
        service = case.scene.gauges.get(name) or case.scene.gauges.get(base_name(name), "")
        found.append(Saturated(name, service, since))
    return found


def _demand(case: Case, episode: Episode, mine: FloatArray) -> Demand | None:
    """Demand beside the same minutes of earlier weeks; of earlier days where weeks are too few."""
    start, end = episode.start, episode.end
    ids = np.asarray([case.subject.sli_id], dtype=np.int64)
    since = int(ledger.spans(case.conn, ids)[0, 0])
    for step, times in ((WEEK, 4), (DAY_MINUTES, 7)):
        back = [step * k for k in range(1, times + 1) if start - step * k >= since]
        if len(back) < traffic.FEWEST:
            continue
        edges = np.asarray([[start - b, end - b] for b in back], dtype=np.int64).ravel()
        order = np.argsort(edges, kind="stable")
        cum = np.empty(len(edges))
        cum[order] = case.view.cum(edges[order])[:, TOTAL]
        band = traffic.band((cum[1::2] - cum[::2]).tolist())
        if band is not None:
            bad = mine[:, TOTAL] - mine[:, GOOD]
            follows = traffic.follows(bad, mine[:, TOTAL], BEFORE)
            return Demand(episode.total, band.middle, band.top, follows)
    return None


def _slices(case: Case, onset: Minute, end: Minute) -> list[slices.Slice]:
    """Label slices of the SLI, or of a sibling that parts the same requests."""
    defined = case.specs.slos.get(case.scene.grouped)
    if defined is None or defined.sli is None:
        return []
    rows = ledger.find(case.conn, [defined.sli.key]).get(defined.sli.key, [])[:MOST_LEAVES]
    rows = [row for row in rows if row.group]
    if len(rows) < 2:
        return []
    ids = np.asarray([row.id for row in rows], dtype=np.int64)
    cum = ledger.edges(case.conn, ids, [onset - DAY_MINUTES, onset, end])
    before, during = cum[1] - cum[0], cum[2] - cum[1]
    leaves = [
        slices.Leaf(
            dict(row.group),
            now[TOTAL] - now[GOOD],
            now[TOTAL],
            then[TOTAL] - then[GOOD],
            then[TOTAL],
        )
        for row, now, then in zip(rows, during.tolist(), before.tolist(), strict=True)
    ]
    return slices.carriers(leaves)
