"""Prints the tables. `python -m benchmarks.attribution [--quick]`"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence

from benchmarks.attribution import labels, matching, petshop
from benchmarks.attribution.labels import Case
from benchmarks.attribution.petshop import Issue
from watchkeeper.causes.judging import THIN
from watchkeeper.causes.slices import carriers

SEEDS, FEW_SEEDS = 20, 3
WAYS: Sequence[tuple[str, matching.Answer]] = (
    ("ours, *unknown* counts as wrong", matching.ours),
    ("ours, pressed for an answer", matching.ours_pressed),
    ("the latest change", matching.latest),
    ("the best correlated component's latest", matching.correlated),
)


def share(part: int, whole: int) -> str:
    """``0.93 (24/26)``."""
    return f"{part / whole:.3f} ({part}/{whole})" if whole else "–"


def roots(parts: dict[str, list[Issue]]) -> list[str]:
    """The root cause in a service graph."""
    answers: list[tuple[str, Callable[[Issue], Sequence[str]]]] = [
        ("ours", lambda i: [s.service for s in petshop.ours(i)]),
        ("most anomalous component", petshop.by_anomaly),
        ("best correlated component", petshop.by_correlation),
    ]
    lines = ["| root cause | part | first | in the first three |", "|---|---|---|---|"]
    for name, answer in answers:
        for part, issues in parts.items():
            ranks = [petshop.rank(list(answer(i)), i.root) for i in issues]
            first, three = sum(r == 1 for r in ranks), sum(r <= 3 for r in ranks)
            n = len(ranks)
            lines.append(f"| {name} | {part} | {share(first, n)} | {share(three, n)} |")
    return lines


def changes(parts: dict[str, list[Issue]], seeds: int) -> list[str]:
    """The true change among decoys, and what is said when it is not among them."""
    lines = ["| change | part | first | in the first three | *unknown* |", "|---|---|---|---|---|"]
    for name, answer in WAYS:
        for part, issues in parts.items():
            s = matching.measure(answer, issues, seeds)
            three, unknown = share(s.in_three, s.asked), share(s.asked - s.answered, s.asked)
            lines.append(f"| {name} | {part} | {share(s.right, s.asked)} | {three} | {unknown} |")
    for part, issues in parts.items():
        s = matching.measure(matching.ours, issues, seeds)
        none = matching.measure(matching.ours, issues, seeds, with_true=False)
        silent = share(none.asked - none.answered, none.asked)
        lines.append("")
        lines.append(
            f"Of the answers given on the {part} part {share(s.right, s.answered)} were right. "
            f"When only decoys were there, *unknown* was said, rightly, in {silent}."
        )
    return lines


def slices(parts: dict[str, list[Case]]) -> list[str]:
    """The label slice at fault."""
    lines = ["| slice | part | first | in the first three |", "|---|---|---|---|"]
    answers: list[tuple[str, labels.Answer]] = [
        ("ours", labels.ours),
        ("label whose share of bad events rose most", labels.worst_rate),
        ("label with most bad events", labels.most_bad),
    ]
    for name, answer in answers:
        for part, chosen in parts.items():
            said = [(answer(c.leaves()), c) for c in chosen]
            first = sum(s[:1] != [] and s[0] in c.slices for s, c in said)
            three = sum(any(x in c.slices for x in s[:3]) for s, c in said)
            n = len(chosen)
            lines.append(f"| {name} | {part} | {share(first, n)} | {share(three, n)} |")
    every = [c for chosen in parts.values() for c in chosen]
    found = [(carriers(c.leaves())[:1], c) for c in every]
    thin = [(s, c) for s, c in found if not s or s[0].lift <= THIN]
    wrong = sum(not s or frozenset(s[0].labels) not in c.slices for s, c in thin)
    lines.append("")
    lines.append(
        f"In {share(len(thin), len(every))} the best slice lifts too little to be named as a cause "
        f"(at most {THIN:g}); of those, {share(wrong, len(thin))} would have been wrong."
    )
    return lines


def onsets(parts: dict[str, list[Issue]], halves: dict[str, list[Case]]) -> list[str]:
    """How near the least-squares split comes."""
    lines = ["| onset | part | within ± 1 sample |", "|---|---|---|"]
    for part, chosen in halves.items():
        near = sum(d is not None and d <= 1 for d in (c.onset() for c in chosen))
        lines.append(f"| label slices, minutes | {part} | {share(near, len(chosen))} |")
    for part, issues in parts.items():
        near = sum(_distance(i) <= 1 for i in issues)
        lines.append(f"| PetShop, 5 minutes | {part} | {share(near, len(issues))} |")
    return lines


def _distance(issue: Issue) -> int:
    true = int((issue.since - issue.times[0]) // petshop.SAMPLE)
    return abs(petshop.onset(issue) - true)


def main(argv: Sequence[str] | None = None) -> int:
    """Print all tables; exit status 1 where the data is missing."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer seeds of decoys")
    seeds = FEW_SEEDS if parser.parse_args(argv).quick else SEEDS
    if not petshop.HOME.is_dir() or not labels.HOME.is_dir():
        print("There is no ../shared/data/attribution beside the project.")
        return 1
    parts = {part: list(petshop.issues(part)) for part in ("train", "test")}
    every = list(labels.cases())
    halves = {"tried on": every[::2], "kept apart": every[1::2]}
    tables = [roots(parts), changes(parts, seeds), slices(halves), onsets(parts, halves)]
    print("\n\n".join("\n".join(lines) for lines in tables))
    return 0


if __name__ == "__main__":
    sys.exit(main())
