"""An incident as a file: JSON that can be verified anywhere, or Markdown for people. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from watchkeeper.incidents import chain
from watchkeeper.incidents.durations import durations
from watchkeeper.incidents.model import Entry, Incident
from watchkeeper.incidents.rules import TIMES
from watchkeeper.kernel.clock import Seconds, iso


def as_document(incident: Incident, entries: Sequence[Entry]) -> dict[str, Any]:
    """The incident and every entry as written, with times as numbers, as the digests need them.

    Each digest is SHA-256 over the canonical JSON of its entry: see `incidents.chain`.
    """
    return {
        "incident": {
            "id": incident.id, "title": incident.title, "severity": incident.severity,
            "state": str(incident.state), "summary": incident.summary,
            "services": list(incident.services), "journeys": list(incident.journeys),
            "slos": list(incident.slos), "pages": list(incident.pages),
            "causes": list(incident.causes), "declared_at": incident.declared_at,
            "declared_by": incident.declared_by,
            **{name: getattr(incident, name) for name in TIMES},
            "entries": incident.entries, "head": incident.head,
        },
        "entries": [
            {
                "incident": e.incident_id, "number": e.number, "kind": str(e.kind), "at": e.at,
                "written_at": e.written_at, "actor": e.actor, "source": e.source, "text": e.text,
                "data": dict(e.data), "amends": e.amends, "previous": e.previous,
                "digest": e.digest,
            }
            for e in entries
        ],
    }  # fmt: skip


def as_markdown(incident: Incident, entries: Sequence[Entry]) -> str:
    """The incident for people: times in UTC, amendments applied and said."""
    took = durations(incident)
    named = [("to detect", took.detect), ("to acknowledge", took.acknowledge),
             ("to mitigate", took.mitigate), ("to resolve", took.resolve)]  # fmt: skip
    lines = [f"# Incident {incident.id}: {plain(incident.title)}", ""]
    lines += [f"{incident.severity}, {incident.state}. Declared {iso(incident.declared_at)} by "
              f"{plain(incident.declared_by)}.", ""]  # fmt: skip
    if incident.summary:
        lines += [incident.summary, ""]
    said = [f"{what} {seconds / 60:.0f} min" for what, seconds in named if seconds is not None]
    lines += [f"Time {', '.join(said)}.", ""] if said else []
    lines += ["## Timeline (UTC)", ""]
    for told in chain.tell(entries):
        amended = " (corrected)" if told.amendments else ""
        text = plain(told.text)
        lines.append(f"- {_when(told.at)} **{told.entry.kind}** {plain(told.entry.actor)}: "
                     f"{text}{amended}")  # fmt: skip
    lines += ["", f"{incident.entries} entries; last digest `{incident.head}`.", ""]
    return "\n".join(lines)


def _when(at: Seconds) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M:%S")


def plain(text: str) -> str:
    """A text of people on one line, in which Markdown finds nothing to interpret."""
    line = " ".join(text.split())
    return "".join(f"\\{c}" if c in "\\`*_<>[]#|" else c for c in line)
