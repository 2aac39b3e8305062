"""Five Whys: a tree that is complete when every branch ends in the system or the process. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace

from watchkeeper.kernel.errors import UserError
from watchkeeper.postmortems.document import Block, Document, Part, parse
from watchkeeper.postmortems.model import Leaf, Why

ENDS = (Leaf.SYSTEMIC, Leaf.PROCESS)
_LEAF = re.compile(rf"\s*\(({'|'.join(Leaf)})\)\s*$", re.IGNORECASE)
_EVIDENCE = re.compile(r"\s*\[evidence: ?(.*)\]\s*$", re.IGNORECASE | re.DOTALL)
MOST_SAID = 1000


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
        lines.append(f"{'  ' * depth}{line_of(why)}\n")
        lines.append(to_markdown(why.because, depth + 1))
    return "".join(lines)


def line_of(why: Why) -> str:
    """One why, as a list item says it."""
    evidence = f" [evidence: {why.evidence}]" if why.evidence else ""
    leaf = f" ({why.leaf})" if why.leaf else ""
    return f"- {why.text}{evidence}{leaf}"


def answered(source: str, line: int, because: Why) -> str:
    """The text in which the why of this line has one more answer below it.

    What has an answer is no end any more. Raises UserError when there is no why at this line.
    """
    lines, at = _at(source, line)
    end, indent = _below(lines, at)
    # A child stands below the first letter of its parent, which is where CommonMark looks for it.
    marker = re.match(r"\s*(?:[-*+]|\d+[.)])\s+", lines[at])
    inner = len(marker[0]) if marker else indent + 2
    lines[at] = _LEAF.sub("", lines[at])
    lines.insert(end, f"{' ' * inner}{line_of(_checked(because))}")
    return "\n".join(lines)


def ended(source: str, line: int, leaf: Leaf | None, evidence: str | None = None) -> str:
    """The text in which the why of this line ends so, and is known by this evidence.

    Raises UserError when there is no why at this line.
    """
    lines, at = _at(source, line)
    head = re.match(r"\s*(?:[-*+]|\d+[.)])\s+", lines[at])
    start = len(head[0]) if head else 0
    was = read(lines[at][start:])
    said = was.evidence if evidence is None else evidence
    lines[at] = lines[at][:start] + line_of(_checked(Why(was.text, said, leaf)))[2:]
    return "\n".join(lines)


def _at(source: str, line: int) -> tuple[list[str], int]:
    known = {at for at, _ in every(parse(source))}
    if line not in known:
        raise UserError(f"There is no why at line {line}.", "Look at the text; it has changed.")
    return source.split("\n"), line - 1


def _below(lines: Sequence[str], at: int) -> tuple[int, int]:
    """Where what stands below a line ends, and how far in the line begins."""
    indent = len(lines[at]) - len(lines[at].lstrip())
    end = at + 1
    while end < len(lines) and lines[end].strip():
        if len(lines[end]) - len(lines[end].lstrip()) <= indent:
            break
        end += 1
    return end, indent


def _checked(why: Why) -> Why:
    said, known = " ".join(why.text.split()), " ".join(why.evidence.split())
    if not said:
        raise UserError("The answer is empty.", "Say what made it possible.")
    if max(len(said), len(known)) > MOST_SAID:
        raise UserError(f"That is longer than {MOST_SAID} characters.", "Say it in one sentence.")
    return Why(said, known, why.leaf)


def every(document: Document) -> list[tuple[int, int]]:
    """(line, depth) of every why, in the order of the text."""
    return [(b.line, b.depth) for b in document.within(Part.WHYS) if b.kind == "item" and b.text]


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
        yield top.line, replace(read(top.text), because=below)
        i = end


def read(text: str) -> Why:
    """One why, as a list item says it: text, evidence, leaf."""
    leaf = _LEAF.search(text)
    if leaf:
        text = text[: leaf.start()]
    evidence = _EVIDENCE.search(text)
    if evidence:
        text = text[: evidence.start()]
    kind = Leaf(leaf[1].casefold()) if leaf else None
    return Why(text.strip(), evidence[1].strip() if evidence else "", kind)
