"""Queries: what stands in a metric source, by the source's type. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import promql_parser

from watchkeeper.spec.exactness import parse
from watchkeeper.spec.model import (
    LogQuery,
    OpaqueQuery,
    ProbeCheck,
    PrometheusQuery,
    PushStream,
    Query,
    ScrapeQuery,
    SourceType,
    SqlQuery,
)
from watchkeeper.spec.reader import Reader, did_you_mean

FIELDS: Mapping[SourceType, tuple[str, ...]] = {
    SourceType.PROMETHEUS: ("query", "histogram", "threshold", "native"),
    SourceType.SCRAPE: ("selector", "histogram", "threshold"),
    SourceType.ACCESS_LOG: (
        "paths", "methods", "status", "not_status", "host", "faster_than", "slower_than",
    ),
    SourceType.PROBE: (
        "target", "method", "headers", "body", "expect_status", "expect_body", "expect_within",
        "min_certificate_days",
    ),
    SourceType.PUSH: ("stream", "attributes", "histogram", "threshold"),
    SourceType.SQL: ("query",),
}  # fmt: skip

MAIN_FIELD = {
    SourceType.PROMETHEUS: "query",
    SourceType.SCRAPE: "selector",
    SourceType.PROBE: "target",
    SourceType.PUSH: "stream",
    SourceType.SQL: "query",
}
"""The field that a plain text stands for in a journey's short form."""

_ALIASES = {
    "access_log": SourceType.ACCESS_LOG,
    "access-log": SourceType.ACCESS_LOG,
    "log": SourceType.ACCESS_LOG,
    "thanos": SourceType.PROMETHEUS,
    "mimir": SourceType.PROMETHEUS,
    "victoriametrics": SourceType.PROMETHEUS,
    "otlp": SourceType.PUSH,
    "duckdb": SourceType.SQL,
}


def source_type(name: str) -> SourceType:
    """The source type of a written name, in any case; OTHER for vendors that we do not measure."""
    lower = name.lower()
    if lower in _ALIASES:
        return _ALIASES[lower]
    try:
        return SourceType(lower)
    except ValueError:
        return SourceType.OTHER


def likely_type(name: str) -> str:
    """A question that names the type that was probably meant, or ''."""
    return did_you_mean(name.lower(), [str(kind) for kind in SETTINGS])


def names_of(kind: SourceType) -> list[str]:
    """Every name by which a source type may be written, in small letters."""
    return [str(kind), *(alias for alias, meant in _ALIASES.items() if meant is kind)]


def read_query(reader: Reader, kind: SourceType) -> Query | None:
    """The query in a metric source's ``spec``; None (and findings) when it is not one."""
    if kind is SourceType.OTHER:
        return OpaqueQuery(dict(reader.data))
    reader.only(*FIELDS[kind])
    found: Query | None = _READ[kind](reader)
    return found


def _prometheus(reader: Reader) -> Query | None:
    promql = reader.text("query", required=True)
    if not promql or not check_promql(reader, promql, "query"):
        return None
    return PrometheusQuery(promql)


def check_promql(reader: Reader, promql: str, key: str) -> bool:
    """True when it parses as PromQL, with ``{{.window}}`` standing for a range."""
    try:
        parse(promql)
    except ValueError as error:
        said = str(error).strip().splitlines()[0]
        reader.fault("bad-promql", f"not PromQL: {said}", "a PromQL expression", key=key)
        return False
    return True


_METRIC = re.compile(r"[a-zA-Z_:][a-zA-Z0-9_:]*")
_BRACES = re.compile(
    r""""(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*'|`[^`]*`|\{\{[^{}]*\}\}|\$\{\w+\}|[{}]"""
)


def narrowed(promql: str, matchers: str) -> str | None:
    """The query with ``{matchers}`` added to its selector; None when it is not clear to which.

    ``sum(rate(x_total{job="a"}[5m]))`` and ``{code=~"5.."}`` give
    ``sum(rate(x_total{job="a", code=~"5.."}[5m]))``.
    """
    more = matchers.strip()[1:-1].strip().rstrip(",")
    whole = promql.strip()
    if _METRIC.fullmatch(whole):
        return f"{whole}{{{more}}}"
    braces = [m for m in _BRACES.finditer(whole) if m[0] in "{}"]
    if [m[0] for m in braces] != ["{", "}"]:
        return None
    start, end = braces[0].end(), braces[1].start()
    inner = ", ".join(p for p in (whole[start:end].strip().rstrip(","), more) if p)
    return f"{whole[:start]}{inner}{whole[end:]}"


def _scrape(reader: Reader) -> Query | None:
    selector = reader.text("selector", required=True)
    if not selector or not check_selector(reader, selector, "selector"):
        return None
    return ScrapeQuery(selector)


def check_selector(reader: Reader, selector: str, key: str) -> bool:
    """True when it is a plain selector of series."""
    if not check_promql(reader, selector, key):
        return False
    if not isinstance(parse(selector), promql_parser.VectorSelector):
        reader.fault(
            "not-a-selector",
            f"'{key}' is an expression",
            'a plain selector, e.g. http_requests_total{code=~"5.."}',
            "write only the metric and its labels; Watchkeeper counts increases itself",
            key=key,
        )
        return False
    return True


def _log(reader: Reader) -> Query:
    for key in ("status", "not_status"):
        _check_status(reader, key)
    for pattern in reader.texts("paths"):
        if pattern[:1] not in ("/", "*", "?", "["):
            reader.fault(
                "bad-value",
                f"'{pattern}' in 'paths' fits no request",
                "a path, which begins with /",
                f"write /{pattern}",
                key="paths",
            )
    faster, slower = reader.duration("faster_than"), reader.duration("slower_than")
    return LogQuery(
        paths=reader.texts("paths"),
        methods=tuple(m.upper() for m in reader.texts("methods")),
        status=reader.texts("status"),
        not_status=reader.texts("not_status"),
        host=reader.text("host"),
        faster_than=faster.seconds if faster else None,
        slower_than=slower.seconds if slower else None,
    )


