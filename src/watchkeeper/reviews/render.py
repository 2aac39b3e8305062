"""A review as Markdown and as the words of a mail. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

from watchkeeper.kernel.clock import Seconds
from watchkeeper.reviews.model import Cell, Note, NoteKind, Review, Section

NOTHING = (
    "Nothing must be decided: no budget is spent, nothing is late, no shift was over its limit."
)
MAILED = ("slos", "causes", "incidents", "actions", "load", "policies")
"""Sections whose sentence goes into the mail."""
MOST_MAILED = 8
NEEDY = ("burn", "spent", "watch")
"""Looks of objectives whose figures go into the mail, at most so many:"""
MOST_NEEDY = 5
_SPECIAL = str.maketrans({c: f"\\{c}" for c in "\\`*_[]<>|#"})


def heading(review: Review) -> str:
    """The title."""
    return f"Weekly review of {review.title}, {review.days}"


def span(review: Review) -> str:
    """Which week it is, up to when it was known, and in which zone."""
    made = moment(review.made_at, review.zone)
    until = f"so far, until {made}" if review.running else "Monday to Monday"
    return f"{review.week}, {until}, {review.zone}"


def moment(at: Seconds, zone: str = "UTC") -> str:
    """An instant, in full."""
    local = datetime.fromtimestamp(at, UTC).astimezone(ZoneInfo(zone))
    return f"{local.day} {local:%b %Y %H:%M}"


def escaped(text: str) -> str:
    """Text that Markdown takes as it is, in one line."""
    return " ".join(text.split()).translate(_SPECIAL)


def markdown(review: Review, notes: Sequence[Note], base_url: str = "") -> str:
    """All of it as Markdown."""
    parts = [f"# {escaped(heading(review))}", escaped(span(review))]
    parts.append("## What should we decide?")
    parts.append(
        "\n".join(f"{i}. {_linked(q.text, q.url, base_url)}"
                  for i, q in enumerate(review.decide, 1)) or NOTHING
    )  # fmt: skip
    parts += ["## The week in three sentences", "\n".join(escaped(s) for s in review.summary)]
    if notes:
        parts += ["## Notes and decisions", "\n".join(_note(n, review.zone) for n in notes)]
    for section in review.sections:
        parts += _section(section, base_url)
    return "\n\n".join(parts) + "\n"


def _linked(text: str, url: str, base_url: str) -> str:
    return f"[{escaped(text)}]({base_url}{url})" if url and base_url else escaped(text)


def _note(note: Note, zone: str) -> str:
    word = "**Decided.** " if note.kind is NoteKind.DECISION else ""
    who = f"{escaped(note.author)}, {moment(note.at, zone)}"
    return f"- {word}{escaped(note.text)} ({who})"


def _section(section: Section, base_url: str) -> list[str]:
    parts = [f"## {escaped(section.title)}", escaped(section.lead)]
    if section.rows:
        head = [escaped(h.removesuffix("#")) for h in section.head]
        lines = ["---:" if h.endswith("#") else "---" for h in section.head]
        table = [head, lines, *([_cell(c, base_url) for c in row] for row in section.rows)]
        parts.append("\n".join(f"| {' | '.join(row)} |" for row in table))
    if section.more:
        parts.append(f"And {section.more} more.")
    return parts


def _cell(cell: Cell, base_url: str) -> str:
    said = _linked(cell.text, cell.url, base_url)
    return f"{said} ({escaped(cell.sub)})" if cell.sub else said


def mail(review: Review, notes: Sequence[Note], base_url: str, path: str) -> Mapping[str, Any]:
    """The content of the message: subject, summary, questions, a line of each section, a link."""
    count = len(review.decide)
    what = f"{count} to decide" if count else "nothing to decide"
    questions = [f"To decide: {q.text}" for q in review.decide[:MOST_MAILED]]
    if count > MOST_MAILED:
        questions.append(f"and {count - MOST_MAILED} more to decide")
    decided = [f"Decided: {n.text}" for n in notes if n.kind is NoteKind.DECISION]
    return {
        "title": f"Weekly review of {review.title}, {review.week}: {what}",
        "body": "\n".join(review.summary),
        "lines": [*questions, *decided],
        "fields": dict(_mailed(review.sections)),
        "url": f"{base_url}{path}",
        "thread": f"review-{review.team}",
    }


def _mailed(sections: Sequence[Section]) -> Iterator[tuple[str, str]]:
    """Sentences of sections; behind that of objectives the figures of those to be looked at."""
    for section in sections:
        if section.key in MAILED:
            yield section.title, section.lead
        if section.key == "slos":
            needy = [row for row in section.rows if row[1].look in NEEDY]
            yield from (_figures(section.head, row) for row in needy[:MOST_NEEDY])


def _figures(head: Sequence[str], row: Sequence[Cell]) -> tuple[str, str]:
    by = {h: c.text for h, c in zip(head, row, strict=True)}
    said = f"{by['Left#']}, {by['Spent this week#']} spent this week, {by['Last week#']} last week"
    return row[0].text, said
