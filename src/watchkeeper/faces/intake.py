"""Where other systems' alerts come in: drop-in addresses, each opened by an integration's key.

An answer of 2xx is given after the transaction is on disk. This stands before the guard and the
compression: the keys are its own, the answers are small, and a storm must not wait for either.

    /v2/enqueue, /v2/change/enqueue      PagerDuty Events and Change Events; the key in the body
    /v2/alerts[/{alias}/close|acknowledge]  Opsgenie; Authorization: GenieKey KEY
    /api/v2/alerts                       Alertmanager, for Prometheus; Authorization: Bearer KEY
    /in/KEY                              whatever the integration's type is
    /in/KEY/v2/enqueue …                 the same drop-ins, where only an address can be set
    /hb/KEY[/start|/fail|/EXIT_CODE]     a heartbeat; GET, HEAD or POST
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import logging
import re
import secrets
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any
from urllib.parse import unquote

import orjson
from starlette.concurrency import run_in_threadpool
from starlette.types import ASGIApp, Receive, Scope, Send

from watchkeeper.alerting import beating, keys, store_doors
from watchkeeper.alerting.accepting import Accepted
from watchkeeper.alerting.heartbeats import Ping
from watchkeeper.alerting.intake import (
    alertmanager,
    argocd,
    cloudevents,
    generic,
    github,
    gitlab,
    grafana,
    mail,
    opsgenie,
    pagerduty,
    signed,
    told,
)
from watchkeeper.alerting.intake.model import Asked, Understood
from watchkeeper.alerting.intake.reading import MOST_BYTES, document, too_large
from watchkeeper.alerting.model import Signal
from watchkeeper.changes import rules
from watchkeeper.changes.model import Told
from watchkeeper.faces.gathering import Gathering
from watchkeeper.faces.noting import UNKNOWN, Noting
from watchkeeper.faces.push import NotReadableError, specs_of
from watchkeeper.faces.services import Services
from watchkeeper.kernel.errors import NotFound, UserError, WatchkeeperError
from watchkeeper.kernel.secrets import resolve
from watchkeeper.kernel.unique import Unique
from watchkeeper.spec.duty import IntegrationDefinition, IntegrationType

log = logging.getLogger("watchkeeper.intake")

PATHS = re.compile(
    r"/(?:in/|hb/|v2/enqueue/?$|v2/change/enqueue/?$|v2/alerts(?:/|$)|api/v2/alerts/?$)"
)
KEY_LIFE = 1.0
"""Seconds for which a key's integration is remembered: a revoked key opens nothing after that."""
MOST_KEYS = 10_000

Parse = Callable[[Any, Asked], list[Understood]]
Answer = Callable[[Sequence[Understood], Sequence[Accepted]], object]


class NoKeyError(UserError):
    """No key, or one that opens nothing: HTTP 401."""

    http_status = 401


class TooManyError(UserError):
    """More than the integration may send: HTTP 429."""

    http_status = 429

    def __init__(self, message: str, hint: str, wait: float) -> None:
        super().__init__(message, hint)
        self.wait = wait


class WrongMethodError(UserError):
    """Only POST is known here: HTTP 405."""

    http_status = 405


def _pagerduty(understood: Sequence[Understood], _: Sequence[Accepted]) -> object:
    key = next((u.key for u in understood if isinstance(u, Signal)), "")
    said = {"status": "success", "message": "Event processed"}
    return {**said, "dedup_key": key} if key else {**said, "message": "Change event processed"}


def _opsgenie(_: Sequence[Understood], __: Sequence[Accepted]) -> object:
    said = {"result": "Request will be processed", "took": 0.0}
    return {**said, "requestId": secrets.token_hex(16)}


def _plain(understood: Sequence[Understood], accepted: Sequence[Accepted]) -> object:
    signals = [u for u in understood if isinstance(u, Signal)]
    return {
        "accepted": len(understood),
        "alerts": [
            {"id": a.alert_id, "key": s.key, "created": a.created, "state": a.state}
            for s, a in zip(signals, accepted, strict=True)
        ],
        "changes": len(understood) - len(signals),
    }


def _nothing(_: Sequence[Understood], __: Sequence[Accepted]) -> object:
    return {"status": "success"}


@dataclass(frozen=True, slots=True)
class Format:
    """How one sender speaks: what reads it, what it expects to hear."""

    parse: Parse
    answer: Answer = _plain
    status: int = 202
    json: bool = True


