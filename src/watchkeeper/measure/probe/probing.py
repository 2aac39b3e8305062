"""Making one probe: connect, speak, read the answer, all before one deadline. Never raises."""

from __future__ import annotations

import contextlib
import http.client
import re
import socket
import ssl
import threading
import time
from collections.abc import Callable, Sequence

from watchkeeper.kernel.clock import Seconds
from watchkeeper.measure.probe.judging import Outcome, Request

MOST_BODY = 1 << 20
"""How much of an answer is read, in bytes; what is expected must stand in it."""
_PART = 1 << 16

Patterns = Sequence[re.Pattern[str]]


def probe(
    request: Request,
    patterns: Patterns,
    tls: ssl.SSLContext,
    timeout: float,
    clock: Callable[[], Seconds],
) -> Outcome:
    """Send a request and read the answer, for at most ``timeout`` seconds.

    ``patterns`` are what TCP and TLS answers are awaited for: such an answer has no end of its own.
    """
    began, start = clock(), time.monotonic()
    line = _Line(start + timeout)
    try:
        with line:
            status, body, until = _talk(request, patterns, tls, line)
        failure = ""
    except (OSError, http.client.HTTPException, ValueError) as error:
        status, body, until, failure = 0, "", None, _failure(error)
    seconds = time.monotonic() - start
    if line.late or seconds > timeout:
        failure = f"no answer within {timeout:g} s"
    return Outcome(began, seconds, failure, status, body, until)


def _talk(
    request: Request, patterns: Patterns, tls: ssl.SSLContext, line: _Line
) -> tuple[int, str, Seconds | None]:
    until = None
    sock = line.connect(request.host, request.port)
    if request.encrypted:
        secured = line.encrypt(sock, tls, request.host)
        until = _until(secured)
        sock = secured
    if request.speaks_http:
        return (*_speak_http(request, sock), until)
    if request.body:
        sock.sendall(request.body.encode())
    return 0, _read_until(sock, patterns), until


def _speak_http(request: Request, sock: socket.socket) -> tuple[int, str]:
    conn = http.client.HTTPConnection(request.host, request.port)
    conn.sock = sock
    if request.scheme == "https":
        conn.default_port = 443  # so that the Host header names no port
    headers = {
        "User-Agent": "watchkeeper-probe",
        "Accept": "*/*",
        "Accept-Encoding": "identity",
        "Connection": "close",
        **dict(request.headers),
    }
    conn.request(request.method, request.path, request.body.encode() or None, headers)
    response = conn.getresponse()
    charset = response.headers.get_content_charset() or "utf-8"
    body = response.read(MOST_BODY)
    try:
        return response.status, body.decode(charset, "replace")
    except LookupError:
        return response.status, body.decode("utf-8", "replace")


def _read_until(sock: socket.socket, patterns: Patterns) -> str:
    """What the other side sends, until all that is awaited is there, or it ends."""
    body = b""
    while len(body) < MOST_BODY:
        text = body.decode("utf-8", "replace")
        if all(pattern.search(text) for pattern in patterns):
            break
        part = sock.recv(_PART)
        if not part:
            break
        body += part
    return body.decode("utf-8", "replace")


class _Line:
    """A connection that is cut at a deadline, whatever is going on over it."""

    def __init__(self, deadline: float) -> None:
        self._deadline = deadline
        self._sock: socket.socket | None = None
        self._timer: threading.Timer | None = None
        self.late = False

    def __enter__(self) -> _Line:
        return self

    def __exit__(self, *_: object) -> None:
        if self._timer is not None:
            self._timer.cancel()
        if self._sock is not None:
            self._sock.close()

    def connect(self, host: str, port: int) -> socket.socket:
        """To the first of the host's addresses that answers."""
        trouble: OSError | None = None
        for family, kind, protocol, _, address in socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM
        ):
            sock = socket.socket(family, kind, protocol)
            try:
                sock.settimeout(self._left())
                sock.connect(address)
            except OSError as error:
                sock.close()
                trouble = error
                continue
            self._keep(sock)
            return sock
        raise trouble or OSError("the name has no address")

    def encrypt(self, sock: socket.socket, tls: ssl.SSLContext, host: str) -> ssl.SSLSocket:
        """Speak TLS from here on."""
        secured = tls.wrap_socket(sock, server_hostname=host)
        self._sock = secured
        return secured

    def _left(self) -> float:
        left = self._deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError
        return left

    def _keep(self, sock: socket.socket) -> None:
        self._sock = sock
        sock.settimeout(self._left())
        # A socket's own time-out begins anew with each byte; the timer does not.
        self._timer = threading.Timer(self._left(), self._cut)
        self._timer.daemon = True
        self._timer.start()

    def _cut(self) -> None:
        self.late = True
        if self._sock is not None:
            with contextlib.suppress(OSError):
                self._sock.shutdown(socket.SHUT_RDWR)


def _until(secured: ssl.SSLSocket) -> Seconds | None:
    shown = secured.getpeercert()
    end = shown.get("notAfter") if shown else None
    return float(ssl.cert_time_to_seconds(end)) if isinstance(end, str) else None


def _failure(error: Exception) -> str:
    """Why there was no answer, in the same words each time."""
    if isinstance(error, socket.gaierror):
        return "the name cannot be resolved"
    if isinstance(error, TimeoutError):
        return "no answer in time"
    if isinstance(error, ConnectionRefusedError):
        return "connection refused"
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"the certificate is not valid: {error.verify_message}"
    if isinstance(error, ssl.SSLError):
        return f"TLS failed: {error.reason or 'the other side ended it'}"
    if isinstance(error, http.client.RemoteDisconnected | ConnectionError):
        return "the connection was cut"
    if isinstance(error, http.client.HTTPException):
        return f"no whole HTTP answer: {type(error).__name__}"
    if isinstance(error, OSError):
        return (error.strerror or type(error).__name__).lower()
    return f"the request cannot be sent: {error}"
