"""What commands in an incident's channel do in the rooms beyond it, put together once."""

from __future__ import annotations

from collections.abc import Mapping

from sqlalchemy import Connection

from watchkeeper.incidents.chat.running import Beyond
from watchkeeper.incidents.keeping import By
from watchkeeper.incidents.model import Incident
from watchkeeper.kernel.clock import Seconds
from watchkeeper.kernel.errors import UserError
from watchkeeper.postmortems import items_work
from watchkeeper.spec.model import Specs


def _make_item(
    conn: Connection, specs: Specs, incident: Incident, text: str, owner: str,
    due_at: Seconds | None, by: By, now: Seconds,
) -> tuple[int, Seconds | None]:  # fmt: skip
    made = items_work.add(
        conn, specs, text, by.actor, now, owner=owner, due_at=due_at, severity=incident.severity,
        incident_id=incident.id,
    )  # fmt: skip
    return made.id, made.due_at


def _run(
    conn: Connection, specs: Specs, incident: Incident, name: str, parameters: Mapping[str, str],
    by: By, now: Seconds,
) -> str:  # fmt: skip
    del conn, incident, parameters, by, now
    known = ", ".join(specs.response.mitigations) or "none is defined"
    raise UserError(f"There is no mitigation {name!r}.", f"Known: {known}.")


BEYOND = Beyond(_make_item, _run)
