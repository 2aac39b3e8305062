"""The shapes of the API, for its OpenAPI description and for checking what comes in."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

Time = float | str


class ErrorOut(BaseModel):
    """What went wrong and what to do about it."""

    error: str
    hint: str


class EventsOut(BaseModel):
    """Counts over the window."""

    good: float | int
    total: float | int
    bad: float | int
    seen_minutes: int


class BudgetOut(BaseModel):
    """The error budget, signed: overspent is negative."""

    total: float | int
    consumed: float | int
    remaining: float | int
    remaining_ratio: float | None
    minutes_total: float
    minutes_consumed: float
    minutes_remaining: float


class SloOut(BaseModel):
    """An SLO's status."""

    name: str
    display_name: str
    service: str
    journey: str | None
    team: str | None
    aspect: str | None
    target: float
    window: str
    window_start: str
    window_end: str
    attainment: float | None
    events: EventsOut
    budget: BudgetOut
    burn_rate: dict[str, float | None]
    time_to_exhaustion_seconds: float | None = Field(description="null: never; 0: spent")
    time_to_exhaustion_plain_seconds: float | None
    recovers_in_seconds: float | None
    state: Literal["ok", "at_risk", "depleted", "no_data"]
    burning: bool
    as_of: str
    labels: dict[str, str]
    warnings: list[str]
    defined_at: str | None


class CorrectionIn(BaseModel):
    """An interval to exclude. Times: RFC 3339 or epoch seconds."""

    model_config = ConfigDict(populate_by_name=True, extra="forbid")

    start: Time = Field(alias="from")
    end: Time = Field(alias="to")
    reason: str = Field(min_length=1, max_length=2000)
