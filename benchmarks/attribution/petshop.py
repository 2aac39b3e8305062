"""PetShop: 41 components, their metrics every 5 minutes, 26 injected issues with the true root.

Hardt et al., *The PetShop Dataset*, CLeaR 2024; CC-BY-4.0.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np

from watchkeeper.causes import graph
from watchkeeper.causes.onset import split
from watchkeeper.slo.model import FloatArray

HOME = Path(__file__).resolve().parents[2] / "../shared/data/attribution/petshop"
SAMPLE = 300.0
Table = Mapping[tuple[str, str], FloatArray]
"""(component, metric) → samples; ``requests`` are sums, all else averages."""


@dataclass(frozen=True)
class Issue:
    """One incident: what the entry's users saw, who was at fault, since when."""

    home: Path
    name: str
    entry: str
    metric: str
    root: str
    since: float
    times: FloatArray
    table: Table


def issues(part: str) -> Iterator[Issue]:
    """The incidents of ``train`` or ``test``, of every scenario that is there."""
    for home in sorted(p.parent for p in HOME.glob("*/graph.csv")):
        for folder in sorted((home / part).iterdir(), key=lambda p: int(p.name.split("_")[1])):
            yield _issue(home, folder)


def _issue(home: Path, folder: Path) -> Issue:
    told = json.loads((folder / "target.json").read_text())
    times, table = _read(folder / "metrics.csv")
    target = told["target"]
    return Issue(
        home,
        f"{home.name}/{folder.parent.name}/{folder.name}",
        target["node"],
        target["metric"],
        told["root_cause"]["node"],
        float(target["timestamp"]),
        times,
        table,
    )


@cache
def calls(home: Path) -> dict[str, list[str]]:
    """Component → components that it calls."""
    rows = list(csv.reader((home / "graph.csv").open()))
    names = rows[0][1:]
    return {
        r[0]: [n for n, told in zip(names, r[1:], strict=True) if float(told)] for r in rows[1:]
    }


@cache
def usual(home: Path) -> Table:
    """Two days without an issue."""
    return _read(home / "noissue" / "metrics.csv")[1]


def _read(path: Path) -> tuple[FloatArray, Table]:
    rows = list(csv.reader(path.open()))
    names, metrics, kinds = (r[1:] for r in rows[:3])
    values = np.asarray([[float(v) if v else np.nan for v in r] for r in rows[4:]])
    table = {
        (n, m): values[:, i + 1]
        for i, (n, m, kind) in enumerate(zip(names, metrics, kinds, strict=True))
        if kind in ("Average", "Sum")
    }
    return values[:, 0], table


def harm(home: Path, table: Table, component: str, metric: str) -> FloatArray | None:
    """What went wrong in each sample, not yet less what usually does: failed requests, or seconds
    that all requests took together beyond the usual; None where it is not measured."""
    value, requests = table.get((component, metric)), table.get((component, "requests"))
    normal = usual(home).get((component, metric))
    if value is None or requests is None or normal is None or np.isnan(normal).mean() > 0.95:
        return None
    worse = value - np.nanmedian(normal)
    per_request = worse if metric == "latency" else -worse / 100
    return np.where(np.isnan(per_request), 0.0, per_request * np.nan_to_num(requests))


def onset(issue: Issue) -> int:
    """The sample in which the entry got worse; the worst one where no step stands out."""
    value = issue.table[issue.entry, issue.metric]
    worse = value if issue.metric == "latency" else -value
    found = split(worse, issue.table[issue.entry, "requests"])
    return int(np.argmax(worse)) if found is None else found


def excesses(issue: Issue) -> dict[str, graph.Excess]:
    """Each component's excess while the entry was bad."""
    at = onset(issue)
    entry = harm(issue.home, issue.table, issue.entry, issue.metric)
    assert entry is not None
    bad = np.arange(len(entry)) >= at
    bad &= entry > (entry[:at].sum() / max(at, 1) + entry[at:].mean()) / 2
    found = {}
    tables = (issue.table, usual(issue.home))
    for component in graph.reachable(issue.entry, calls(issue.home)):
        now, before = (harm(issue.home, t, component, issue.metric) for t in tables)
        if now is not None and before is not None:
            found[component] = graph.excess(now[bad], before)
    return found


def ours(issue: Issue) -> list[graph.Suspect]:
    """Our ranking."""
    return graph.suspects(excesses(issue), calls(issue.home), issue.entry)


def by_anomaly(issue: Issue) -> list[str]:
    """The plain answer: who deviates most from what is usual, in standard deviations."""
    return sorted(
        excesses(issue),
        key=lambda c: -_deviation(issue, c),
    )


def _deviation(issue: Issue, component: str) -> float:
    """The largest deviation of a component's metric, in standard deviations of usual times."""
    of = (component, issue.metric)
    now, normal = issue.table[of], usual(issue.home)[of]
    if np.isnan(now).all():
        return 0.0
    sign = 1 if issue.metric == "latency" else -1
    spread = max(float(np.nanstd(normal)), 1e-9)
    return float(np.nanmax(sign * (now - np.nanmean(normal)))) / spread


def by_correlation(issue: Issue) -> list[str]:
    """The other plain answer: whose metric moves most as the entry's does."""
    entry = issue.table[issue.entry, issue.metric]

    def likeness(component: str) -> float:
        value = np.nan_to_num(issue.table[component, issue.metric])
        if component == issue.entry or np.ptp(value) == 0:
            return -1.0
        return float(np.corrcoef(value, entry)[0, 1])

    return sorted(excesses(issue), key=lambda c: -likeness(c))


def rank(names: Sequence[str], root: str) -> int:
    """Where the root stands, 1 for the first; a large number when it does not."""
    return names.index(root) + 1 if root in names else 10_000
