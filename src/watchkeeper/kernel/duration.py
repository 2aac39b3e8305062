"""Durations as OpenSLO and Prometheus write them: ``5m``, ``28d``, ``1w``, ``1M``."""

from __future__ import annotations

import re
from dataclasses import dataclass

_UNIT_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}
_CALENDAR_MONTHS = {"M": 1, "Q": 3, "Y": 12}
_PART = re.compile(r"(\d+)(ms|[smhdwMQY])")

AVERAGE_MONTH_SECONDS = 2_629_746
"""One twelfth of the mean Gregorian year (365.2425 d): 30.436875 days."""


@dataclass(frozen=True, slots=True)
class Duration:
    """A length of time: fixed ``seconds``, or whole calendar ``months`` (never both)."""

    text: str
    seconds: float = 0.0
    months: int = 0

    @property
    def is_calendar(self) -> bool:
        """True for months, quarters and years, whose length depends on when they start."""
        return self.months > 0

    @property
    def average_seconds(self) -> float:
        """Its length, with a month taken as the average Gregorian month."""
        return self.seconds if not self.months else float(self.months * AVERAGE_MONTH_SECONDS)

    @property
    def minutes(self) -> int:
        """Its (average) length in whole minutes, at least one."""
        return max(1, round(self.average_seconds / 60))

    def __str__(self) -> str:
        return self.text


def parse_duration(text: str) -> Duration:
    """Read ``30s``, ``5m``, ``1h30m``, ``28d``, ``4w``, ``1M``, ``1Q``, ``1Y``.

    ``m`` is a minute and ``M`` a month, as in OpenSLO. Raises ValueError, which says what is wrong.
    """
    parts = _PART.findall(text)
    if not parts or "".join(n + u for n, u in parts) != text:
        raise ValueError(
            f"{text!r} is not a duration; expected a number and a unit, e.g. 5m, 1h, 28d, 4w, 1M"
        )
    months = sum(int(n) * _CALENDAR_MONTHS[u] for n, u in parts if u in _CALENDAR_MONTHS)
    if months and len(parts) > 1:
        raise ValueError(
            f"{text!r} mixes calendar units (M, Q, Y) with others; expected one or the other"
        )
    seconds = sum(
        int(n) / 1000 if u == "ms" else float(int(n) * _UNIT_SECONDS[u])
        for n, u in parts
        if u not in _CALENDAR_MONTHS
    )
    if not months and seconds <= 0:
        raise ValueError(f"{text!r} is no time at all; expected a duration longer than zero")
    return Duration(text, seconds, months)
