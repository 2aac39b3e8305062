"""The draft of a postmortem, made from what was measured and written. Pure.

What people must think about is left to them, with a question in its place; what is known is there:
impact with its numbers, the timeline with its zone, and the action items.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from watchkeeper.incidents.export import plain
from watchkeeper.incidents.impact import sentence
from watchkeeper.incidents.model import EntryKind, Impact, Incident, Told
from watchkeeper.kernel import text
from watchkeeper.kernel.clock import Seconds
from watchkeeper.postmortems.model import ActionItem

TELLING = (EntryKind.DETECTED, EntryKind.CHANGE, EntryKind.ACTION, EntryKind.DECISION,
           EntryKind.UPDATE, EntryKind.SEVERITY, EntryKind.STATE, EntryKind.MITIGATION,
           EntryKind.METRIC)  # fmt: skip
"""Entries that a reader needs; messages, notes and roles are in the incident."""


def draft(
    incident: Incident,
    told: Sequence[Told],
    impact: Impact,
    items: Sequence[ActionItem],
    url: str = "",
) -> str:
    """The Markdown of a postmortem. ``url``: of the incident, for links."""
    return "\n".join(
        [
            f"# {plain(incident.title)}",
            "",
            *_head(incident, url),
            "## Summary",
            "",
            *_summary(incident),
            "## Impact",
            "",
            *_impact(impact),
            "## Timeline",
            "",
            "All times in UTC.",
            "",
            *_timeline(told),
            "## Detection",
            "",
            *_detection(impact),
            "## Root cause analysis",
            "",
            "_What made it possible? Systems and processes, not people._",
            "",
            "### Five whys",
            "",
            f"- Why did this happen: {plain(incident.title)}?",
            "",
            "## Contributing factors",
            "",
            *_causes(incident),
            "## What went well",
            "",
            "- ",
            "",
            "## What went wrong",
            "",
            "- ",
            "",
            "## Where we got lucky",
            "",
            "- ",
            "",
            "## Action items",
            "",
            *_items(items),
        ]
    )


def _head(incident: Incident, url: str) -> list[str]:
    where = f"[Incident {incident.id}]({url})" if url else f"Incident {incident.id}"
    services = ", ".join(plain(s) for s in incident.services)
    return [f"{where}, {incident.severity}{', ' + services if services else ''}.", ""]


def _summary(incident: Incident) -> list[str]:
    if incident.summary.strip():
        return [incident.summary.strip(), ""]
    return ["_What did users see, and what ended it? Two sentences._", ""]


def _impact(impact: Impact) -> list[str]:
    lines = [f"- Duration: {_span(impact.to_resolve)} from the beginning until it was resolved; "
             f"users were hurt for {_span(impact.to_mitigate)}."]  # fmt: skip
    said = sentence(impact)
    lines.append(f"- {said[0].upper()}{said[1:]}{'' if said.endswith('.') else '.'}")
    for name in sorted(n for n in impact.bad if impact.total[n]):
        spent = impact.budget.get(name)
        share = "" if spent is None else f", {text.percent(spent, 1)} of its error budget"
        lines.append(f"- {plain(name)}: {impact.bad[name]:,.0f} of {impact.total[name]:,.0f} "
                     f"requests failed{share}.")  # fmt: skip
    if impact.users is None and "users" not in impact.overrides:
        lines.append("- Users affected: _not measured; say what is known._")
    return [*lines, ""]


def _detection(impact: Impact) -> list[str]:
    return [
        f"- Detected {_span(impact.to_detect)} after it began.",
        f"- Acknowledged {_span(impact.to_acknowledge)} later.",
        "",
    ]


def _timeline(told: Sequence[Told]) -> list[str]:
    shown = [t for t in told if t.entry.kind in TELLING]
    lines = []
    day = ""
    for each in shown:
        moment = datetime.fromtimestamp(each.at, UTC)
        date = f"{moment:%Y-%m-%d}"
        # The day is said where it changes, so that a reader sees a night go by.
        when = f"{date} {moment:%H:%M}" if date != day else f"{moment:%H:%M}"
        day = date
        lines.append(f"- {when} {plain(each.text)}")
    return [*lines, ""]


def _causes(incident: Incident) -> list[str]:
    return [*(f"- {plain(c)}" for c in incident.causes or ("",)), ""]


def _items(items: Sequence[ActionItem]) -> list[str]:
    lines = []
    for item in items:
        due = "" if item.due_at is None else f", due: {_day(item.due_at)}"
        owner = item.owner or "nobody yet"
        lines.append(f"- {plain(item.text)} ({item.type}, owner: {owner}{due}) #{item.id}")
    return [*(lines or ["- "]), ""]


def _span(seconds: float | None) -> str:
    return "_how long?_" if seconds is None else text.duration(seconds)


def _day(at: Seconds) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d")
