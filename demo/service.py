"""What both services have in common: routes, measurements of each request, ``/metrics``."""

from __future__ import annotations

import json
import signal
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import FrameType
from typing import Any

from prometheus_client import (
    CONTENT_TYPE_LATEST,
    CollectorRegistry,
    Counter,
    Histogram,
    ProcessCollector,
    generate_latest,
)

BUCKETS = (0.01, 0.025, 0.05, 0.1, 0.2, 0.3, 0.5, 1.0, 2.5, 5.0)


@dataclass(frozen=True, slots=True)
class Request:
    """One HTTP request. ``route`` is its pattern (``/products/*``), ``body`` its JSON object."""

    method: str
    path: str
    route: str
    body: Mapping[str, Any]
    client: str
    agent: str


@dataclass(frozen=True, slots=True)
class Answer:
    """What is sent back: a status and a JSON object."""

    status: int
    body: Mapping[str, Any] = field(default_factory=dict)


Handler = Callable[[Request], Answer]


def route_of(path: str) -> str:
    """The pattern of a path, so that a metric has few labels: ``/products/7`` → ``/products/*``."""
    path = path.split("?", 1)[0]
    return "/products/*" if path.startswith("/products/") else path


class Service:
    """Handlers by (method, route), measured; ``observe`` is told of each request at its end."""

    def __init__(
        self,
        handlers: Mapping[tuple[str, str], Handler],
        registry: CollectorRegistry,
        observe: Callable[[Request, int, int, float], None] | None = None,
    ) -> None:
        self.handlers = handlers
        self.registry = registry
        self.observe = observe
        ProcessCollector(registry=registry)  # its start time tells a restart from a reset
        self.requests = Counter(
            "http_requests", "Requests answered.", ("route", "code"), registry=registry
        )
        self.durations = Histogram(
            "http_request_duration_seconds",
            "Time to answer.",
            ("route",),
            buckets=BUCKETS,
            registry=registry,
        )

    def answer(self, request: Request) -> Answer:
        """Run the handler; an unexpected error is a 500, as in any real service."""
        handler = self.handlers.get((request.method, request.route))
        if handler is None:
            return Answer(404, {"error": "there is no such page"})
        try:
            return handler(request)
        except Exception as error:
            return Answer(500, {"error": f"{type(error).__name__}: {error}"})

    def measured(self, request: Request) -> tuple[Answer, bytes]:
        """Answer, and count it. Administration and metrics are not user traffic: not counted."""
        started = time.perf_counter()
        answer = self.answer(request)
        payload = json.dumps(answer.body).encode()
        elapsed = time.perf_counter() - started
        if not request.route.startswith("/admin"):
            known = (request.method, request.route) in self.handlers
            route = request.route if known else "other"
            self.requests.labels(route, str(answer.status)).inc()
            self.durations.labels(route).observe(elapsed)
            if self.observe is not None:
                self.observe(request, answer.status, len(payload), elapsed)
        return answer, payload


def handler_class(service: Service) -> type[BaseHTTPRequestHandler]:
    """An ``http.server`` handler bound to this service."""

    class Bound(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def _handle(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            raw = self.rfile.read(length)
            if self.path == "/metrics":
                self._send(200, CONTENT_TYPE_LATEST, generate_latest(service.registry))
                return
            try:
                body = json.loads(raw) if raw else {}
            except ValueError:
                self._send(400, "application/json", b'{"error": "the body is not JSON"}')
                return
            agent = self.headers.get("User-Agent") or "-"
            request = Request(
                self.command, self.path, route_of(self.path), body, self.client_address[0], agent
            )
            answer, payload = service.measured(request)
            self._send(answer.status, "application/json", payload)

        do_GET = do_POST = _handle  # noqa: N815 http.server looks for these names

        def _send(self, status: int, kind: str, payload: bytes) -> None:
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(payload)))
            self.end_headers()
            self.wfile.write(payload)

        def log_message(self, format: str, *args: object) -> None:
            """Say nothing: the shop writes its own access log."""

    return Bound


def make_server(service: Service, port: int) -> ThreadingHTTPServer:
    """Bind to this loopback port (0: any free one)."""
    server = ThreadingHTTPServer(("127.0.0.1", port), handler_class(service))
    server.daemon_threads = True
    return server


def serve(service: Service, port: int) -> None:
    """Serve on this loopback port until SIGTERM or SIGINT."""
    server = make_server(service, port)

    def stop(number: int, frame: FrameType | None) -> None:
        raise SystemExit(0)

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    with server:
        server.serve_forever(poll_interval=0.5)
