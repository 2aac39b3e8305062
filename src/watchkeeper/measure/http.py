"""The HTTP client of the adapters: time-outs, TLS, credentials by reference, no secret in errors.

The URLs come from the definitions in the user's repository, so whoever can merge there can make the
server send a GET (or a POST of a query) to any address it reaches, internal ones too. That is the
purpose; keep it in mind when you decide who may merge. Redirects are not followed, so a measured
endpoint cannot send us elsewhere. Answers above ``MAX_BYTES`` are refused.
"""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import httpx2

from watchkeeper.kernel.duration import parse_duration
from watchkeeper.kernel.errors import UserError, WatchkeeperError
from watchkeeper.kernel.secrets import secret as secret

MAX_BYTES = 512 * 1024 * 1024


class FetchError(WatchkeeperError):
    """An endpoint could not be read; ``status`` is the HTTP status, 0 when there was none."""

    def __init__(self, message: str, hint: str = "", status: int = 0) -> None:
        super().__init__(message, hint)
        self.status = status


def seconds(value: object, default: float) -> float:
    """A duration setting in seconds: ``"30s"``, a number of seconds, or None for the default."""
    if value is None:
        return default
    if isinstance(value, int | float):
        return float(value)
    try:
        return parse_duration(str(value)).average_seconds
    except ValueError as error:
        raise UserError(str(error)) from None


def without_secrets(url: str) -> str:
    """The URL as it may be shown: no user, no password, no query."""
    parts = urlsplit(url)
    host = parts.netloc.rpartition("@")[2]
    return urlunsplit((parts.scheme, host, parts.path, "", ""))


def request_headers(settings: Mapping[str, Any]) -> dict[str, str]:
    """Headers of a source: its own, the tenant's (``X-Scope-OrgID``) and the bearer token."""
    headers = {
        str(k): secret(v, f"header {k}") for k, v in dict(settings.get("headers") or {}).items()
    }
    if settings.get("tenant"):
        headers["X-Scope-OrgID"] = secret(settings["tenant"], "tenant")
    if settings.get("token"):
        headers["Authorization"] = f"Bearer {secret(settings['token'], 'token')}"
    return headers


class Http:
    """One source's connection. Not for use by several threads at once."""

    def __init__(self, settings: Mapping[str, Any], timeout: float) -> None:
        self._settings = dict(settings)
        self._timeout = seconds(settings.get("timeout"), timeout)
        self._client: httpx2.Client | None = None

    def get(self, url: str, accept: str = "*/*") -> httpx2.Response:
        """GET; raises FetchError unless the status is 2xx."""
        return self._send("GET", url, headers={"Accept": accept})

    def post(self, url: str, form: Mapping[str, str]) -> httpx2.Response:
        """POST a form; the answer is returned whatever its status, transport trouble raises."""
        return self._send("POST", url, data=dict(form), check=False)

    def close(self) -> None:
        """Close the connection; the next request opens a new one."""
        if self._client is not None:
            self._client.close()
            self._client = None

    def _open(self) -> httpx2.Client:
        if self._client is None:
            user = self._settings.get("username")
            password = self._settings.get("password")
            auth = None
            if user:
                auth = (secret(user, "username"), secret(password or "", "password"))
            self._client = httpx2.Client(
                auth=auth,
                headers=request_headers(self._settings),
                verify=_tls(self._settings),
                timeout=httpx2.Timeout(self._timeout, connect=min(self._timeout, 10.0)),
                follow_redirects=False,
                trust_env=False,
            )
        return self._client

    def _send(
        self,
        method: str,
        url: str,
        *,
        check: bool = True,
        **more: Any,  # noqa: ANN401 - handed on
    ) -> httpx2.Response:
        shown = without_secrets(url)
        try:
            response = self._open().request(method, url, **more)
        except httpx2.TimeoutException:
            raise FetchError(
                f"{shown} did not answer within {self._timeout:g} s", "is it up? raise `timeout`"
            ) from None
        except (httpx2.HTTPError, httpx2.InvalidURL, ValueError) as error:
            raise FetchError(f"{shown} cannot be reached: {type(error).__name__}") from None
        if len(response.content) > MAX_BYTES:
            raise FetchError(f"{shown} answered more than {MAX_BYTES} bytes")
        if check and not response.is_success:
            raise FetchError(
                f"{shown} answered HTTP {response.status_code}", "", response.status_code
            )
        return response


def _tls(settings: Mapping[str, Any]) -> ssl.SSLContext | bool:
    if settings.get("insecure_skip_verify"):
        return False
    if settings.get("ca_file"):
        try:
            return ssl.create_default_context(cafile=str(settings["ca_file"]))
        except OSError as error:
            raise UserError(f"ca_file {settings['ca_file']} cannot be read: {error}") from None
    return True
