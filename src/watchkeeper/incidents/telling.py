"""Telling people about an incident: by their own channels, through the outbox; and the reminders.

Only what must wake somebody is a page: an update of the worst severity that is overdue, and an
incident without anybody who leads it. All else arrives as an update, in the quiet way.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from sqlalchemy import Connection

from watchkeeper.incidents import clocks, rota, rules, store
from watchkeeper.incidents.clocks import Notice, NoticeKind
from watchkeeper.incidents.model import EntryKind, Incident, NewEntry, RoleHolding
from watchkeeper.kernel.clock import Seconds
from watchkeeper.kernel.text import duration
from watchkeeper.notify import outbox
from watchkeeper.notify.model import MessageKind
from watchkeeper.notify.outbox import LATER, NORMAL, NewDelivery
from watchkeeper.oncall import store as pages
from watchkeeper.oncall.calling import Changes, ways
from watchkeeper.oncall.model import Site
from watchkeeper.spec.model import Specs
from watchkeeper.spec.response import RoleDefinition
from watchkeeper.store import timeline

WHO_TELLS = ("comms", "commander")
"""Roles that write updates, the first that somebody holds; else whoever declared it."""


# ---------------------------------------------------------------- when something happens


def roles_given(
    conn: Connection, specs: Specs, site: Site, incident: Incident, given: Mapping[str, str],
    now: Seconds, but: str = "",
) -> None:  # fmt: skip
    """Tell people which roles they have; this must reach them, so it is told as a page is."""
    for user in dict.fromkeys(given.values()):
        if user == but:
            continue
        titles = [specs.response.roles[r].title for r, u in given.items() if u == user]
        text = f"You are {' and '.join(titles)}: {_named(incident)}"
        key = f"role-{'-'.join(r for r, u in given.items() if u == user)}-{now}"
        _send(conn, specs, site, incident, [user], text, key, now, wakes=_wakes(specs, incident))


def offered(
    conn: Connection, specs: Specs, site: Site, incident: Incident, role: RoleDefinition, to: str,
    by: str, now: Seconds,
) -> None:  # fmt: skip
    """Ask somebody to take a role."""
    text = f"{by} asks you to be {role.title}. Accept or decline: {_named(incident)}"
    _send(conn, specs, site, incident, [to], text, f"offer-{role.name}-{now}", now, wakes=True)


def accepted(
    conn: Connection, specs: Specs, site: Site, incident: Incident, role: RoleDefinition, by: str,
    before: str, now: Seconds,
) -> None:  # fmt: skip
    """Tell somebody that another has their role now."""
    text = f"{by} is {role.title} now: {_named(incident)}"
    _send(conn, specs, site, incident, [before], text, f"accepted-{role.name}-{now}", now)


def told(
    conn: Connection, specs: Specs, site: Site, incident: Incident, text: str, actor: str,
    now: Seconds,
) -> None:  # fmt: skip
    """Tell all who have a role in it, but the one who did it."""
    users = [h.user for h in store.roles(conn, incident.id) if h.user and h.user != actor]
    _send(conn, specs, site, incident, users, f"{_named(incident)}. {text}",
          f"told-{incident.version}-{now}", now)  # fmt: skip


# ---------------------------------------------------------------- reminders


def remind(conn: Connection, specs: Specs, site: Site, now: Seconds, limit: int = 100) -> int:
    """Tell what is due, each notice once, on whichever replica looks first. Returns how many."""
    count = 0
    for incident in store.due(conn, now, limit):
        holdings = store.roles(conn, incident.id)
        severities = specs.response.severities
        grade = severities.get(incident.severity) or list(severities.values())[-1]
        after, notices = clocks.advance(incident, holdings, grade, specs.response.roles, now)
        kept = store.save(conn, after)
        if kept is None:
            continue
        for notice in notices:
            _tell_notice(conn, specs, site, kept, holdings, notice, now)
            count += 1
    return count


def _tell_notice(
    conn: Connection, specs: Specs, site: Site, incident: Incident, holdings: list[RoleHolding],
    notice: Notice, now: Seconds,
) -> None:  # fmt: skip
    changes = pages.changes(conn, now)
    text = notice_text(incident, notice, specs, now)
    users = receivers(incident, holdings, notice, specs, changes, now)
    wakes = notice.kind in (NoticeKind.UPDATE_LATE, NoticeKind.PUBLIC_LATE, NoticeKind.ROLE_EMPTY)
    key = f"notice-{notice.kind}-{notice.role}-{notice.at}-{notice.number}".replace(" ", "-")
    _send(conn, specs, site, incident, users, f"{text}: {_named(incident)}", key, now,
          wakes=wakes and _wakes(specs, incident))  # fmt: skip
    data = {"notice": str(notice.kind), "number": notice.number, "told": users}
    entry = NewEntry(EntryKind.NOTE, "engine", "engine", f"{text}. Told: {_list(users)}", data)
    store.append(conn, incident.id, entry, now)
    timeline.append(
        conn, now, "incident.reminded", f"incident/{incident.id}", "engine", {"text": text, **data}
    )


def notice_text(incident: Incident, notice: Notice, specs: Specs, now: Seconds) -> str:
    """What is said, without the name of the incident."""
    role = specs.response.roles.get(notice.role)
    title = role.title if role else notice.role
    match notice.kind:
        case NoticeKind.UPDATE_SOON:
            left = (incident.update_due_at or now) - now
            return f"The next status update is due in {duration(left)}"
        case NoticeKind.UPDATE_LATE:
            late = now - notice.at
            return "The status update is " + (
                f"overdue by {duration(late)}" if late >= 60 else "due now"
            )
        case NoticeKind.PUBLIC_SOON:
            return "The first public message is due soon"
        case NoticeKind.PUBLIC_LATE:
            return "The first public message is due and was not posted"
        case NoticeKind.ROLE_EMPTY:
            return f"Nobody is {title}"
        case _:
            return f"{title} was offered and not accepted"


def receivers(
    incident: Incident, holdings: list[RoleHolding], notice: Notice, specs: Specs, changes: Changes,
    now: Seconds,
) -> list[str]:  # fmt: skip
    """Whom a notice goes to: first those whose task it is, then all with a role and on call.

    A reminder goes to who writes updates. One that is overdue goes to all with a role, and from
    the second time on to those on call for the services. An empty role is told to who leads and to
    those on call. An offer goes back to who made it, that is who still has the role.
    """
    holders = [h.user for h in holdings if h.user]
    lead = rules.holder(holdings, "commander") or incident.declared_by
    match notice.kind:
        case NoticeKind.UPDATE_SOON | NoticeKind.PUBLIC_SOON:
            held = (rules.holder(holdings, role) for role in WHO_TELLS)
            users = [next((u for u in held if u), incident.declared_by)]
        case NoticeKind.UPDATE_LATE | NoticeKind.PUBLIC_LATE:
            users = [lead, *holders]
            if notice.number > 1:
                users += rota.escalated(incident, specs, changes, now)
        case NoticeKind.ROLE_EMPTY:
            steps = None if notice.number > 1 else 1
            users = [lead, *rota.on_call(incident, specs, changes, now, steps=steps)]
        case _:
            users = [rules.holder(holdings, notice.role) or lead]
    known = [u for u in dict.fromkeys(users) if u in specs.duty.users]
    # Nobody whose task it is can be reached: those on call can.
    return known or rota.escalated(incident, specs, changes, now)


# ---------------------------------------------------------------- messages


def _send(
    conn: Connection, specs: Specs, site: Site, incident: Incident, users: Iterable[str], text: str,
    key: str, now: Seconds, *, wakes: bool = False,
) -> None:  # fmt: skip
    urgency = "page" if wakes else "ticket"
    rows: list[NewDelivery] = []
    for user in users:
        if user not in specs.duty.users:
            continue
        found = list(
            dict.fromkeys((c, a) for _, c, a in ways(specs.duty.users[user], urgency, specs))
        )
        if not found:
            continue
        (channel, address), *others = found
        rows.append(
            NewDelivery(
                key=f"incident-{incident.id}-{key}-{user}"[:200],
                kind=MessageKind.UPDATE,
                urgency=urgency,
                user=user,
                channel=channel,
                address=address,
                content={
                    "title": text[:300],
                    "body": f"{incident.severity}, {incident.state}. {incident.summary}".strip(),
                    "thread": f"incident-{incident.id}",
                    "url": f"{site.base_url}/incidents/{incident.id}",
                    "fields": {"Incident": f"{incident.id}", "Severity": incident.severity},
                },
                due_at=now,
                priority=NORMAL if wakes else LATER,
                fallbacks=tuple(others),
            )
        )
    outbox.enqueue(conn, rows, now)


def _wakes(specs: Specs, incident: Incident) -> bool:
    """Whether this severity is worth waking people for: it has an update clock."""
    known = specs.response.severities.get(incident.severity)
    return known is not None and known.update_every is not None


def _named(incident: Incident) -> str:
    drill = "Drill: " if incident.drill else ""
    return f"{drill}incident {incident.id}, {incident.severity}, {incident.title}"


def _list(users: list[str]) -> str:
    return ", ".join(users) or "nobody, for nobody can be reached"
