"""The pages of integrations: the doors for others' alerts, their keys, what came in by them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from watchkeeper.access.model import Permission
from watchkeeper.alerting.store_doors import Key
from watchkeeper.alerting.store_intake import Tally
from watchkeeper.faces import alert_pages
from watchkeeper.faces.alerts import alerts_of
from watchkeeper.faces.duty import Duty
from watchkeeper.faces.noting import UNKNOWN
from watchkeeper.faces.services import Services
from watchkeeper.faces.web import integration_examples as examples
from watchkeeper.faces.web import words
from watchkeeper.faces.web.acting import Acting, Form, actor, allowed, as_csv, sorry
from watchkeeper.faces.web.routes import Handler
from watchkeeper.faces.web.words import Badge
from watchkeeper.kernel import text
from watchkeeper.kernel.clock import Seconds, iso
from watchkeeper.kernel.errors import NotFound, UserError
from watchkeeper.spec.duty import IntegrationDefinition
from watchkeeper.spec.model import Specs

NO_TALLY = Tally()
HEAD = ("integration", "type", "service", "accepted", "refused", "last_accepted", "last_refused",
        "last_refusal", "keys")  # fmt: skip


@dataclass(frozen=True, slots=True)
class KeyRow:
    """A key as it is kept: never the secret."""

    name: str
    made: str
    open: bool
    ended: str


@dataclass(frozen=True, slots=True)
class IntegrationRow:
    """An integration in the list."""

    name: str
    url: str
    type: str
    badge: Badge
    called: str
    last: str
    accepted: str
    refused: str
    refusal: str
    keys: str


@dataclass(frozen=True, slots=True)
class IntegrationView:
    """One integration."""

    row: IntegrationRow
    facts: Sequence[tuple[str, str]]
    figures: Sequence[tuple[str, str, str]]
    refusal: str
    keys: Sequence[KeyRow]
    guide: examples.Guide
    refresh: str


def key_rows(keys: Sequence[Key]) -> list[KeyRow]:
    """Open ones first, each newest first."""
    ordered = sorted(keys, key=lambda k: (k.revoked_at is not None, -k.created_at))
    return [
        KeyRow(
            k.name,
            words.day_clock(k.created_at),
            k.revoked_at is None,
            f"revoked {words.day_clock(k.revoked_at)}" if k.revoked_at is not None else "in use",
        )
        for k in ordered
    ]


def integration_row(
    door: IntegrationDefinition, tally: Tally, keys: Sequence[Key], specs: Specs, now: Seconds
) -> IntegrationRow:
    """One integration as it is now."""
    usable = sum(k.revoked_at is None for k in keys)
    return IntegrationRow(
        name=door.name,
        url=url_of(door.name),
        type=examples.NAMES[door.type],
        badge=_badge(tally, usable),
        called=_called(door, specs),
        last=words.ago(tally.accepted_at, now),
        accepted=text.count(tally.accepted),
        refused=text.count(tally.refused),
        refusal=_refusal(tally, now),
        keys=words.plural(usable, "key") if usable else "no key",
    )


def _badge(tally: Tally, usable: int) -> Badge:
    if not usable:
        return Badge("spent", "No key")
    if tally.accepted_at is None and tally.refused_at is None:
        return Badge("none", "Never heard")
    if (tally.refused_at or 0.0) > (tally.accepted_at or 0.0):
        return Badge("watch", "Last one refused")
    return Badge("ok", "Receiving")


def _called(door: IntegrationDefinition, specs: Specs) -> str:
    if door.escalation_policy:
        return f"policy {door.escalation_policy}"
    if door.service:
        return f"whoever answers for {words.service_name(specs, door.service)}"
    return "by the service that the alert names"


def _refusal(tally: Tally, now: Seconds) -> str:
    if tally.refused_at is None:
        return ""
    return f"{words.ago(tally.refused_at, now)}: {' '.join(tally.refusal.split())}"


def integration_view(
    door: IntegrationDefinition,
    tally: Tally,
    keys: Sequence[Key],
    specs: Specs,
    now: Seconds,
    base: str,
    secret: str,
) -> IntegrationView:
    """One integration with all that somebody needs to connect it."""
    facts = [
        ("Kind", examples.NAMES[door.type]),
        ("Calls", _called(door, specs)),
        ("Limit", f"{door.per_minute:,} alerts a minute; then 429 with Retry-After"),
        ("Closes itself", f"{text.duration(door.auto_close)} after the last news"
         if door.auto_close else "no"),
        ("Defined in", f"{door.place.file}:{door.place.line}" if door.place.file else "–"),
    ]  # fmt: skip
    return IntegrationView(
        integration_row(door, tally, keys, specs, now),
        facts,
        [
            ("Accepted", text.count(tally.accepted), f"last {words.ago(tally.accepted_at, now)}"),
            ("Refused", text.count(tally.refused), f"last {words.ago(tally.refused_at, now)}"),
            ("Keys in use", str(sum(k.revoked_at is None for k in keys)), f"{len(keys)} ever made"),
        ],
        _refusal(tally, now),
        key_rows(keys),
        examples.guide(door, base, secret or examples.KEY),
        f"/parts/integrations/{quote(door.name, safe='')}",
    )


def url_of(name: str) -> str:
    """The address of an integration's page."""
    return f"/integrations/{quote(name, safe='')}"


