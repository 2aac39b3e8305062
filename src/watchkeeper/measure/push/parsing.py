"""Reading a JSON push. Pure: every fault is a UserError that names the field."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, NoReturn

from watchkeeper.kernel.clock import Seconds, iso
from watchkeeper.kernel.errors import UserError
from watchkeeper.measure.push.model import Push

MOST_AHEAD_SECONDS = 600.0
MOST_BEHIND_SECONDS = 400 * 86400.0
MOST_PUSHES = 10_000
MOST_EVENTS = 2.0**53
"""Above this a double cannot hold every whole number, so counts would no longer be exact."""
MOST_ATTRIBUTES = 64
MOST_TEXT = 500

_FIELDS = ("stream", "time", "good", "total", "attributes")
_SHAPE = 'Expected {"stream": "checkout", "time": "2026-11-23T14:02:40Z", "good": 99, "total": 100}'


def parse_json(body: bytes, now: Seconds) -> list[Push]:
    """The pushes of a JSON document: one object, or a list of them.

    Raises UserError, with the path of the field at fault, when anything in it is wrong.
    """
    try:
        document = json.loads(
            body, parse_constant=_no_constant, object_pairs_hook=_without_repeated_keys
        )
    except RecursionError:
        raise UserError("The body is nested too deeply.", f"{_SHAPE}.") from None
    except ValueError as error:
        raise UserError(f"The body is not JSON: {error}", f"{_SHAPE}.") from None
    if not isinstance(document, list):
        return [_push(document, "", now)]
    if not document:
        raise UserError("The list of pushes is empty.", f"{_SHAPE} or a list of such.")
    if len(document) > MOST_PUSHES:
        raise UserError(
            f"The list holds {len(document)} pushes.", f"At most {MOST_PUSHES}: send several lists."
        )
    return [_push(item, f"[{index}]", now) for index, item in enumerate(document)]


def check_time(time: Seconds, now: Seconds, path: str) -> Seconds:
    """The time, when it is neither far ahead nor longer ago than the ledger keeps."""
    if time > now + MOST_AHEAD_SECONDS:
        _fault(path, f"{_iso(time)} lies in the future", "Check the sender's clock.")
    if time < now - MOST_BEHIND_SECONDS:
        _fault(path, f"{_iso(time)} is older than 400 days", "Older events cannot be recorded.")
    return time


def _push(item: object, path: str, now: Seconds) -> Push:
    if not isinstance(item, dict):
        _fault(path or "the body", f"{_kind(item)}, not an object", f"{_SHAPE}.")
    dot = f"{path}." if path else ""
    for key in item:
        if key not in _FIELDS:
            _fault(f"{dot}{key[:80]}", "unknown field", f"Known: {', '.join(_FIELDS)}.")
    total = _number(item, "total", dot)
    good = _number(item, "good", dot) if "good" in item else None
    if good is not None and good > total:
        _fault(f"{dot}good", f"{good:.15g} is more than the total {total:.15g}", "good ≤ total.")
    time = _time(item["time"], f"{dot}time") if "time" in item else now
    return Push(
        _text(item.get("stream"), f"{dot}stream"),
        check_time(time, now, f"{dot}time"),
        total,
        good,
        _attributes(item.get("attributes", {}), f"{dot}attributes"),
        path,
    )


def _number(item: Mapping[str, Any], name: str, dot: str) -> float:
    value = item.get(name)
    if isinstance(value, bool) or not isinstance(value, int | float):
        missing = name not in item
        said = "missing" if missing else f"{_kind(value)}, not a number"
        _fault(f"{dot}{name}", said, "Expected a number of events, 0 or more.")
    # Compared before it is made a float: a whole number of JSON may be too large for one.
    if not 0 <= value <= MOST_EVENTS:
        _fault(f"{dot}{name}", "not between 0 and 2^53", "Expected a number of events, 0 or more.")
    return float(value)


def _time(value: object, path: str) -> Seconds:
    hint = "Expected 2026-11-23T14:02:40Z or epoch seconds."
    if isinstance(value, str):
        try:
            moment = datetime.fromisoformat(value)
            return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
        except (ValueError, OverflowError):
            _fault(path, f"{value[:80]!r} is not a time", hint)
    if isinstance(value, bool) or not isinstance(value, int | float):
        _fault(path, f"{_kind(value)}, not a time", hint)
    if isinstance(value, float) and not math.isfinite(value):
        _fault(path, "not a finite number", hint)
    if not abs(value) < 1e11:
        _fault(path, "too large for epoch seconds", f"{hint} (Milliseconds are not understood.)")
    return float(value)


def _attributes(value: object, path: str) -> dict[str, str]:
    if not isinstance(value, dict):
        _fault(path, f"{_kind(value)}, not an object", 'Expected {"region": "eu"}.')
    if len(value) > MOST_ATTRIBUTES:
        _fault(path, f"{len(value)} attributes", f"At most {MOST_ATTRIBUTES}.")
    found = {}
    for name, given in value.items():
        if isinstance(given, bool):
            given = "true" if given else "false"
        elif isinstance(given, int) and abs(given) < 2**63:
            given = str(given)
        found[name] = _text(given, f"{path}.{name[:80]}", may_be_empty=True)
    return found


def _text(value: object, path: str, may_be_empty: bool = False) -> str:
    if not isinstance(value, str):
        said = "missing" if value is None else f"{_kind(value)}, not text"
        _fault(path, said, "Expected text.")
    if not value and not may_be_empty:
        _fault(path, "empty", "Expected text.")
    if len(value) > MOST_TEXT:
        _fault(path, f"{len(value)} characters long", f"At most {MOST_TEXT}.")
    if "\0" in value or (not value.isascii() and _has_lone_surrogate(value)):
        _fault(path, "holds characters that cannot be stored", "Expected plain text.")
    return value


def _has_lone_surrogate(text: str) -> bool:
    return any("\ud800" <= c <= "\udfff" for c in text)


def _kind(value: object) -> str:
    names = {dict: "an object", list: "a list", str: "text", bool: "a boolean"}
    return "null" if value is None else names.get(type(value), "a number")


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no number of JSON")


def _without_repeated_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"the field {twice[:80]!r} is given twice")
    return found


def _iso(time: Seconds) -> str:
    try:
        return iso(time)
    except (ValueError, OverflowError, OSError):
        return f"{time:.15g}"


def _fault(path: str, what: str, hint: str) -> NoReturn:
    raise UserError(f"{path}: {what}.", hint)
