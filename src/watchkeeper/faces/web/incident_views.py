"""What the pages of incidents show: who needs to do what, until when. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import quote, urlencode

from markupsafe import Markup, escape

from watchkeeper.faces.channel import RoomState
from watchkeeper.faces.incidents import IncidentStory
from watchkeeper.faces.web import words
from watchkeeper.faces.web.alert_story import Figure
from watchkeeper.faces.web.words import Badge
from watchkeeper.incidents import chain, clocks, rules
from watchkeeper.incidents.chat.files import IMAGES, size_words
from watchkeeper.incidents.chat.markdown import as_html
from watchkeeper.incidents.durations import durations
from watchkeeper.incidents.model import (
    MEANING,
    Entry,
    EntryKind,
    Incident,
    IncidentState,
    RoleHolding,
    Told,
)
from watchkeeper.incidents.store import Wanted
from watchkeeper.kernel import text
from watchkeeper.kernel.clock import Seconds, iso
from watchkeeper.spec.duty import ChannelType
from watchkeeper.spec.model import Specs
from watchkeeper.spec.response import RoleDefinition, SeverityDefinition

HEAD = ("id", "title", "severity", "state", "declared_at", "declared_by", "commander", "services",
        "journeys", "began_at", "detected_at", "acknowledged_at", "mitigated_at", "resolved_at",
        "to_detect_s", "to_acknowledge_s", "to_mitigate_s", "to_resolve_s")  # fmt: skip
LIVE = tuple(str(s) for s in IncidentState if s is not IncidentState.RESOLVED)
STATES: Mapping[IncidentState, Badge] = {
    IncidentState.TRIGGERED: Badge("burn", "Triggered"),
    IncidentState.INVESTIGATING: Badge("watch", "Investigating"),
    IncidentState.IDENTIFIED: Badge("watch", "Identified"),
    IncidentState.MITIGATED: Badge("ok", "Mitigated"),
    IncidentState.RESOLVED: Badge("ok", "Resolved"),
}
KINDS: Mapping[EntryKind, tuple[str, str]] = {
    EntryKind.DETECTED: ("burn", "Detected"),
    EntryKind.CHANGE: ("watch", "Change"),
    EntryKind.ACTION: ("watch", "Action"),
    EntryKind.DECISION: ("watch", "Decision"),
    EntryKind.MESSAGE: ("none", "Message"),
    EntryKind.UPDATE: ("ok", "Update"),
    EntryKind.ROLE: ("none", "Role"),
    EntryKind.SEVERITY: ("burn", "Severity"),
    EntryKind.STATE: ("watch", "State"),
    EntryKind.MITIGATION: ("ok", "Mitigation"),
    EntryKind.METRIC: ("none", "Metric"),
    EntryKind.NOTE: ("none", "Note"),
    EntryKind.LINK: ("none", "Link"),
}
WORST = ("burn", "watch")
"""The looks of the worst severity and the one after it; all others are shown without alarm."""
SOON = 300.0
WRITTEN = (EntryKind.MESSAGE, EntryKind.NOTE, EntryKind.DECISION, EntryKind.ACTION,
           EntryKind.CHANGE, EntryKind.UPDATE)  # fmt: skip
"""Entries in which people write Markdown."""


@dataclass(frozen=True, slots=True)
class Ask:
    """What the address of the list asks for."""

    q: str = ""
    severity: str = ""
    service: str = ""
    before: int | None = None

    @classmethod
    def read(cls, given: Mapping[str, str]) -> Ask:
        """From the query; what makes no sense is left out."""
        named = {k: given.get(k, "")[:200].replace("\0", "") for k in ("q", "severity", "service")}
        before = given.get("before", "")
        digits = before.isascii() and before.isdigit() and len(before) < 16
        return cls(**named, before=int(before) if digits else None)

    def query(self, **other: object) -> str:
        """The address's query."""
        every = {"q": self.q, "severity": self.severity, "service": self.service, **other}
        said = {k: v for k, v in every.items() if v}
        return f"?{urlencode(said)}" if said else ""

    def wanted(self, states: Sequence[str] = ()) -> Wanted:
        """The incidents that are meant."""
        severities = (self.severity,) if self.severity else ()
        return Wanted(states, severities, self.service, text=self.q)


