"""The words and shapes that all pages share. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from urllib.parse import quote, urlencode

from watchkeeper.kernel import text
from watchkeeper.kernel.clock import Minute, Seconds
from watchkeeper.slo.model import Look, SloStatus
from watchkeeper.spec.model import CalendarWindow, RollingWindow, Specs, Window

LOOKS: Mapping[Look, str] = {
    Look.BURN: "Burning",
    Look.SPENT: "Spent",
    Look.WATCH: "Watch",
    Look.OK: "Healthy",
    Look.NONE: "No data",
}
"""Words by look, the most urgent first."""
URGENCY: Mapping[Look, int] = {look: i for i, look in enumerate(LOOKS)}


@dataclass(frozen=True, slots=True)
class Badge:
    """A state as shape (``key`` names the symbol), word and colour."""

    key: str
    word: str


def badge(look: Look) -> Badge:
    """The badge of a look."""
    return Badge(str(look), LOOKS[look])


@dataclass(frozen=True, slots=True)
class Bar:
    """A budget bar: ``width`` and ``even`` in percent of its length; ``even`` None: no tick."""

    key: str
    width: float
    even: float | None
    label: str


def bar(status: SloStatus) -> Bar:
    """What is left, with a tick where an even spend would stand."""
    left = status.budget.remaining_ratio
    even = status.even_spend_left
    label = text.left(left) if left is None or left <= 0 else f"{text.left(left)} of the budget"
    if even is not None:
        label += f"; an even spend would leave {text.whole_percent(even)}"
    return Bar(
        str(status.look),
        0.0 if left is None else round(100 * min(1.0, max(0.0, left)), 2),
        None if even is None else round(100 * min(1.0, max(0.0, even)), 2),
        label,
    )


def plural(amount: int, one: str, many: str = "") -> str:
    """``1 objective``, ``3 objectives``, ``2 400 objectives``."""
    return f"{text.number(amount, 0)} {one if amount == 1 else many or one + 's'}"


def window_words(window: Window) -> str:
    """``28 days, rolling`` or ``each month, Europe/Berlin``."""
    if isinstance(window, RollingWindow):
        return f"{text.length(window.duration)}, rolling"
    assert isinstance(window, CalendarWindow)
    return f"each {text.lately(window.duration)}, {window.time_zone}"


def day_clock(at: Seconds) -> str:
    """``9 Nov 14:10``, in UTC."""
    then = datetime.fromtimestamp(at, UTC)
    return f"{then.day} {then:%b %H:%M}"


def clock(at: Seconds) -> str:
    """``14:02:40``, in UTC."""
    return f"{datetime.fromtimestamp(at, UTC):%H:%M:%S}"


def minute_clock(minute: Minute) -> str:
    """``9 Nov 14:10`` of a minute."""
    return day_clock(minute * 60)


def ago(at: Seconds | None, now: Seconds) -> str:
    """``12 s ago``, ``just now``, ``never``."""
    if at is None:
        return "never"
    return "just now" if now - at < 2 else f"{text.duration(now - at)} ago"


def fate(status: SloStatus, now: Seconds) -> str:
    """What becomes of the budget: ``gone by 22:23``, ``back in 3 d``, ``lasts``."""
    if status.look is Look.NONE or status.budget.remaining_ratio is None:
        return "no evidence"
    if status.budget.remaining_ratio <= 0:
        if status.recovers_in_seconds is None:
            return "spent"
        return f"back in {text.duration(status.recovers_in_seconds)} at best"
    return text.gone_by(status.time_to_exhaustion_seconds, now)


def held(status: SloStatus, now: Seconds) -> str:
    """``for 8 m``: how long it has looked like this; '' when unknown."""
    return "" if status.since is None else f"for {text.duration(max(0.0, now - status.since))}"


def slo_url(name: str) -> str:
    """The address of an SLO's page; a name may hold any character."""
    return f"/slo/{quote(name, safe='')}"


def afford_url(service: str, slo: str = "") -> str:
    """The address of the page of what a service can afford."""
    query = f"?{urlencode({'slo': slo})}" if slo else ""
    return f"/afford/{quote(service, safe='')}{query}"


def team_name(specs: Specs, team: str | None) -> str:
    """A team's display name, or its name, or ''."""
    found = specs.teams.get(team or "")
    return (found.display_name or found.name) if found else team or ""


def service_name(specs: Specs, service: str) -> str:
    """A service's display name, or its name."""
    found = specs.services.get(service)
    return (found.display_name or found.name) if found else service


def tier_of(specs: Specs, service: str) -> int | None:
    """The tier of a service, when it has one."""
    found = specs.services.get(service)
    return found.tier if found else None
