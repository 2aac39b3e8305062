"""What was changed in the shop: in the replayed month, and while the demo runs. Pure.

Changes of the month stand beside the incidents of `demo.history.STORY`: some made them, most did
nothing. While the demo runs, each fault comes with the release of payments that brings it, and with
an innocent change of the shop a little later.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from watchkeeper.changes.model import ChangeKind, Intent, Outcome, Told
from watchkeeper.kernel.clock import Seconds

DAY = 86_400.0
LINK = "https://ci.example/shop"


def _made(service: str, summary: str, kind: ChangeKind, intent: Intent, version: str = "") -> Told:
    return Told(
        summary=summary,
        services=(service,),
        kind=kind,
        intent=intent,
        version=version,
        environment="production",
        outcome=Outcome.SUCCEEDED,
    )


BEFORE: tuple[tuple[float, float, Told], ...] = (
    (21.4 + 4 / 1440, 3, _made("payments", "Certificates of the card network renewed",
                               ChangeKind.INFRASTRUCTURE, Intent.SECURITY)),
    (12.6 + 6 / 1440, 2, _made("shop", "Cache of the catalogue made smaller",
                               ChangeKind.CONFIGURATION, Intent.RELIABILITY)),
    (9.02, 45, _made("shop", "Monitoring moved to new machines",
                     ChangeKind.MAINTENANCE, Intent.RELIABILITY)),
    (6.2 + 3 / 1440, 14, replace(_made("shop", "Shop 2.14.0", ChangeKind.DEPLOYMENT,
                                       Intent.FEATURE, "2.14.0"), outcome=Outcome.ROLLED_BACK)),
    (2.1 + 2 / 1440, 0, _made("shop", "New rounding of discounts for everybody",
                              ChangeKind.FLAG, Intent.FEATURE)),
)  # fmt: skip
"""(days ago, minutes it took, what)."""
ROUTINE = (("shop", "2.{}.0", 13, 2.7), ("payments", "1.{}.0", 5, 4.9))
"""Releases that went well: (service, version, the last one's number, days between two)."""


def month(now: Seconds) -> Iterator[Told]:
    """The changes of the thirty days before ``now``."""
    for days, minutes, told in BEFORE:
        began = now - days * DAY
        yield replace(told, started_at=began, ended_at=began + minutes * 60)
    for service, version, last, apart in ROUTINE:
        for n in range(int(29 / apart)):
            name = version.format(last - n)
            began = now - (1.4 + n * apart) * DAY
            told = _made(service, f"{service.capitalize()} {name}", ChangeKind.DEPLOYMENT,
                         Intent.FEATURE, name)  # fmt: skip
            yield replace(told, started_at=began, ended_at=began + 240)


def bad_release(number: int) -> dict[str, object]:
    """The release of payments that brings the fault, as the API takes it."""
    return {
        "key": f"payments-1.6.{number}",
        "services": ["payments"],
        "kind": "deployment",
        "intent": "feature",
        "version": f"1.6.{number}",
        "previous_version": "1.5.0",
        "environment": "production",
        "outcome": "succeeded",
        "summary": f"Payments 1.6.{number}: charge in one step",
        "links": [{"text": "Pipeline", "href": f"{LINK}/payments/{number}"}],
    }


def innocent(number: int) -> dict[str, object]:
    """A change of the shop that comes later and does no harm."""
    return {
        "key": f"shop-banner-{number}",
        "services": ["shop"],
        "kind": "flag",
        "intent": "feature",
        "environment": "production",
        "outcome": "succeeded",
        "summary": "Winter banner on the home page",
    }


def rolled_back(number: int) -> dict[str, object]:
    """The release of payments is taken back."""
    return {"key": f"payments-1.6.{number}", "services": ["payments"], "outcome": "rolled_back",
            "version": f"1.6.{number}"}  # fmt: skip