@dataclass(frozen=True, slots=True)
class Row:
    """One incident in a list."""

    id: int
    title: str
    severity: Badge
    state: Badge
    open: bool
    since: str
    took: str
    commander: str
    update: str
    late: bool
    where: str
    drill: bool


@dataclass(frozen=True, slots=True)
class RoleLine:
    """A role: who has it. ``needed``: it is empty and must not be."""

    name: str
    title: str
    what: str
    user: str
    since: str
    offered_to: str
    needed: bool


@dataclass(frozen=True, slots=True)
class EntryLine:
    """One entry as it is shown."""

    number: int
    key: str
    word: str
    at: str
    written: str
    actor: str
    source: str
    text: str
    html: Markup
    was: str
    pinned: bool
    public: bool
    file: FileLine | None = None


@dataclass(frozen=True, slots=True)
class FileLine:
    """A file that belongs to an entry. ``show``: the address of an image, else ''."""

    name: str
    url: str
    size: str
    show: str


@dataclass(frozen=True, slots=True)
class RoomLine:
    """A room of another chat: what it is called, how it stands. ``late``: it is behind."""

    chat: str
    name: str
    url: str
    says: str
    late: bool


@dataclass(frozen=True, slots=True)
class RoomView:
    """One incident: what to do next, who, and what happened."""

    row: Row
    meaning: str
    next: str
    urgent: bool
    due: str
    summary: str
    lead: Sequence[Figure]
    roles: Sequence[RoleLine]
    mine: Sequence[RoleLine]
    pinned: Sequence[EntryLine]
    lines: Sequence[EntryLine]
    kinds: Sequence[tuple[str, str, int]]
    services: Sequence[tuple[str, str]]
    journeys: Sequence[str]
    slos: Sequence[str]
    pages: Sequence[int]
    causes: Sequence[str]
    merged_into: int | None
    broken: Sequence[str]
    head: str
    refresh: str
    refresh_top: str
    cost: str = ""
    rooms: Sequence[RoomLine] = ()


def severity_badge(name: str, severities: Mapping[str, SeverityDefinition]) -> Badge:
    """A severity as shape and word."""
    order = list(severities)
    rank = order.index(name) if name in order else len(order)
    return Badge(WORST[rank] if rank < len(WORST) else "none", name)


def row(incident: Incident, roles: Sequence[RoleHolding], specs: Specs, now: Seconds) -> Row:
    """One incident in a list."""
    over = incident.state is IncidentState.RESOLVED
    end = incident.resolved_at if over and incident.resolved_at is not None else now
    start = incident.began_at if incident.began_at is not None else incident.declared_at
    due = incident.update_due_at
    late = due is not None and due <= now
    named = [words.service_name(specs, s) for s in incident.services]
    return Row(
        id=incident.id,
        title=incident.title,
        severity=severity_badge(incident.severity, specs.response.severities),
        state=STATES[incident.state],
        open=not over,
        since=words.day_clock(incident.declared_at),
        took=text.duration(max(0.0, end - start)),
        commander=_named(specs, rules.holder(roles, "commander")),
        update=due_words(incident, now),
        late=late,
        where=", ".join(named) or "no service named",
        drill=incident.drill,
    )


def due_words(incident: Incident, now: Seconds) -> str:
    """When the next update is due, in words; '' when nothing is."""
    due = incident.update_due_at
    if due is None:
        return ""
    if due > now:
        return f"due in {text.duration(due - now)}"
    return f"overdue by {text.duration(now - due)}" if now - due >= 60 else "due now"


def headline(found: Sequence[Row]) -> str:
    """What matters first on the list."""
    late = sum(1 for r in found if r.late)
    if not found:
        return "No incident is open"
    said = words.plural(len(found), "incident is open", "incidents are open")
    return f"{said}, {late} without its update" if late else said