FORMATS: Mapping[IntegrationType, Format] = {
    IntegrationType.PAGERDUTY: Format(pagerduty.parse, _pagerduty),
    IntegrationType.ALERTMANAGER: Format(alertmanager.parse, _nothing),
    IntegrationType.OPSGENIE: Format(opsgenie.parse, _opsgenie),
    IntegrationType.GRAFANA: Format(grafana.parse, _nothing),
    IntegrationType.CLOUDEVENTS: Format(cloudevents.parse),
    IntegrationType.EMAIL: Format(mail.parse, json=False),
    IntegrationType.GENERIC: Format(generic.parse),
    IntegrationType.GITHUB: Format(github.parse),
    IntegrationType.GITLAB: Format(gitlab.parse),
    IntegrationType.ARGOCD: Format(argocd.parse),
    IntegrationType.CHANGES: Format(told.parse),
}
DROP_INS: Mapping[str, Format] = {
    "v2/enqueue": FORMATS[IntegrationType.PAGERDUTY],
    "v2/change/enqueue": Format(pagerduty.parse_change, _pagerduty),
    "api/v2/alerts": Format(alertmanager.parse, _nothing, 200),
    "api/v1/alerts": Format(alertmanager.parse, _nothing, 200),
    "v2/alerts": FORMATS[IntegrationType.OPSGENIE],
}


@dataclass(slots=True)
class Visit:
    """One message: the path after its key, its headers, its key once it is known."""

    tail: str
    headers: dict[str, str]
    key: str


