"""A shop with sixty days of history and a dozen releases, of which some cost something."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

from tests.support.causes_room import DAY, NOW, NOW_MINUTE, CausesRoom, causes_room, quiet
from tests.support.slo import HERE
from watchkeeper.changes import work as changes_work
from watchkeeper.changes.model import ChangeKind, Intent, Told
from watchkeeper.policy import affording, rules
from watchkeeper.policy.affording import Afford
from watchkeeper.spec.budget import BudgetPolicyDefinition
from watchkeeper.spec.model import SloDefinition

RELEASES = tuple(NOW_MINUTE - d * DAY for d in (58, 54, 50, 46, 40, 36, 30, 24, 20, 16, 9, 4))
BAD = {RELEASES[3]: 100, RELEASES[7]: 70, RELEASES[10]: 150}
"""When releases that cost something went out, and for how many minutes they failed."""
CONFIGURED = NOW_MINUTE - 12 * DAY


def told(at: int, version: str, intent: Intent, kind: ChangeKind = ChangeKind.DEPLOYMENT) -> Told:
    """A report of a change of the shop."""
    return Told(
        summary=f"Shop {version}", kind=kind, intent=intent, services=("shop",), version=version,
        started_at=at * 60.0, environment="production", reporter="rosa",
    )  # fmt: skip


def story(room: CausesRoom) -> None:
    """Twelve releases in sixty days, three of them bad, and a configuration that cost nothing."""
    minutes = quiet(NOW_MINUTE - 60 * DAY, NOW_MINUTE, 100, 40)
    for at, lasting in BAD.items():
        minutes |= dict.fromkeys(range(at + 3, at + 3 + lasting), (60, 100))
    room.record("shop", minutes)
    reports = [
        told(at, f"1.{i}", Intent.RELIABILITY if i % 6 == 5 else Intent.FEATURE)
        for i, at in enumerate(RELEASES)
    ]
    reports.append(told(CONFIGURED, "pool=20", Intent.UNKNOWN, ChangeKind.CONFIGURATION))
    with room.db.write() as conn:
        for report in reports:
            changes_work.record(conn, report, changes_work.OURS, "ci", room.specs, NOW)


@contextmanager
def afford_room(folder: Path, more: Sequence[SloDefinition] = ()) -> Iterator[CausesRoom]:
    """The room with its story; a policy rules the shop by its own objective."""
    with causes_room(folder, more) as room:
        policy = BudgetPolicyDefinition(
            "shop-budget", "The shop's budget", HERE, services=("shop",), at_risk=Decimal("0.5")
        )
        room.specs = replace(room.specs, budgets={policy.name: policy})
        story(room)
        yield room


def afford_of(room: CausesRoom, service: str = "shop", slo: str = "", days: int = 90) -> Afford:
    """What the service can afford."""
    by_slo = rules.by_definition(room.fleet().statuses)
    with room.db.read() as conn:
        return affording.afford_of(conn, room.specs, service, by_slo, NOW, slo, days)
