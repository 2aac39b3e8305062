"""The action items that a postmortem's Markdown names, as a table or a list. Pure.

``- Limit the queue (prevent, owner: ann, due: 2026-12-01) #12`` and the row of a table whose head
names the columns say the same. ``#12`` at the end is the number of an item that is there already.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from watchkeeper.kernel.clock import Seconds
from watchkeeper.postmortems.document import Block, Document, Part, parse, unfilled
from watchkeeper.postmortems.model import ActionType

END_OF_WORK = 17
"""The hour, UTC, at which something that is due on a day is due."""
_BAR = re.compile(r"(?<!\\)\|")
_NUMBER = re.compile(r"\s*#(\d{1,15})\s*$")
_ASIDE = re.compile(r"\s*\(([^()]*)\)\s*$")
_TICKED = re.compile(r"^\[([ xX])\]\s*")
_OWNER = re.compile(
    r"[,;.]?\s*\b(?:owner|assignee|assigned to|responsible)\b\s*[:=]?\s*@?([\w][\w.-]*)",
    re.IGNORECASE,
)
_DUE = re.compile(r"[,;.]?\s*\b(?:due|until|by)\b\s*[:=]?\s*(\d{4}-\d\d-\d\d)\b", re.IGNORECASE)
_PRIORITY = re.compile(r"\b(?:p|prio(?:rity)?\s*[:=]?\s*)([1-4])\b", re.IGNORECASE)
_COLUMNS: Mapping[str, str] = {
    "text": r"action|item|what|task|description", "owner": r"owner|who|assignee|responsible",
    "due": r"due|until|when|date|deadline", "type": r"type|kind", "priority": r"prio",
    "number": r"^(#|id|no\.?|number|tracker|ticket)$",
}  # fmt: skip
_TYPES: Sequence[tuple[ActionType, str]] = (
    (ActionType.DETECT, r"^(alert|monitor|detect|measure|log|trace|page|notify|probe|watch)\b"),
    (ActionType.PROCESS, r"^(document|write|train|review|rehearse|practi[cs]e|agree|schedule)\b"),
    (ActionType.MITIGATE, r"^(fail over|roll ?back|fall ?back|shed|throttle|isolate|degrade)\b"),
)
"""By its first word, where the text does not say: the rest prevents."""


@dataclass(frozen=True, slots=True)
class Written:
    """An item as written. ``line`` from 1; ``number``: of the item that it is already.

    ``column``: of a row, the cell that says what is done.
    """

    line: int
    text: str
    type: ActionType
    owner: str = ""
    due_at: Seconds | None = None
    priority: int | None = None
    done: bool = False
    number: int | None = None
    column: int | None = None


def written(source: str) -> list[Written]:
    """The action items of a postmortem, in order."""
    return list(_items(parse(source)))


def numbered(source: str, numbers: Sequence[tuple[Written, int]]) -> str:
    """The text with the numbers of its items, each at the end of what it says."""
    lines = source.split("\n")
    for each, number in numbers:
        lines[each.line - 1] = _with_number(lines[each.line - 1], each.column, number)
    return "\n".join(lines)


def _with_number(line: str, column: int | None, number: int) -> str:
    if column is None:
        return f"{line.rstrip()} #{number}"
    cells = _BAR.split(line)
    at = column + (1 if line.lstrip().startswith("|") else 0)
    cells[at] = f"{cells[at].rstrip()} #{number} "
    return "|".join(cells)


def _items(document: Document) -> Iterator[Written]:
    head: Mapping[str, int] = {}
    for block in document.within(Part.ACTIONS):
        if block.kind == "head":
            head = _head(block.cells)
        elif block.kind == "row":
            made = _row(block, head)
            if made is not None:
                yield made
        elif block.kind == "item" and block.depth == 1 and not unfilled(block.text):
            yield _item(block.line, block.text)


def _head(cells: Sequence[str]) -> Mapping[str, int]:
    found: dict[str, int] = {}
    for name, pattern in _COLUMNS.items():
        for i, cell in enumerate(cells):
            if i not in found.values() and re.search(pattern, cell.casefold().strip("*_ ")):
                found[name] = i
                break
    return found


def _row(block: Block, head: Mapping[str, int]) -> Written | None:
    def cell(name: str) -> str:
        at = head.get(name, 0 if name == "text" else None)
        said = block.cells[at] if at is not None and at < len(block.cells) else ""
        return "" if unfilled(said) else said.strip()

    if not cell("text"):
        return None
    made = _item(block.line, cell("text"))
    due = _day(cell("due")[:10])
    named = re.search(r"[1-4]", cell("priority"))
    kind = cell("type").casefold()
    return Written(
        made.line, made.text, ActionType(kind) if kind in list(ActionType) else made.type,
        cell("owner").lstrip("@") or made.owner, due if due is not None else made.due_at,
        int(named[0]) if named else made.priority, made.done, made.number, head.get("text", 0),
    )  # fmt: skip


def _item(line: int, text: str) -> Written:
    # Of an item of several lines, the number stands at the end of the first.
    first, _, rest = text.partition("\n")
    number = _NUMBER.search(first) or _NUMBER.search(rest)
    said = " ".join(f"{_NUMBER.sub('', first)} {_NUMBER.sub('', rest)}".split())
    ticked = _TICKED.match(said)
    said = _TICKED.sub("", said)
    aside = _ASIDE.search(said)
    facts = _facts(aside[1] if aside else "")
    if facts:
        said = _ASIDE.sub("", said)
    else:
        facts = _facts(said)
        said = _DUE.sub("", _OWNER.sub("", said)).strip(" ,;-–(")
    kind = facts.get("type", "")
    return Written(
        line=line,
        text=said,
        type=ActionType(kind) if kind else guessed(said),
        owner=facts.get("owner", ""),
        due_at=_day(facts.get("due", "")),
        priority=int(facts["priority"]) if "priority" in facts else None,
        done=bool(ticked and ticked[1] in "xX"),
        number=int(number[1]) if number else None,
    )


def _facts(text: str) -> dict[str, str]:
    """What is said beside the text: owner, due, priority; a type only where it stands alone."""
    found = {}
    for name, pattern in (("owner", _OWNER), ("due", _DUE), ("priority", _PRIORITY)):
        match = pattern.search(text)
        if match:
            found[name] = match[1].rstrip(".")
    alone = {part.strip().casefold() for part in text.split(",")}
    kind = next((str(t) for t in ActionType if str(t) in alone), "")
    return {**found, "type": kind} if kind else found


def guessed(text: str) -> ActionType:
    """What an item does about recurrence, by how it begins."""
    said = text.casefold()
    return next((t for t, pattern in _TYPES if re.match(pattern, said)), ActionType.PREVENT)


def _day(text: str) -> Seconds | None:
    try:
        day = datetime.strptime(text, "%Y-%m-%d").replace(tzinfo=UTC)
    except ValueError:
        return None
    return day.replace(hour=END_OF_WORK).timestamp()
