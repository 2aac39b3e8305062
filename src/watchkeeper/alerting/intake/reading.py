"""Reading what strangers send: sizes, depths, types; every refusal names the place. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import orjson

from watchkeeper.kernel.clock import Seconds
from watchkeeper.kernel.errors import UserError

MOST_BYTES = 512 * 1024
"""The largest body that is read, in bytes (as at PagerDuty)."""
MOST_DEPTH = 40
MOST_SIGNALS = 5_000
"""Alerts in one message."""
MOST_LABELS = 200
MOST_TEXT = 20_000
"""Characters of one text that is kept; the rest is cut."""

_SEVERITIES = {
    "critical": ("critical crit fatal emergency emerg alert disaster page p1 sev1 sev-1 blocker "
                 "alerting firing down"),
    "error": "error err major high p2 sev2 sev-2 danger failure",
    "warning": "warning warn minor average medium moderate p3 sev3 sev-3 ticket degraded",
    "info": "info information informational notice debug low none ok p4 p5 sev4 sev5 trivial",
}  # fmt: skip
_BY_WORD = {word: name for name, words in _SEVERITIES.items() for word in words.split()}
_FRACTION = re.compile(r"(\.\d{6})\d+")


class TooLargeError(UserError):
    """The body is larger than we read: HTTP 413."""

    http_status = 413


def document(body: bytes) -> Any:  # noqa: ANN401 - whatever JSON holds
    """The JSON of a body. Raises UserError for what is no JSON, too deep, or holds NUL."""
    if len(body) > MOST_BYTES:
        raise too_large()
    try:
        found = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise UserError(
            f"The body is not JSON: {str(error)[:200]}", "Send one JSON document in UTF-8."
        ) from None
    if b"\\u0000" in body or body.count(b"[") + body.count(b"{") > MOST_DEPTH:
        _check(found)
    return found


def too_large() -> TooLargeError:
    """The refusal of a large body."""
    return TooLargeError(f"The body is larger than {MOST_BYTES:,} bytes.", "Send it in parts.")


def _check(found: object) -> None:
    """Walk without recursion: a hostile document must not end us."""
    waiting: list[tuple[object, int]] = [(found, 1)]
    while waiting:
        value, depth = waiting.pop()
        if depth > MOST_DEPTH:
            raise UserError(
                f"The document is nested deeper than {MOST_DEPTH} levels.", "Send it flatter."
            )
        if isinstance(value, str):
            if "\0" in value:
                raise UserError("A text holds a NUL character.", "Send texts without \\u0000.")
        elif isinstance(value, dict):
            waiting.extend((k, depth) for k in value)
            waiting.extend((v, depth + 1) for v in value.values())
        elif isinstance(value, list):
            waiting.extend((v, depth + 1) for v in value)


def severity_of(word: str, otherwise: str = "critical") -> str:
    """Any usual word for a severity as one of critical, error, warning, info."""
    return _BY_WORD.get(word.strip().lower(), otherwise)


def time_of(value: object, path: str) -> Seconds | None:
    """An instant: RFC 3339 or epoch seconds or milliseconds; None and year 1 are none."""
    if value is None or value == "":
        return None
    try:
        if isinstance(value, str):
            moment = datetime.fromisoformat(_FRACTION.sub(r"\1", value.strip()))
            if moment.year < 1971:
                return None
            return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
        if isinstance(value, int | float) and not isinstance(value, bool):
            seconds = value / 1000 if abs(value) > 1e11 else float(value)
            return datetime.fromtimestamp(seconds, UTC).timestamp()
    except (ValueError, OverflowError, OSError):
        pass
    raise wrong(path, "a time", "2026-11-23T14:00:00Z or epoch seconds")


def wrong(path: str, expected: str, example: str = "") -> UserError:
    """What is wrong where, and what was expected."""
    more = f", e.g. {example}" if example else ""
    return UserError(f"{path or 'the document'} must be {expected}.", f"Expected {expected}{more}.")


def items(value: object, path: str) -> Iterator[Fields]:
    """The objects of a list."""
    if not isinstance(value, list):
        raise wrong(path, "a list of objects")
    if len(value) > MOST_SIGNALS:
        raise wrong(path, f"a list of at most {MOST_SIGNALS:,}")
    for i, each in enumerate(value):
        yield Fields(each, f"{path}[{i}]")


class Fields:
    """An object of a document, and where it stands."""

    __slots__ = ("data", "path")

    def __init__(self, data: object, path: str = "") -> None:
        if not isinstance(data, dict):
            raise wrong(path, "an object")
        self.data: dict[str, Any] = data
        self.path = path

    def at(self, key: str) -> str:
        """The path of one of its fields."""
        return f"{self.path}.{key}" if self.path else key

    def text(self, key: str, *, required: bool = False, most: int = MOST_TEXT) -> str:
        """A text; '' when it is absent or null. Longer ones are cut."""
        value = self.data.get(key)
        if value is None or value == "":
            if required:
                raise wrong(self.at(key), "a text that is not empty")
            return ""
        if not isinstance(value, str):
            raise wrong(self.at(key), "a text")
        return value if len(value) <= most else value[: most - 1] + "…"

    def exact(self, key: str, most: int) -> str:
        """A text that must not be cut, such as a key."""
        value = self.text(key, most=10**9)
        if len(value) > most:
            raise wrong(self.at(key), f"a text of at most {most} characters")
        return value

    def choice(self, key: str, known: Sequence[str], otherwise: str = "") -> str:
        """One of some words, in any case."""
        value = self.text(key).lower() or otherwise
        if value not in known:
            raise wrong(self.at(key), f"one of {', '.join(known)}")
        return value

    def exactly(self, key: str, known: Sequence[str]) -> str:
        """One of some words, written as they are."""
        value = self.text(key)
        if value not in known:
            raise wrong(self.at(key), f"one of {', '.join(known)}")
        return value

    def child(self, key: str, *, required: bool = False) -> Fields:
        """An object; an empty one when it is absent or null."""
        value = self.data.get(key)
        if value is None and not required:
            return Fields({}, self.at(key))
        return Fields(value, self.at(key))

    def texts(self, key: str) -> list[str]:
        """A list of texts; empty when absent."""
        value = self.data.get(key)
        if value is None:
            return []
        if not isinstance(value, list) or not all(isinstance(v, str) for v in value):
            raise wrong(self.at(key), "a list of texts")
        return value[:MOST_LABELS]

    def labels(self, key: str) -> dict[str, str]:
        """An object of texts; other plain values are written as JSON writes them."""
        value = self.child(key).data
        if len(value) > MOST_LABELS:
            raise wrong(self.at(key), f"an object of at most {MOST_LABELS} fields")
        return {k[:500]: plain(v)[:5000] for k, v in value.items() if v is not None}

    def time(self, key: str) -> Seconds | None:
        """An instant."""
        return time_of(self.data.get(key), self.at(key))

    def links(
        self, key: str, address: str = "href", text: str = "text"
    ) -> tuple[tuple[str, str], ...]:
        """A list of links; those that are no web address are left out."""
        value = self.data.get(key)
        if value is None:
            return ()
        found = [
            (each.text(text, most=200), each.text(address, most=2000))
            for each in items(value, self.at(key))
        ]
        return links_of(found)


def links_of(pairs: Sequence[tuple[str, str]]) -> tuple[tuple[str, str], ...]:
    """Those of (text, URL) that lead to the web; a page must never offer ``javascript:``."""
    good = [(t or u, u) for t, u in pairs if u.lower().startswith(("http://", "https://"))]
    return tuple(dict.fromkeys(good))[:20]


def plain(value: object) -> str:
    """A value as text."""
    if isinstance(value, str):
        return value
    return orjson.dumps(value, option=orjson.OPT_NON_STR_KEYS).decode()


def first_of(fields: Mapping[str, Any], *names: str) -> str:
    """The first of these fields that holds something plain, as text."""
    for name in names:
        value = fields.get(name)
        if isinstance(value, str | int | float) and not isinstance(value, bool) and value != "":
            return plain(value)
    return ""
