"""HTTP to the outside: guarded against SSRF, with outcomes that say whether to try again.

A host is resolved once, its addresses are checked, and the connection goes to an address that was
checked: a name that answers differently the second time (DNS rebinding) gains nothing. Redirects
are not followed.
"""

from __future__ import annotations

import ipaddress
import socket
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import httpx2

from watchkeeper.kernel.errors import UserError
from watchkeeper.notify.model import TransportError

DEFAULT_TIMEOUT = 10.0
MOST_ANSWER = 65_536
AGAIN = frozenset({408, 425, 429})
GATEWAY = frozenset({502, 504})
"""A gateway that gave up waiting: what is behind it may have taken the message."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What the other side said with a success."""

    status: int
    text: str
    headers: Mapping[str, str]

    def json(self) -> Any:  # noqa: ANN401
        """The body as JSON. Raises TransportError when it is none."""
        import json

        try:
            return json.loads(self.text)
        except ValueError:
            raise TransportError("the answer is not JSON", unknown=True) from None


@dataclass
class Web:
    """A client for one channel. ``allow_private`` lets it reach loopback and private networks.

    Of an answer no more than ``most`` characters are kept. ``ca``: certificates in PEM of an
    authority that alone is trusted; '' trusts those that everybody does. Raises UserError.
    """

    allow_private: bool = False
    timeout: float = DEFAULT_TIMEOUT
    most: int = MOST_ANSWER
    ca: str = ""
    _client: httpx2.Client = field(init=False)

    def __post_init__(self) -> None:
        self._client = httpx2.Client(
            timeout=self.timeout, follow_redirects=False, trust_env=False, verify=_trusted(self.ca)
        )

    def close(self) -> None:
        """Let go of connections."""
        self._client.close()

    def call(
        self,
        method: str,
        url: str,
        *,
        json: object = None,
        content: bytes | None = None,
        data: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        auth: tuple[str, str] | None = None,
    ) -> Answer:
        """Send, and give the answer of a success (2xx). Raises TransportError for all else."""
        target, host = self._pinned(url)
        sent = {**(headers or {}), "Host": host}
        extensions = {"sni_hostname": urlsplit(url).hostname or ""}
        request = self._client.build_request(
            method, target, json=json, content=content, data=data, headers=sent,
            extensions=extensions,
        )  # fmt: skip
        try:
            response = self._client.send(request, auth=auth)
        except (httpx2.ConnectError, httpx2.ConnectTimeout, httpx2.PoolTimeout) as error:
            raise TransportError(f"{host} cannot be reached: {_said(error)}") from None
        except httpx2.HTTPError as error:
            # From here on the request was, perhaps, read.
            raise TransportError(f"{host} broke off: {_said(error)}", unknown=True) from None
        text = response.text[: self.most]
        if response.is_success:
            return Answer(response.status_code, text, response.headers)
        raise failure(host, response.status_code, text, response.headers)

    def _pinned(self, url: str) -> tuple[str, str]:
        """The URL with a checked address instead of the host, and the Host header."""
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise TransportError(f"{shown(url)} is no http or https URL", permanent=True)
        port = parts.port or (443 if parts.scheme == "https" else 80)
        address = self._address(parts.hostname, port)
        literal = f"[{address}]" if ":" in address else address
        netloc = literal if parts.port is None else f"{literal}:{port}"
        host = parts.netloc.rpartition("@")[2]
        return urlunsplit((parts.scheme, netloc, parts.path or "/", parts.query, "")), host

    def _address(self, host: str, port: int) -> str:
        return checked_address(host, port, self.allow_private)


def _trusted(ca: str) -> ssl.SSLContext | bool:
    if not ca:
        return True
    try:
        return ssl.create_default_context(cadata=ca)
    except (ssl.SSLError, ValueError) as error:
        raise UserError("'ca' is no certificate in PEM.", str(error)[:200]) from None


def checked_address(host: str, port: int, allow_private: bool) -> str:
    """An address of this host that may be reached. Raises TransportError."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except OSError as error:
        raise TransportError(f"{host} is not known: {error.strerror or error}") from None
    addresses = [str(item[4][0]) for item in found]
    allowed = [a for a in addresses if allow_private or _public(a)]
    if not allowed or (len(allowed) < len(addresses)):
        raise TransportError(
            f"{host} is not a public address",
            "If that is meant, set allow_private: true in the channel's settings.",
            permanent=True,
        )
    return allowed[0]


def _public(address: str) -> bool:
    its = ipaddress.ip_address(address.partition("%")[0])
    mapped = getattr(its, "ipv4_mapped", None)
    return (mapped or its).is_global and not its.is_multicast


def failure(host: str, status: int, text: str, headers: Mapping[str, str]) -> TransportError:
    """The error of a status that is no success."""
    said = " ".join(text.split())[:200]
    message = f"{host} answered {status}" + (f": {said}" if said else "")
    wait = _seconds(headers.get("retry-after", ""))
    # GitHub says 403, not 429, when too much was asked.
    spent = status == 403 and (wait is not None or headers.get("x-ratelimit-remaining") == "0")
    if status in AGAIN or spent:
        return TransportError(message, retry_after=wait, status=status)
    if status >= 500:
        unknown = status in GATEWAY
        return TransportError(message, unknown=unknown, retry_after=wait, status=status)
    hint = "Check the token in the channel's settings." if status in (401, 403) else ""
    return TransportError(message, hint, permanent=True, status=status)


def _seconds(text: str) -> float | None:
    return min(float(text), 3600.0) if text.strip().isdigit() else None


def shown(url: str) -> str:
    """A URL without what may be secret in it."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}/…"


def _said(error: Exception) -> str:
    return type(error).__name__ if not str(error) else str(error).splitlines()[0][:200]
