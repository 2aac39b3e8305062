"""Mitigations of an incident: ask for a run, take it, end it, see whether it helped.

Each function is one use case within one transaction; what is decided here is carried out by
`running`, outside of any.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace

from sqlalchemy import Connection
from sqlalchemy.exc import IntegrityError

from watchkeeper.changes import work as changes_work
from watchkeeper.changes.model import MITIGATION, ChangeKind, Intent, Told
from watchkeeper.changes.model import Outcome as ChangeOutcome
from watchkeeper.incidents import rules as incident_rules
from watchkeeper.incidents import store as incidents
from watchkeeper.incidents.assessing import affected
from watchkeeper.incidents.keeping import ENGINE, By, log, must, write
from watchkeeper.incidents.mitigation import rules, store
from watchkeeper.incidents.mitigation.model import Burn, Help, Outcome, Run, RunState
from watchkeeper.incidents.model import EntryKind, Incident
from watchkeeper.kernel import text
from watchkeeper.kernel.clock import Seconds
from watchkeeper.kernel.errors import NotFound, UserError
from watchkeeper.slo import work as slo_work
from watchkeeper.slo.subjects import base_name
from watchkeeper.spec.model import Specs
from watchkeeper.spec.response import MitigationDefinition

CHANGES = {"revert": ChangeKind.DEPLOYMENT, "flag": ChangeKind.FLAG,
           "scale": ChangeKind.INFRASTRUCTURE, "fail-over": ChangeKind.INFRASTRUCTURE}  # fmt: skip
"""What kind of change a mitigation of these actions makes; others change nothing that lasts."""
AGAIN = 60.0
"""Seconds between two looks into a ledger that knows too little."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A run, and whether it is new: another's that is under way is not."""

    run: Run
    new: bool


def definition(specs: Specs, name: str) -> MitigationDefinition:
    """A mitigation that is defined. Raises NotFound."""
    found = specs.response.mitigations.get(name)
    if found is None:
        known = ", ".join(list(specs.response.mitigations)[:20]) or "none is defined"
        raise NotFound(f"There is no mitigation {name[:60]!r}.", f"Known: {known}.")
    return found


def request(
    conn: Connection,
    specs: Specs,
    incident_id: int,
    name: str,
    values: Mapping[str, str],
    by: By,
    now: Seconds,
    *,
    dry_run: bool = False,
    confirmed: bool = False,
    seen: int | None = None,
) -> Asked:
    """Ask for a run. One that is under way already is given instead of a second.

    ``confirmed``: the person has confirmed; needed unless the definition says otherwise.
    ``seen``: the last run of this mitigation that the person has seen, 0 for none; a later one is
    a reason to look first. None: they do not say. Raises NotFound, UserError.
    """
    incident = incident_rules.open_for_change(must(conn, incident_id))
    wanted = definition(specs, name)
    checked = rules.checked_values(wanted, values)
    rules.settings_of(wanted, dry_run)
    if wanted.confirm and not dry_run and not confirmed:
        raise UserError(
            f"{wanted.display_name} changes production and was not confirmed.",
            "Confirm it: on the page, with --yes, or with confirm: true.",
        )
    held = store.under_way(conn, name, dry_run)
    if held is not None:
        return Asked(_same(held, incident, checked), False)
    if not dry_run:
        _not_overtaken(conn, wanted, seen)
    made = Run(
        id=0, incident_id=incident.id, mitigation=name, title=wanted.display_name,
        kind=str(wanted.kind), action=wanted.action, dry_run=dry_run, values=checked,
        state=RunState.REQUESTED, by=by.actor, source=by.source, requested_at=now,
        timeout=wanted.timeout, data={"slo": wanted.slo or ""},
    )  # fmt: skip
    try:
        with conn.begin_nested():
            made = store.add(conn, made)
    except IntegrityError:  # another replica was quicker, by less than a transaction
        first = store.under_way(conn, name, dry_run)
        if first is None:
            raise
        return Asked(_same(first, incident, checked), False)
    said = rules.with_values(made.title, checked, dry_run)
    _tell(conn, incident, made, by, f"Asked for: {said}", now, "mitigation.requested")
    return Asked(made, True)


