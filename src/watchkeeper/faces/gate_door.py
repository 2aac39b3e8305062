"""The fast way to the gate: pipelines with a token are answered before the guard and the API.

The same question by the API's own route gets the same answer; this one looks a token up once a
second, and decides for all who ask meanwhile in one transaction.
"""

from __future__ import annotations

import time

import orjson
from pydantic import ValidationError
from starlette.concurrency import run_in_threadpool
from starlette.types import ASGIApp, Receive, Scope, Send

from watchkeeper.access.model import Permission, Principal, digest
from watchkeeper.access.roles import may
from watchkeeper.access.work import principal_of_token
from watchkeeper.faces.api.gate import CheckIn, asked_in, decision_json
from watchkeeper.faces.gate import Gate
from watchkeeper.faces.grouped import Grouped
from watchkeeper.kernel.errors import StoreError, UserError, WatchkeeperError
from watchkeeper.policy.model import Decision
from watchkeeper.policy.work import Asked

PATH = "/api/v1/gate/check"
TOKEN_LIFE = 1.0
"""Seconds for which a token that was looked up is not looked up again."""
MOST_TOKENS = 10_000
MOST_BYTES = 64 * 1024
MOST_TOGETHER = 200
MOST_WAITING = 5_000


class GateDoor:
    """ASGI middleware: answers pipelines that show a token, passes on all else."""

    def __init__(self, app: ASGIApp, gate: Gate) -> None:
        self.app, self.gate = app, gate
        self._tokens: dict[str, tuple[Principal | None, float]] = {}
        self._grouped: Grouped[Asked, Decision] = Grouped(gate.check_many, MOST_TOGETHER)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer here, or pass on."""
        if scope["type"] != "http" or scope["path"] != PATH or scope["method"] != "POST":
            await self.app(scope, receive, send)
            return
        try:
            answer = await self._answered(scope, receive)
        except ConnectionError:
            return  # whoever asked is gone
        if answer is None:
            await self.app(scope, receive, send)
        else:
            await _answer(send, *answer)

    async def _answered(self, scope: Scope, receive: Receive) -> tuple[int, bytes] | None:
        """Status and body. None for whoever may not ask: the guard says so, as everywhere."""
        try:
            secret = _bearer(scope)
            principal = await self._principal(secret) if secret else None
            if principal is None or not may(principal, Permission.PUSH):
                return None
            body = CheckIn.model_validate_json(await _body(receive))
            made = await self._decide(self.gate.asked(asked_in(body, principal.name)))
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(str(part) for part in first["loc"])
            said = {"error": f"{where}: {first['msg']}" if where else first["msg"],
                    "hint": "See /api/v1/openapi.json for what is expected."}  # fmt: skip
            return 400, orjson.dumps(said)
        except WatchkeeperError as error:
            said = {"error": error.message, "hint": error.hint}
            return error.http_status, orjson.dumps(said)
        return 200, orjson.dumps(decision_json(made))

    async def _principal(self, secret: str) -> Principal | None:
        hashed, now = digest(secret), time.monotonic()
        known, until = self._tokens.get(hashed, (None, 0.0))
        if now < until:
            return known
        found = await run_in_threadpool(self._looked_up, secret)
        if len(self._tokens) >= MOST_TOKENS:
            self._tokens.clear()
        self._tokens[hashed] = (found, now + TOKEN_LIFE)
        return found

    def _looked_up(self, secret: str) -> Principal | None:
        with self.gate.duty.db.read() as conn:
            return principal_of_token(conn, secret, self.gate.duty.clock.now())

    async def _decide(self, asked: Asked) -> Decision:
        """The decision, on disk when this returns. Raises StoreError."""
        if len(self._grouped) >= MOST_WAITING:
            raise StoreError("Too many ask the gate at once.", "Ask again in a moment.")
        return await self._grouped.do(asked)


def _bearer(scope: Scope) -> str:
    for name, value in scope["headers"]:
        if name == b"authorization":
            kind, _, secret = value.decode("latin-1").partition(" ")
            return secret.strip() if kind.lower() == "bearer" else ""
    return ""


async def _body(receive: Receive) -> bytes:
    parts, size = [], 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ConnectionError
        part = message.get("body", b"")
        size += len(part)
        if size > MOST_BYTES:
            raise UserError(f"The question is larger than {MOST_BYTES:,} bytes.", "Send less.")
        parts.append(part)
        if not message.get("more_body", False):
            return b"".join(parts)


async def _answer(send: Send, status: int, body: bytes) -> None:
    headers = [
        (b"content-type", b"application/json"),
        (b"content-length", b"%d" % len(body)),
        (b"x-content-type-options", b"nosniff"),
        (b"cache-control", b"no-store"),
    ]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
