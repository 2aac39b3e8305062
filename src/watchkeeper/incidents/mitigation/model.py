"""Runs of mitigations. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from watchkeeper.kernel.clock import Seconds


class RunState(StrEnum):
    """Where a run stands. The first two are under way, all others are ends."""

    REQUESTED = "requested"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    TIMED_OUT = "timed out"
    UNKNOWN = "unknown"


UNDER_WAY = (RunState.REQUESTED, RunState.RUNNING)
MEANING: Mapping[RunState, str] = {
    RunState.REQUESTED: "Asked for; no server has taken it yet.",
    RunState.RUNNING: "A server carries it out.",
    RunState.SUCCEEDED: "It was carried out.",
    RunState.FAILED: "It was not carried out, or not to its end.",
    RunState.TIMED_OUT: "It took too long and was ended; a part of it may be done.",
    RunState.UNKNOWN: "Nobody knows whether it was carried out. Look before you run it again.",
}


class Help(StrEnum):
    """What the ledger says of a run some minutes later."""

    STOPPED = "stopped"  # the budget no longer burns faster than it may
    LESS = "less"
    NONE = "none"
    WORSE = "worse"
    UNTOLD = "untold"  # too few requests to tell


@dataclass(frozen=True, slots=True)
class Burn:
    """Burn rate of one SLO before and after a run; None: too few requests to tell."""

    slo: str
    before: float | None
    after: float | None


@dataclass(frozen=True, slots=True)
class Run:
    """One run as kept.

    ``mitigation``: its name; ``title``: as it was called then. ``values``: by parameter.
    ``owner``/``fence``/``lease_until``: which server carries it out, and until when it must have
    said so again. ``output``: what it printed, bounded. ``outcome``: one sentence. ``check_at``:
    when the ledger is asked whether it helped; None: not, or no more. ``helped``: the answer.
    """

    id: int
    incident_id: int
    mitigation: str
    title: str
    kind: str
    action: str
    dry_run: bool
    values: Mapping[str, str]
    state: RunState
    by: str
    source: str
    requested_at: Seconds
    timeout: float
    started_at: Seconds | None = None
    ended_at: Seconds | None = None
    owner: str = ""
    fence: int = 0
    lease_until: Seconds | None = None
    output: str = ""
    outcome: str = ""
    check_at: Seconds | None = None
    helped: Help | None = None
    data: Mapping[str, Any] = field(default_factory=dict)

    @property
    def over(self) -> bool:
        """True when it is not under way any more."""
        return self.state not in UNDER_WAY


@dataclass(frozen=True, slots=True)
class Outcome:
    """How it ended: SUCCEEDED, FAILED, TIMED_OUT or UNKNOWN, and one sentence about it."""

    state: RunState
    text: str


@dataclass(frozen=True, slots=True)
class Task:
    """What an executor carries out.

    ``settings`` have their parameters filled in; secrets in them are still references.
    ``variables``: what commands are told of the incident. ``timeout``: seconds.
    """

    settings: Mapping[str, Any]
    dry_run: bool
    timeout: float
    variables: Mapping[str, str] = field(default_factory=dict)
