"""Durations that a postmortem states, beside those that its timeline tells. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from watchkeeper.postmortems.document import Document
from watchkeeper.postmortems.moments import Moment

_AMOUNT = r"\d+(?:[.,]\d+)?"
_LENGTH = re.compile(
    rf"(?:({_AMOUNT}) ?d(?:ays?)?(?![a-z]),? ?)?"
    rf"(?:({_AMOUNT}) ?h(?:ours?|rs?)?(?![a-z]),? ?(?:and )?)?"
    rf"(?:({_AMOUNT}) ?m(?:in(?:ute)?s?)?(?![a-z]))?",
    re.IGNORECASE,
)
_STATED = re.compile(
    r"\b(?:(time to detect(?:ion)?|ttd|mttd)|(time to (?:recover(?:y)?|resolve|resolution|restore)"
    r"|ttr|mttr|duration(?: of (?:the )?(?:outage|incident))?))\**\s*[:=]\**\s*(.{0,60})",
    re.IGNORECASE,
)
_DETECTED = re.compile(
    r"\b(?:detect|alert|notic|report|discover|observ|paged|spotted|identified|reali[sz]|complain"
    r"|witness|saw\b|seen\b)",
    re.IGNORECASE,
)
_RECOVERED = re.compile(
    r"\b(?:re)?(?:solv|stor|cover|operational|fixed|back to normal|back online|working again"
    r"|healthy|mitigated|attached|stable|up again)",
    re.IGNORECASE,
)
TOLERANCE = 60.0
"""Seconds that a stated duration may be off: times are written to the minute."""


@dataclass(frozen=True, slots=True)
class Stated:
    """A duration as stated; ``seconds`` None when it is no number. ``kind``: detect, recover."""

    line: int
    kind: str
    seconds: float | None
    text: str


def stated(document: Document) -> Iterator[Stated]:
    """What the document says how long it took to detect and to recover."""
    for block in document.blocks:
        for found in _STATED.finditer(block.text):
            kind = "detect" if found[1] else "recover"
            yield Stated(block.line, kind, seconds_of(found[3]), found[0].strip())


def seconds_of(text: str) -> float | None:
    """``1h50m``, ``54 minutes``, ``2 hours and 5 min`` in seconds; None for anything else."""
    found = _LENGTH.match(text.strip().lstrip("~≈"))
    if found is None or not any(found.groups()):
        return None
    days, hours, minutes = (float((g or "0").replace(",", ".")) for g in found.groups())
    return days * 86_400 + hours * 3600 + minutes * 60


def told(moments: Sequence[Moment], kind: str) -> list[float]:
    """Every duration that the timeline can mean: from any entry to one that tells of detection or
    recovery, in seconds. The first entry is not always the beginning of the trouble."""
    pattern = _DETECTED if kind == "detect" else _RECOVERED
    timed = [m for m in moments if m.timed]
    ends = [m for m in timed if pattern.search(m.text)]
    if kind == "recover" and timed and timed[-1] not in ends:
        ends.append(timed[-1])
    spans = {(e.at - m.at).total_seconds() for e in ends for m in timed if m.at <= e.at}
    return sorted(spans)


def agrees(seconds: float, moments: Sequence[Moment], kind: str) -> bool:
    """True when the timeline tells a duration that is this one, to the minute."""
    return any(abs(each - seconds) <= TOLERANCE for each in told(moments, kind))
