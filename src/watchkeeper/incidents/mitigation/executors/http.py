"""HTTP: one request by the guarded client; a success is 2xx."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from watchkeeper.incidents.mitigation.model import Outcome, RunState, Task
from watchkeeper.incidents.mitigation.tape import Tape
from watchkeeper.notify.guarded import Web


def web_of(settings: Mapping[str, Any], tape: Tape, timeout: float, most: int = 65_536) -> Web:
    """A client with the settings that all mitigations by HTTP share. Raises UserError."""
    ca = tape.reveal(settings["ca"], "ca") if settings.get("ca") else ""
    return Web(settings.get("allow_private") is True, timeout, most, ca)


def run_http(task: Task, tape: Tape) -> Outcome:
    """Send the request. Raises UserError, TransportError."""
    settings = task.settings
    headers = {k: tape.reveal(v, k) if isinstance(v, Mapping) else str(v)
               for k, v in dict(settings.get("headers") or {}).items()}  # fmt: skip
    if settings.get("token"):
        headers["Authorization"] = f"Bearer {tape.reveal(settings['token'], 'token')}"
    headers |= {"User-Agent": "watchkeeper"}
    body = settings.get("body")
    plain = body.encode() if isinstance(body, str) else None
    method = str(settings.get("method") or "POST")
    web = web_of(settings, tape, task.timeout)
    try:
        answer = web.call(
            method, str(settings["url"]), json=body if plain is None else None, content=plain,
            headers=headers,
        )  # fmt: skip
    finally:
        web.close()
    tape.say(answer.text)
    return Outcome(RunState.SUCCEEDED, f"Answered {answer.status}")


def in_address(value: str) -> str:
    """A value as one piece of an address, whatever is in it."""
    return quote(value, safe="")
