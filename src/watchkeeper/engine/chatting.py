"""What commands in an incident's channel do in the rooms beyond it, put together once."""

from __future__ import annotations

from collections.abc import Mapping

from sqlalchemy import Connection

from watchkeeper.incidents.chat.running import Beyond
from watchkeeper.incidents.keeping import By
from watchkeeper.incidents.mitigation import work as mitigations
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
    values = dict(parameters)
    dry, sure = (_is_yes(values.pop(word, "")) for word in ("dry", "confirm"))
    wanted = mitigations.definition(specs, name)
    if wanted.confirm and not dry and not sure:
        written = " ".join(f"{k}={v}" for k, v in values.items())
        again = f"/run {name} {written}".strip()
        raise UserError(
            f"{wanted.display_name} changes production.",
            f"Try it with {again} dry=yes, or do it with {again} confirm=yes.",
        )
    asked = mitigations.request(
        conn, specs, incident.id, name, values, by, now, dry_run=dry, confirmed=sure
    )
    if not asked.new:
        return f"{wanted.display_name} is under way already: run {asked.run.id}."
    tried = " as a dry run" if dry else ""
    return f"{wanted.display_name} was asked for{tried}: run {asked.run.id}."


def _is_yes(written: str) -> bool:
    return written.casefold() in ("yes", "y", "true", "1")


BEYOND = Beyond(_make_item, _run)