class Intake:
    """The doors. ``understands`` says whether a path is one of them; ``serve`` answers it."""

    def __init__(self, services: Services, wake: Callable[[], None]) -> None:
        self._services = services
        self._gathering = Gathering(services.db, services.clock, wake)
        self._noting = Noting(services.db, services.clock)
        self._wake = wake
        self._keys: dict[str, tuple[str | None, float]] = {}
        self._buckets: dict[str, Bucket] = {}
        self._fresh = Unique()

    def close(self) -> None:
        """Nothing more comes in."""
        self._gathering.close()

    async def serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, whatever happens."""
        try:
            status, said = await self._serve(scope, receive)
            await _answer(send, status, said, without_body=scope["method"] == "HEAD")
        except ConnectionError:
            pass  # the sender is gone; nothing was promised
        except WatchkeeperError as error:
            await _refuse(send, error)
        except Exception:
            log.exception("an alert could not be taken")
            await _refuse(send, WatchkeeperError("Something is wrong here.", "Send it again."))

    async def _serve(self, scope: Scope, receive: Receive) -> tuple[int, object]:
        path, method = str(scope["path"]), scope["method"]
        if "\0" in path:
            raise UserError("The address holds a NUL character.", "Leave it out.")
        if path.startswith("/hb/"):
            return 200, await self._beat(path, method, receive, _headers(scope))
        if method != "POST":
            raise WrongMethodError("Alerts are sent with POST.", "Send it with POST.")
        headers = _headers(scope)
        key, tail = _from_path(path)
        visit = Visit(tail, headers, key or _from_headers(headers))
        return await self._noted(visit, lambda: _body(receive, headers))

    async def opens(self, key: str) -> None:
        """Raises NoKeyError when a key opens no integration."""
        await self._door(key)

    async def letter(self, key: str, message: bytes) -> None:
        """One e-mail for the integration of ``key``; on disk when this returns. Raises as above."""

        async def body() -> bytes:
            return message

        await self._noted(Visit("", {}, key), body)

    async def _noted(
        self, visit: Visit, body: Callable[[], Awaitable[bytes]]
    ) -> tuple[int, object]:
        try:
            return await self._take(visit, await body())
        except WatchkeeperError as error:
            self._noting.refused(await self._whose(visit.key), f"{error.http_status}: {error}")
            raise

    async def _take(self, visit: Visit, body: bytes) -> tuple[int, object]:
        known, rest = _drop_in(visit.tail)
        loaded: object = None
        if known is not None and known.json:
            loaded = document(body) if body or known.parse is not opsgenie.parse else None
        if not visit.key and known is not None and isinstance(loaded, dict):
            visit.key = pagerduty.routing_key(loaded)
        door = await self._door(visit.key)
        spoken = known or self._format(door, visit.tail)
        if known is None:
            rest = visit.tail
            loaded = _loaded(spoken, body, visit.headers) if spoken.json else body
        now, fresh = self._services.clock.now(), self._fresh()
        _must_be_signed(door, visit, body)
        understood = spoken.parse(loaded, Asked(now, fresh, rest, visit.headers, door.mapping))
        for change in (u for u in understood if isinstance(u, Told)):
            rules.checked(change, now)
        self._limit(door, max(1, len(understood)))
        accepted: Sequence[Accepted] = []
        if understood:
            accepted = await self._gathering.keep(door.name, understood, specs_of(self._services))
        self._noting.taken(door.name, accepted, visit.key, visit.headers, body)
        return spoken.status, spoken.answer(understood, accepted)

    async def _whose(self, key: str) -> str:
        """The integration of a key, or UNKNOWN."""
        try:
            return await self._name_of(key)
        except WatchkeeperError:
            return UNKNOWN

    def _format(self, door: IntegrationDefinition, tail: str) -> Format:
        if tail and door.type is not IntegrationType.OPSGENIE:
            raise NotFound(f"There is nothing at {tail[:80]!r}.", "POST to /in/KEY.")
        return FORMATS[door.type]

    async def _beat(
        self, path: str, method: str, receive: Receive, headers: Mapping[str, str]
    ) -> object:
        if method not in ("GET", "HEAD", "POST"):
            raise WrongMethodError("Heartbeats are sent with GET, HEAD or POST.", "Use GET.")
        key, _, said = path.removeprefix("/hb/").rstrip("/").partition("/")
        body = await _body(receive, headers)
        kind, note = ping_of(said, body)
        name = await self._name_of(key)
        if not name.startswith(keys.HEARTBEAT):
            raise NoKeyError("This key opens no heartbeat.", "`wk integration key heartbeat/NAME`.")
        name, specs = name.removeprefix(keys.HEARTBEAT), specs_of(self._services)
        now = self._services.clock.now()
        work = partial(beating.ping, name=name, kind=kind, note=note, specs=specs, now=now)
        beat = await asyncio.wrap_future(self._services.db.submit(work))
        self._wake()
        return {"status": "success", "heartbeat": name, "expected": beat.expected}

    async def _door(self, key: str) -> IntegrationDefinition:
        name = await self._name_of(key)
        found = specs_of(self._services).duty.integrations.get(name)
        if found is None:
            raise NoKeyError(f"The key's integration {name!r} is not defined.", "Define it again.")
        return found

    async def _name_of(self, key: str) -> str:
        if not key:
            raise NoKeyError("This needs an integration's key.", "`wk integration key` makes one.")
        hashed = keys.digest(key)
        name, until = self._keys.get(hashed, (None, 0.0))
        now = time.monotonic()
        if now >= until:
            name = await run_in_threadpool(self._integration, hashed)
            if len(self._keys) >= MOST_KEYS:
                self._keys.clear()
            self._keys[hashed] = (name, now + KEY_LIFE)
        if name is None:
            raise NoKeyError("This key opens nothing.", "`wk integration key` makes one.")
        return name

    def _integration(self, hashed: str) -> str | None:
        with self._services.db.read() as conn:
            return store_doors.integration_of(conn, hashed)

    def _limit(self, door: IntegrationDefinition, amount: int) -> None:
        bucket = self._buckets.get(door.name)
        if bucket is None or bucket.per_minute != door.per_minute:
            bucket = self._buckets[door.name] = Bucket(door.per_minute, door.per_minute)
        wait = bucket.take(amount, time.monotonic())
        if wait > 0:
            raise TooManyError(
                f"The integration {door.name!r} may send {door.per_minute:,} alerts a minute.",
                f"Send it again in {wait:.0f} s, or raise 'perMinute'.",
                wait,
            )


@dataclass
class Bucket:
    """A limit by the minute: full at first, refilled evenly. One message may overdraw it."""

    per_minute: int
    left: float
    at: float = field(default_factory=time.monotonic)

    def take(self, amount: int, now: float) -> float:
        """0 when it may pass; else the seconds after which it may be tried again."""
        rate = self.per_minute / 60
        self.left = min(self.per_minute, self.left + max(0.0, now - self.at) * rate)
        self.at = now
        if self.left < 1:
            return max(1.0, (1 - self.left) / rate)
        self.left -= amount
        return 0.0


class IntakeDoor:
    """ASGI middleware: lets the doors answer their paths, passes on all else."""

    def __init__(self, app: ASGIApp, intake: Intake) -> None:
        self.app, self.intake = app, intake

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer here, or pass on."""
        if scope["type"] == "http" and PATHS.match(scope["path"]):
            await self.intake.serve(scope, receive, send)
            return
        await self.app(scope, receive, send)


def _headers(scope: Scope) -> dict[str, str]:
    return {k.decode("latin-1"): v.decode("latin-1") for k, v in scope["headers"]}


