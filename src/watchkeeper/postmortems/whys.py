"""Five Whys: a tree that is complete when every branch ends in the system or the process. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace

from watchkeeper.postmortems.document import Block, Document, Part
from watchkeeper.postmortems.model import Leaf, Why

ENDS = (Leaf.SYSTEMIC, Leaf.PROCESS)
_LEAF = re.compile(rf"\s*\(({'|'.join(Leaf)})\)\s*$", re.IGNORECASE)
_EVIDENCE = re.compile(r"\s*\[evidence: ?([^\]]*)\]\s*$", re.IGNORECASE)


def leaves(why: Why) -> Iterator[Why]:
    """The ends of all branches."""
    if not why.because:
        yield why
    for each in why.because:
        yield from leaves(each)


def complete(whys: Sequence[Why]) -> bool:
    """True when there are whys and every branch ends systemic or in the process."""
    return bool(whys) and all(leaf.leaf in ENDS for why in whys for leaf in leaves(why))


def unended(whys: Sequence[Why]) -> int:
    """How many branches end neither systemic nor in the process."""
    return sum(leaf.leaf not in ENDS for why in whys for leaf in leaves(why))


def to_markdown(whys: Sequence[Why], depth: int = 0) -> str:
    """A nested list: ``- text [evidence: …] (process)``."""
    lines = []
    for why in whys:
        evidence = f" [evidence: {why.evidence}]" if why.evidence else ""
        leaf = f" ({why.leaf})" if why.leaf else ""
        lines.append(f"{'  ' * depth}- {why.text}{evidence}{leaf}\n")
        lines.append(to_markdown(why.because, depth + 1))
    return "".join(lines)


def of_document(document: Document) -> list[tuple[int, Why]]:
    """The trees of the section, each with its line."""
    items = [b for b in document.within(Part.WHYS) if b.kind == "item" and b.text]
    return [(line, why) for line, why in _trees(items)]


def _trees(items: Sequence[Block]) -> Iterator[tuple[int, Why]]:
    i = 0
    while i < len(items):
        top = items[i]
        end = next((j for j in range(i + 1, len(items)) if items[j].depth <= top.depth), len(items))
        below = tuple(why for _, why in _trees(items[i + 1 : end]))
        yield top.line, replace(_why(top.text), because=below)
        i = end


def _why(text: str) -> Why:
    leaf = _LEAF.search(text)
    if leaf:
        text = text[: leaf.start()]
    evidence = _EVIDENCE.search(text)
    if evidence:
        text = text[: evidence.start()]
    kind = Leaf(leaf[1].casefold()) if leaf else None
    return Why(text.strip(), evidence[1].strip() if evidence else "", kind)
