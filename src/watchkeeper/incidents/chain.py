"""The chain of digests that holds a timeline together, and how amendments are read. Pure.

Digest of an entry: SHA-256 over the canonical JSON (keys sorted, no spaces, UTF-8) of all its
fields but ``id`` and ``digest``. ``previous`` is among them, so a change anywhere breaks all that
follows; the incident keeps the last digest and the count, so that a cut end is noticed too.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, replace

from watchkeeper.incidents.model import Entry, EntryKind, Incident, NewEntry, Told
from watchkeeper.kernel.clock import Seconds


@dataclass(frozen=True, slots=True)
class Broken:
    """A place where the timeline is not as it was written."""

    incident_id: int
    number: int
    what: str


def digest_of(entry: Entry) -> str:
    """SHA-256, hex, of an entry (its own ``digest`` is not part of it)."""
    said = {
        "incident": entry.incident_id, "number": entry.number, "kind": str(entry.kind),
        "at": entry.at, "written_at": entry.written_at, "actor": entry.actor,
        "source": entry.source, "text": entry.text, "data": dict(entry.data),
        "amends": entry.amends, "previous": entry.previous,
    }  # fmt: skip
    text = json.dumps(said, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()


def link(incident: Incident, new: NewEntry, now: Seconds) -> Entry:
    """The entry that comes next in this incident; ``id`` is 0 until it is kept."""
    made = Entry(
        id=0,
        incident_id=incident.id,
        number=incident.entries + 1,
        kind=new.kind,
        at=float(now if new.at is None else new.at),
        written_at=float(now),
        actor=new.actor,
        source=new.source,
        text=new.text,
        # As it will be read back: keys are texts, tuples are lists.
        data=json.loads(json.dumps(dict(new.data))),
        amends=new.amends,
        previous=incident.head,
    )
    return replace(made, digest=digest_of(made))


def check(incident: Incident, entries: Sequence[Entry]) -> list[Broken]:
    """Every place where the entries, in order of number, are not what was written."""
    found = []
    previous = ""
    for expected, each in enumerate(entries, 1):
        if each.number != expected:
            found.append(Broken(incident.id, expected, f"entry {expected} is missing"))
            return found
        if each.previous != previous:
            found.append(Broken(incident.id, each.number, "does not follow the entry before it"))
        if each.digest != digest_of(each):
            found.append(Broken(incident.id, each.number, "was altered"))
        previous = each.digest
    if incident.entries != len(entries):
        said = f"{incident.entries} entries were written, {len(entries)} are there"
        found.append(Broken(incident.id, len(entries), said))
    elif incident.head != previous:
        found.append(Broken(incident.id, len(entries), "is not the last that was written"))
    return found


def tell(entries: Sequence[Entry]) -> list[Told]:
    """The entries as they read now, in order of happening; amendments are applied, not listed."""
    told: dict[int, Told] = {}
    for each in entries:
        if each.kind is EntryKind.AMENDMENT and each.amends in told:
            told[each.amends] = _amended(told[each.amends], each)
        elif each.kind is not EntryKind.AMENDMENT:
            told[each.number] = Told(each, each.text, each.at)
    return sorted(told.values(), key=lambda t: (t.at, t.entry.number))


def _amended(told: Told, by: Entry) -> Told:
    changed = {k: v for k, v in by.data.items() if k in ("text", "at", "pinned")}
    # A pin changes nothing that was said.
    more = 1 if {"text", "at"} & changed.keys() else 0
    return replace(told, **changed, amendments=told.amendments + more)