def next_step(story: IncidentStory, specs: Specs, actor: str, now: Seconds) -> tuple[str, bool]:
    """What to do next, and whether it is late."""
    incident = story.incident
    if incident.merged_into is not None:
        return f"It goes on in incident {incident.merged_into}.", False
    offered = [h for h in story.roles if h.offered_to == actor]
    if offered:
        title = _title(specs, offered[0].role)
        return f"You are asked to be {title}. Accept it, or say no.", True
    if incident.state is IncidentState.RESOLVED:
        return "It is over. What was learnt belongs into its postmortem.", False
    due = incident.update_due_at
    if due is not None and due <= now:
        return f"The status update is {due_words(incident, now)}. Post one, even a short one.", True
    if _owes_public(story, specs, now):
        return "Users have been told nothing yet. Post a first public update.", True
    if story.empty:
        return f"Nobody is {' nor '.join(r.title for r in story.empty)}. Take it, or ask.", True
    match incident.state:
        case IncidentState.TRIGGERED:
            return "Nobody has begun. Look, and say so: investigating.", True
        case IncidentState.MITIGATED:
            return "Users are no longer hurt. See that it stays so, then resolve it.", False
        case _:
            return "Mitigate first; the cause can wait. What changed last?", False


def _owes_public(story: IncidentStory, specs: Specs, now: Seconds) -> bool:
    grade = specs.response.severities.get(story.incident.severity)
    if grade is None:
        return False
    found = clocks.series(story.incident, story.roles, grade, specs.response.roles)
    return any(s.kind is clocks.NoticeKind.PUBLIC_LATE and s.at <= now for s in found)


def room(
    story: IncidentStory, specs: Specs, actor: str, only: str, now: Seconds, cost: str = "",
    rooms: Sequence[RoomState] = (),
) -> RoomView:  # fmt: skip
    """One incident. ``only``: the kind of entries to show; '' is all."""
    incident = story.incident
    told = chain.tell(story.entries)
    shown = [t for t in told if not only or t.entry.kind == only]
    say, urgent = next_step(story, specs, actor, now)
    roles = role_lines(story, specs)
    counted: dict[EntryKind, int] = {}
    for each in told:
        counted[each.entry.kind] = counted.get(each.entry.kind, 0) + 1
    query = f"?{urlencode({'kind': only})}" if only else ""
    return RoomView(
        row=row(incident, story.roles, specs, now),
        meaning="" if incident.state is IncidentState.RESOLVED else MEANING[incident.state],
        next=say,
        urgent=urgent,
        due="" if incident.update_due_at is None else words.clock(incident.update_due_at),
        summary=incident.summary,
        lead=_lead(incident, now),
        roles=roles,
        mine=[r for r in roles if r.offered_to == actor],
        pinned=[entry_line(t) for t in told if t.pinned],
        lines=[entry_line(t) for t in reversed(shown)],
        kinds=[(str(k), KINDS[k][1], counted[k]) for k in KINDS if k in counted],
        services=[(s, words.service_name(specs, s)) for s in incident.services],
        journeys=[specs.journeys[j].display_name for j in incident.journeys if j in specs.journeys],
        slos=incident.slos,
        pages=incident.pages,
        causes=incident.causes,
        merged_into=incident.merged_into,
        broken=[f"Entry {b.number} {b.what}" for b in story.broken],
        head=incident.head,
        refresh=f"/parts/incidents/{incident.id}{query}",
        refresh_top=f"/parts/incidents/{incident.id}?half=top",
        cost=cost,
        rooms=[room_line(r, specs) for r in rooms],
    )


def role_lines(story: IncidentStory, specs: Specs) -> list[RoleLine]:
    """Every role that is defined, and who has it."""
    held = {h.role: h for h in story.roles}
    empty = {r.name for r in story.empty}
    return [_role_line(r, held.get(r.name), r.name in empty, specs) for r in _roles(specs)]


def _roles(specs: Specs) -> list[RoleDefinition]:
    return list(specs.response.roles.values())


def _role_line(
    role: RoleDefinition, held: RoleHolding | None, empty: bool, specs: Specs
) -> RoleLine:
    user = held.user if held else ""
    return RoleLine(
        role.name,
        role.title,
        role.description,
        _named(specs, user),
        words.clock(held.since) if held and user else "",
        held.offered_to if held else "",
        empty,
    )


