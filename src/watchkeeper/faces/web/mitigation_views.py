"""What the pages of mitigations show: what to look at, what to try, what came of it. Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from watchkeeper.changes.culprits import Culprit
from watchkeeper.faces.mitigations import FirstAid, Offered
from watchkeeper.faces.web import words
from watchkeeper.faces.web.words import Badge
from watchkeeper.incidents.mitigation.model import MEANING, Help, Run, RunState
from watchkeeper.incidents.mitigation.rules import with_values
from watchkeeper.incidents.model import IncidentState
from watchkeeper.kernel import text
from watchkeeper.kernel.clock import Seconds
from watchkeeper.spec.response import MitigationDefinition, MitigationKind, ParameterDefinition

MOST_RUNS = 6
TAIL = 1200
"""Characters of output that are shown beside a run that is under way."""
STATES: Mapping[RunState, Badge] = {
    RunState.REQUESTED: Badge("watch", "Asked for"),
    RunState.RUNNING: Badge("watch", "Running"),
    RunState.SUCCEEDED: Badge("ok", "Succeeded"),
    RunState.FAILED: Badge("burn", "Failed"),
    RunState.TIMED_OUT: Badge("burn", "Timed out"),
    RunState.UNKNOWN: Badge("burn", "Outcome unknown"),
}
HELPED: Mapping[Help, Badge] = {
    Help.STOPPED: Badge("ok", "It helped"),
    Help.LESS: Badge("watch", "It helped a part"),
    Help.NONE: Badge("none", "No clear difference"),
    Help.WORSE: Badge("burn", "Worse since"),
    Help.UNTOLD: Badge("none", "Too few requests to tell"),
}
ACTIONS: Mapping[str, str] = {
    "revert": "Revert",
    "scale": "Scale",
    "fail-over": "Fail over",
    "flag": "Switch off",
    "restart": "Restart",
    "other": "Other",
}


@dataclass(frozen=True, slots=True)
class Choice:
    """A mitigation as it is offered. ``at_once``: it runs at one click."""

    name: str
    title: str
    action: str
    description: str
    at_once: bool
    seen: int


@dataclass(frozen=True, slots=True)
class RunView:
    """A run. ``tail``: the end of its output while it is under way."""

    id: int
    what: str
    by: str
    at: str
    state: Badge
    outcome: str
    helped: Badge | None
    burns: Sequence[tuple[str, str, str]]
    waits: str
    over: bool
    output: str
    tail: str


@dataclass(frozen=True, slots=True)
class AidView:
    """First aid for an incident: shown before anything else while users are hurt. ``culprits``:
    (sentence, address of the change or objective)."""

    culprits: Sequence[tuple[str, str]]
    choices: Sequence[Choice]
    runs: Sequence[RunView]
    more: int
    hurt: bool


@dataclass(frozen=True, slots=True)
class FormView:
    """One mitigation, about to be run. ``does``: (what, value) of its settings, no secrets."""

    name: str
    title: str
    action: str
    description: str
    kind: str
    does: Sequence[tuple[str, str]]
    parameters: Sequence[tuple[ParameterDefinition, str]]
    can_try: bool
    confirm: bool
    limit: str
    seen: int
    services: str


def aid(found: FirstAid, now: Seconds) -> AidView:
    """What to look at and what to try."""
    over = (IncidentState.RESOLVED, IncidentState.MITIGATED)
    return AidView(
        culprits=[(c.why, _where(c)) for c in found.culprits[:4]],
        choices=[choice(o) for o in found.offered],
        runs=[run(r, now) for r in found.runs[:MOST_RUNS]],
        more=max(0, len(found.runs) - MOST_RUNS),
        hurt=found.incident.state not in over,
    )


def _where(its: Culprit) -> str:
    """The page of the change, else of the objective that burns."""
    if its.change is not None:
        return f"/changes/{its.change.id}"
    return words.slo_url(its.slo) if its.slo else ""


def choice(offered: Offered) -> Choice:
    """One mitigation in the list."""
    m = offered.definition
    at_once = not m.confirm and not m.parameters
    return Choice(m.name, m.display_name, ACTIONS[m.action], m.description, at_once, offered.seen)


def run(r: Run, now: Seconds) -> RunView:
    """One run."""
    end = r.ended_at if r.ended_at is not None else now
    start = r.started_at if r.started_at is not None else r.requested_at
    took = text.duration(max(0.0, end - start))
    outcome = r.outcome or MEANING[r.state]
    waits = ""
    if r.check_at is not None and r.over:
        waits = f"Whether it helped is told at about {words.clock(r.check_at)} UTC."
    burns = [(str(b["slo"]), text.times(b["before"]), text.times(b["after"]))
             for b in r.data.get("burns", ())]  # fmt: skip
    return RunView(
        r.id, with_values(r.title, r.values, r.dry_run), r.by, words.clock(r.requested_at),
        STATES[r.state], f"{outcome.rstrip('.')}. {_took(r, took)}".strip(),
        HELPED[r.helped] if r.helped else None, burns, waits, r.over, r.output,
        "" if r.over else r.output[-TAIL:],
    )  # fmt: skip


def _took(r: Run, took: str) -> str:
    if r.state is RunState.UNKNOWN or (r.over and r.started_at is None):
        return ""
    return f"It took {took}." if r.over else f"{took} so far."


def form(offered: Offered, entered: Mapping[str, str], names: Mapping[str, str]) -> FormView:
    """One mitigation with its parameters. ``names``: of services as people know them."""
    m = offered.definition
    return FormView(
        m.name, m.display_name, ACTIONS[m.action], m.description, str(m.kind), does(m),
        [(p, entered.get(f"p.{p.name}", p.default)) for p in m.parameters], offered.can_try,
        m.confirm, text.duration(m.timeout), offered.seen,
        ", ".join(names.get(s, s) for s in m.services) or "any service",
    )  # fmt: skip


def does(m: MitigationDefinition) -> list[tuple[str, str]]:
    """What will be done, from its settings; parameters as ``{name}``, secrets left out."""
    s = m.settings
    match m.kind:
        case MitigationKind.COMMAND:
            return [("Command", _arguments(s["run"])),
                    *([("In", str(s["directory"]))] if s.get("directory") else [])]  # fmt: skip
        case MitigationKind.HTTP:
            said = [("Request", f"{s.get('method') or 'POST'} {s['url']}")]
            return [*said, *([("Body", _shown(s["body"]))] if s.get("body") is not None else [])]
        case MitigationKind.KUBERNETES:
            where = f"{s['workload']} in {s.get('namespace') or 'default'}"
            more = s.get("replicas") or s.get("revision")
            what = f"{s['do']} {more}" if more else str(s["do"])
            return [("Does", what), ("To", where), ("Cluster", str(s["url"]))]
        case MitigationKind.SYSTEMD:
            program = s.get("program") or ["systemctl"]
            parts = [program] if isinstance(program, str) else program
            return [("Command", _arguments([*parts, s["do"], s["unit"]]))]
        case _:
            return [("HAProxy", str(s["socket"])),
                    *((str(t["server"]), _step(t)) for t in s["steps"])]  # fmt: skip


def _step(step: Mapping[str, Any]) -> str:
    what = "state" if step.get("state") is not None else "weight"
    return f"{what} {step[what]}"


def _arguments(arguments: Sequence[object]) -> str:
    return " ".join(f'"{a}"' if " " in str(a) else str(a) for a in arguments)


def _shown(body: object) -> str:
    return body if isinstance(body, str) else json.dumps(body, ensure_ascii=False)
