"""The digest: who wants it, and sending it through the outbox, once each week."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection

from watchkeeper.incidents import store as incidents
from watchkeeper.kernel.clock import Seconds
from watchkeeper.kernel.errors import NotFound, UserError
from watchkeeper.notify import outbox
from watchkeeper.notify.model import MessageKind
from watchkeeper.notify.outbox import LATER, NewDelivery
from watchkeeper.oncall.calling import ways
from watchkeeper.oncall.model import Site
from watchkeeper.postmortems import digest, store, store_digest, store_marks
from watchkeeper.postmortems.digest import Lessons
from watchkeeper.postmortems.recurrence import Kinship
from watchkeeper.postmortems.store_digest import Subscription
from watchkeeper.spec.model import Specs
from watchkeeper.store import timeline


def subscribe(
    conn: Connection, specs: Specs, actor: str, now: Seconds, *, user: str = "",
    channel: str = "", address: str = "", team: str = "",
) -> Subscription:  # fmt: skip
    """Send the digest to a user, or to an address of a channel. Raises UserError."""
    if bool(user) == bool(channel):
        raise UserError("Name a user, or a channel with its address.", "One of the two.")
    if user and user not in specs.duty.users:
        raise UserError(f"There is no user {user!r}.", "Name one who is defined.")
    if channel and channel not in specs.duty.channels:
        known = ", ".join(specs.duty.channels) or "none is defined"
        raise UserError(f"There is no channel {channel!r}.", f"Known: {known}.")
    if channel and not address.strip():
        raise UserError("The channel needs an address.", "Such as a mail address or a room.")
    if team and team not in specs.teams:
        raise UserError(f"There is no team {team!r}.", "Leave it out for all services.")
    made = Subscription(
        0, user, channel, address.strip(), team, actor, now, digest.next_monday(now)
    )
    same = [s for s in store_digest.every(conn) if _key(s) == _key(made)]
    if same:
        raise UserError("That digest is sent already.", "Nothing has to be done.")
    kept = store_digest.add(conn, made)
    data = {"user": user, "channel": channel, "team": team}
    timeline.append(conn, now, "digest.subscribed", f"digest/{kept.id}", actor, data)
    return kept


def unsubscribe(conn: Connection, subscription_id: int, actor: str, now: Seconds) -> None:
    """Send it no more. Raises NotFound."""
    if not store_digest.remove(conn, subscription_id):
        raise NotFound(f"There is no digest {subscription_id}.", "`wk postmortem digests`")
    timeline.append(conn, now, "digest.ended", f"digest/{subscription_id}", actor, {})


def lessons(conn: Connection, specs: Specs, team: str, since: Seconds, now: Seconds) -> Lessons:
    """What there is to tell of [since, now)."""
    shared = [p for p in store.published(conn) if _concerns(specs, team, p.services)]
    new = [p for p in shared if p.published_at is not None and since <= p.published_at < now]
    before = [
        (years, p)
        for p in shared
        if p.published_at is not None and (years := digest.years_ago(p.published_at, since, now))
    ]
    return Lessons(new, before, _recurred(conn, specs, team, since, now))


def _recurred(
    conn: Connection, specs: Specs, team: str, since: Seconds, now: Seconds
) -> Sequence[str]:
    found = [r for r in store_marks.between(conn, since, now) if r.kinship is Kinship.SURE]
    its = incidents.by_ids(conn, [i for r in found for i in (r.incident_id, r.of)])
    latest = {r.incident_id: r.of for r in sorted(found, key=lambda r: r.of)}
    return [
        f"incident {new}, {its[new].title}, is {old} again, {its[old].title}."
        for new, old in latest.items()
        if new in its and old in its and _concerns(specs, team, its[new].services)
    ]


def send_due(conn: Connection, specs: Specs, site: Site, now: Seconds) -> int:
    """Send every digest that is due; one with nothing to tell is not sent. Returns how many."""
    count = 0
    for its in store_digest.due(conn, now):
        told = lessons(conn, specs, its.team, its.since, now)
        if not told.empty:
            rows = _rows(specs, site, its, told, now)
            outbox.enqueue(conn, rows, now)
            count += len(rows)
        store_digest.sent(conn, its, now, digest.next_monday(now))
    return count


def _rows(
    specs: Specs, site: Site, its: Subscription, told: Lessons, now: Seconds
) -> list[NewDelivery]:
    user = specs.duty.users.get(its.user)
    found = (
        [(c, a) for _, c, a in ways(user, "ticket", specs)]
        if user is not None
        else [(its.channel, its.address)]
        if its.channel in specs.duty.channels
        else []
    )
    if not found:
        return []
    (channel, address), *others = dict.fromkeys(found)
    return [
        NewDelivery(
            key=f"digest-{its.id}-{its.next_at}",
            kind=MessageKind.UPDATE,
            urgency="ticket",
            user=its.user,
            channel=channel,
            address=address,
            content=digest.content(told, site.base_url, its.team),
            due_at=now,
            priority=LATER,
            fallbacks=tuple(others),
        )
    ]


def _concerns(specs: Specs, team: str, services: Sequence[str]) -> bool:
    owners = (specs.services[s].owner for s in services if s in specs.services)
    return not team or team in owners


def _key(its: Subscription) -> tuple[str, str, str, str]:
    return its.user, its.channel, its.address, its.team
