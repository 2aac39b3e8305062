"""Puts each case together: which systems it makes sense for, fresh for each run."""

from __future__ import annotations

import shutil
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType

import psycopg
from sqlalchemy import func, select

from benchmarks.failures import cases
from benchmarks.failures.cases import Bed, Case
from benchmarks.failures.counting import Row, until
from benchmarks.failures.systems import Alertmanager, Cluster, System, ours
from tests.support.pagers import Sundial
from tests.support.receiver import Receiver
from watchkeeper.notify.outbox import SENT, delivery
from watchkeeper.oncall.store import page
from watchkeeper.store import Database

SYSTEMS = {
    "sqlite": "Watchkeeper, SQLite",
    "postgresql": "Watchkeeper, PostgreSQL, 3 replicas",
    "alertmanager": "Alertmanager",
    "alertmanager3": "Alertmanager, cluster of 3",
}
PLAIN: dict[str, tuple[str, Case]] = {
    "accepted": ("kill -9 after each acceptance", cases.killed_after_accept),
    "sending": ("kill -9 in sending", cases.killed_in_sending),
    "paused": ("SIGSTOP in sending, SIGCONT", cases.paused_in_sending),
    "anywhere": ("SIGSTOP for 4 s at random moments", cases.paused_anywhere),
    "refuses": ("receiver answers 500", cases.refuses),
    "hangs": ("receiver hangs", cases.hangs),
    "cuts": ("receiver cuts after reading", cases.cuts),
}
TITLES = {
    **{name: title for name, (title, _) in PLAIN.items()},
    "restart": "PostgreSQL stopped at once and started",
    "terminate": "all connections terminated, again and again for 2 s",
    "forth": "clock set 1 h forth, kill -9, restart",
    "back": "clock set 1 h back, kill -9, restart",
    "storm": "storm for one person",
}
CASES = tuple(TITLES)
DATABASE, CLOCK = ("restart", "terminate"), {"forth": 3600, "back": -3600}


@dataclass
class Ground:
    """A directory and two PostgreSQL servers: a plain one, and one whose clock can be set."""

    quick: bool
    directory: Path = field(init=False)
    cluster: Cluster = field(init=False)
    dial: Sundial = field(init=False)
    _made: int = 0

    def __enter__(self) -> Ground:
        self.directory = Path(tempfile.mkdtemp(prefix="failures-"))
        self.directory.chmod(0o755)
        self.dial = Sundial(self.directory)
        self.cluster = self._cluster()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        self.cluster.stop()
        shutil.rmtree(self.directory, ignore_errors=True)

    def _cluster(self) -> Cluster:
        where = self.directory / "postgres"
        where.mkdir()
        cluster = Cluster(where, durable=True)
        # Its clock is set as well: replicas go by it.
        cluster.environment.update(self.dial.environment)
        cluster.start()
        return cluster

    def place(self) -> Path:
        """An empty directory."""
        self._made += 1
        made = self.directory / f"run{self._made}"
        made.mkdir()
        return made

    @property
    def alerts(self) -> int:
        """In a case."""
        return 3 if self.quick else 10

    @property
    def storm(self) -> cases.Storm:
        """How large it is."""
        return cases.Storm(1000, 20) if self.quick else cases.Storm(10_000, 100)

    @property
    def later(self) -> int:
        """Seconds from the first call to the next, where the clock is set."""
        return 6 if self.quick else 20


def run(ground: Ground, name: str, kind: str) -> Row | None:
    """One case of one system; None when it makes no sense for it."""
    if name in DATABASE and kind != "postgresql":
        return None
    if name in CLOCK and kind not in ("sqlite", "postgresql"):
        return None
    row = Row(TITLES[name], SYSTEMS[kind])
    receiver, place = Receiver(), ground.place()
    ground.dial.set(0)
    url = ground.cluster.new_database() if kind == "postgresql" else str(place / "wk.db")
    system = _system(ground, name, kind, place, url, receiver)
    bed = Bed(system, receiver, row, ground.alerts)
    if ground.quick:
        bed.trouble, bed.quiet, bed.patience = 4.0, 3.0, 30.0
    try:
        system.start()
        if name == "storm":
            _storm(ground, bed, url if kind in ("sqlite", "postgresql") else "")
        else:
            row.count(_case(ground, name)(bed), receiver)
    finally:
        system.stop()
        receiver.close()
        ground.dial.set(0)
    return row


def _system(
    ground: Ground, name: str, kind: str, place: Path, url: str, receiver: Receiver
) -> System:
    if kind.startswith("alertmanager"):
        return Alertmanager(place, receiver, 3 if kind.endswith("3") else 1)
    replicas = 3 if kind == "postgresql" else 1
    if name == "storm":
        return ours(place, url, receiver, ground.storm.services, replicas, people=1)
    if name in CLOCK:
        environment = ground.dial.environment
        many = 2 * ground.alerts
        return ours(
            place, url, receiver, many, replicas, later=ground.later, environment=environment
        )
    many = ground.alerts * (10 if name in DATABASE else 1)
    return ours(place, url, receiver, many, replicas)


def _case(ground: Ground, name: str) -> Case:
    if name in PLAIN:
        return PLAIN[name][1]
    if name in CLOCK:
        return cases.Stepped(ground.dial.set, CLOCK[name], ground.later)
    happening: dict[str, Callable[[], None]] = {
        "restart": lambda: restart(ground.cluster),
        "terminate": lambda: terminate(ground.cluster, 2.0),
    }
    return cases.interrupted(happening[name])


def restart(cluster: Cluster) -> None:
    """``pg_ctl restart -m immediate``: SIGQUIT, then started, and its log is replayed."""
    cluster.stop()
    cluster.start()


def terminate(cluster: Cluster, seconds: float) -> None:
    """End every connection of everybody else, five times a second."""
    end = time.monotonic() + seconds
    with psycopg.connect(cluster.url("postgres"), autocommit=True) as conn:
        while time.monotonic() < end:
            conn.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE pid <> pg_backend_pid() AND backend_type = 'client backend'"
            )
            time.sleep(0.2)


def _storm(ground: Ground, bed: Bed, url: str) -> None:
    storm, row, receiver = ground.storm, bed.row, bed.receiver
    accepted = storm(bed)
    row.accepted = len(accepted)
    if url:
        database = Database.open(url, migrate=False)
        until(lambda: on_sent_pages(database) >= len(accepted), bed.patience)
        row.reached = on_sent_pages(database)
        database.close()
    else:
        until(lambda: accepted <= receiver.reached(), bed.patience)
        row.reached = len(accepted & receiver.reached())
    time.sleep(bed.quiet)
    row.unmarked, row.marked = receiver.repeats() if url else (0, 0)
    row.notes.append(f"{len(receiver.counted()):,} messages")


def on_sent_pages(database: Database) -> int:
    """How many alerts are on pages of which a message was sent: bundles do not list them all."""
    sent = select(delivery.c.page_id).where(delivery.c.state == SENT)
    with database.read() as conn:
        query = select(func.sum(page.c.alerts)).where(page.c.id.in_(sent))
        return int(conn.execute(query).scalar() or 0)
