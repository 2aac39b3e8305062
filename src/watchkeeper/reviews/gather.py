"""What a week was, read through the doors of the other rooms, all at one ledger revision."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Protocol

from sqlalchemy import Connection

from watchkeeper.causes import work as causes_work
from watchkeeper.causes.model import Account, Kind
from watchkeeper.changes import store as changes_store
from watchkeeper.changes.model import ChangeKind, Outcome
from watchkeeper.incidents import durations
from watchkeeper.incidents import store as incidents_store
from watchkeeper.incidents.impact import interval
from watchkeeper.incidents.model import Incident, IncidentState
from watchkeeper.kernel.clock import Minute, Seconds
from watchkeeper.oncall import store as oncall_store
from watchkeeper.oncall.load import load
from watchkeeper.oncall.model import Page
from watchkeeper.oncall.store import CallRow
from watchkeeper.policy import rules as policy_rules
from watchkeeper.policy import store as policy_store
from watchkeeper.policy.model import GateException, Verdict
from watchkeeper.postmortems import store as postmortems_store
from watchkeeper.postmortems import store_items
from watchkeeper.postmortems.model import ActionItem, ActionState, PostmortemState
from watchkeeper.reviews import rules
from watchkeeper.reviews.model import (
    EVERYONE,
    CauseWeek,
    ChangesWeek,
    Facts,
    GateWeek,
    IncidentWeek,
    ItemWeek,
    LeaveWeek,
    LoadWeek,
    PolicyWeek,
    PostmortemWeek,
    Section,
    SloWeek,
)
from watchkeeper.reviews.weeks import Week
from watchkeeper.reviews.wording import counted
from watchkeeper.slo import work as slo_work
from watchkeeper.slo.model import SloStatus, Stretch
from watchkeeper.spec.model import Specs
from watchkeeper.spec.response import DAY

MOST_EXPLAINED = 5
"""Objectives whose spend is put down to causes: the costliest."""
MOST_CAUSES = 4
LEAST_EXPLAINED = 0.01
"""Share of a budget from which on it is asked where it went."""
LONG = 90 * DAY
"""Incidents that began so long before the week and still go on are in it."""
MOST = 2_000


@dataclass(frozen=True, slots=True)
class Asked:
    """Whose week is asked for. ``services``: those of the team. ``upto``: as far as it has been."""

    specs: Specs
    team: str
    services: frozenset[str]
    week: Week
    upto: Seconds

    @property
    def all(self) -> bool:
        """Everything is asked for, also what nobody owns."""
        return self.team == EVERYONE and EVERYONE not in self.specs.teams

    def has(self, service: str) -> bool:
        """Whether a service is among those asked for."""
        return self.all or service in self.services

    def within(self, at: Seconds | None) -> bool:
        """Whether a moment was in the week."""
        return at is not None and self.week.start <= at < self.week.end

    def within_before(self, at: Seconds | None) -> bool:
        """Whether a moment was in the week before."""
        return at is not None and self.week.before.start <= at < self.week.start


class SectionOf(Protocol):
    """What plugs in: reads what its room knows of a week. None: it has nothing to say."""

    def __call__(self, conn: Connection, asked: Asked, /) -> Section | None:
        """Make the section."""
        ...


def asked_for(specs: Specs, team: str, week: Week, now: Seconds) -> Asked:
    """What is asked for by a team's name."""
    everything = team == EVERYONE and EVERYONE not in specs.teams
    its = (s.name for s in specs.services.values() if everything or s.owner == team)
    return Asked(specs, team, frozenset(its), week, max(week.start, min(now, week.end)))


def facts(conn: Connection, asked: Asked) -> Facts:
    """All facts of the week; ``conn`` is one read transaction."""
    names = [n for n, s in asked.specs.slos.items() if asked.has(s.service)]
    slos, statuses = _slos(conn, asked, names)
    happened = _incidents(conn, asked, {s.name for s in slos})
    inside = [i for i in happened if i.declared_at < asked.week.end and _went_on(i, asked)]
    items = _items(conn, asked)
    return Facts(
        week=asked.week,
        now=asked.upto,
        slos=slos,
        causes=_causes(conn, asked, slos),
        incidents=[_incident(conn, asked, i, names) for i in inside],
        incidents_before=sum(asked.within_before(i.declared_at) for i in happened),
        postmortems=_postmortems(conn, asked),
        items=[its for i in items if (its := _item(i, asked)) is not None],
        items_done_before=sum(asked.within_before(_done_at(i)) for i in items),
        items_opened_before=sum(asked.within_before(i.created_at) for i in items),
        load=_load(conn, asked),
        gate=_gate(conn, asked),
        policies=_policies(asked, statuses),
        leaves=_leaves(conn, asked),
        changes=_changes(conn, asked),
    )


# ---------------------------------------------------------------- objectives


