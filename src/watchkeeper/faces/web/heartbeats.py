"""The page of heartbeats: what must report, when it did, and when it must again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from watchkeeper.access.model import Permission
from watchkeeper.alerting.heartbeats import exit_code, said
from watchkeeper.alerting.keys import HEARTBEAT
from watchkeeper.alerting.store_doors import Key
from watchkeeper.faces import alert_pages
from watchkeeper.faces.alerts import HeartbeatView, alerts_of
from watchkeeper.faces.duty import Duty
from watchkeeper.faces.services import Services
from watchkeeper.faces.web import words
from watchkeeper.faces.web.acting import Acting, Form, actor, allowed, as_csv, sorry
from watchkeeper.faces.web.integrations import KeyRow, base_of, key_rows
from watchkeeper.faces.web.words import Badge
from watchkeeper.kernel import text
from watchkeeper.kernel.clock import Seconds, iso
from watchkeeper.kernel.errors import NotFound, UserError
from watchkeeper.spec.duty import HeartbeatDefinition

HEAD = ("heartbeat", "state", "schedule", "grace_seconds", "last", "due_at", "took_seconds",
        "exit_code", "note")  # fmt: skip
STATES = {
    "new": Badge("none", "Never heard"),
    "up": Badge("ok", "On time"),
    "running": Badge("watch", "Running"),
    "late": Badge("burn", "Late"),
    "failed": Badge("spent", "Failed"),
}
URGENT = ("late", "failed", "running", "up", "new")


@dataclass(frozen=True, slots=True)
class HeartbeatRow:
    """A heartbeat in the list."""

    name: str
    url: str
    anchor: str
    badge: Badge
    schedule: str
    grace: str
    calls: str
    last: str
    last_at: str
    due: str
    exit: str
    took: str
    note: str
    address: str
    job: str
    cron: bool
    keys: Sequence[KeyRow]
    usable: bool


def schedule_words(definition: HeartbeatDefinition) -> str:
    """``every 5 m``, or the cron expression with its time zone."""
    if definition.every is not None:
        return f"every {text.duration(definition.every)}"
    return f"{definition.cron} ({definition.time_zone})"


def heartbeat_row(
    definition: HeartbeatDefinition,
    view: HeartbeatView,
    keys: Sequence[Key],
    base: str,
    secret: str,
    now: Seconds,
) -> HeartbeatRow:
    """One heartbeat as it is now."""
    beat, code, address = view.beat, exit_code(view.beat), f"{base}/hb/{secret or 'KEY'}"
    usable = any(k.revoked_at is None for k in keys)
    return HeartbeatRow(
        name=view.name,
        url=f"/heartbeats/{quote(view.name, safe='')}",
        anchor=f"hb-{view.name}",
        badge=STATES[view.state],
        schedule=schedule_words(definition),
        grace=text.duration(definition.grace),
        calls=definition.urgency + (f", {definition.service}" if definition.service else ""),
        last=words.ago(beat.last, now),
        last_at=f"{words.day_clock(beat.last)} UTC" if beat.last is not None else "",
        due=_due(view, now),
        exit="–" if code is None else str(code),
        took="" if beat.took is None else f"took {text.duration(beat.took)}",
        note=said(beat)[:300],
        address=address,
        job=_job(definition, address),
        cron=bool(definition.cron),
        keys=key_rows(keys),
        usable=usable,
    )


def _job(definition: HeartbeatDefinition, address: str) -> str:
    when = f"{definition.cron} " if definition.cron else ""
    return f"{when}your-job.sh; curl -fsS -m 10 --retry 5 {address}/$?"


def _due(view: HeartbeatView, now: Seconds) -> str:
    if view.due_at is None:
        return "not waited for until its first ping"
    at = words.day_clock(view.due_at)
    if view.due_at < now:
        return f"was due by {at}, {text.duration(now - view.due_at)} ago"
    return f"by {at}, in {text.duration(view.due_at - now)}"


class HeartbeatHandlers(Acting):
    """All handlers, over the same services."""

    def __init__(self, duty: Duty, services: Services) -> None:
        super().__init__(services)
        self.duty, self.alerts = duty, alerts_of(duty)

    def all(
        self,
        request: Request,
        problem: str = "",
        made: tuple[str, str] = ("", ""),
        status: int = 200,
    ) -> Response:
        """Every heartbeat; ``made`` is one with its new key."""
        rows = self._rows(request, made)
        return self.pages.page(
            request,
            "heartbeats.html",
            "heartbeats",
            status,
            rows=rows,
            headline=_headline(rows),
            problem=problem,
            secret=next((r.address for r in rows if r.name == made[0]), ""),
            made=made[0],
            may_administer=allowed(request, Permission.ADMINISTER),
        )

    def part(self, request: Request) -> Response:
        """The list again."""
        rows = self._rows(request, ("", ""))
        return self.pages.part("_heartbeats.html", rows=rows, headline=_headline(rows))

    def _rows(self, request: Request, made: tuple[str, str]) -> list[HeartbeatRow]:
        found, now = self.duty.specs().duty.heartbeats, self.duty.clock.now()
        keys, base = alert_pages.doors(self.alerts).keys, base_of(self.duty, request)
        views = sorted(self.alerts.heartbeats(), key=lambda v: (URGENT.index(v.state), v.name))
        return [
            heartbeat_row(
                found[v.name],
                v,
                keys.get(HEARTBEAT + v.name, ()),
                base,
                made[1] if v.name == made[0] else "",
                now,
            )
            for v in views
            if v.name in found
        ]

    def export(self, _: Request) -> Response:
        """The list as CSV."""
        found = self.duty.specs().duty.heartbeats
        rows = [
            (v.name, v.state, schedule_words(found[v.name]), found[v.name].grace, _iso(v.beat.last),
             _iso(v.due_at), v.beat.took, exit_code(v.beat), v.beat.note)
            for v in self.alerts.heartbeats() if v.name in found
        ]  # fmt: skip
        return as_csv("heartbeats", HEAD, rows)

    def make_key(self, request: Request, form: Form) -> Response:
        """A new ping address, shown this once."""
        name = request.path_params["name"]
        try:
            key = self.alerts.make_key(
                HEARTBEAT + name, form.get("name", "").strip(), actor(request)
            )
        except NotFound:
            raise
        except UserError as error:
            return self.all(request, sorry(error), status=400)
        return self.all(request, "", (name, key))

    def revoke(self, request: Request, form: Form) -> Response:
        """Close a key for good."""
        name = request.path_params["name"]
        self.alerts.revoke_key(HEARTBEAT + name, form.get("name", ""), actor(request))
        return RedirectResponse("/heartbeats", 303)


def _iso(at: Seconds | None) -> str | None:
    return None if at is None else iso(at)


def _headline(rows: Sequence[HeartbeatRow]) -> str:
    if not rows:
        return "No heartbeat yet"
    bad = sum(r.badge.key in ("burn", "spent") for r in rows)
    if bad:
        return words.plural(bad, "heartbeat is", "heartbeats are") + " late or failed"
    return "Everything that reports is on time"


def heartbeat_routes(duty: Duty, services: Services) -> Sequence[BaseRoute]:
    """All routes of this page."""
    its = HeartbeatHandlers(duty, services)
    return [
        Route("/heartbeats", its.shown(its.all)),
        Route("/heartbeats.csv", its.shown(its.export)),
        Route("/parts/heartbeats", its.shown(its.part)),
        Route("/heartbeats/{name:path}/keys/revoke", its.posted(its.revoke), methods=["POST"]),
        Route("/heartbeats/{name:path}/keys", its.posted(its.make_key), methods=["POST"]),
    ]