def _same(held: Run, incident: Incident, values: Mapping[str, str]) -> Run:
    """The run that is under way, when it is what was asked for. Raises UserError."""
    if held.incident_id == incident.id and dict(held.values) == dict(values):
        return held
    said = rules.with_values(held.title, held.values, held.dry_run)
    raise UserError(
        f"{said} is under way, asked for by {held.by} in incident {held.incident_id}.",
        "Wait for its end.",
    )


def _not_overtaken(conn: Connection, wanted: MitigationDefinition, seen: int | None) -> None:
    last = store.newest(conn, [wanted.name]).get(wanted.name, 0)
    if seen is not None and last > seen:
        run = store.get(conn, last)
        by = run.by if run else "somebody"
        raise UserError(
            f"{by} has run {wanted.display_name} since you looked (run {last}).",
            "See what became of it, then decide again.",
        )


# ---------------------------------------------------------------- carried out by servers


def take(conn: Connection, owner: str, now: Seconds, limit: int) -> list[Run]:
    """Take runs that wait, for this server to carry out; end those that nobody can."""
    taken = []
    for run in store.to_run(conn, limit):
        outcome = rules.expired(run, now)
        if outcome is not None:
            _end(conn, run, outcome, now)
            continue
        mine = replace(
            run, state=RunState.RUNNING, owner=owner, fence=run.fence + 1, started_at=now,
            lease_until=now + rules.LEASE,
        )  # fmt: skip
        store.save(conn, mine)
        taken.append(mine)
    return taken


def give_up(conn: Connection, now: Seconds) -> list[Run]:
    """End the runs of servers that went away: what they did is not known."""
    found = []
    for run in store.left_alone(conn, now):
        outcome = rules.expired(run, now)
        if outcome is not None:
            found.append(_end(conn, run, outcome, now))
    return found


def finish(
    conn: Connection, run: Run, outcome: Outcome, output: str, now: Seconds, specs: Specs
) -> bool:
    """Record how a run ended, by the server that carried it out; what it changed is a change.

    One that was held to be gone and was not records it too: that is the truth, and nobody else
    has run it. False when it is not that server's run.
    """
    held = store.get(conn, run.id, lock=True)
    if held is None or (held.owner, held.fence) != (run.owner, run.fence):
        return False
    if held.state not in (RunState.RUNNING, RunState.UNKNOWN):
        return False
    after = _end(conn, replace(held, output=output, ended_at=now), outcome, now)
    _record_change(conn, after, specs, now)
    return True


def _record_change(conn: Connection, run: Run, specs: Specs, now: Seconds) -> None:
    """What a run changed is in the record of changes: charts mark it, causes weigh it."""
    kind = CHANGES.get(run.action)
    incident = incidents.get(conn, run.incident_id)
    if kind is None or incident is None or run.dry_run or run.state is not RunState.SUCCEEDED:
        return
    defined = specs.response.mitigations.get(run.mitigation)
    own = defined.services if defined else ()
    started = run.started_at if run.started_at is not None else run.requested_at
    told = Told(
        summary=f"{rules.with_values(run.title, run.values, False)} in incident {incident.id}",
        kind=kind, intent=Intent.RELIABILITY,
        services=tuple(s for s in incident.services if s in own) or own or incident.services,
        started_at=started, ended_at=max(now, started), outcome=ChangeOutcome.SUCCEEDED,
        source=MITIGATION, key=f"mitigation-{run.id}", reporter=run.by, at=now,
        labels={"incident": str(incident.id), "mitigation": run.mitigation, "run": str(run.id)},
    )  # fmt: skip
    changes_work.record(conn, told, changes_work.OURS, run.by, specs, now)


