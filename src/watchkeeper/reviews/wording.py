"""Shares and comparisons as one says them. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from watchkeeper.kernel import text

_SHARES = ((2 / 3, "two thirds"), (3 / 4, "three quarters"), (1 / 2, "half"), (1 / 3, "a third"),
           (1 / 4, "a quarter"))  # fmt: skip
_NEAR = 0.035
_NUMBERS = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")


def part(share: float) -> str:
    """A share of something: ``all``, ``two thirds``, ``almost all``, ``18 %``."""
    if share >= 1:
        return "all"
    if share >= 0.97:
        return "almost all"
    for known, word in _SHARES:
        if abs(share - known) <= _NEAR:
            return word
    return text.whole_percent(share)


def compared(now: float, before: float | None) -> str:
    """This week against the last: ``three times as much as last week``; '' when it is not known."""
    if before is None:
        return ""
    if before <= 0:
        return "after none last week" if now > 0 else "as last week"
    ratio = now / before
    if 0.85 <= ratio <= 1.15:
        return "about as much as last week"
    if ratio >= 10.5:
        return "more than ten times as much as last week"
    if ratio >= 1.85:
        times = round(ratio) if abs(ratio - round(ratio)) <= 0.15 else int(ratio)
        word = "twice" if times == 2 else f"{_NUMBERS[times]} times"
        return f"{'more than ' if ratio - times > 0.15 else ''}{word} as much as last week"
    if ratio > 1:
        return "more than last week"
    for known, word in ((1 / 2, "half"), (1 / 3, "a third"), (1 / 4, "a quarter")):
        if abs(ratio - known) <= 0.05:
            return f"{word} as much as last week"
    return "less than last week"


def number(count: int) -> str:
    """Small numbers as words: ``no``, ``one`` … ``ten``, ``11``."""
    return _NUMBERS[count] if 0 <= count < len(_NUMBERS) else str(count)


def alone(count: int) -> str:
    """A number with nothing after it: ``none``, ``one`` …"""
    return number(count) if count else "none"


def counted(count: int, one: str, many: str = "") -> str:
    """``one incident``, ``two incidents``."""
    return f"{number(count)} {one if count == 1 else many or one + 's'}"


def listed(parts: Sequence[str]) -> str:
    """``a``, ``a and b``, ``a, b and c``."""
    known = [p for p in parts if p]
    return " and ".join([", ".join(known[:-1]), known[-1]]) if len(known) > 1 else "".join(known)


def sentence(said: str) -> str:
    """With a capital letter and a full stop."""
    return f"{said[:1].upper()}{said[1:]}."
