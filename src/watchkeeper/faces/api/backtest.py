"""`POST /backtest`: what alert policies would have done, for scripts and for "what if"."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, Literal

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field

from watchkeeper.alerting.backtest import work
from watchkeeper.alerting.backtest.history import incidents_of
from watchkeeper.alerting.backtest.model import Plan
from watchkeeper.faces.api import render
from watchkeeper.faces.api.models import Time
from watchkeeper.faces.services import Services
from watchkeeper.kernel.duration import Duration, parse_duration
from watchkeeper.kernel.errors import UserError
from watchkeeper.spec.duty import AlertRule, BurnRule, ConsumedRule, ExhaustionRule, Guards

MONTH = 30 * 86_400.0
STRICT = ConfigDict(populate_by_name=True, extra="forbid")
Urgency = Literal["page", "ticket", "info"]
Name = Annotated[str, Field(min_length=1, max_length=300)]
Length = Annotated[str, Field(max_length=20)]


class BurnIn(BaseModel):
    """A burn rate over two windows."""

    model_config = STRICT

    long: Length
    short: Length
    factor: float = Field(gt=0, le=1e9)
    urgency: Urgency


class ExhaustionIn(BaseModel):
    """Budget gone within a time."""

    model_config = STRICT

    within: Length
    urgency: Urgency
    roll_off: bool = Field(True, alias="rollOff")


class ConsumedIn(BaseModel):
    """A share of the budget is spent."""

    model_config = STRICT

    share: float = Field(gt=0, le=100)
    urgency: Urgency


class GuardsIn(BaseModel):
    """What keeps rules from firing on thin evidence."""

    model_config = STRICT

    min_events: float = Field(0, ge=0, alias="minEvents")
    min_bad: float = Field(0, ge=0, alias="minBad")
    significance: float | None = Field(None, gt=0, lt=1)
    hold: Length = "0s"


class TryIn(BaseModel):
    """A policy that is not written anywhere yet, in the words of an AlertPolicy."""

    model_config = STRICT

    name: Name = "what if"
    burn: list[BurnIn] = Field(default_factory=list, max_length=20)
    exhaustion: list[ExhaustionIn] = Field(default_factory=list, max_length=20)
    consumed: list[ConsumedIn] = Field(default_factory=list, max_length=20)
    guards: GuardsIn = Field(default_factory=lambda: GuardsIn.model_validate({}))


class IncidentIn(BaseModel):
    """A labelled incident. Times: RFC 3339 or epoch seconds."""

    model_config = STRICT

    start: Time
    end: Time
    name: str = Field("", max_length=300)


class BacktestIn(BaseModel):
    """What to test: an SLO, a time (default: the last 30 days), policies by name or written out."""

    model_config = STRICT

    slo: Name
    start: Time | None = Field(None, alias="from")
    end: Time | None = Field(None, alias="to")
    policies: list[Name] = Field(default_factory=list, max_length=50)
    policies_to_try: list[TryIn] = Field(default_factory=list, alias="try", max_length=20)
    incidents: list[IncidentIn] | None = Field(None, max_length=10_000)


def backtest_routes(router: APIRouter, services: Services) -> None:
    """Put the route on the router."""

    @router.post("/backtest", tags=["backtest"])
    def run_backtest(body: BacktestIn) -> dict[str, Any]:
        """What alert policies would have done over the measured history of an SLO."""
        end = services.clock.now() if body.end is None else render.seconds(body.end)
        start = end - MONTH if body.start is None else render.seconds(body.start)
        labelled = None
        if body.incidents is not None:
            labelled = incidents_of([i.model_dump() for i in body.incidents], "incidents")
        specs = services.specs()
        tried = [_plan(t) for t in body.policies_to_try]
        with services.db.read() as conn:
            subject = work.subject_of(conn, specs, body.slo)
            target = subject.definition.target
            named: Sequence[Plan] = ()
            if body.policies or not tried:
                named = work.plans_for(specs, body.slo, target, body.policies)
            report = work.backtest(conn, specs, body.slo, start, end, [*tried, *named], labelled)
        return work.report_json(report)


def _plan(tried: TryIn) -> Plan:
    rules: list[AlertRule] = [
        *(
            ExhaustionRule(_length(e.within).seconds, e.urgency, e.roll_off)
            for e in tried.exhaustion
        ),
        *(BurnRule(_length(b.long), _length(b.short), b.factor, b.urgency) for b in tried.burn),
        *(ConsumedRule(c.share, c.urgency) for c in tried.consumed),
    ]
    if not rules:
        raise UserError(f"{tried.name!r} never alerts.", "Give exhaustion, burn or consumed.")
    given = tried.guards
    hold = 0.0 if given.hold in ("0", "0s", "0m") else _length(given.hold).seconds
    return Plan(
        tried.name, tuple(rules), Guards(given.min_events, given.min_bad, given.significance, hold)
    )


LONGEST = 400 * 86_400.0


def _length(text: str) -> Duration:
    try:
        found = parse_duration(text)
    except ValueError as error:
        raise UserError(str(error)) from None
    if found.is_calendar or found.seconds > LONGEST:
        raise UserError(f"{text!r} is no length of up to 400 days.", "Write e.g. 5m, 1h, 3d.")
    return found
