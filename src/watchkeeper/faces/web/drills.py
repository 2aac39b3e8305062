"""The page of fire drills: what was proved, when, and what was not proved for 30 days."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from watchkeeper.access.model import Permission
from watchkeeper.faces.duty import Duty
from watchkeeper.faces.reaching import Proofs, proofs_of
from watchkeeper.faces.services import Services
from watchkeeper.faces.web import duty_calendar as cal
from watchkeeper.faces.web import words
from watchkeeper.faces.web.acting import Acting, Form, actor, allowed, as_csv
from watchkeeper.faces.web.policies_page import url_of
from watchkeeper.faces.web.reached import fresh, last_words, proof_badge
from watchkeeper.faces.web.words import Badge
from watchkeeper.kernel import text
from watchkeeper.kernel.clock import Seconds, iso
from watchkeeper.oncall.model import Page, PageState
from watchkeeper.spec.model import Specs

HEAD = ("kind", "name", "channel", "address", "proved_at")


@dataclass(frozen=True, slots=True)
class DrillRow:
    """A drill that was held."""

    title: str
    url: str
    badge: Badge
    when: str
    took: str
    by: str


@dataclass(frozen=True, slots=True)
class ProofRow:
    """The last proof of something."""

    name: str
    url: str
    sub: str
    badge: Badge
    fresh: bool


def drill_row(page: Page, specs: Specs, now: Seconds) -> DrillRow:
    """What came of a drill."""
    its = page.policy
    answered = page.acked_at is not None
    if answered:
        badge = Badge("ok", "Answered")
    elif page.state is PageState.RESOLVED:
        badge = Badge("burn", "Nobody answered")
    else:
        badge = Badge("watch", "Running")
    took = text.duration((page.acked_at or now) - page.opened_at) if answered else "–"
    return DrillRow(
        its.display_name if its else page.title,
        f"/pages/{page.id}",
        badge,
        f"{words.day_clock(page.opened_at)} UTC",
        took,
        f"{words.plural(page.calls, 'call')}",
    )


def contact_rows(proofs: Proofs, duty: Duty, now: Seconds) -> list[ProofRow]:
    """Ways to people, the one proved longest ago first."""
    specs = duty.specs()
    every = sorted(proofs.contacts, key=lambda c: (c.proved_at or 0.0, c.channel, c.address))
    return [
        ProofRow(
            f"{c.channel}, {duty.shown(c.channel, c.address)}",
            "",
            f"{cal.names((c.user,), specs)} · {last_words(c, now)}",
            proof_badge(c.proved_at, now),
            fresh(c.proved_at, now),
        )
        for c in every
    ]


class DrillHandlers(Acting):
    """All handlers of this page."""

    def __init__(self, duty: Duty, services: Services) -> None:
        super().__init__(services)
        self.duty = duty

    def show(self, request: Request) -> Response:
        """What is proved, what is not, and the drills that were held."""
        specs, now, proofs = self.duty.specs(), self.duty.clock.now(), proofs_of(self.duty)
        contacts = contact_rows(proofs, self.duty, now)
        stale = [c for c in contacts if not c.fresh]
        return self.pages.page(
            request,
            "drills.html",
            "oncall",
            headline=_headline(len(stale), len(contacts)),
            drills=[drill_row(p, specs, now) for p in self.duty.drills(50)],
            contacts=contacts,
            stale=len(stale),
            policies=[
                ProofRow(
                    p.definition.display_name,
                    url_of(p.definition.name),
                    f"next by itself {words.day_clock(p.next_at)} UTC" if p.next_at
                    else "only by hand",
                    proof_badge(p.proved_at, now),
                    fresh(p.proved_at, now),
                )
                for p in proofs.policies
            ],
            channels=[
                ProofRow(
                    c.definition.name,
                    "/reach",
                    f"{c.definition.type} · {words.plural(c.contacts, 'contact')}",
                    proof_badge(c.proved_at, now),
                    fresh(c.proved_at, now),
                )
                for c in proofs.channels
            ],
            choices=[(p.name, p.display_name) for p in specs.duty.escalation_policies.values()],
            may_drill=allowed(request, Permission.EDIT),
        )  # fmt: skip

    def start(self, request: Request, form: Form) -> Response:
        """Start a drill, and show it."""
        page = self.duty.drill(form.get("policy", ""), actor(request))
        return RedirectResponse(f"/pages/{page.id}", 303)

    def export(self, _: Request) -> Response:
        """The last proof of everything as CSV."""
        proofs, shown = proofs_of(self.duty), self.duty.shown

        def at(when: Seconds | None) -> str:
            return iso(when) if when is not None else ""

        rows = [("policy", p.definition.name, "", "", at(p.proved_at)) for p in proofs.policies]
        rows += [("channel", c.definition.name, "", "", at(c.proved_at)) for c in proofs.channels]
        rows += [("person", p.definition.name, "", "", at(p.proved_at)) for p in proofs.people]
        rows += [
            ("contact", c.user, c.channel, shown(c.channel, c.address), at(c.proved_at))
            for c in proofs.contacts
        ]
        return as_csv("proofs", HEAD, rows)


def _headline(stale: int, all_of_them: int) -> str:
    if not all_of_them:
        return "There is nobody to reach yet"
    if not stale:
        return "Every way to reach people was proved in the last 30 days"
    ways = words.plural(stale, "way", "ways")
    return f"{ways} to reach people not proved for 30 days"


def drill_routes(duty: Duty, services: Services) -> Sequence[BaseRoute]:
    """All routes of this page."""
    its = DrillHandlers(duty, services)
    return [
        Route("/drills", its.shown(its.show), methods=["GET"]),
        Route("/drills", its.posted(its.start), methods=["POST"]),
        Route("/drills.csv", its.shown(its.export)),
    ]
