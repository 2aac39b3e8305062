"""Take in reports of changes, and answer who asks what changed."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass, replace

from sqlalchemy import Connection

from watchkeeper.changes import culprits as suspects
from watchkeeper.changes import rules, store, telling
from watchkeeper.changes.culprits import Burning, Culprit, Scene
from watchkeeper.changes.marks import LISTED, NOTHING, STEPS, Marked, marked
from watchkeeper.changes.model import Change, Outcome, Report, Told
from watchkeeper.changes.store import Wanted
from watchkeeper.kernel.clock import Seconds
from watchkeeper.kernel.errors import NotFound, UserError
from watchkeeper.notify import outbox
from watchkeeper.slo import work as slo_work
from watchkeeper.slo.model import Fleet, SloStatus
from watchkeeper.spec.model import Specs
from watchkeeper.store import timeline

KEEP = 400 * 86400.0
"""Seconds for which changes are kept: a year and a month, so that a year can be looked back on."""
MOST = 1000
"""Changes in one answer."""
BURNS = 1.0
"""The burn rate over an hour from which an objective is held to fail."""


@dataclass(frozen=True, slots=True)
class Door:
    """By what a report came: an integration's name ('' is a person or a program with an account),
    and the service that it stands for when a report names none that we know."""

    name: str = ""
    service: str | None = None


@dataclass(frozen=True, slots=True)
class Kept:
    """What became of a report: the change that it is of, and whether it is new."""

    change: Change
    created: bool


OURS = Door()


def door_of(name: str, specs: Specs) -> Door:
    """The door of an integration."""
    found = specs.duty.integrations.get(name)
    return Door(name, found.service if found else None)


def record(conn: Connection, told: Told, door: Door, by: str, specs: Specs, now: Seconds) -> Kept:
    """Take in a report of a change: a new change, or more about one that is known.

    ``by``: who or what reports it. Reports that come again change nothing. Raises UserError.
    """
    told = rules.checked(told, now)
    told = replace(told, services=rules.known_as(told.services, specs, door.service))
    who = f"{told.reporter} by {by}" if told.reporter and told.reporter != by else by
    report = Report(rules.digest(told), told, who[:200], now)
    key = rules.key_of(told, door.name, secrets.token_hex(16))
    made = rules.folded(key, [report])
    change_id, created = store.claim(conn, made)
    fresh = store.add_report(conn, change_id, report)
    if not created:
        held = must(conn, change_id)
        return Kept(_more(conn, held, report, specs, now) if fresh else held, False)
    made = replace(made, id=change_id)
    store.save(conn, made)
    _tell(conn, None, made, report.by, specs, now)
    return Kept(made, True)


def end(
    conn: Connection, change_id: int, outcome: Outcome, by: str, specs: Specs, now: Seconds
) -> Change:
    """A change has ended now, this way. Raises NotFound, UserError."""
    if outcome is Outcome.IN_PROGRESS:
        raise UserError("A change does not end in progress.", "succeeded, failed or rolled_back.")
    held = must(conn, change_id)
    told = Told(ended_at=max(now, held.started_at), outcome=outcome, at=now, reporter=by)
    report = Report(rules.digest(told), told, by, now)
    return (
        _more(conn, held, report, specs, now) if store.add_report(conn, change_id, report) else held
    )


def _more(conn: Connection, held: Change, report: Report, specs: Specs, now: Seconds) -> Change:
    """Another report of a change that is known."""
    kept = store.drop_reports(conn, held.id, store.reports(conn, held.id))
    made = replace(rules.folded(held.key, kept), id=held.id)
    store.save(conn, made)
    _tell(conn, held, made, report.by, specs, now)
    return made


def must(conn: Connection, change_id: int) -> Change:
    """One change. Raises NotFound."""
    found = store.get(conn, change_id)
    if found is None:
        raise NotFound(f"There is no change {change_id}.", "`wk change list` shows them.")
    return found


def tidy(conn: Connection, now: Seconds, limit: int = 500) -> int:
    """Forget changes that are older than we keep; how many."""
    return store.forget(conn, now - KEEP, limit)


# ---------------------------------------------------------------- asking


def changes_between(
    conn: Connection, services: Sequence[str], start: Seconds, end: Seconds, limit: int = 200
) -> list[Change]:
    """Changes of these services that were under way in [start, end), the latest start first."""
    return store.overlapping(conn, services, start, end, min(limit, MOST)) if services else []


def latest(
    conn: Connection, services: Sequence[str], before: Seconds, limit: int = 5
) -> list[Change]:
    """The last changes of these services that began before this, the latest first."""
    return store.find(conn, Wanted(services=services, end=before), limit=limit) if services else []


def marks(
    conn: Connection, specs: Specs, services: Sequence[str], start: Seconds, end: Seconds
) -> Marked:
    """The changes of [start, end) as charts of these services mark them; a bounded number."""
    if not services or end <= start:
        return NOTHING
    step = (end - start) / STEPS
    counts = store.count_by_step(conn, services, start, end, step)
    listed = store.overlapping(conn, services, start, end, LISTED) if counts else []
    return marked(counts, listed, start, end, names_of(specs))


def concerning(specs: Specs, service: str) -> list[str]:
    """A service and all that it depends on: whose changes may show in its figures."""
    depends_on = {name: s.depends_on for name, s in specs.services.items()}
    return list(suspects.reach([service], depends_on))


def names_of(specs: Specs) -> dict[str, str]:
    """What is shown for each service."""
    return {n: s.display_name for n, s in specs.services.items() if s.display_name}


def culprits(
    conn: Connection,
    specs: Specs,
    fleet: Fleet,
    services: Sequence[str],
    onset: Seconds,
    limit: int = 5,
    end: Seconds | None = None,
) -> list[Culprit]:
    """What to look at first when these services fail since ``onset``; the likeliest first.

    ``end``: when the trouble was over. What burned then is told, whatever burns now.
    """
    near = list(suspects.reach(services, {n: s.depends_on for n, s in specs.services.items()}))
    if end is not None:
        names = [n for n, s in specs.slos.items() if s.service in near]
        fleet = slo_work.evaluate_fleet(conn, specs, end, names)
    scene = replace(scene_of(specs, fleet, services, onset), over=end is not None)
    start, last = onset - suspects.LOOK_BACK, onset + suspects.SLACK
    wanted = Wanted(services=near, start=start, end=last)
    found = store.find(conn, wanted, limit=MOST) if near else []
    return suspects.rank(scene, found, limit)


def scene_of(specs: Specs, fleet: Fleet, services: Sequence[str], onset: Seconds) -> Scene:
    """What the definitions and the fleet's state say of these services."""
    return Scene(
        services=tuple(services),
        depends_on={name: s.depends_on for name, s in specs.services.items()},
        burning=[b for s in fleet.statuses if (b := _burning(s)) is not None],
        measured=frozenset(s.service for s in fleet.statuses if s.events.total > 0),
        onset=onset,
        names=names_of(specs),
    )


def _burning(status: SloStatus) -> Burning | None:
    rate = status.burn_rate.get("1h")
    if rate is None or rate <= BURNS:
        return None
    what = status.aspect or f"objective “{status.display_name or status.name}”"
    return Burning(status.name, status.service, what, rate)


def _tell(
    conn: Connection, old: Change | None, new: Change, by: str, specs: Specs, now: Seconds
) -> None:
    kind = "change.recorded"
    if old is not None:
        kind = "change.updated" if old.outcome is new.outcome else f"change.{new.outcome}"
    data = {"summary": new.summary, "kind": str(new.kind), "services": list(new.services),
            "outcome": str(new.outcome), "started_at": new.started_at}  # fmt: skip
    timeline.append(conn, now, kind, f"change/{new.id}", by, data)
    if old is None or old.outcome is not new.outcome:
        outbox.enqueue(conn, list(telling.deliveries(new, specs, now)), now)