def _from_path(path: str) -> tuple[str, str]:
    """The key, if the path holds it, and what comes after."""
    if path.startswith("/in/"):
        key, _, tail = path[4:].partition("/")
        return key, tail.strip("/")
    return "", path.strip("/")


def _from_headers(headers: Mapping[str, str]) -> str:
    kind, _, secret = headers.get("authorization", "").strip().partition(" ")
    if kind.lower() in ("bearer", "geniekey", "apikey", "token"):
        return secret.strip().removeprefix("token=").strip('"')
    if kind.lower() == "basic":
        try:
            user, _, password = base64.b64decode(secret, validate=True).decode().partition(":")
        except (binascii.Error, ValueError):
            return ""
        return password or user
    return headers.get("x-routing-key", "").strip()


def ping_of(said: str, body: bytes) -> tuple[Ping, str]:
    """What the end of a heartbeat's address says: nothing, start, fail or an exit code."""
    note = body.decode("utf-8", "replace").replace("\0", "").strip()
    if said in ("", "success"):
        return Ping.SUCCESS, note
    if said in ("start", "fail"):
        return Ping(said), note
    if not said.isascii() or not said.isdigit() or int(said[:4]) > 255:
        raise UserError(f"{said[:40]!r} is nothing a heartbeat says.", "start, fail or 0 to 255.")
    if int(said) == 0:
        return Ping.SUCCESS, note
    return Ping.FAIL, f"exit code {int(said)}" + (f": {note}" if note else "")


def _drop_in(tail: str) -> tuple[Format | None, str]:
    """The format that a path stands for, and what is left of the path."""
    found = DROP_INS.get(tail)
    if found is not None:
        return found, ""
    if tail.startswith("v2/alerts/"):
        return DROP_INS["v2/alerts"], tail.removeprefix("v2/alerts/")
    return None, ""


def _must_be_signed(door: IntegrationDefinition, visit: Visit, body: bytes) -> None:
    secret = resolve(door.secret, f"the secret of {door.name}") if door.secret else ""
    if not signed.rightly(door.type, secret, visit.key, visit.headers, body):
        raise NoKeyError(
            "The signature is missing or wrong.", "Give the webhook the integration's secret."
        )


def _loaded(spoken: Format, body: bytes, headers: dict[str, str]) -> object:
    if spoken.parse is cloudevents.parse and "ce-type" in headers:
        for name in [n for n in headers if n.startswith("ce-")]:
            headers[name] = unquote(headers[name]).replace("\0", "")
        if "json" not in headers.get("content-type", "json"):
            return body.decode("utf-8", "replace").replace("\0", "")
    return document(body) if body or spoken.parse is not opsgenie.parse else None


async def _body(receive: Receive, headers: Mapping[str, str]) -> bytes:
    if headers.get("content-encoding", "identity") != "identity":
        raise NotReadableError("The body must not be compressed.", "Send it plain.")
    parts: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ConnectionError
        part = message.get("body", b"")
        size += len(part)
        if size > MOST_BYTES:
            raise too_large()
        parts.append(part)
        if not message.get("more_body", False):
            return parts[0] if len(parts) == 1 else b"".join(parts)


async def _answer(
    send: Send,
    status: int,
    said: object,
    more: Sequence[tuple[bytes, bytes]] = (),
    without_body: bool = False,
) -> None:
    body = orjson.dumps(said)
    headers = [
        (b"content-type", b"application/json"),
        (b"content-length", b"%d" % len(body)),
        (b"x-content-type-options", b"nosniff"),
        *more,
    ]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": b"" if without_body else body})


async def _refuse(send: Send, error: WatchkeeperError) -> None:
    """In one shape that every sender's client finds its own words in."""
    more: list[tuple[bytes, bytes]] = []
    if error.http_status in (429, 503):
        wait = error.wait if isinstance(error, TooManyError) else 2.0
        more.append((b"retry-after", b"%d" % max(1, round(wait))))
    if error.http_status == 401:
        more.append((b"www-authenticate", b"Bearer"))
    if error.http_status == 405:
        more.append((b"allow", b"POST"))
    said = {
        "status": "invalid event" if error.http_status < 500 else "error",
        "message": error.message,
        "errors": [error.hint] if error.hint else [],
        "error": error.message,
        "hint": error.hint,
    }
    await _answer(send, error.http_status, _safe(said), more)


def _safe(said: Mapping[str, Any]) -> dict[str, Any]:
    def clean(value: Any) -> Any:  # noqa: ANN401
        if isinstance(value, list):
            return [clean(v) for v in value]
        return value.encode("utf-8", "replace").decode()

    return {k: clean(v) for k, v in said.items()}
