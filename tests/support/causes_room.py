"""A small shop whose services fail for known reasons, over a real ledger and real changes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from decimal import Decimal
from pathlib import Path

from tests.support.slo import HERE, rolling
from watchkeeper.causes import keeping, work
from watchkeeper.causes.model import Account, Kind, Label
from watchkeeper.changes import work as changes_work
from watchkeeper.changes.model import ChangeKind, Told
from watchkeeper.measure.model import Batch, Count, GroupKey
from watchkeeper.slo import work as slo_work
from watchkeeper.slo.model import Correction, Fleet
from watchkeeper.spec.model import (
    Aspect,
    CountsSli,
    PushStream,
    ServiceDefinition,
    SliDefinition,
    SloDefinition,
    Specs,
    ThresholdSli,
)
from watchkeeper.store import Database

DAY = 1440
NOW_MINUTE = 30_000_000 + 28 * DAY
NOW = NOW_MINUTE * 60.0
DEPENDS: Mapping[str, tuple[str, ...]] = {
    "web": ("shop",),
    "shop": ("payments", "stock"),
    "payments": ("bank",),
    "stock": (),
    "bank": (),
}


def cause_doors(viewers: set[str], responders: set[str]) -> dict[str, set[str]]:
    """For whom the doors of causes are, for the table of all routes."""
    page, api = "/slo/{name:path}/causes", "/api/v1/slos/{name:path}/causes"
    read = (page, f"{page}.csv", f"{page}.json", api, "/api/v1/causes/accuracy")
    said = (f"POST {page}", f"POST {page}/{{id}}/remove", f"POST {api}")
    return {
        **dict.fromkeys((f"GET {path}" for path in read), viewers),
        **dict.fromkeys((*said, f"DELETE {api}/{{label_id}}"), responders),
    }


def objective(
    name: str,
    service: str,
    *,
    group_by: tuple[str, ...] = (),
    gauge: bool = False,
    target: str = "0.99",
    aspect: Aspect | None = Aspect.AVAILABILITY,
) -> SloDefinition:
    stream = PushStream(f"{name}-sli")
    measured = ThresholdSli(stream, "lt", 0.9) if gauge else CountsSli(stream)
    sli = SliDefinition(f"{name}-sli", "pushed", measured, group_by)
    return SloDefinition(
        name, name.title(), service, Decimal(target), rolling("28d"), HERE, sli=sli,
        aspect=None if gauge else aspect,
    )  # fmt: skip


def shop_specs(*more: SloDefinition) -> Specs:
    """Five services that call each other; the first four have an availability objective."""
    slos = [objective(name, name) for name in ("web", "shop", "payments", "stock")]
    services = {
        name: ServiceDefinition(name, name.title(), HERE, owner="core", depends_on=needs)
        for name, needs in DEPENDS.items()
    }
    return Specs({}, {s.name: s for s in (*slos, *more)}, services, {}, {}, {})


Minutes = dict[int, tuple[int, int]]
"""minute → (bad, total)"""


def quiet(start: int, end: int, total: int = 100, every: int = 50) -> Minutes:
    """One bad event every so many minutes."""
    return {m: (int(m % every == 0), total) for m in range(start, end)}


@dataclass
class CausesRoom:
    """The room over a real database, driven as faces drive it."""

    db: Database
    specs: Specs
    _said: int = field(default=0)

    def record(self, slo: str, minutes: Minutes, group: GroupKey = ()) -> None:
        counts = [
            Count(f"{slo}-sli", m, t - b, t, group=group) for m, (b, t) in sorted(minutes.items())
        ]
        with self.db.write() as conn:
            slo_work.record_batch(conn, self.specs, Batch(counts), NOW)

    def change(
        self,
        service: str,
        minute: float,
        version: str = "",
        kind: ChangeKind = ChangeKind.DEPLOYMENT,
        environment: str = "production",
        source: str = "",
    ) -> int:
        told = Told(
            summary=f"{kind} of {service}",
            kind=kind,
            services=(service,),
            version=version,
            started_at=minute * 60.0,
            environment=environment,
            source=source,
        )
        with self.db.write() as conn:
            kept = changes_work.record(conn, told, changes_work.OURS, "ci", self.specs, NOW)
        return kept.change.id

    def exclude(self, slo: str, start: int, end: int, id: str = "c") -> None:
        with self.db.write() as conn:
            slo_work.correct(conn, Correction(id, slo, start, end, "load test", "ada", 0.0))

    def account(self, slo: str, minutes: int | None = None, now: float = NOW) -> Account:
        with self.db.read() as conn:
            return work.account(conn, self.specs, slo, now, minutes)

    def consumed(self, slo: str, now: float = NOW) -> float:
        with self.db.read() as conn:
            fleet = slo_work.evaluate_fleet(conn, self.specs, now, [slo])
        return fleet.statuses[0].budget.consumed

    def fleet(self, now: float = NOW) -> Fleet:
        with self.db.read() as conn:
            return slo_work.evaluate_fleet(conn, self.specs, now)

    def say(self, slo: str, minute: int, kind: Kind, what: str = "", now: float = NOW) -> Label:
        self._said += 1
        with self.db.write() as conn:
            return work.say(
                conn, self.specs, slo, minute, work.Saying(kind, what, "seen in the logs"),
                "ada", f"l{self._said}", now,
            )  # fmt: skip

    def keep(self, slo: str, now: float = NOW) -> None:
        """Judge and keep, as is done beside the tick."""
        with self.db.read() as conn:
            found, span = work.refreshed(conn, self.specs, slo, now)
        with self.db.write() as conn:
            keeping.keep(conn, slo, found, span, now)


@contextmanager
def causes_room(folder: Path, more: Sequence[SloDefinition] = ()) -> Iterator[CausesRoom]:
    db = Database.open(str(folder / "causes.db"))
    try:
        room = CausesRoom(db, shop_specs(*more))
        with db.write() as conn:
            slo_work.apply_specs(conn, room.specs, 0.0)
        yield room
    finally:
        db.close()


def without_dependencies(specs: Specs) -> Specs:
    """The same services, strangers to each other."""
    alone = {n: replace(s, depends_on=()) for n, s in specs.services.items()}
    return replace(specs, services=alone)
