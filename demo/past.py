"""The incident of the replayed month: told, resolved, written down, and its lessons kept.

It stands beside the first trouble of `demo.history.STORY`, through the same functions as a real
one. Nobody lived through it, and its summary says so.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime

from sqlalchemy import Connection

from demo.history import STORY
from watchkeeper.incidents import work as incidents
from watchkeeper.incidents.keeping import By
from watchkeeper.incidents.model import EntryKind
from watchkeeper.kernel.clock import Seconds
from watchkeeper.oncall.model import Site
from watchkeeper.postmortems import items_work, store_items
from watchkeeper.postmortems import work as postmortems
from watchkeeper.slo import work as slos
from watchkeeper.spec.model import Specs

MINUTE, DAY = 60.0, 86_400.0
BEGAN = STORY[0]
TITLE = "A third of all card payments are refused"
SUMMARY = (
    "A third of all charges were refused for 38 minutes, because a certificate of the card network "
    "was renewed on one of two hosts only. Taking the other host out ended it. (This incident is "
    "part of the demo's replayed month.)"
)
CHO, DEE, ANN = (By(name, "web") for name in ("cho", "dee", "ann"))
WHYS = """
  - One of two hosts showed an expired certificate [evidence: log of the card network]
    - The renewal ended with success though it reached one host [evidence: its output]
      - No check asks each host which certificate it shows (systemic)
    - The other host was added after the renewal was written [evidence: history of the inventory]
      - Hosts are listed by hand in two places (process)"""


def record(conn: Connection, specs: Specs, site: Site, now: Seconds) -> None:
    """Record the incident of the month, its postmortem and its action items."""
    quiet = without_phones(specs)
    number = _incident(conn, quiet, site, now - BEGAN.days_ago * DAY)
    _postmortem(conn, quiet, site, number, now - (BEGAN.days_ago - 1.2) * DAY)


def without_phones(specs: Specs) -> Specs:
    """The same people, whom nothing reaches: nobody is told today of what was weeks ago."""
    users = {n: replace(u, contacts=()) for n, u in specs.duty.users.items()}
    return replace(specs, duty=replace(specs.duty, users=users))


def _incident(conn: Connection, specs: Specs, site: Site, began: Seconds) -> int:
    at = began + 5 * MINUTE
    made = incidents.declare(
        conn, specs, site, TITLE, "SEV2", CHO, at, services=("payments", "shop"),
        slos=("checkout-availability", "payments-charges"), journeys=("checkout",),
        summary=SUMMARY, began_at=began,
    ).id  # fmt: skip

    def say(minutes: float, kind: EntryKind, text: str, by: By) -> None:
        incidents.say(conn, made, kind, text, by, began + minutes * MINUTE)

    def move(minutes: float, state: str) -> None:
        incidents.set_state(conn, specs, site, made, state, "", CHO, began + minutes * MINUTE)

    incidents.say(
        conn, made, EntryKind.DETECTED, "The first charges are refused", CHO, at, at=began
    )
    move(6, "investigating")
    say(8, EntryKind.MESSAGE, "Refusals are even over all cards: it is not one bank", DEE)
    incidents.update(
        conn, specs, site, made, "Some payments by card are refused. Nothing is charged twice.",
        ANN, began + 9 * MINUTE, public=True, components=("payments",),
        headline="Some card payments fail",
    )  # fmt: skip
    say(21, EntryKind.MESSAGE, "Only **pay-2** refuses. It shows last year's certificate", DEE)
    move(22, "identified")
    say(24, EntryKind.DECISION, "pay-2 is taken out; pay-1 carries the load alone", CHO)
    say(36, EntryKind.ACTION, "pay-2 is out", DEE)
    move(38, "mitigated")
    incidents.describe(conn, specs, made, CHO, began + 50 * MINUTE,
                       causes=["certificate on one host only"])  # fmt: skip
    incidents.update(conn, specs, site, made, "Payments by card work again.", ANN,
                     began + 55 * MINUTE, public=True, components=("payments",))  # fmt: skip
    move(60, "resolved")
    return made


def _postmortem(conn: Connection, specs: Specs, site: Site, number: int, now: Seconds) -> None:
    fleet = slos.evaluate_fleet(conn, specs, now)
    made = postmortems.open_for(conn, specs, fleet, site, number, "engine", now)
    text = filled(made.text, lessons(now))
    postmortems.save(conn, made.id, made.version, text, made.owner, now + 3600)
    for hours, verb, by in ((20, "review", made.owner), (26, "approve", "ann")):
        postmortems.act(conn, specs, site, made.id, verb, by, "", now + hours * 3600)
    postmortems.act(conn, specs, site, made.id, "publish", made.owner, "", now + 27 * 3600)
    first = min(i.id for i in store_items.find(conn, postmortem_id=made.id))
    items_work.move(conn, first, "done", "dee", now + 6 * DAY)


def lessons(now: Seconds) -> Mapping[str, str]:
    """What people thought about: by heading, what stands below it."""
    soon, later = (datetime.fromtimestamp(now + d * DAY, UTC).date() for d in (12, 40))
    return {
        "Root cause analysis": "A renewal was taken for complete when it had reached one host.",
        "What went well": "- The burn rate called somebody five minutes after it began.",
        "What went wrong": "- Nothing showed refusals by host; it took 13 minutes to see that.",
        "Where we got lucky": "- One host could carry the whole load of that hour.",
        "Action items": "\n".join(
            (
                f"- Check every hour which certificate each host shows (owner: dee, due: {soon})",
                f"- Take the list of hosts from the inventory (owner: cho, due: {later})",
                f"- Show refusals by host beside the burn rate (owner: dee, due: {later})",
            )
        ),
    }  # fmt: skip


def filled(draft: str, by_heading: Mapping[str, str], whys: str = WHYS) -> str:
    """A draft with these sections written, and these answers to its why."""
    for heading, body in by_heading.items():
        before, begin, rest = draft.partition(f"## {heading}\n\n")
        old, end, after = rest.partition("\n\n##")
        draft = before + begin + (body if begin else old) + end + after
    return re.sub(r"(- Why did this happen: .*)", lambda m: m[1] + whys, draft, count=1)