def _slos(
    conn: Connection, asked: Asked, names: Sequence[str]
) -> tuple[list[SloWeek], Sequence[SloStatus]]:
    some = None if asked.all else names
    if not names:
        return [], ()
    week, before = asked.week, asked.week.before
    (start, end), (first, _) = week.minutes(asked.upto), before.minutes(week.start)
    now = slo_work.evaluate_fleet(conn, asked.specs, asked.upto, some)
    then = slo_work.evaluate_fleet(conn, asked.specs, week.start, some)
    totals = {s.name: s.budget.total for s in then.statuses}
    counted = slo_work.stretches(conn, asked.specs, (first, start, end), some)
    found = [_slo(s, totals.get(s.name, 0.0), counted[s.name]) for s in now.statuses]
    return found, now.statuses


def _slo(status: SloStatus, total_before: float, weeks: Sequence[Stretch]) -> SloWeek:
    before, its = weeks[0].events, weeks[1].events

    def share(bad: float, of: float) -> float | None:
        return bad / of if of > 0 else None

    return SloWeek(
        name=status.name, title=status.display_name, service=status.service,
        target=f"{status.target:%}".replace("%", " %"), window=status.window, look=status.look,
        bad=its.bad, total=its.total, spent=share(its.bad, status.budget.total),
        spent_before=share(before.bad, total_before),
        attained=share(its.good, its.total), attained_before=share(before.good, before.total),
        left=status.budget.remaining_ratio, unseen=weeks[1].unseen, minutes=weeks[1].minutes,
    )  # fmt: skip


def _causes(conn: Connection, asked: Asked, slos: Sequence[SloWeek]) -> list[CauseWeek]:
    """Where the budgets of the costliest objectives went in the week."""
    start, end = asked.week.minutes(asked.upto)
    costly = [s for s in slos if s.bad > 0 and (s.spent or 0.0) >= LEAST_EXPLAINED]
    found: list[CauseWeek] = []
    for slo in sorted(costly, key=lambda s: (-(s.spent or 0.0), s.name))[:MOST_EXPLAINED]:
        its = causes_work.account(conn, asked.specs, slo.name, asked.upto, end - start)
        if its.consumed > 0:
            found += _causes_of(slo, its)
    return found


def _causes_of(slo: SloWeek, its: Account) -> Iterator[CauseWeek]:
    """The costliest causes, and all others as one."""
    named = [e for e in its.entries if e.episode is not None]
    for entry in named[:MOST_CAUSES]:
        share = float(entry.bad / its.consumed)
        known = entry.kind is not Kind.UNKNOWN
        yield CauseWeek(slo.name, slo.title, str(entry.kind), entry.what, share, known)
    others = named[MOST_CAUSES:]
    rest = its.consumed - sum((e.bad for e in named[:MOST_CAUSES]), Fraction(0))
    if rest > 0:
        what = "Everything else" if named else "Nothing stood out: a few fail on any day"
        what += f", with {counted(len(others), 'smaller cause')}" if others else ""
        yield CauseWeek(slo.name, slo.title, rules.USUAL, what, float(rest / its.consumed), False)


# ---------------------------------------------------------------- incidents and what follows


def _incidents(conn: Connection, asked: Asked, slos: set[str]) -> list[Incident]:
    wanted = incidents_store.Wanted(
        since=asked.week.before.start - LONG, until=asked.week.end, drills=False
    )
    return [
        i
        for i in incidents_store.find(conn, wanted, limit=MOST)
        if i.merged_into is None
        and (asked.all or asked.services & set(i.services) or slos & set(i.slos))
    ]


def _went_on(its: Incident, asked: Asked) -> bool:
    over = its.resolved_at if its.state is IncidentState.RESOLVED else None
    return asked.within(its.declared_at) or over is None or over >= asked.week.start


def _incident(conn: Connection, asked: Asked, its: Incident, names: Sequence[str]) -> IncidentWeek:
    known = set(names)
    hurt = [s for s in its.slos if s in known] or [
        n for n in names if asked.specs.slos[n].service in its.services
    ]
    start, end = _clipped(interval(its, asked.upto), asked)
    bad: Mapping[str, float] = {}
    if hurt and start < end:
        counted = slo_work.stretches(conn, asked.specs, (start, end), hurt)
        bad = {name: weeks[0].events.bad for name, weeks in counted.items()}
    return IncidentWeek(
        its.id, its.title, its.severity, its.state is IncidentState.RESOLVED, its.declared_at,
        durations.durations(its).mitigate, bad,
    )  # fmt: skip


def _clipped(span: tuple[Minute, Minute], asked: Asked) -> tuple[Minute, Minute]:
    start, end = asked.week.minutes(asked.upto)
    return max(start, span[0]), min(end, span[1])


def _postmortems(conn: Connection, asked: Asked) -> list[PostmortemWeek]:
    writing = [str(PostmortemState.DRAFT), str(PostmortemState.IN_REVIEW)]
    known = [
        *postmortems_store.find(conn, states=writing, limit=MOST),
        *postmortems_store.published(conn, MOST),
    ]
    found = []
    for its in known:
        if not (asked.all or asked.services & set(its.services)):
            continue
        published = its.published_at is not None and its.published_at < asked.week.end
        if published and not asked.within(its.published_at):
            continue
        if not published and its.created_at >= asked.week.end:
            continue
        late = 0.0 if published else rules.late_by(its.due_at, asked.upto)
        found.append(PostmortemWeek(its.id, its.title, published, its.due_at, late))
    return sorted(found, key=lambda p: (-p.late, p.published, p.id))


