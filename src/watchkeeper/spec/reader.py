"""Reading fields of a document: typed, with findings that name the place. Pure."""

from __future__ import annotations

import difflib
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Any

from watchkeeper.kernel.duration import Duration, parse_duration
from watchkeeper.spec.document import Document, Path
from watchkeeper.spec.model import Finding, Place, Severity

_TYPES = {dict: "a mapping", list: "a list", str: "a text", bool: "true or false"}


def nearest(word: str, known: Iterable[str]) -> str:
    """The known word most like this one, or ''."""
    lower = {k.lower(): k for k in known}
    found = difflib.get_close_matches(word.lower(), lower, 1, 0.6)
    return lower[found[0]] if found else ""


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """A question that names the known word most like this one, or ''."""
    near = nearest(word, known)
    return f"did you mean '{near}'?" if near else ""


@dataclass(frozen=True, slots=True)
class Reader:
    """A mapping inside a document, read field by field; what is wrong goes to ``findings``."""

    document: Document
    path: Path
    data: Mapping[str, Any]
    findings: list[Finding]

    # -- saying what is wrong
    def place(self, key: str | None = None) -> Place:
        """Where this mapping, or the value of one of its keys, stands."""
        return self.document.place(self.path if key is None else (*self.path, key))

    def at(self, *path: str) -> Reader:
        """Something inside, to say what is wrong there."""
        return Reader(self.document, (*self.path, *path), {}, self.findings)

    def fault(
        self,
        code: str,
        message: str,
        expected: str = "",
        fix: str = "",
        key: str | None = None,
        severity: Severity = Severity.ERROR,
    ) -> None:
        """Note a problem, at this mapping or at the value of ``key``."""
        self.findings.append(Finding(self.place(key), severity, code, message, expected, fix))

    def warn(
        self, code: str, message: str, expected: str = "", fix: str = "", key: str | None = None
    ) -> None:
        """Note a warning."""
        self.fault(code, message, expected, fix, key, Severity.WARNING)

    def only(self, *known: str) -> None:
        """Point out keys that are not known; extension keys (``x-…``) are let pass."""
        for key in self.data:
            if key in known or key.startswith("x-"):
                continue
            near = nearest(key, known)
            self.findings.append(
                Finding(
                    self.document.key_place((*self.path, key)),
                    Severity.ERROR,
                    "unknown-key",
                    f"unknown key '{key}'",
                    f"one of {', '.join(known)}",
                    f"did you mean '{near}'?" if near else "remove it",
                )
            )

    # -- fields
    def has(self, key: str) -> bool:
        """True when the key is there with a value."""
        return self.data.get(key) is not None

    def lacks(self, key: str, expected: str) -> None:
        """Note that a key is missing, or has no value."""
        if key in self.data:
            self.fault("missing", f"'{key}' is empty", expected, "give a value", key=key)
        else:
            self.fault("missing", f"'{key}' is missing", expected, f"add '{key}:'")

    def value(self, key: str, kind: type, required: bool = False, expected: str = "") -> Any:  # noqa: ANN401
        """The value when it has the right type, else None (and a finding)."""
        found = self.data.get(key)
        expected = expected or _TYPES[kind]
        if found is None:
            if required:
                self.lacks(key, expected)
            return None
        if kind is str and isinstance(found, int | float) and not isinstance(found, bool):
            return str(found)
        if not isinstance(found, kind):
            self.fault("wrong-type", f"'{key}' is {_shown(found)}", expected, key=key)
            return None
        return found

    def text(self, key: str, required: bool = False, expected: str = "") -> str:
        """A text; '' when absent."""
        found: str | None = self.value(key, str, required, expected)
        if found is not None and required and not found.strip():
            self.lacks(key, expected or _TYPES[str])
        return found or ""

    def flag(self, key: str, default: bool = False) -> bool:
        """True or false."""
        found: bool | None = self.value(key, bool)
        return default if found is None else found

    def child(self, key: str, required: bool = False) -> Reader | None:
        """A mapping below this one."""
        found: dict[str, Any] | None = self.value(key, dict, required)
        if found is None:
            return None
        return Reader(self.document, (*self.path, key), found, self.findings)

    def children(self, key: str, required: bool = False) -> list[Reader]:
        """The mappings of a list."""
        found: list[Any] = self.value(key, list, required) or []
        made = []
        for i, item in enumerate(found):
            at = (*self.path, key, i)
            if isinstance(item, dict):
                made.append(Reader(self.document, at, item, self.findings))
            else:
                self.findings.append(
                    Finding(
                        self.document.place(at),
                        Severity.ERROR,
                        "wrong-type",
                        f"item {i + 1} of '{key}' is {_shown(item)}",
                        "a mapping",
                    )
                )
        return made

    def texts(self, key: str) -> tuple[str, ...]:
        """A list of texts; one text alone is taken as a list of one."""
        found = self.data.get(key)
        if found is None:
            return ()
        items = found if isinstance(found, list) else [found]
        if any(isinstance(i, dict | list | bool) or i is None for i in items):
            self.fault("wrong-type", f"'{key}' is {_shown(found)}", "a list of words", key=key)
            return ()
        return tuple(str(i) for i in items)

    def table(self, key: str) -> dict[str, str]:
        """A mapping of texts to texts."""
        found: dict[str, Any] = self.value(key, dict) or {}
        return {k: v if isinstance(v, str) else _plain(v) for k, v in found.items()}

    def number(
        self, key: str, required: bool = False, expected: str = "a number"
    ) -> Decimal | None:
        """A number, as it was written."""
        found = self.data.get(key)
        if found is None:
            if required:
                self.lacks(key, expected)
            return None
        number = _decimal(found)
        if number is None:
            self.fault("wrong-type", f"'{key}' is {_shown(found)}", expected, key=key)
        return number

    def duration(self, key: str, required: bool = False, bare: str = "") -> Duration | None:
        """A duration such as 5m, 28d, 1M; with ``bare``, the unit of a number without one."""
        text = self.text(key, required, "a duration, e.g. 5m, 1h, 28d")
        if not text:
            return None
        if bare and text.isdigit():
            text += bare
        try:
            return parse_duration(text)
        except ValueError as error:
            what, _, expected = str(error).partition("; ")
            expected = expected.removeprefix("expected ")
            self.fault("bad-duration", what, expected, _mended(text), key=key)
            return None

    def share(self, key: str, required: bool = False, percent: bool = False) -> Decimal | None:
        """A share above 0 and up to 1: ``0.999``, ``99.9%``; with ``percent``, ``99.9`` is 99.9 %.

        ``99.9`` for a share is refused rather than guessed at, and the fix says how to write it.
        """
        written = self.data.get(key)
        signed = isinstance(written, str) and written.strip().endswith("%")
        if signed:
            number = _decimal(str(written).strip()[:-1].strip())
            if number is None:
                self.fault(
                    "wrong-type", f"'{key}' is {_shown(written)}", "a share, e.g. 99.9%", key=key
                )
        else:
            expected = "a percentage, e.g. 99.9" if percent else "a share, e.g. 99.9% or 0.999"
            number = self.number(key, required, expected)
        if number is None:
            return None
        if signed or percent:
            return self._checked_percent(key, number, signed)
        return self._checked_share(key, number)

    def _checked_percent(self, key: str, number: Decimal, signed: bool) -> Decimal | None:
        written = self.data[key]
        if not 0 < number <= 100:
            self.fault("target-range", f"'{key}' is {written}", "above 0 and up to 100 %", key=key)
            return None
        if not signed and number < 1:
            self.warn(
                "percent-below-one",
                f"'{key}' is {written}, less than one percent",
                "a percentage, e.g. 99.9",
                f"write {_trimmed(number * 100)} if that was meant",
                key=key,
            )
        return number / 100

    def _checked_share(self, key: str, number: Decimal) -> Decimal | None:
        if 0 < number <= 1:
            return number
        written = self.data[key]
        if 1 < number <= 100 and not str(written).strip().endswith("%"):
            self.fault(
                "target-percent",
                f"'{key}' is {written}, which is more than everything",
                "a share up to 1, or a percentage with its sign",
                f"write {written}% or {_trimmed(number / 100)}",
                key=key,
            )
        else:
            self.fault(
                "target-range", f"'{key}' is {written}", "above 0 and up to 1 (100%)", key=key
            )
        return None

    def choice(self, key: str, known: Sequence[str], required: bool = False) -> str:
        """One of the known words; '' when absent or unknown."""
        text = self.text(key, required)
        if not text or text in known:
            return text
        self.fault(
            "bad-value",
            f"'{key}' is '{text}'",
            f"one of {', '.join(known)}",
            did_you_mean(text, known),
            key=key,
        )
        return ""