def entry_line(told: Told) -> EntryLine:
    """One entry."""
    entry = told.entry
    key, word = KINDS[entry.kind]
    said = told.text
    later = entry.written_at - told.at > 60
    return EntryLine(
        number=entry.number,
        key=key,
        word=word,
        at=words.day_clock(told.at),
        written=words.clock(entry.written_at) if later else "",
        actor=entry.actor,
        source=entry.source,
        text=said,
        html=Markup(as_html(said)) if entry.kind in WRITTEN else escape(said),  # noqa: S704 - clean
        was=entry.text if told.amendments and entry.text != said else "",
        pinned=told.pinned,
        public=bool(entry.data.get("public")),
        file=_file_line(entry),
    )


def _file_line(entry: Entry) -> FileLine | None:
    told = entry.data.get("file")
    if not isinstance(told, dict):
        return None
    url = f"/incidents/{entry.incident_id}/files/{told['id']}"
    show = f"{url}?show" if told["type"] in IMAGES else ""
    return FileLine(str(told["name"]), url, size_words(int(told["size"])), show)


def room_line(state: RoomState, specs: Specs) -> RoomLine:
    """How a room of another chat stands."""
    room = state.room
    known = specs.duty.channels.get(room.channel)
    kind = str(known.type) if known else ""
    missing = words.plural(state.behind, "entry is not there yet", "entries are not there yet")
    if room.said:
        says = f"{missing}: {room.said} Next try {words.clock(room.due_at)} UTC."
    elif not room.external:
        says = "being made"
    else:
        says = missing if state.behind and room.open else "says the same"
    return RoomLine(
        kind.capitalize() or room.channel, room.name, room_url(kind, room.external), says,
        bool(room.said),
    )  # fmt: skip


def room_url(kind: str, external: str) -> str:
    """Where a browser opens a room of another chat; '' when that is not known."""
    if not external:
        return ""
    match kind:
        case ChannelType.SLACK:
            return f"https://slack.com/app_redirect?channel={quote(external, safe='')}"
        case ChannelType.MATRIX:
            return f"https://matrix.to/#/{quote(external, safe='')}"
        case _:
            return ""


def _lead(incident: Incident, now: Seconds) -> list[Figure]:
    took = durations(incident)
    start = incident.began_at if incident.began_at is not None else incident.detected_at
    going = "" if start is None else f"going on for {text.duration(now - start)}"
    return [
        ("Detected", _after(took.detect), _at(incident.detected_at, "after it began")),
        ("Acknowledged", _after(took.acknowledge), _at(incident.acknowledged_at, "nobody yet")),
        ("Mitigated", _after(took.mitigate), _at(incident.mitigated_at, going)),
        ("Resolved", _after(took.resolve), _at(incident.resolved_at, going)),
    ]


def _after(seconds: float | None) -> str:
    return text.NOTHING if seconds is None else text.duration(seconds)


def _at(at: Seconds | None, other: str) -> str:
    return other if at is None else f"at {words.clock(at)} UTC"


def _named(specs: Specs, user: str) -> str:
    known = specs.duty.users.get(user)
    return known.display_name if known else user


def _title(specs: Specs, role: str) -> str:
    known = specs.response.roles.get(role)
    return known.title if known else role


def export_row(incident: Incident, roles: Sequence[RoleHolding]) -> tuple[object, ...]:
    """One incident in the order of HEAD."""
    took = durations(incident)
    times = (incident.began_at, incident.detected_at, incident.acknowledged_at,
             incident.mitigated_at, incident.resolved_at)  # fmt: skip
    return (
        incident.id, incident.title, incident.severity, str(incident.state),
        iso(incident.declared_at), incident.declared_by, rules.holder(roles, "commander"),
        " ".join(incident.services), " ".join(incident.journeys),
        *("" if t is None else iso(t) for t in times),
        took.detect, took.acknowledge, took.mitigate, took.resolve,
    )  # fmt: skip
