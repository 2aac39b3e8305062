"""A release pipeline of the demo and the person behind it: they ask the gate, and for leave.

Whoever looks at the demo is the second person, who gives the leave or declines it.
"""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Callable
from typing import Any

SERVICE = "payments"
ASKS_EVERY = 10.0
"""Seconds between two times that a waiting release asks."""
PERSON = "cho"
"""Whose token it is, and so who asks for leave."""
REASON = "Paying in instalments is promised in writing for today"


class Pipeline:
    """A feature that waits to go out. ``step`` is called now and then with the seconds so far."""

    def __init__(self, url: str, token: str, say: Callable[[str], None]) -> None:
        self.url, self._token, self._say = url, token, say
        self._release, self._next = 0, 0.0
        self._leave: int | None = None

    def begin(self, release: int, elapsed: float) -> None:
        """A feature is ready to go out."""
        self._release, self._next, self._leave = release, elapsed + ASKS_EVERY, None

    def step(self, elapsed: float) -> None:
        """Ask, when it is time to."""
        if not self._release or elapsed < self._next:
            return
        self._next = elapsed + ASKS_EVERY
        version = f"1.7.{self._release}"
        asked = {"service": SERVICE, "change_kind": "feature", "change": f"payments {version}"}
        decided = self._post("/api/v1/gate/check", asked)
        if decided is None:
            return
        if decided["decision"] == "halt" and self._leave is None:
            self._ask_for_leave(version, decided["why"])
        elif decided["decision"] == "allow" and self._leave is not None:
            self._say(f"GATE: {SERVICE} {version} may go out: {decided['why']}")
            self._release = 0

    def _ask_for_leave(self, version: str, why: str) -> None:
        wish = {"service": SERVICE, "change_kind": "feature", "ground": "other", "reason": REASON,
                "lasts": 3600, "most_uses": 1}  # fmt: skip
        made = self._post("/api/v1/gate/exceptions", wish)
        if made is None:
            return
        self._leave = made["id"]
        self._say(f"GATE: {SERVICE} {version} is halted: {why}")
        self._say(f"       {PERSON} asks for an exception; you may give it:")
        self._say(f"       {self.url}/budgets/shop-budget#exceptions")

    def _post(self, path: str, body: dict[str, Any]) -> Any:  # noqa: ANN401 - any JSON
        headers = {"Content-Type": "application/json", "Authorization": f"Bearer {self._token}"}
        request = urllib.request.Request(self.url + path, json.dumps(body).encode(), headers)
        try:
            with urllib.request.urlopen(request, timeout=10) as answer:
                return json.load(answer)
        except (OSError, ValueError) as error:
            self._say(f"the gate could not be asked: {error}")
            return None
