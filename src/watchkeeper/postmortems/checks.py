"""What a postmortem lacks, contradicts or should say otherwise; each with its line. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import pairwise

from watchkeeper.postmortems import durations, whys
from watchkeeper.postmortems.blame import NAMED, blames
from watchkeeper.postmortems.document import Block, Document, Part, parse, unfilled
from watchkeeper.postmortems.model import Finding
from watchkeeper.postmortems.moments import Told, timeline
from watchkeeper.postmortems.verbs import VERBS

ERROR, WARNING = "error", "warning"
NEEDED: Sequence[tuple[Part, str, str]] = (
    (Part.SUMMARY, ERROR, "Two sentences: what users saw, and what ended it."),
    (Part.IMPACT, ERROR, "How long, how many users, how many failed requests, how much budget."),
    (Part.TIMELINE, ERROR, "Times with a zone, from the first sign to the end."),
    (Part.ROOT_CAUSE, ERROR, "What made it possible; see the five whys."),
    (Part.FACTORS, WARNING, "What made it likelier, longer or worse."),
    (Part.ACTIONS, ERROR, "What will be done, by whom, until when."),
)
_NUMBER = re.compile(r"\d")
_OWNER = re.compile(
    r"\b(?:owner|assignee|assigned to|responsible)\s*[:=]?\s*\**\s*[@\w]", re.IGNORECASE
)
_DUE = re.compile(
    r"\b\d{4}-\d\d-\d\d\b|\b(?:due|by|until|before)\b[^.]{0,12}\b(?:\d{1,2}(?:st|nd|rd|th)?"
    r" [A-Z][a-z]{2,8}|[A-Z][a-z]{2,8} \d{1,2}|next week|end of (?:week|month|quarter|Q[1-4]))",
)
_CAREFUL = re.compile(
    r"\b(?:be(?:ing)? (?:more |extra )?(?:careful|cautious|aware|vigilant|diligent|mindful)"
    r"|pay (?:more |closer |better )?attention|try harder|remember(?:ing)? to|double[- ]check"
    r"|take (?:more |better )?care|keep (?:a |an )?(?:closer |better )?eye on)\b",
    re.IGNORECASE,
)
_LEAD = re.compile(r"^(?:\[[ xX]\]\s*|[*_`~]+|\d+[.)]\s*|(?:we |also |please |to )\s*)+")


def check(text: str) -> list[Finding]:
    """All findings of a Markdown postmortem, by line."""
    document = parse(text)
    told = timeline(document)
    found = [
        *_sections(document),
        *_impact(document),
        *_times(document, told),
        *_durations(document, told),
        *_words(document),
        *_causes(document),
        *_whys(document),
        *_actions(document),
    ]
    return sorted(found, key=lambda f: (f.line, f.code, f.message))


def _sections(document: Document) -> Iterator[Finding]:
    last = max((b.line for b in document.blocks), default=1)
    for part, severity, what in NEEDED:
        sections = document.of(part)
        if part is Part.ROOT_CAUSE:
            sections = [*sections, *document.of(Part.WHYS)]
        if not sections:
            yield Finding(last, "missing-section", severity, f"there is no section '{part}'", what)
        elif all(s.empty for s in sections):
            line = sections[0].line
            yield Finding(line, "empty-section", severity, f"'{sections[0].title}' is empty", what)


def _impact(document: Document) -> Iterator[Finding]:
    for section in document.of(Part.IMPACT):
        if not section.empty and not any(_NUMBER.search(b.text) for b in section.blocks):
            better = "Say how long, how many users or requests, and what it cost."
            yield Finding(section.line, "impact-without-numbers", ERROR,
                          "the impact has no number", better)  # fmt: skip


def _times(document: Document, told: Told | None) -> Iterator[Finding]:
    if told is None:
        return
    if told.moments and not told.zone:
        better = "State it once: all times in UTC."
        yield Finding(told.line, "no-time-zone", ERROR, "the times have no zone", better)
    for one, two in pairwise(m for m in told.moments if m.timed):
        if two.at < one.at:
            message = f"{two.at:%Y-%m-%d %H:%M} comes after {one.at:%Y-%m-%d %H:%M}"
            better = "Put it where it belongs, or write its day."
            yield Finding(two.line, "out-of-order", WARNING, message, better)
    filled = [s for s in document.of(Part.TIMELINE) if not s.empty]
    if filled and not told.moments:
        better = "Begin each entry with its time, such as 14:02."
        yield Finding(told.line, "no-times", ERROR, "the timeline has no times", better)


def _durations(document: Document, told: Told | None) -> Iterator[Finding]:
    moments = told.moments if told else ()
    names = {"detect": "detection", "recover": "recovery"}
    for each in durations.stated(document):
        if each.seconds is None:
            yield Finding(each.line, "no-duration", WARNING,
                          f"the time to {names[each.kind]} is not a duration", "E.g. 54 minutes."
                          )  # fmt: skip
        elif len(moments) > 1 and not durations.agrees(each.seconds, moments, each.kind):
            message = (
                f"the timeline has no {names[each.kind]} {each.seconds / 60:g} min after an entry"
            )
            better = f"The {names[each.kind]} should be an entry; check its time."
            yield Finding(each.line, "contradicts-timeline", WARNING, message, better)


def _words(document: Document) -> Iterator[Finding]:
    for block in document.blocks:
        for each in blames(block.text):
            message = f"'{each.words}' blames a person"
            yield Finding(block.line, "blame", WARNING, message, each.better)


def _causes(document: Document) -> Iterator[Finding]:
    # Whoever is named under what went wrong is taken for a cause, whatever the sentence says.
    for part in (Part.ROOT_CAUSE, Part.FACTORS, Part.WHYS, Part.WRONG):
        for block in document.within(part):
            for named in NAMED.finditer(block.text):
                better = "Name the change or the condition; a person is no cause."
                yield Finding(block.line, "person-as-cause", WARNING,
                              f"'{named[0]}' is named among the causes", better)  # fmt: skip


def _whys(document: Document) -> Iterator[Finding]:
    for line, tree in whys.of_document(document):
        for leaf in whys.leaves(tree):
            if leaf.leaf in whys.ENDS:
                continue
            ends = f"in a {leaf.leaf}" if leaf.leaf else "without saying in what"
            better = "Ask why once more, until it ends (systemic) or (process)."
            yield Finding(line, "why-not-ended", WARNING,
                          f"the branch '{leaf.text[:60]}' ends {ends}", better)  # fmt: skip


# ---------------------------------------------------------------- action items


def _actions(document: Document) -> Iterator[Finding]:
    blocks = document.within(Part.ACTIONS)
    head: tuple[str, ...] = ()
    for block in blocks:
        if block.kind == "head":
            head = tuple(c.casefold() for c in block.cells)
        elif block.kind == "row":
            yield from _action(block, block.cells[_column(head, r"action|item|what|task")], head)
        elif block.kind == "item" and block.depth == 1 and not unfilled(block.text):
            yield from _action(block, block.text, ())


def _action(block: Block, text: str, head: Sequence[str]) -> Iterator[Finding]:
    if unfilled(text):
        return
    careful = _CAREFUL.search(text)
    if careful:
        better = "Change the system so that nobody has to be: a check, a guard, a default."
        yield Finding(block.line, "be-careful", WARNING,
                      f"'{careful[0]}' is no action", better)  # fmt: skip
    elif not _begins_with_a_verb(text):
        better = "Begin with what will be done: add, remove, alert, limit, document …"
        yield Finding(block.line, "no-verb", WARNING, "it does not begin with a verb", better)
    if not (_in_column(block, head, r"owner|who|assignee") or _OWNER.search(text)
            or NAMED.search(text)):  # fmt: skip
        yield Finding(block.line, "no-owner", WARNING, "nobody owns it", "Write (owner: ann).")
    if not (_in_column(block, head, r"due|until|when|date") or _DUE.search(text)):
        yield Finding(block.line, "no-due-date", WARNING, "it has no due date",
                      "Write (due: 2026-12-01).")  # fmt: skip


def _begins_with_a_verb(text: str) -> bool:
    first = re.match(r"[A-Za-z-]+", _LEAD.sub("", text))
    return first is not None and first[0].casefold() in VERBS


def _column(head: Sequence[str], pattern: str) -> int:
    return next((i for i, name in enumerate(head) if re.search(pattern, name)), 0)


def _in_column(block: Block, head: Sequence[str], pattern: str) -> bool:
    at = next((i for i, name in enumerate(head) if re.search(pattern, name)), None)
    return at is not None and at < len(block.cells) and not unfilled(block.cells[at])