def _decimal(written: object) -> Decimal | None:
    if isinstance(written, bool) or not isinstance(written, int | float | str):
        return None
    try:
        number = Decimal(str(written).strip())
    except InvalidOperation:
        return None
    return number if math.isfinite(number) else None


def _trimmed(number: Decimal) -> str:
    text = f"{number:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def _shown(value: object) -> str:
    if isinstance(value, dict):
        return "a mapping"
    if isinstance(value, list):
        return "a list"
    if isinstance(value, bool):
        return "true" if value else "false"
    return f"'{value}'" if isinstance(value, str) else f"{value}"


def _plain(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list):
        return ", ".join(_plain(v) for v in value)
    return "" if value is None else str(value)


_WORDS = {"min": "m", "mins": "m", "minute": "m", "minutes": "m", "hour": "h", "hours": "h",
          "hr": "h", "day": "d", "days": "d", "week": "w", "weeks": "w", "month": "M",
          "months": "M", "mo": "M", "sec": "s", "secs": "s", "second": "s", "seconds": "s",
          "year": "Y", "years": "Y"}  # fmt: skip


def _mended(text: str) -> str:
    """What was probably meant by a duration that is none, as advice."""
    compact = text.replace(" ", "")
    digits = compact.rstrip("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ")
    unit = compact[len(digits) :]
    if digits.isdigit():
        short = unit if unit in tuple("smhdwMQY") else _WORDS.get(unit.lower(), "")
        if short and int(digits):
            return f"write {digits}{short}"
        if not unit:
            return f"add a unit, e.g. {digits}d or {digits}m"
    return ""


def dangling(reader: Reader, key: str, kind: str, name: str, known: Any) -> None:  # noqa: ANN401
    """A reference to something that is not defined."""
    near = nearest(name, known)
    listed = ", ".join(sorted(known)[:8])
    reader.fault(
        "dangling",
        f"there is no {kind} '{name}'",
        f"one of: {listed}" if listed else "",
        f"did you mean '{near}'?" if near else f"define it, or mend '{key}'",
        key=key,
    )
