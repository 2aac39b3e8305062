"""Where clients push counts: JSON of our own, and OpenTelemetry metrics over HTTP.

An answer of 202 (or 200 for OpenTelemetry) is given after the transaction is on disk. Trouble with
the database is 503 with Retry-After: the client sends the same again, with the same key.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from functools import partial

from google.protobuf import json_format
from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from watchkeeper.faces.services import Services
from watchkeeper.kernel.clock import Seconds
from watchkeeper.kernel.errors import StoreError, UserError, WatchkeeperError
from watchkeeper.measure.push.matching import counts_of, pushed_slis
from watchkeeper.measure.push.otlp import TooLargeError, decode, unpacked
from watchkeeper.measure.push.parsing import parse_json
from watchkeeper.measure.push.work import Record, key_of, record_counts, record_points
from watchkeeper.slo.work import record_batch
from watchkeeper.spec.model import Specs

MOST_JSON_BYTES = 1_000_000
MOST_OTLP_BYTES = 4_000_000
PROTOBUF = "application/x-protobuf"
JSON = "application/json"
RETRY_AFTER = "2"

Endpoint = Callable[[Request], Awaitable[Response]]


class NotReadableError(UserError):
    """A content type or encoding that we do not read: HTTP 415."""

    http_status = 415


class NotLoadedError(StoreError):
    """The definitions are not loaded yet: HTTP 503."""


def push_routes(services: Services) -> Sequence[BaseRoute]:
    """The routes to push to. The guard has asked for the scope ``push`` before."""

    async def push(request: Request) -> Response:
        return await _push(services, request)

    async def otlp(request: Request) -> Response:
        return await _otlp(services, request)

    return [
        Route("/api/v1/push", _answering(push), methods=["POST"]),
        Route("/v1/metrics", _answering(otlp), methods=["POST"]),
        Route("/api/v1/otlp/v1/metrics", _answering(otlp), methods=["POST"]),
    ]


async def _push(services: Services, request: Request) -> Response:
    if content_type(request) != JSON:
        raise NotReadableError("The body must be JSON.", "Send 'Content-Type: application/json'.")
    if request.headers.get("content-encoding", "identity") != "identity":
        raise NotReadableError("The body must not be compressed.", "Send it plain, up to 1 MB.")
    key = key_of(sender(request), request.headers.get("idempotency-key"))
    body = await body_of(request, MOST_JSON_BYTES)
    now = services.clock.now()
    specs = specs_of(services)
    pushes = await run_in_threadpool(parse_json, body, now)
    counts = counts_of(pushes, pushed_slis(specs))
    work = partial(
        record_counts,
        counts=counts,
        pushes=len(pushes),
        key=key,
        now=now,
        record=recorder(specs, now),
    )
    outcome = await asyncio.wrap_future(services.db.submit(work))
    if outcome.duplicate:
        return JSONResponse({"recorded": 0, "duplicate": True}, 200)
    return JSONResponse({"recorded": outcome.recorded, "duplicate": False}, 202)


async def _otlp(services: Services, request: Request) -> Response:
    kind = content_type(request)
    if kind not in (JSON, PROTOBUF):
        raise NotReadableError(f"The body must be {PROTOBUF} or {JSON}.", "Use otlphttp.")
    encoding = request.headers.get("content-encoding", "identity")
    if encoding not in ("identity", "gzip"):
        raise NotReadableError(f"The encoding {encoding[:40]!r} is not read.", "Use gzip or none.")
    key = key_of(sender(request), request.headers.get("idempotency-key"))
    body = await body_of(request, MOST_OTLP_BYTES)
    specs = specs_of(services)
    if encoding == "gzip":
        body = await run_in_threadpool(unpacked, body, MOST_OTLP_BYTES)
    points, refusals = await run_in_threadpool(decode, body, kind == JSON)
    now = services.clock.now()
    work = partial(
        record_points,
        points=points,
        slis=pushed_slis(specs),
        refusals=refusals,
        key=key,
        now=now,
        record=recorder(specs, now),
    )
    answer = (await asyncio.wrap_future(services.db.submit(work))).answer()
    if kind == JSON:
        return Response(json_format.MessageToJson(answer), media_type=JSON)
    return Response(answer.SerializeToString(), media_type=PROTOBUF)


def recorder(specs: Specs, now: Seconds) -> Record:
    """What adds a batch to the ledger under these definitions."""
    return lambda conn, batch: record_batch(conn, specs, batch, now)


def specs_of(services: Services) -> Specs:
    """The definitions in use; NotLoadedError before the engine has read them after a start."""
    posting = services.posting()
    if not posting.ticked_at:
        raise NotLoadedError("The definitions are not loaded yet.", "Send it again in a moment.")
    return posting.specs


def content_type(request: Request) -> str:
    """The media type without its parameters."""
    return request.headers.get("content-type", "").partition(";")[0].strip().lower()


def sender(request: Request) -> str:
    """Who pushes, as the guard found out."""
    principal = request.state.principal
    return principal.name if principal else ""


async def body_of(request: Request, most: int) -> bytes:
    """The body; TooLargeError as soon as more than ``most`` bytes have come."""
    parts, size = [], 0
    async for part in request.stream():
        size += len(part)
        if size > most:
            raise TooLargeError(
                f"The body is larger than {most} bytes.", "Send it in several parts."
            )
        parts.append(part)
    return b"".join(parts)


def _answering(endpoint: Endpoint) -> Endpoint:
    async def answered(request: Request) -> Response:
        try:
            return await endpoint(request)
        except ClientDisconnect:
            return Response(status_code=400)
        except WatchkeeperError as error:
            headers = {"Retry-After": RETRY_AFTER} if error.http_status == 503 else None
            said = {"error": error.message, "hint": error.hint}
            return JSONResponse(said, error.http_status, headers)

    return answered
