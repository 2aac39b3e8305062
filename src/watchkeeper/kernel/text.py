"""Numbers as a tired person reads them at night. Pure; never rounds past a boundary.

A share that is not all never reads "100 %", one that is not nothing never reads "0 %": digits are
cut (towards the side that is worse for the reader), not rounded.
"""

from __future__ import annotations

import math
import re
from datetime import UTC, datetime, tzinfo
from decimal import ROUND_CEILING, ROUND_FLOOR, ROUND_HALF_EVEN, Decimal

from watchkeeper.kernel.clock import Seconds
from watchkeeper.kernel.duration import Duration

NOTHING = "–"
"""What stands where there is no number."""

_WORDS = {"s": "second", "m": "minute", "h": "hour", "d": "day", "w": "week"}
_CALENDAR = {12: "year", 3: "quarter", 1: "month"}
_UNITS = ((604_800 * 52, ""), (86_400, "d"), (3_600, "h"), (60, "m"), (1, "s"))
_COUNTS = ((10**12, "T"), (10**9, "G"), (10**6, "M"), (10**3, "k"))
_MOST_DIGITS = 9
_UNIT_AFTER = re.compile(r"(?<=\d) (?=(?:%|[smhdkMGT](?:\W|$)))|(?<=[<>]) (?=\d)")


def duration(seconds: float | None) -> str:
    """A length of time in its two largest units: ``8 h 21 m``, ``7 m 25 s``, ``3 d 4 h``, ``45 s``.

    Cut to the smaller unit, never rounded up: "7 m 25 s" means at least that. A negative length
    carries a minus sign. None and infinite lengths read ``never``.
    """
    if seconds is None or math.isinf(seconds):
        return "never"
    if math.isnan(seconds):
        return NOTHING
    sign, rest = ("−", -seconds) if seconds < 0 else ("", seconds)
    whole = math.floor(rest)
    if whole == 0:
        return "0 s" if rest == 0 else "< 1 s"
    parts: list[str] = []
    for size, unit in _UNITS[1:]:
        amount, whole = divmod(whole, size)
        if amount or parts:
            parts.append(f"{amount} {unit}" if amount else "")
        if len(parts) == 2:
            break
    return sign + " ".join(p for p in parts if p)


def spoken(seconds: float) -> str:
    """A length of time, not negative, as prose has it: ``9 days``, ``1 hour 5 minutes``.

    Cut like `duration`; from two days on in whole days, since nobody plans by hours then.
    """
    if 0 < seconds < 1:
        return "less than a second"
    short = duration(seconds).split(" ")
    pairs = list(zip(short[::2], short[1::2], strict=False))
    if seconds >= 2 * 86_400:
        pairs = pairs[:1]
    return " ".join(_plural(int(amount), _WORDS[unit]) for amount, unit in pairs)


def together(said: str) -> str:
    """The same, with a space that does not break between a number and its unit: for narrow lines.

    Only for what is shown: what is searched, compared or copied keeps its plain spaces.
    """
    return _UNIT_AFTER.sub("\u00a0", said)


