"""Burn rates beside the thresholds that alert on them. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from watchkeeper.faces.web import words
from watchkeeper.faces.web.words import Badge
from watchkeeper.kernel import text
from watchkeeper.kernel.duration import Duration, parse_duration
from watchkeeper.slo.model import BURN_WINDOWS, Look, SloStatus
from watchkeeper.spec.model import BurnCondition, SloDefinition, Specs

THRESHOLD_AT = 70.0
"""Percent of a bullet bar's length at which the threshold stands."""
SHOWN = {name for name, _ in BURN_WINDOWS}


def _condition(long: str, short: str, threshold: str, severity: str) -> BurnCondition:
    return BurnCondition(parse_duration(long), parse_duration(short), Decimal(threshold), severity)


DEFAULT_CONDITIONS = (
    _condition("1h", "5m", "14.4", "page"),
    _condition("6h", "30m", "6", "page"),
    _condition("1d", "2h", "3", "ticket"),
    _condition("3d", "6h", "1", "ticket"),
)
"""Those of "The Site Reliability Workbook", chapter 5, for an SLO that names no policy."""
_NAMES = ("Fast burn", "Sustained burn", "Slow burn", "Drift")


@dataclass(frozen=True, slots=True)
class Bullet:
    """A burn rate as a bar with the threshold's tick at THRESHOLD_AT percent."""

    key: str
    width: float
    rate: str
    window: str
    label: str


@dataclass(frozen=True, slots=True)
class AlertRow:
    """A condition: both windows must reach the threshold."""

    name: str
    does: str
    long: Bullet
    short: Bullet
    threshold: str
    badge: Badge


@dataclass(frozen=True, slots=True)
class BurnWindow:
    """A burn rate over one window, with its key for colour."""

    window: str
    rate: str
    key: str


def burn_windows(status: SloStatus) -> list[BurnWindow]:
    """The burn rate over every window, the shortest first."""
    return [
        BurnWindow(name, text.times(rate), _key(rate, 1.0))
        for name, rate in status.burn_rate.items()
    ]


def alert_rows(status: SloStatus, defined: SloDefinition | None, specs: Specs) -> list[AlertRow]:
    """The conditions of the SLO's policies, or the usual ones, against its burn rates."""
    found = [
        condition
        for name in (defined.alert_policies if defined else ())
        if name in specs.alert_policies
        for condition in specs.alert_policies[name].conditions
    ]
    shown = [c for c in found if _minutes(c.long) in SHOWN and _minutes(c.short) in SHOWN]
    conditions: Sequence[BurnCondition] = shown or DEFAULT_CONDITIONS
    return [_row(status, c, _name(c, i)) for i, c in enumerate(conditions)]


def _row(status: SloStatus, condition: BurnCondition, name: str) -> AlertRow:
    threshold = float(condition.threshold)
    long = status.burn_rate.get(_minutes(condition.long))
    short = status.burn_rate.get(_minutes(condition.short))
    return AlertRow(
        name,
        "pages someone" if condition.severity == "page" else "opens a ticket",
        _bullet(long, threshold, condition.long),
        _bullet(short, threshold, condition.short),
        text.times(threshold),
        _verdict(long, short, threshold, condition.severity),
    )


def _verdict(long: float | None, short: float | None, threshold: float, severity: str) -> Badge:
    if long is None or short is None:
        return words.badge(Look.NONE)
    if long >= threshold and short >= threshold:
        return Badge("burn", "Pages now") if severity == "page" else Badge("watch", "Ticket now")
    # One of the two is past the line: it has just begun, or is just over.
    return Badge("watch", "Close") if max(long, short) >= threshold else Badge("ok", "Quiet")


def _bullet(rate: float | None, threshold: float, window: Duration) -> Bullet:
    width = 0.0 if rate is None else min(100.0, max(0.0, rate / threshold * THRESHOLD_AT))
    label = f"burn rate {text.times(rate)} over {window}, threshold {text.times(threshold)}"
    return Bullet(_key(rate, threshold), round(width, 2), text.times(rate), str(window), label)


def _key(rate: float | None, threshold: float) -> str:
    if rate is None:
        return "none"
    return "burn" if rate >= threshold else "watch" if rate >= 0.6 * threshold else "ok"


def _name(condition: BurnCondition, place: int) -> str:
    for usual, name in zip(DEFAULT_CONDITIONS, _NAMES, strict=True):
        if _minutes(usual.long) == _minutes(condition.long):
            return name
    return f"Condition {place + 1}"


def _minutes(duration: Duration) -> str:
    """The window's name as burn rates have it: 24h is 1d."""
    minutes = duration.minutes
    return next((name for name, size in BURN_WINDOWS if size == minutes), duration.text)
