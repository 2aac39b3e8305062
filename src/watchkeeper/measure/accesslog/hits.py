"""One line of a log as a hit: the slow, plain reader that decides what a line says. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from functools import lru_cache
from typing import Any

import orjson

from watchkeeper.kernel.clock import Minute
from watchkeeper.kernel.errors import UserError

TIME_BYTES = 26
"""``17/May/2015:10:05:03 +0000``."""
COMBINED = (
    '$remote_addr - $remote_user [$time_local] "$request" $status $body_bytes_sent '
    '"$http_referer" "$http_user_agent"'
)
COMMON = '$remote_addr - $remote_user [$time_local] "$request" $status $body_bytes_sent'
_MONTHS = {
    name: i + 1
    for i, name in enumerate(
        (
            b"Jan",
            b"Feb",
            b"Mar",
            b"Apr",
            b"May",
            b"Jun",
            b"Jul",
            b"Aug",
            b"Sep",
            b"Oct",
            b"Nov",
            b"Dec",
        )
    )
}
UNITS = {"s": 1.0, "ms": 1e-3, "us": 1e-6}


@dataclass(frozen=True, slots=True)
class Hit:
    """A request: when, and what a query may ask of it. ``duration`` is in seconds, if known."""

    minute: Minute
    status: int
    method: str
    path: str
    host: str
    duration: float | None


Parse = Callable[[bytes], Hit | None]
"""Reads a line without its end; None when it is not a request."""


@dataclass(frozen=True, slots=True)
class Format:
    """How lines are written. ``plain`` tells that the fast reader understands it."""

    parse: Parse
    plain: bool
    last_is_duration: bool
    unit: float


def compile_format(settings: Mapping[str, Any]) -> Format:
    """The format of a source's settings. Raises UserError for one that we cannot read."""
    written = str(settings.get("format", "combined"))
    unit = UNITS.get(str(settings.get("duration_unit", "s")))
    if unit is None:
        raise UserError(
            f"duration_unit is {settings.get('duration_unit')!r}.", "Expected s, ms or us."
        )
    if written == "json":
        return Format(_json_parser(settings.get("fields") or {}, unit), False, False, unit)
    named = {"combined": COMBINED, "nginx": COMBINED, "common": COMMON}
    template = named.get(written, written)
    if "$" not in template:
        raise UserError(
            f"The log format {written!r} is not known.",
            "Expected combined, common, json, or an nginx log_format with its $variables.",
        )
    if template.startswith(COMMON) and template.count("$request_time") <= 1:
        timed = template.endswith(" $request_time")
        if timed or "$request_time" not in template:
            return Format(_plain_parser(timed, unit), True, timed, unit)
    return Format(_template_parser(template, unit), False, False, unit)


# ---------------------------------------------------------------- common and combined


def _plain_parser(timed: bool, unit: float) -> Parse:
    def parse(line: bytes) -> Hit | None:
        opened = line.find(b"[")
        if opened < 0 or line[opened + 27 : opened + 30] != b'] "':
            return None
        minute = minute_of_local(line[opened + 1 : opened + 1 + TIME_BYTES])
        begin = opened + 30
        end = closing_quote(line, begin)
        after = line[end + 1 : end + 6]
        if end < 0 or minute is None or not _is_status(after):
            return None
        method, path = request_parts(line[begin:end])
        duration = _last_number(line, unit) if timed else None
        return Hit(minute, int(after[1:4]), method, path, "", duration)

    return parse


def _is_status(after: bytes) -> bool:
    return (
        after[:1] == b" "
        and after[1:4].isdigit()
        and len(after[1:4]) == 3
        and (after[4:5] in (b" ", b""))
    )


def closing_quote(line: bytes, begin: int) -> int:
    """Where the quoted text that begins here ends: the first quote that is not escaped."""
    at = line.find(b'"', begin)
    while at > begin and _escaped(line, at, begin):
        at = line.find(b'"', at + 1)
    return at


def _escaped(line: bytes, at: int, begin: int) -> bool:
    slashes = 0
    while at - 1 - slashes >= begin and line[at - 1 - slashes] == 0x5C:
        slashes += 1
    return slashes % 2 == 1


def request_parts(request: bytes) -> tuple[str, str]:
    """(method, path without query) of a request line; empty for one that is none, such as ``-``."""
    first = request.find(b" ")
    last = request.rfind(b" ")
    if first < 0 or last <= first:
        return "", ""
    target = request[first + 1 : last].partition(b"?")[0]
    return request[:first].decode("utf-8", "replace"), target.decode("utf-8", "replace")


def _last_number(line: bytes, unit: float) -> float | None:
    return _seconds(line[line.rfind(b" ") + 1 :], unit)


def _seconds(text: bytes | str | float | None, unit: float) -> float | None:
    try:
        value = float(text)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        return None
    return value * unit if 0 <= value < 1e9 else None


