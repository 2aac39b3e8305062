"""What the overview's address asks for, and the statuses that answer it. Pure."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import urlencode

from watchkeeper.faces.web import words
from watchkeeper.slo.model import Look, SloStatus
from watchkeeper.spec.model import Specs

PAGE_SIZE = 50
MOST_LETTERS = 200
BANDS = 21
"""Band 0 is a spent budget; band i holds budgets with ((i − 1) · 5 %, i · 5 %] left."""

SORTS: Mapping[str, str] = {
    "budget": "Least budget first",
    "burn": "Fastest burn first",
    "gone": "Soonest gone first",
    "service": "By service",
    "name": "By name",
}


@dataclass(frozen=True, slots=True)
class Ask:
    """Search, filters, order and page. The defaults ask for everything, worst first."""

    q: str = ""
    team: str = ""
    tier: str = ""
    service: str = ""
    state: str = ""
    band: int | None = None
    sort: str = "budget"
    page: int = 1

    @classmethod
    def read(cls, params: Mapping[str, str]) -> Ask:
        """From an address's parameters; what makes no sense there is left out, never an error."""
        band = _number(params.get("band", ""), 0, BANDS - 1)
        state = params.get("state", "")
        sort = params.get("sort", "")
        return cls(
            q=params.get("q", "")[:MOST_LETTERS].strip(),
            team=params.get("team", "")[:MOST_LETTERS],
            tier=params.get("tier", "")[:MOST_LETTERS],
            service=params.get("service", "")[:MOST_LETTERS],
            state=state if state in set(Look) else "",
            band=band,
            sort=sort if sort in SORTS else "budget",
            page=_number(params.get("page", ""), 1, 1_000_000) or 1,
        )

    @property
    def narrow(self) -> bool:
        """True when something is filtered out."""
        return bool(self.q or self.team or self.tier or self.service or self.state) or (
            self.band is not None
        )

    def query(self, **changes: object) -> str:
        """As the query of an address, ``?…`` or ''; what is as by default is left out."""
        new, plain = replace(self, **changes), Ask()  # type: ignore[arg-type]
        pairs = [
            (name, getattr(new, name))
            for name in self.__slots__
            if getattr(new, name) != getattr(plain, name)
        ]
        return f"?{urlencode(pairs)}" if pairs else ""


def _number(written: str, low: int, high: int) -> int | None:
    if not (written.isascii() and written.isdigit() and len(written) < 9):
        return None
    number = int(written)
    return number if low <= number <= high else None


def band_of(status: SloStatus) -> int | None:
    """The band of the histogram that a status is in; None: no evidence."""
    left = status.budget.remaining_ratio
    if left is None or math.isnan(left):
        return None
    return 0 if left <= 0 else min(BANDS - 1, math.ceil(left * (BANDS - 1) - 1e-9))


def chosen(statuses: Sequence[SloStatus], specs: Specs, ask: Ask) -> list[SloStatus]:
    """All statuses that match, in the order asked for."""
    tests = _tests(specs, ask)
    found = [s for s in statuses if all(test(s) for test in tests)]
    found.sort(key=_ORDERS[ask.sort])
    return found


def _tests(specs: Specs, ask: Ask) -> list[Callable[[SloStatus], bool]]:
    tests: list[Callable[[SloStatus], bool]] = []
    if ask.state:
        tests.append(lambda s: s.look == ask.state)
    if ask.band is not None:
        tests.append(lambda s: band_of(s) == ask.band)
    if ask.team:
        tests.append(lambda s: s.team == ask.team)
    if ask.service:
        tests.append(lambda s: s.service == ask.service)
    if ask.tier:
        tests.append(lambda s: str(words.tier_of(specs, s.service) or "none") == ask.tier)
    if ask.q:
        wanted = ask.q.casefold().split()
        tests.append(lambda s: _holds(_searched(s, specs), wanted))
    return tests


def _holds(searched: str, wanted: Sequence[str]) -> bool:
    return all(word in searched for word in wanted)


def _searched(status: SloStatus, specs: Specs) -> str:
    labels = " ".join(f"{name}={value}" for name, value in status.labels.items())
    return "\n".join(
        (
            status.name,
            status.display_name,
            status.service,
            words.service_name(specs, status.service),
            status.team or "",
            words.team_name(specs, status.team),
            status.journey or "",
            status.aspect or "",
            labels,
        )
    ).casefold()


def _up(value: float | None) -> tuple[bool, float]:
    """Small first, what is not known last."""
    return (value is None, 0.0 if value is None else value)


def _title(status: SloStatus) -> str:
    return (status.display_name or status.name).casefold()


def _budget(status: SloStatus) -> tuple[Any, ...]:
    return (*_up(status.budget.remaining_ratio), words.URGENCY[status.look], status.name)


_ORDERS: Mapping[str, Callable[[SloStatus], Any]] = {
    "budget": _budget,
    "burn": lambda s: (*_up(_negative(s.burn_rate.get("1h"))), *_budget(s)),
    "gone": lambda s: (*_up(s.time_to_exhaustion_seconds), *_budget(s)),
    "service": lambda s: (s.service.casefold(), *_budget(s)),
    "name": lambda s: (_title(s), s.name),
}


def _negative(value: float | None) -> float | None:
    return None if value is None else -value
