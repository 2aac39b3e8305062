"""What an update sets going: it is noted for pages, and subscribers are to be told."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection

from watchkeeper.incidents import store as incidents
from watchkeeper.incidents.model import Incident
from watchkeeper.incidents.status import rules, store, work
from watchkeeper.incidents.status.model import Level
from watchkeeper.incidents.status.rules import World
from watchkeeper.kernel.clock import Seconds
from watchkeeper.kernel.errors import UserError
from watchkeeper.spec.model import Specs
from watchkeeper.spec.response import StatusPageDefinition


def known(specs: Specs, components: Sequence[str], impact: str) -> None:
    """Raises UserError when no page has one of the components, or the impact is none."""
    every = [c.name for p in specs.response.status_pages.values() for c in p.components]
    for name in components:
        if every and name not in every:
            some = ", ".join(dict.fromkeys(every))
            raise UserError(f"No status page has a component {name!r}.", f"Known: {some}.")
    if impact and impact not in list(Level):
        raise UserError(f"{impact!r} is no state of a component.", f"One of: {', '.join(Level)}.")


def tells(page: StatusPageDefinition) -> bool:
    """Whether anybody can subscribe to a page."""
    return bool(page.channel or page.webhooks)


def posted(conn: Connection, specs: Specs, incident: Incident, public: bool, now: Seconds) -> None:
    """Note the update that was just written as the last entry of its incident."""
    found = incidents.get(conn, incident.id)
    number = found.entries if found else incident.entries
    store.add_post(conn, incident.id, number, now, public)
    _notices(conn, specs, incident, number, now)


def ended(conn: Connection, specs: Specs, incident: Incident, now: Seconds) -> None:
    """The incident is over; pages on which nobody said so say it themselves."""
    _notices(conn, specs, incident, 0, now)


def _notices(conn: Connection, specs: Specs, incident: Incident, number: int, now: Seconds) -> None:
    pages = [p for p in specs.response.status_pages.values() if tells(p)]
    if not pages:
        return
    case = work.cases(conn, [incident.id])[0]
    for page in pages:
        told = rules.story(page, case, World(specs))
        posts = told.posts if told else ()
        # The end of what nobody was told of is no news.
        if any(p.number == number for p in posts) and (number or len(posts) > 1):
            store.add_notice(conn, page.name, incident.id, number, now)