def base_of(duty: Duty, request: Request) -> str:
    """Where others reach this server: as it was told, else as this reader does."""
    return duty.site.base_url or str(request.base_url).rstrip("/")


class IntegrationHandlers(Acting):
    """All handlers, over the same services."""

    def __init__(self, duty: Duty, services: Services) -> None:
        super().__init__(services)
        self.duty, self.alerts = duty, alerts_of(duty)

    def all(self, request: Request) -> Response:
        """Every door and how it is doing."""
        return self.pages.page(request, "integrations.html", "integrations", view=self._all())

    def part(self, _: Request) -> Response:
        """The same again."""
        return self.pages.part("_integrations.html", view=self._all())

    def _all(self) -> dict[str, object]:
        specs, now = self.duty.specs(), self.duty.clock.now()
        found = alert_pages.doors(self.alerts)
        rows = [
            integration_row(d, found.tallies.get(n, NO_TALLY), found.keys[n], specs, now)
            for n, d in specs.duty.integrations.items()
            if n in found.keys
        ]
        stray = found.tallies.get(UNKNOWN, NO_TALLY)
        return {
            "rows": rows,
            "headline": _headline(rows),
            "stray": stray.refused and words.plural(stray.refused, "message"),
            "stray_last": _refusal(stray, now),
        }

    def export(self, _: Request) -> Response:
        """The list as CSV."""
        found = alert_pages.doors(self.alerts)
        rows = []
        for name, door in self.duty.specs().duty.integrations.items():
            tally = found.tallies.get(name, NO_TALLY)
            open_keys = [k.name for k in found.keys.get(name, ()) if k.revoked_at is None]
            times = [None if t is None else iso(t) for t in (tally.accepted_at, tally.refused_at)]
            rows.append((name, str(door.type), door.service, tally.accepted, tally.refused, *times,
                         tally.refusal, ", ".join(open_keys)))  # fmt: skip
        return as_csv("integrations", HEAD, rows)

    def one(
        self, request: Request, problem: str = "", secret: str = "", status: int = 200
    ) -> Response:
        """One door: where to send, its keys, how it is doing."""
        return self.pages.page(
            request,
            "integration.html",
            "integrations",
            status,
            view=self._view(request, secret),
            problem=problem,
            secret=secret,
            may_edit=allowed(request, Permission.EDIT),
            may_administer=allowed(request, Permission.ADMINISTER),
        )

    def one_part(self, request: Request) -> Response:
        """How it is doing, again."""
        return self.pages.part("_integration.html", view=self._view(request, ""))

    def _view(self, request: Request, secret: str) -> IntegrationView:
        specs, name = self.duty.specs(), request.path_params["name"]
        door = specs.duty.integrations.get(name)
        if door is None:
            there = ", ".join(specs.duty.integrations) or "none"
            raise NotFound(f"There is no integration {name!r}.", f"There are: {there}.")
        found = alert_pages.doors(self.alerts)
        now, base = self.duty.clock.now(), base_of(self.duty, request)
        tally, keys = found.tallies.get(name, NO_TALLY), found.keys.get(name, ())
        return integration_view(door, tally, keys, specs, now, base, secret)

    def make_key(self, request: Request, form: Form) -> Response:
        """A new key, shown this once."""
        name = request.path_params["name"]
        try:
            secret = self.alerts.make_key(name, form.get("name", "").strip(), actor(request))
        except NotFound:
            raise
        except UserError as error:
            return self.one(request, sorry(error), "", 400)
        return self.one(request, "", secret)

    def revoke(self, request: Request, form: Form) -> Response:
        """Close a key for good."""
        name = request.path_params["name"]
        self.alerts.revoke_key(name, form.get("name", ""), actor(request))
        return RedirectResponse(url_of(name) + "#keys", 303)

    def test(self, request: Request, form: Form) -> Response:
        """Send an alert through this door, and show it."""
        calls = form.get("calls") == "yes"
        made = self.alerts.test(request.path_params["name"], actor(request), calls)
        if made.alert_id is None:
            said = "A triage rule dropped the test alert: nothing was opened."
            return self.one(request, said, "", 200)
        return RedirectResponse(f"/alerts/{made.alert_id}", 303)


def _headline(rows: Sequence[IntegrationRow]) -> str:
    if not rows:
        return "No integration yet"
    refused = sum(r.badge.key == "watch" for r in rows)
    if refused:
        return f"{words.plural(refused, 'integration')} refused the last message"
    heard = sum(r.badge.key == "ok" for r in rows)
    return f"{heard} of {words.plural(len(rows), 'integration')} heard of"


def integration_routes(duty: Duty, services: Services) -> Sequence[BaseRoute]:
    """All routes of these pages."""
    its = IntegrationHandlers(duty, services)

    def get(path: str, handler: Handler) -> Route:
        return Route(path, its.shown(handler))

    posts: Mapping[str, Route] = {
        path: Route(f"/integrations/{{name:path}}/{path}", its.posted(act), methods=["POST"])
        for path, act in (("keys/revoke", its.revoke), ("keys", its.make_key), ("test", its.test))
    }
    return [
        get("/integrations", its.all),
        get("/integrations.csv", its.export),
        get("/parts/integrations", its.part),
        get("/parts/integrations/{name:path}", its.one_part),
        *posts.values(),
        get("/integrations/{name:path}", its.one),
    ]