def length(given: Duration) -> str:
    """A length as one would say it: ``28 days``, ``1 month``, ``1h30m`` when it has two units."""
    for size, unit in _CALENDAR.items():
        if given.months and given.months % size == 0:
            return _plural(given.months // size, unit)
    amount, unit = given.text[:-1], given.text[-1]
    if amount.isdigit() and unit in _WORDS:
        return _plural(int(amount), _WORDS[unit])
    return given.text


def lately(given: Duration) -> str:
    """What follows "in the last": ``hour``, ``45 minutes``."""
    return length(given).removeprefix("1 ")


def _plural(amount: int, unit: str) -> str:
    return f"{amount} {unit if amount == 1 else unit + 's'}"


def count(value: float | None) -> str:
    """A number of events: ``999``, ``12.3 k``, ``41.2 M``; exact below a thousand.

    Cut to three digits, so 999,999 is ``999 k`` and not a million that never was.
    """
    if value is None or math.isnan(value):
        return NOTHING
    sign, size = ("−", -value) if value < 0 else ("", value)
    if math.isinf(size):
        return f"{sign}∞"
    for factor, unit in _COUNTS:
        if size >= factor:
            return f"{sign}{_three_digits(Decimal(size) / factor)} {unit}"
    if size == int(size):
        return f"{sign}{int(size)}"
    shown = Decimal(size).quantize(Decimal("0.1"), ROUND_FLOOR)
    return f"{sign}{shown}" if shown else f"{sign}< 0.1"


def _three_digits(value: Decimal) -> str:
    places = max(0, 3 - len(str(int(value))))
    cut = value.quantize(Decimal(1).scaleb(-places), ROUND_FLOOR)
    return f"{cut:f}".rstrip("0").rstrip(".") if places else f"{cut:f}"


def percent(ratio: float | Decimal | None, digits: int = 3) -> str:
    """A share as percent: 0.99918 → ``99.918 %``, 1 → ``100 %``, None → ``–``.

    ``digits`` is the most decimals shown, except next to 0 and 100 %, where as many are added as it
    takes to tell them apart (0.999996 → ``99.9996 %``). Cut, so 99.9996 never becomes 100.
    """
    if ratio is None:
        return NOTHING
    exact = Decimal(repr(ratio)) if isinstance(ratio, float) else ratio
    if not exact.is_finite():
        return NOTHING
    value = exact * 100
    sign, size = ("−", -value) if value < 0 else ("", value)
    return f"{sign}{_cut_percent(size, digits)} %"


def aligned(ratio: float | None) -> str:
    """A share in percent with three decimals at least, so that a column of them lines up.

    Digits are cut, never rounded, so the zeros that are added are true.
    """
    said = percent(ratio)
    number, unit = said.removesuffix(" %"), " %"
    if said == NOTHING or number in ("0", "100") or number.startswith("<"):
        return said
    whole, _, decimals = number.partition(".")
    return f"{whole}.{decimals:0<3}{unit}"


def _cut_percent(size: Decimal, digits: int) -> str:
    for places in range(digits, _MOST_DIGITS + 1):
        cut = size.quantize(Decimal(1).scaleb(-places), ROUND_FLOOR)
        hides_all = cut == 0 and size > 0
        gap = abs(100 - size)
        hides_gap = 0 < gap < 1 and abs(100 - cut) > 2 * gap
        if not hides_all and not hides_gap:
            break
    if cut == 0 and size > 0:
        return "< " + f"{Decimal(1).scaleb(-_MOST_DIGITS):f}"
    text = f"{cut:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def whole_percent(ratio: float | None) -> str:
    """A share in whole percent, for headlines: ``18 %``; near the ends ``< 1 %``, ``> 99 %``."""
    if ratio is None or math.isnan(ratio):
        return NOTHING
    if 0 < ratio < 0.01:
        return "< 1 %"
    if 0.99 < ratio < 1:
        return "> 99 %"
    cut = (Decimal(repr(float(ratio))) * 100).quantize(Decimal(1), ROUND_FLOOR)
    return f"{cut} %".replace("-", "−")


def left(remaining_ratio: float | None) -> str:
    """What is left of a budget: ``18 % left``, ``30 % over``, ``spent``, ``no evidence``.

    Left is cut down and over is rounded up, so neither sounds better than it is.
    """
    if remaining_ratio is None or math.isnan(remaining_ratio):
        return "no evidence"
    if remaining_ratio == 0:
        return "spent"
    if remaining_ratio > 0:
        return f"{whole_percent(remaining_ratio)} left"
    over = (Decimal(repr(float(-remaining_ratio))) * 100).quantize(Decimal(1), ROUND_CEILING)
    return f"{over} % over"


def times(rate: float | None) -> str:
    """A burn rate: ``14.8×``, ``0.94×``, ``0×``; cut: 14.39 never reads as the 14.4 that pages."""
    if rate is None or math.isnan(rate):
        return NOTHING
    if math.isinf(rate):
        return "∞"
    size = Decimal(repr(abs(float(rate))))
    places = 0 if size >= 100 else 1 if size >= 10 else 2
    cut = size.quantize(Decimal(1).scaleb(-places), ROUND_FLOOR)
    text = f"{cut:f}".rstrip("0").rstrip(".") if places else f"{cut:f}"
    if cut == 0 and size > 0:
        text = "< 0.01"
    return f"{'−' if rate < 0 else ''}{text}×"


def clock_time(at: Seconds, now: Seconds, zone: tzinfo = UTC) -> str:
    """An instant as briefly as can be told from now: ``22:23``, ``Tue 22:23``, ``9 Nov 14:10``,
    ``9 Nov 2027``."""
    then, here = datetime.fromtimestamp(at, zone), datetime.fromtimestamp(now, zone)
    if then.date() == here.date():
        return f"{then:%H:%M}"
    if abs((then.date() - here.date()).days) < 7:
        return f"{then:%a %H:%M}"
    if then.year == here.year:
        return f"{then.day} {then:%b %H:%M}"
    return f"{then.day} {then:%b %Y}"


def gone_by(seconds: float | None, now: Seconds, zone: tzinfo = UTC) -> str:
    """When a budget will be gone: ``gone by 22:23``, ``gone by Tue 22:23``, ``gone``, ``lasts``.

    ``seconds`` is the time to exhaustion: 0 is spent, None is never.
    """
    if seconds is None:
        return "lasts"
    if seconds <= 0:
        return "gone"
    return f"gone by {clock_time(now + seconds, now, zone)}"


def number(value: float | Decimal | None, digits: int = 2) -> str:
    """A plain number with thousands separated by thin spaces: ``1 234 567``, ``43.83``."""
    if value is None:
        return NOTHING
    exact = Decimal(repr(value)) if isinstance(value, float) else Decimal(value)
    if not exact.is_finite():
        return NOTHING
    rounded = exact.quantize(Decimal(1).scaleb(-digits), ROUND_HALF_EVEN)
    text = f"{rounded:,f}"
    text = text.rstrip("0").rstrip(".") if "." in text else text
    return text.replace(",", "\u2009").replace("-", "−")