@lru_cache(maxsize=4096)
def minute_of_local(text: bytes) -> Minute | None:
    """The minute of ``17/May/2015:10:05:03 +0000``; None when it is not such a time."""
    month = _MONTHS.get(text[3:6])
    if month is None or len(text) != TIME_BYTES:
        return None
    if text[2:3] + text[6:7] + text[11:12] + text[14:15] + text[17:18] + text[20:21] != b"//::: ":
        return None
    numbers = text[:2] + text[7:11] + text[12:14] + text[15:17] + text[18:20] + text[22:26]
    if not numbers.isdigit() or text[21:22] not in (b"+", b"-"):
        return None
    shift = timedelta(hours=int(text[22:24]), minutes=int(text[24:26]))
    try:
        zone = timezone(-shift if text[21:22] == b"-" else shift)
        second = min(int(text[18:20]), 59)  # a leap second is the end of its minute
        moment = datetime(
            int(text[7:11]), month, int(text[:2]), int(text[12:14]), int(text[15:17]), second,
            tzinfo=zone,
        )  # fmt: skip
    except ValueError:
        return None
    return int(moment.timestamp() // 60)


# ---------------------------------------------------------------- other formats


def _template_parser(template: str, unit: float) -> Parse:
    """A parser for an nginx ``log_format``: a quoted variable ends at its quote."""
    pattern, names = _pattern(template)
    if not {"time_local", "time_iso8601", "msec"} & set(names) or "status" not in names:
        raise UserError(
            "The log format lacks the time or the status.",
            "It needs $status and one of $time_local, $time_iso8601 and $msec.",
        )

    def parse(line: bytes) -> Hit | None:
        found = pattern.match(line)
        if found is None:
            return None
        given = found.groupdict()
        minute = _minute(given)
        status = given.get("status", b"")
        if minute is None or not (status.isdigit() and len(status) == 3):
            return None
        method, path = request_parts(given.get("request", b""))
        return Hit(
            minute,
            int(status),
            method or _text(given.get("request_method")),
            path or _text(given.get("uri") or given.get("request_uri")).partition("?")[0],
            _text(given.get("host") or given.get("http_host") or given.get("server_name")),
            _seconds(given.get("request_time"), unit),
        )

    return parse


def _pattern(template: str) -> tuple[re.Pattern[bytes], list[str]]:
    parts = re.split(r"\$(\w+)", template)
    pattern, names = re.escape(parts[0]), []
    for name, literal in zip(parts[1::2], parts[2::2], strict=True):
        before = pattern[-1:]
        if before == '"':
            body = r'(?:[^"\\]|\\.)*'
        elif before == "[":
            body = r"[^\]]*"
        else:
            body = r"\S*"
        pattern += body if name in names else f"(?P<{name}>{body})"
        names.append(name)
        pattern += re.escape(literal)
    return re.compile(pattern.encode(), re.DOTALL), names


def _minute(given: Mapping[str, bytes]) -> Minute | None:
    if "time_local" in given:
        return minute_of_local(given["time_local"])
    if "msec" in given:
        return minute_of_value(_text(given["msec"]))
    return minute_of_value(_text(given["time_iso8601"]))


def minute_of_value(value: object) -> Minute | None:
    """The minute of epoch seconds (or milliseconds), ISO 8601 or a log's local time."""
    if isinstance(value, str):
        try:
            value = float(value)
        except ValueError:
            return _minute_of_iso(str(value))
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    seconds = value / 1000 if value > 1e11 else value
    return int(seconds // 60) if 0 < seconds < 1e11 else None


def _minute_of_iso(text: str) -> Minute | None:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return minute_of_local(text.encode())
    return int((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp() // 60)


_JSON_NAMES = {
    "time": ("time", "timestamp", "@timestamp", "time_iso8601", "time_local", "msec", "ts"),
    "status": ("status", "status_code", "code", "response"),
    "duration": ("duration", "request_time", "latency", "elapsed"),
    "method": ("method", "request_method", "verb"),
    "path": ("path", "uri", "request_uri", "url"),
    "host": ("host", "http_host", "server_name", "vhost"),
}


def _json_parser(fields: Mapping[str, Any], unit: float) -> Parse:
    names = {
        key: (str(fields[key]),) if key in fields else usual for key, usual in _JSON_NAMES.items()
    }

    def parse(line: bytes) -> Hit | None:
        try:
            record = orjson.loads(line)
        except orjson.JSONDecodeError:
            return None
        if not isinstance(record, dict):
            return None

        def pick(key: str) -> object:
            return next(
                (_dig(record, name) for name in names[key] if _dig(record, name) is not None), None
            )

        minute, status = minute_of_value(pick("time")), _status(pick("status"))
        if minute is None or status is None:
            return None
        path = str(pick("path") or "").partition("?")[0]
        duration: Any = pick("duration")
        return Hit(
            minute,
            status,
            str(pick("method") or ""),
            path,
            str(pick("host") or ""),
            _seconds(duration, unit),
        )

    return parse


def _dig(record: Mapping[str, Any], name: str) -> object:
    """A field by name, or by a dotted path into nested records."""
    if name in record or "." not in name:
        return record.get(name)
    head, _, rest = name.partition(".")
    inner = record.get(head)
    return _dig(inner, rest) if isinstance(inner, dict) else None


def _status(value: object) -> int | None:
    try:
        status = int(str(value))
    except ValueError:
        return None
    return status if 100 <= status <= 599 else None


def _text(value: bytes | None) -> str:
    return (value or b"").decode("utf-8", "replace")
