"""Subscribers are told in batches: each transaction puts some messages into the outbox and notes
how far it got, so that ten thousand subscribers hold nobody up and a crash loses and repeats none.
"""

from __future__ import annotations

from sqlalchemy import Connection

from watchkeeper.incidents.status import messages, planning, rules, store, work
from watchkeeper.incidents.status.messages import Envelope
from watchkeeper.incidents.status.model import Story
from watchkeeper.incidents.status.rules import World
from watchkeeper.incidents.status.store import Notice
from watchkeeper.kernel.clock import Seconds
from watchkeeper.notify import bulk, outbox
from watchkeeper.oncall.model import Site
from watchkeeper.spec.model import Specs
from watchkeeper.spec.response import StatusPageDefinition

MOST_NOTICES = 50
"""Notices that concern nobody which one transaction puts away."""
BATCH = 200
"""Messages that one transaction writes. The next batch comes when half of them have gone."""


def anything_to_tell(conn: Connection) -> bool:
    """True when a batch can be written now."""
    return store.anything_to_tell(conn) and _room(conn)


def _room(conn: Connection) -> bool:
    return bulk.waiting(conn) <= BATCH // 2


def tell(conn: Connection, specs: Specs, site: Site, now: Seconds, batch: int = BATCH) -> int:
    """Write the next batch, of the oldest notice for which there is one. How many messages."""
    if not _room(conn):
        return 0
    for _ in range(MOST_NOTICES):
        notice = store.next_notice(conn)
        if notice is None:
            break
        done = _batch(conn, specs, site, notice, now, batch)
        if done:
            return done
    return 0


def _story(
    conn: Connection, specs: Specs, page: StatusPageDefinition, notice: Notice
) -> Story | None:
    if notice.planned:
        return planning.story_of(page, specs, notice.planned, notice.number, notice.at)
    found = work.cases(conn, [notice.incident_id])
    return rules.story(page, found[0], World(specs)) if found else None


def _batch(
    conn: Connection, specs: Specs, site: Site, notice: Notice, now: Seconds, batch: int
) -> int:
    page = specs.response.status_pages.get(notice.page)
    story = _story(conn, specs, page, notice) if page else None
    # An update that was corrected meanwhile is told as it is now; one that is gone is not told.
    posts = [p for p in story.posts if p.number == notice.number] if story else []
    if page is None or story is None or not posts:
        store.reached(conn, notice, None)
        return 0
    people = store.subscribers(conn, page.name, active=True, after=notice.reached, limit=batch)
    envelope = Envelope(page, work.address(page, site), site.secret)
    about = set(posts[0].levels) | set(story.components)
    rows = []
    for to in people:
        if to.components and about and not about & set(to.components):
            continue
        if to.kind == "email" and page.channel:
            rows.append(messages.update_mail(envelope, story, posts[0], to, now))
        elif to.kind == "webhook" and page.webhooks:
            rows.append(messages.update_hook(envelope, story, posts[0], to, now))
    outbox.enqueue(conn, rows, now)
    store.reached(conn, notice, people[-1].id if len(people) == batch else None)
    return len(rows)