def _check_status(reader: Reader, key: str) -> None:
    for pattern in reader.texts(key):
        if not _is_status(pattern):
            reader.fault(
                "bad-status",
                f"'{pattern}' in '{key}' is no status",
                "5xx, 404 or 500-503",
                key=key,
            )


def _is_status(pattern: str) -> bool:
    low, _, high = pattern.partition("-")
    if high:
        return _is_code(low) and _is_code(high) and low <= high
    return _is_code(low) or (
        len(low) == 3 and low[0] in "12345" and all(c in "xX0123456789" for c in low[1:])
    )


def _is_code(text: str) -> bool:
    return len(text) == 3 and text.isdigit() and text[0] in "12345"


def _probe(reader: Reader) -> Query | None:
    target = reader.text("target", required=True)
    if target and target.split("://")[0] not in ("http", "https", "tcp", "tls"):
        reader.fault(
            "bad-probe",
            f"'target' is '{target}'",
            "http://…, https://…, tcp://host:port or tls://host:port",
            key="target",
        )
        return None
    _check_status(reader, "expect_status")
    within, days = reader.duration("expect_within"), reader.number("min_certificate_days")
    return ProbeCheck(
        target=target,
        method=reader.text("method") or "GET",
        headers=reader.table("headers"),
        body=reader.text("body"),
        expect_status=reader.texts("expect_status") or ("2xx", "3xx"),
        expect_body=reader.text("expect_body"),
        expect_within=within.seconds if within else None,
        min_certificate_days=float(days) if days is not None else None,
    )


def _push(reader: Reader) -> Query | None:
    stream = reader.text("stream", required=True)
    return PushStream(stream, reader.table("attributes")) if stream else None


def _sql(reader: Reader) -> Query | None:
    sql = reader.text("query", required=True)
    return SqlQuery(sql) if sql else None


_READ: Mapping[SourceType, Any] = {
    SourceType.PROMETHEUS: _prometheus,
    SourceType.SCRAPE: _scrape,
    SourceType.ACCESS_LOG: _log,
    SourceType.PROBE: _probe,
    SourceType.PUSH: _push,
    SourceType.SQL: _sql,
}

_HTTP = (
    "timeout", "headers", "tenant", "username", "password", "token", "ca_file",
    "insecure_skip_verify",
)  # fmt: skip
SETTINGS: Mapping[SourceType, tuple[str, ...]] = {
    SourceType.PROMETHEUS: (
        "url", *_HTTP, "retention", "settle", "interval", "max_queries",
    ),
    SourceType.SCRAPE: ("url", "urls", "interval", *_HTTP),
    SourceType.ACCESS_LOG: ("path", "format", "fields", "duration_unit"),
    SourceType.PROBE: ("interval", "timeout", "ca_file", "insecure_skip_verify"),
    SourceType.PUSH: (),
    SourceType.SQL: ("url", "timeout", "lookback", "interval"),
}  # fmt: skip
REQUIRED_SETTINGS: Mapping[SourceType, tuple[str, ...]] = {
    SourceType.PROMETHEUS: ("url",),
    SourceType.ACCESS_LOG: ("path",),
    SourceType.SQL: ("url",),
}
LOG_FORMATS = ("combined", "common", "json", "nginx")
DURATION_UNITS = ("s", "ms", "us")
_LOG_TIMES = ("$time_local", "$time_iso8601", "$msec")
SECRET_SETTINGS = ("password", "token")
TIME_SETTINGS = ("interval", "timeout", "retention", "lookback", "settle")


def check_settings(reader: Reader, kind: SourceType) -> None:
    """Point out settings that are unknown, missing, or hold a secret in the clear."""
    if kind is SourceType.OTHER:
        return
    reader.only(*SETTINGS[kind])
    for key in REQUIRED_SETTINGS.get(kind, ()):
        if not reader.has(key):
            reader.fault(
                "missing", f"'{key}' is missing", f"a {kind} source needs it", f"add '{key}:'"
            )
    if kind is SourceType.SCRAPE and not (reader.has("url") or reader.has("urls")):
        reader.fault("missing", "'url' is missing", "a scrape source needs it", "add 'url:'")
    for key in TIME_SETTINGS:
        if key in SETTINGS[kind]:
            reader.duration(key)
    if kind is SourceType.ACCESS_LOG:
        _check_log_format(reader)
    for key in SECRET_SETTINGS:
        if isinstance(reader.data.get(key), str):
            reader.fault(
                "secret-in-spec",
                f"'{key}' is written in the clear",
                "a reference to where the secret is",
                f"write {key}: {{env: NAME}} or {key}: {{file: PATH}}",
                key=key,
            )


def _check_log_format(reader: Reader) -> None:
    reader.choice("duration_unit", DURATION_UNITS)
    written = reader.text("format")
    if written and "$" not in written and written not in LOG_FORMATS:
        reader.fault(
            "bad-value",
            f"'format' is '{written}'",
            f"one of {', '.join(LOG_FORMATS)}, or an nginx log_format with its $variables",
            did_you_mean(written, LOG_FORMATS),
            key="format",
        )
    elif "$" in written and not ("$status" in written and any(t in written for t in _LOG_TIMES)):
        reader.fault(
            "bad-value",
            "'format' lacks the time or the status",
            f"$status and one of {', '.join(_LOG_TIMES)}",
            "log them",
            key="format",
        )