def _end(conn: Connection, run: Run, outcome: Outcome, now: Seconds) -> Run:
    after = rules.ended(run, outcome, now)
    store.save(conn, after)
    incident = incidents.get(conn, run.incident_id)
    if incident is None:
        return after
    said = rules.with_values(run.title, run.values, run.dry_run)
    took = ""
    if run.started_at is not None and outcome.state is not RunState.UNKNOWN:
        took = f" in {text.duration(max(0.0, (after.ended_at or now) - run.started_at))}"
    ending = "outcome unknown" if outcome.state is RunState.UNKNOWN else str(outcome.state)
    told = f"{said}: {ending}{took}. {outcome.text}".rstrip(". ") + "."
    _tell(conn, incident, after, By(run.by, run.source), told, now, "mitigation.ended")
    return after


# ---------------------------------------------------------------- whether it helped


def check(conn: Connection, specs: Specs, now: Seconds) -> list[Run]:
    """Ask the ledger of the runs that are due for it, and write the answer into the timelines."""
    told = []
    for run in store.to_check(conn, now):
        incident = incidents.get(conn, run.incident_id)
        burns = [] if incident is None else measured(conn, specs, incident, run)
        helped = rules.judged(burns)
        waits = (run.ended_at or run.requested_at) + rules.PATIENCE
        if incident is not None and helped is Help.UNTOLD and now < waits:
            store.save(conn, replace(run, check_at=now + AGAIN))
            continue
        data = {**run.data, "burns": [asdict(b) for b in burns]}
        after = replace(run, check_at=None, helped=helped, data=data)
        store.save(conn, after)
        if incident is not None:
            said = f"{rules.with_values(run.title, run.values, False)}: "
            said += rules.verdict(helped, burns) + "."
            _tell(conn, incident, after, ENGINE, said, now, "mitigation.checked")
        told.append(after)
    return told


def measured(conn: Connection, specs: Specs, incident: Incident, run: Run) -> list[Burn]:
    """How fast the budgets burned before and after a run."""
    named = str(run.data.get("slo", ""))
    names = [named] if named in specs.slos else affected(incident, specs)
    before, after = rules.windows(run)
    first = slo_work.minutes_of(conn, specs, names, *before)
    second = slo_work.minutes_of(conn, specs, names, *after)
    burns = []
    for name in first:
        target = float(specs.slos[base_name(name)].target)
        rates = [
            rules.burn(float((c[:, 1] - c[:, 0]).sum()), float(c[:, 1].sum()), target)
            for c in (first[name], second[name])
        ]
        burns.append(Burn(name, *rates))
    return burns


# ---------------------------------------------------------------- helpers


def runs(conn: Connection, incident_id: int) -> Sequence[Run]:
    """The runs of an incident, the newest first. Raises NotFound."""
    if incidents.get(conn, incident_id) is None:
        raise NotFound(f"There is no incident {incident_id}.", "/incidents lists them.")
    return store.of_incident(conn, incident_id)


def run_of(conn: Connection, incident_id: int, run_id: int) -> Run:
    """One run of an incident. Raises NotFound."""
    found = store.get(conn, run_id)
    if found is None or found.incident_id != incident_id:
        raise NotFound(f"Incident {incident_id} has no run {run_id}.", "See its mitigations.")
    return found


def _tell(
    conn: Connection, incident: Incident, run: Run, by: By, said: str, now: Seconds, kind: str
) -> None:
    data = {"run": run.id, "mitigation": run.mitigation, "state": str(run.state),
            "values": dict(run.values), "dry_run": run.dry_run}  # fmt: skip
    if run.helped is not None:
        data |= {"helped": str(run.helped), "burns": run.data.get("burns", [])}
    write(conn, incident, EntryKind.MITIGATION, by, said, now, data=data)
    log(conn, incident, kind, by, now, {**data, "text": said[:500]})
