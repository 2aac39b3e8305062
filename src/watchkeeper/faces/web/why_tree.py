"""The five whys as a tree that is read, and answered where it does not end yet. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from watchkeeper.faces.web.words import Badge
from watchkeeper.kernel.errors import UserError
from watchkeeper.postmortems import whys
from watchkeeper.postmortems.document import Document, Part
from watchkeeper.postmortems.model import Leaf, Why

ENDS = {
    Leaf.SYSTEMIC: Badge("ok", "systemic"),
    Leaf.PROCESS: Badge("ok", "process"),
    Leaf.PERSON: Badge("burn", "a person: ask why once more"),
    Leaf.SYMPTOM: Badge("watch", "a symptom: ask why once more"),
}
OPEN = Badge("watch", "not ended: ask why once more")


@dataclass(frozen=True, slots=True)
class Node:
    """One why. ``end``: how the branch ends here; None where answers follow."""

    line: int
    text: str
    evidence: str
    end: Badge | None
    leaf: str
    below: Sequence[Node]


@dataclass(frozen=True, slots=True)
class Tree:
    """All of it, and in words whether it is complete."""

    nodes: Sequence[Node]
    badge: Badge
    there: bool


def tree(document: Document) -> Tree:
    """The whys of a postmortem."""
    items = [b for b in document.within(Part.WHYS) if b.kind == "item" and b.text]
    nodes = _nodes([(b.line, b.depth, b.text) for b in items])
    there = bool(document.of(Part.WHYS))
    open_ends = whys.unended([w for _, w in whys.of_document(document)])
    if not nodes:
        return Tree((), Badge("none", "no why is asked yet"), there)
    if open_ends:
        branches = "branch does" if open_ends == 1 else "branches do"
        return Tree(nodes, Badge("watch", f"{open_ends} {branches} not end yet"), there)
    return Tree(nodes, Badge("ok", "complete"), there)


def _nodes(items: Sequence[tuple[int, int, str]]) -> Sequence[Node]:
    found = []
    i = 0
    while i < len(items):
        line, depth, text = items[i]
        end = next((j for j in range(i + 1, len(items)) if items[j][1] <= depth), len(items))
        below = _nodes(items[i + 1 : end])
        its = whys.read(text)
        ends = None if below else ENDS.get(its.leaf, OPEN) if its.leaf else OPEN
        found.append(Node(line, its.text, its.evidence, ends, str(its.leaf or ""), below))
        i = end
    return found


def answered(source: str, line: int, form: Mapping[str, str]) -> str:
    """The text after what the form says of the why of this line. Raises UserError."""
    leaf = Leaf(form["leaf"]) if form.get("leaf") in list(Leaf) else None
    if form.get("how") == "end":
        if leaf is None:
            raise UserError("How it ends is not said.", "Choose the system, the process, …")
        return whys.ended(source, line, leaf, form.get("evidence") or None)
    return whys.answered(source, line, Why(form.get("text", ""), form.get("evidence", ""), leaf))