def _items(conn: Connection, asked: Asked) -> list[ActionItem]:
    found = store_items.find(conn, limit=MOST)
    if asked.all:
        return found
    of = {i.incident_id for i in found if i.incident_id is not None and not i.team}
    its = incidents_store.by_ids(conn, sorted(of))
    ours = {n for n, i in its.items() if asked.services & set(i.services)}
    return [i for i in found if i.team == asked.team or (not i.team and i.incident_id in ours)]


def _done_at(item: ActionItem) -> Seconds | None:
    return item.done_at if item.state is ActionState.DONE else None


def _item(item: ActionItem, asked: Asked) -> ItemWeek | None:
    done_at = _done_at(item)
    live = item.state is not ActionState.DROPPED and (done_at is None or done_at >= asked.upto)
    late = rules.late_by(item.due_at, asked.upto) if live else 0.0
    opened, done = asked.within(item.created_at), asked.within(done_at)
    if not (opened or done or late):
        return None
    return ItemWeek(item.id, item.text, str(item.state), opened, done, late, item.due_at)


# ---------------------------------------------------------------- duty, gate, changes


def _load(conn: Connection, asked: Asked) -> list[LoadWeek]:
    schedules = asked.specs.duty.schedules

    def zone(via: str) -> str:
        known = schedules.get(via.removeprefix("schedule:"))
        return known.time_zone if known else "UTC"

    week = asked.week
    calls = oncall_store.calls_between(conn, week.before.start, week.end)
    ours: list[tuple[CallRow, Page]] = [(c, p) for c, p in calls if asked.has(p.service)]
    before = {x.rotation: x for x in load([x for x in ours if x[0].at < week.start], zone)}
    now = {x.rotation: x for x in load([x for x in ours if x[0].at >= week.start], zone)}
    found = []
    for name in sorted({*before, *now}):
        its, was = now.get(name), before.get(name)
        found.append(
            LoadWeek(
                name,
                its.pages if its else 0,
                its.out_of_hours if its else 0,
                its.shifts_over_limit if its else 0,
                was.pages if was else 0,
            )
        )
    return found


def _gate(conn: Connection, asked: Asked) -> list[GateWeek]:
    week = asked.week
    now = policy_store.counts(conn, week.start, week.end)
    before = policy_store.counts(conn, week.before.start, week.start)
    allow, halt = str(Verdict.ALLOW), str(Verdict.HALT)
    services = sorted({s for s, _ in (*now, *before) if asked.has(s)})
    return [
        GateWeek(s, now.get((s, allow), 0), now.get((s, halt), 0), before.get((s, halt), 0))
        for s in services
    ]


def _policies(asked: Asked, statuses: Sequence[SloStatus]) -> list[PolicyWeek]:
    """How budgets stood at the end of the week, by the policies of now."""
    by_slo = policy_rules.by_definition(statuses)
    found = []
    for policy in asked.specs.budgets.values():
        if any(asked.has(s) for s in policy.services):
            its = policy_rules.standing(policy, asked.specs, by_slo)
            found.append(PolicyWeek(policy.name, policy.display_name, str(its.state), its.left,
                                    policy.window or ""))  # fmt: skip
    return found


def _leaves(conn: Connection, asked: Asked) -> list[LeaveWeek]:
    week = asked.week
    return [
        LeaveWeek(e.id, e.service, str(e.ground), e.reason, *_leave_state(e, asked.upto))
        for e in policy_store.exceptions(conn, limit=MOST)
        if asked.has(e.service) and e.requested_at < week.end and e.expires_at > week.start
    ]


def _leave_state(its: GateException, now: Seconds) -> tuple[str, bool]:
    if its.revoked_at is not None:
        return ("Taken back" if its.approved_at is not None else "Declined"), False
    if its.expires_at <= now:
        return "Over", False
    return ("Given", False) if its.approved_at is not None else ("Waits for an answer", True)


def _changes(conn: Connection, asked: Asked) -> list[ChangesWeek]:
    week = asked.week
    if not asked.all and not asked.services:
        return []
    services = () if asked.all else tuple(sorted(asked.services))

    def count(kind: ChangeKind, its: Week, outcome: str = "") -> int:
        wanted = changes_store.Wanted(
            services, (str(kind),), outcome=outcome, start=its.start, end=its.end
        )
        return changes_store.count(conn, wanted)

    found = [
        ChangesWeek(
            str(kind), count(kind, week), count(kind, week, str(Outcome.FAILED)),
            count(kind, week.before),
        )
        for kind in ChangeKind
    ]  # fmt: skip
    return [c for c in found if c.number or c.before]
