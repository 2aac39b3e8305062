"""A server's doors without a socket: integrations of every type, with a key each."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import httpx2

from tests.support.duty import HERE, START, specs
from watchkeeper.alerting import keys, work
from watchkeeper.alerting.model import Alert
from watchkeeper.changes import store as changes
from watchkeeper.changes.model import Change
from watchkeeper.changes.store import Wanted
from watchkeeper.engine.board import Board
from watchkeeper.faces.server import build_server
from watchkeeper.faces.services import Services
from watchkeeper.kernel.clock import VirtualClock
from watchkeeper.spec.duty import HeartbeatDefinition, IntegrationDefinition, IntegrationType
from watchkeeper.store import Database

PAYLOADS = Path(__file__).parents[3] / "shared" / "data" / "payloads"


def payload(name: str) -> Any:  # noqa: ANN401
    """A published or captured payload."""
    return json.loads((PAYLOADS / name).read_bytes())


@dataclass
class Doors:
    """One server over one database; ``post`` sends to it."""

    db: Database
    more: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.clock = VirtualClock(START)
        made = {t.value: IntegrationDefinition(t.value, t, HERE) for t in IntegrationType}
        made["mapped"] = IntegrationDefinition(
            "mapped",
            IntegrationType.GENERIC,
            HERE,
            mapping={"key": "check.id", "summary": "{{host}}: {{check.said[0]}}", "action": "now"},
        )
        made["slow"] = IntegrationDefinition("slow", IntegrationType.GENERIC, HERE, per_minute=3)
        beats = {
            "backup": HeartbeatDefinition("backup", HERE, every=3600.0, grace=600.0),
            "nightly": HeartbeatDefinition("nightly", HERE, cron="0 3 * * *", grace=900.0),
        }
        self.specs = specs(integrations=made, heartbeats=beats, **self.more)
        board = Board()
        board.post(specs=self.specs, ticked_at=START)
        self.services = Services(self.db, board, self.clock)
        self.app = build_server(self.services)
        names = [*made, *(keys.HEARTBEAT + b for b in beats)]
        with self.db.write() as conn:
            self.keys = {
                n: keys.create_key(conn, n, "test", self.specs, START, "test") for n in names
            }

    async def send(
        self,
        path: str,
        body: object = None,
        headers: Mapping[str, str] | None = None,
        method: str = "POST",
    ) -> httpx2.Response:
        """A request; a body that is no bytes is sent as JSON. ``{name}`` in the path is a key."""
        where = path.format_map(self.keys) if "{" in path else path
        content = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
        transport = httpx2.ASGITransport(self.app)
        async with httpx2.AsyncClient(transport=transport, base_url="http://watch") as client:
            return await client.request(method, where, content=content, headers=dict(headers or {}))

    def alerts(self) -> list[Alert]:
        """All alerts, oldest first."""
        with self.db.read() as conn:
            return work.find(conn, limit=10_000)[::-1]

    def only(self) -> Alert:
        """The one alert that there is."""
        (found,) = self.alerts()
        return found

    def changes(self) -> list[Change]:
        """All changes, as they were told of."""
        with self.db.read() as conn:
            return sorted(changes.find(conn, Wanted(), limit=1000), key=lambda c: c.id)


def opened(doors: Doors, name: str, **values: object) -> IntegrationDefinition:
    """An integration of these doors, changed."""
    return replace(doors.specs.duty.integrations[name], **values)  # type: ignore[arg-type]
