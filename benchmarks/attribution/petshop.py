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

HOME = Path(__file__).resolve().parents[2] / "../shared/data/attribution/petshop/low_traffic"
SAMPLE = 300.0
Table = Mapping[tuple[str, str], FloatArray]
"""(component, metric) → samples; ``requests`` are sums, all else averages."""


@dataclass(frozen=True)
class Issue:
    """One incident: what the entry's users saw, who was at fault, since when."""

    name: str
    entry: str
    metric: str
    root: str
    since: float
    times: FloatArray
    table: Table


def issues(part: str) -> Iterator[Issue]:
    """The incidents of ``train`` or ``test``."""
    for folder in sorted((HOME / part).iterdir(), key=lambda p: int(p.name.split("_")[1])):
        told = json.loads((folder / "target.json").read_text())
        times, table = _read(folder / "metrics.csv")
        target = told["target"]
        yield Issue(
            folder.name,
            target["node"],
            target["metric"],
            told["root_cause"]["node"],
            float(target["timestamp"]),
            times,
            table,
        )


@cache
def calls() -> dict[str, list[str]]:
    """Component → components that it calls."""
    rows = list(csv.reader((HOME / "graph.csv").open()))
    names = rows[0][1:]
    return {
        r[0]: [n for n, told in zip(names, r[1:], strict=True) if float(told)] for r in rows[1:]
    }


@cache
def usual() -> Table:
    """Two days without an issue."""
    return _read(HOME / "noissue" / "metrics.csv")[1]


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


def harm(table: Table, component: str, metric: str) -> FloatArray | None:
    """What went wrong in each sample, not yet less what usually does: failed requests, or seconds
    that all requests took together beyond the usual; None where it is not measured."""
    value, requests = table.get((component, metric)), table.get((component, "requests"))
    normal = usual().get((component, metric))
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
    entry = harm(issue.table, issue.entry, issue.metric)
    assert entry is not None
    bad = np.arange(len(entry)) >= at
    bad &= entry > (entry[:at].sum() / max(at, 1) + entry[at:].mean()) / 2
    found = {}
    for component in graph.reachable(issue.entry, calls()):
        now, before = (harm(t, component, issue.metric) for t in (issue.table, usual()))
        if now is not None and before is not None:
            found[component] = graph.excess(now[bad], before)
    return found


def ours(issue: Issue) -> list[graph.Suspect]:
    """Our ranking."""
    return graph.suspects(excesses(issue), calls(), issue.entry)


def by_anomaly(issue: Issue) -> list[str]:
    """The plain answer: who deviates most from what is usual, in standard deviations."""
    return sorted(
        excesses(issue),
        key=lambda c: -excesses_of(issue, c),
    )


def excesses_of(issue: Issue, component: str) -> float:
    """The largest deviation of a component's metric, in standard deviations of usual times."""
    now, normal = issue.table[component, issue.metric], usual()[component, issue.metric]
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
