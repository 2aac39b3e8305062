"""The digest: once a week what others have learnt, for those who want to know. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from watchkeeper.kernel import text
from watchkeeper.kernel.clock import Seconds
from watchkeeper.postmortems.document import Part, parse, unfilled
from watchkeeper.postmortems.model import Postmortem
from watchkeeper.spec.response import DAY

WEEK = 7 * DAY
HOUR_SENT = 8
"""On Mondays, UTC."""
YEAR = 365 * DAY
MOST_SAID = 220
MOST = 30


@dataclass(frozen=True, slots=True)
class Lessons:
    """What a digest tells: ``published`` since the last, and what was published ``before``, some
    full years ago to the week; ``recurred``: sentences of incidents that came again."""

    published: Sequence[Postmortem]
    before: Sequence[tuple[int, Postmortem]]
    recurred: Sequence[str]

    @property
    def empty(self) -> bool:
        """Nothing to tell: then nothing is sent."""
        return not (self.published or self.before or self.recurred)


def next_monday(now: Seconds) -> Seconds:
    """The next Monday, 08:00 UTC, after now."""
    moment = datetime.fromtimestamp(now, UTC)
    monday = (moment - timedelta(days=moment.weekday())).replace(
        hour=HOUR_SENT, minute=0, second=0, microsecond=0
    )
    return (monday if monday > moment else monday + timedelta(days=7)).timestamp()


def years_ago(published_at: Seconds, since: Seconds, now: Seconds) -> int:
    """How many full years it is since, if a year was full within [since, now); 0 if not."""
    years = int((now - published_at) // YEAR)
    return years if years >= 1 and published_at + years * YEAR >= since else 0


def gist(source: str) -> str:
    """The beginning of the summary, or of the first paragraph."""
    document = parse(source)
    blocks = [b for b in document.within(Part.SUMMARY) if b.kind != "heading"] or [
        b for b in document.blocks if b.kind == "paragraph"
    ]
    said = next((" ".join(b.text.split()) for b in blocks if not unfilled(b.text)), "")
    return said if len(said) <= MOST_SAID else said[: MOST_SAID - 1].rsplit(" ", 1)[0] + "…"


def content(lessons: Lessons, base_url: str, team: str) -> Mapping[str, Any]:
    """The message: a title, and a line for each."""
    count = len(lessons.published)
    said = f"{count} postmortem{'' if count == 1 else 's'} published" if count else "No new ones"
    lines = [_line(p, base_url) for p in lessons.published[:MOST]]
    if count > MOST:
        lines.append(f"and {count - MOST} more: {base_url}/postmortems")
    lines += [f"Recurred: {each}" for each in lessons.recurred[:MOST]]
    lines += [
        f"{years} year{'' if years == 1 else 's'} ago: {p.title}. Does what was learnt still hold? "
        f"{base_url}/postmortems/{p.id}"
        for years, p in lessons.before[:MOST]
    ]
    return {
        "title": f"Lessons of the week{f' for {team}' if team else ''}: {said}",
        "body": "What others have learnt, so that it need not be learnt twice.",
        "lines": lines,
        "url": f"{base_url}/postmortems",
        "thread": "digest",
    }


def _line(p: Postmortem, base_url: str) -> str:
    where = f" ({', '.join([p.severity, *p.services]).strip(', ')})" if p.severity else ""
    said = gist(p.text)
    return f"{p.title}{where}: {said or text.NOTHING} {base_url}/postmortems/{p.id}"
