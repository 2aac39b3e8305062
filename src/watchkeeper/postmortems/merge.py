"""Two people edited one text: a three-way merge by lines that loses nothing. Pure.

Lines that only one side changed since ``base`` are taken from there; lines that both changed alike
are taken once. Where both changed them differently there is a conflict, and both are kept, between
marks, for a person to decide. The method is that of diff3 (Khanna, Kunal, Pierce: A Formal
Investigation of Diff3, 2007), over the matching blocks of `difflib`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher

OURS, MIDDLE, THEIRS = "<<<<<<< yours", "=======", ">>>>>>> saved meanwhile"


@dataclass(frozen=True, slots=True)
class Merged:
    """The text, and how many places of it hold both sides between marks."""

    text: str
    conflicts: int


def merge(base: str, ours: str, theirs: str) -> Merged:
    """What comes of two edits of ``base``."""
    a, b, c = base.splitlines(), ours.splitlines(), theirs.splitlines()
    out: list[str] = []
    conflicts = 0
    for was, one, two in _regions(a, b, c):
        if one == two or two == was:
            out += one
        elif one == was:
            out += two
        else:
            conflicts += 1
            out += [OURS, *one, MIDDLE, *two, THEIRS]
    return Merged("\n".join(out) + ("\n" if out else ""), conflicts)


def marked(text: str) -> int:
    """The line of the first mark of a conflict that nobody decided, from 1; 0: there is none."""
    for number, line in enumerate(text.splitlines(), 1):
        if line in (OURS, THEIRS):
            return number
    return 0


def _regions(
    a: Sequence[str], b: Sequence[str], c: Sequence[str]
) -> Iterator[tuple[list[str], list[str], list[str]]]:
    """Base, ours and theirs, cut where all three have the same lines."""
    i = j = k = 0
    for at, in_b, in_c, size in _common(a, b, c):
        if i < at or j < in_b or k < in_c:
            yield list(a[i:at]), list(b[j:in_b]), list(c[k:in_c])
        same = list(a[at : at + size])
        yield same, same, same
        i, j, k = at + size, in_b + size, in_c + size
    if i < len(a) or j < len(b) or k < len(c):
        yield list(a[i:]), list(b[j:]), list(c[k:])


def _common(
    a: Sequence[str], b: Sequence[str], c: Sequence[str]
) -> Iterator[tuple[int, int, int, int]]:
    """(in base, in ours, in theirs, length) of the runs of base that both sides kept."""
    kept_b, kept_c = _kept(a, b), _kept(a, c)
    i = 0
    while i < len(a):
        if i not in kept_b or i not in kept_c:
            i += 1
            continue
        size = 1
        while kept_b.get(i + size) == kept_b[i] + size and kept_c.get(i + size) == kept_c[i] + size:
            size += 1
        yield i, kept_b[i], kept_c[i], size
        i += size


def _kept(a: Sequence[str], b: Sequence[str]) -> dict[int, int]:
    blocks = SequenceMatcher(None, a, b, autojunk=False).get_matching_blocks()
    return {m.a + n: m.b + n for m in blocks for n in range(m.size)}
