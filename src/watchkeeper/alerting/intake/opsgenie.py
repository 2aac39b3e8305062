"""Opsgenie's alert API: create, close and acknowledge by alias or id.

https://docs.opsgenie.com/docs/alert-api: an alert without an alias is its own; priority P1 to P5.
"""

from __future__ import annotations

from watchkeeper.alerting.intake.model import Asked, Understood
from watchkeeper.alerting.intake.reading import Fields, plain, severity_of, wrong
from watchkeeper.alerting.model import Signal, SignalAction
from watchkeeper.kernel.errors import NotFound

ACTIONS = {"close": SignalAction.RESOLVE, "acknowledge": SignalAction.ACKNOWLEDGE}
MOST_ALIAS = 512


def parse(document: object, asked: Asked) -> list[Understood]:
    """``asked.tail`` is '' for a new alert, or ``{alias}/close`` or ``{alias}/acknowledge``."""
    fields = Fields(document if document is not None else {})
    if asked.tail:
        return [_about(fields, asked.tail)]
    alias = fields.exact("alias", MOST_ALIAS)
    details = fields.labels("details")
    description = fields.text("description")
    more = {k: v for k, v in fields.data.items() if k in ("responders", "tags", "actions", "note")}
    signal = Signal(
        key=alias or asked.fresh,
        action=SignalAction.TRIGGER,
        summary=fields.text("message", required=True, most=1000),
        severity=_severity(fields),
        service=details.get("service", ""),
        source=fields.text("source", most=500),
        component=fields.text("entity", most=500),
        labels={**details, **_tags(fields)},
        details={**details, **({"description": description} if description else {}), **more},
    )
    return [signal]


def _severity(fields: Fields) -> str:
    """Opsgenie's default is P3."""
    return severity_of(fields.choice("priority", ("p1", "p2", "p3", "p4", "p5"), "p3"))


def _tags(fields: Fields) -> dict[str, str]:
    tags = fields.texts("tags")
    return {"tags": ",".join(tags)} if tags else {}


def _about(fields: Fields, tail: str) -> Signal:
    alias, _, verb = tail.rpartition("/")
    action = ACTIONS.get(verb)
    if action is None or not alias:
        known = ", ".join(f"{{alias}}/{v}" for v in ACTIONS)
        raise NotFound(f"{tail[:80]!r} is nothing that can be done.", f"There are {known}.")
    if len(alias) > MOST_ALIAS:
        raise wrong("the alias", f"a text of at most {MOST_ALIAS} characters")
    note = fields.data.get("note")
    return Signal(
        key=alias,
        action=action,
        summary="",
        source=fields.text("source", most=500),
        details={"note": plain(note)[:5000]} if note else {},
        actor=fields.text("user", most=200),
    )
