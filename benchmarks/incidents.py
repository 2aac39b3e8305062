"""5,000 incidents with 200,000 timeline entries and 5,000 postmortems: what the pages take.

`python -m benchmarks.incidents [--quick]` prints a table. Requests go through the whole server
(guard, routing, work, SQL, template) in this process, over SQLite and over PostgreSQL on this disk.
Texts are made up from a fixed seed, of words that are as unequally frequent as those of people are.
"""

from __future__ import annotations

import argparse
import random
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate
from pathlib import Path

from sqlalchemy import Connection, text
from starlette.testclient import TestClient

from tests.support.duty import SITE, START, specs
from tests.support.postgres import Cluster
from watchkeeper.access.model import Scope
from watchkeeper.engine.board import Board
from watchkeeper.faces.duty import Duty
from watchkeeper.faces.server import build_server
from watchkeeper.faces.services import Services
from watchkeeper.faces.web import serving
from watchkeeper.incidents import chain
from watchkeeper.incidents import store as incidents
from watchkeeper.incidents.model import (
    Entry,
    EntryKind,
    Incident,
    IncidentState,
    NewEntry,
    RoleHolding,
)
from watchkeeper.kernel.clock import VirtualClock
from watchkeeper.postmortems import items_work, knowing, store, store_words
from watchkeeper.postmortems.model import Postmortem, PostmortemState
from watchkeeper.spec.model import ServiceDefinition, Specs
from watchkeeper.spec.response import DAY
from watchkeeper.store import Database
from watchkeeper.store.writing import insert_rows

Spent = Callable[[], float]
"""Seconds of processor time that other processes have taken by now."""

GOAL_PAGE, GOAL_SEARCH = 150.0, 100.0
SERVICES = tuple(f"service-{i:02d}" for i in range(40))
CAUSES = ("bad deploy", "capacity", "dependency", "config", "certificate", "network", "")
PAGES = (
    ("list of incidents", "/incidents", GOAL_PAGE),
    ("list, one service", "/incidents?service=service-07", GOAL_PAGE),
    ("one incident, {entries} entries", "/incidents/{last}", GOAL_PAGE),
    ("similar ones, while declaring", "/parts/similar?title={title}&service=service-07", GOAL_PAGE),
    ("postmortems", "/postmortems", GOAL_PAGE),
    ("one postmortem", "/postmortems/{last}", GOAL_PAGE),
    ("incident figures, a year", "/learning?days=365", GOAL_PAGE),
    ("did it recur?", "/learning/proof", GOAL_PAGE),
    ("action items", "/actions", GOAL_PAGE),
    ("search, rare words", "/postmortems?q={rare}", GOAL_SEARCH),
    ("search, common words", "/postmortems?q={common}", GOAL_SEARCH),
    ("search, a word begun", "/postmortems?q={begun}", GOAL_SEARCH),
    ("search, a phrase", "/postmortems?q=%22{phrase}%22", GOAL_SEARCH),
)


class Words:
    """Made-up words, the n-th as frequent as 1/n (Zipf's law)."""

    def __init__(self, seed: int, size: int = 8000) -> None:
        self.dice = random.Random(seed)
        syllables = [a + b for a in "bdfgklmnprstvw" for b in ("a", "e", "i", "o", "u")]
        self.every = ["".join(self.dice.choices(syllables, k=3)) for _ in range(size)]
        # Summed once: `choices` would sum eight thousand weights anew for each text.
        self.weights = list(accumulate(1 / (n + 1) for n in range(size)))

    def some(self, count: int) -> str:
        """So many of them."""
        return " ".join(self.dice.choices(self.every, cum_weights=self.weights, k=count))


@dataclass(frozen=True, slots=True)
class Taken:
    """What a page took: milliseconds of each request, and the bytes that were sent."""

    spent: Sequence[float]
    sent: int


def main(argv: Sequence[str] | None = None) -> int:
    """Print the table; exit status 1 when a page misses its goal."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.incidents")
    parser.add_argument("--quick", action="store_true", help="200 incidents, three requests each")
    quick = parser.parse_args(argv).quick
    size, entries, rounds = (200, 10, 3) if quick else (5000, 40, 9)
    folder = Path(tempfile.mkdtemp(prefix="incidents-"))
    folder.chmod(0o755)
    (folder / "postgres").mkdir()
    cluster = Cluster(folder / "postgres", durable=True)
    cluster.start()
    try:
        sqlite, made = measured(str(folder / "wk.db"), lambda: 0.0, size, entries, rounds)
        url = cluster.new_database()
        postgresql, too = measured(url, cluster.spent, size, entries, rounds)
    finally:
        cluster.stop()
        shutil.rmtree(folder, ignore_errors=True)
    print(
        f"{size:,} incidents, {size * entries:,} entries, {size:,} postmortems of about 350 words"
    )
    print(
        f"and as many action items; made in {made:.0f} s (SQLite) and {too:.0f} s (PostgreSQL) of"
    )
    print(f"processor time. {rounds} requests each.\n")
    missed = table(sqlite, postgresql, entries)
    print(f"\nGoals: pages within {GOAL_PAGE:.0f} ms of server time, search within "
          f"{GOAL_SEARCH:.0f} ms. Server time is processor time of the server, and of PostgreSQL's "
          "processes.")  # fmt: skip
    return int(missed)


def measured(
    url: str, others: Spent, size: int, entries: int, rounds: int
) -> tuple[Sequence[Taken], float]:
    """What each page took on a database, and the seconds in which all of it was made."""
    words, known = Words(7), definitions()
    clock = VirtualClock(START + 400 * DAY)
    db = Database.open(url)
    try:
        began = time.process_time() + others()
        fill(db, known, words, size, entries, clock.now())
        made = time.process_time() + others() - began
        board = Board()
        board.post(specs=known, ticked_at=clock.now())
        services, duty = Services(db, board, clock), Duty(db, board, clock, SITE)
        every = frozenset({Scope.READ, Scope.RESPOND})
        client = TestClient(build_server(services, anonymous=every, duty=duty))
        serving.settle()  # as `wk serve` does
        named = {
            "last": size, "title": words.some(6), "rare": " ".join(words.every[3000:3002]),
            "common": " ".join(words.every[:3]), "begun": words.every[40][:3],
            "phrase": " ".join(words.every[:2]),
        }  # fmt: skip
        paths = [path.format(**named) for _, path, _ in PAGES]
        return [taken(client, path, others, rounds) for path in paths], made
    finally:
        db.close()


def taken(client: TestClient, path: str, others: Spent, rounds: int) -> Taken:
    """What a page takes once it was asked for."""
    sent = len(client.get(path).raise_for_status().content)
    return Taken([one(client, path, others) for _ in range(rounds)], sent)


def one(client: TestClient, path: str, others: Spent) -> float:
    """Milliseconds that one request takes the processor: a busy machine hardly changes them."""
    before, began = others(), time.process_time()
    client.get(path).raise_for_status()
    took = time.process_time() - began
    return 1000 * (took + others() - before)


def table(sqlite: Sequence[Taken], postgresql: Sequence[Taken], entries: int) -> bool:
    """Print a row for each page; True when one misses its goal."""
    print("| page | SQLite | slowest | PostgreSQL | slowest | sent |")
    print("|---|---:|---:|---:|---:|---:|")
    missed = False
    for (name, _, goal), ours, theirs in zip(PAGES, sqlite, postgresql, strict=True):
        middles = [statistics.median(t.spent) for t in (ours, theirs)]
        marks = ["" if middle <= goal else f" (goal {goal:.0f})" for middle in middles]
        missed |= any(marks)
        cells = [f"{middle:.0f} ms{mark} | {max(its.spent):.0f} ms" for middle, mark, its in
                 zip(middles, marks, (ours, theirs), strict=True)]  # fmt: skip
        print(
            f"| {name.format(entries=entries)} | {' | '.join(cells)} | {ours.sent / 1000:.0f} kB |"
        )
    return missed


# ---------------------------------------------------------------- data


def definitions() -> Specs:
    """Forty services of the tests' usual small team."""
    known = specs()
    its = {n: ServiceDefinition(n, n, next(iter(known.services.values())).place) for n in SERVICES}
    return replace(known, services={**known.services, **its})


def fill(db: Database, known: Specs, words: Words, size: int, entries: int, now: float) -> None:
    """All of it, many to a transaction; marks and words as the product makes them."""
    for start in range(1, size + 1, 500):
        with db.write() as conn:
            for number in range(start, min(start + 500, size + 1)):
                at = START + number * (390 * DAY / size)
                incident(conn, words, number, at, entries)
                postmortem(conn, known, words, number, at)
    left = 1
    while left:
        with db.write() as conn:
            left = knowing.step(conn, known, SITE, now)
    if db.dialect == "postgresql":
        with db.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as conn:
            conn.execute(text("VACUUM ANALYZE"))  # as autovacuum does within minutes


def incident(conn: Connection, words: Words, number: int, at: float, entries: int) -> None:
    """One incident that is over, with its timeline."""
    dice = words.dice
    cause = dice.choice(CAUSES)
    made = Incident(
        id=0, title=words.some(6).capitalize(), severity=dice.choice(["SEV1", "SEV2", "SEV3"]),
        state=IncidentState.RESOLVED, declared_at=at, declared_by="ann", version=0,
        services=(dice.choice(SERVICES),), causes=(cause,) if cause else (),
        # A cause is shared by few: else everything recurs in everything.
        summary=words.some(20), began_at=at - dice.uniform(0, 900), detected_at=at,
        acknowledged_at=at + dice.uniform(30, 600), mitigated_at=at + dice.uniform(600, 5000),
        resolved_at=at + dice.uniform(5000, 9000),
    )  # fmt: skip
    made = replace(made, causes=tuple(f"{c} {number % 400}" for c in made.causes))
    kept = incidents.add(conn, made)
    lines = list(timeline(kept, words, at, entries))
    insert_rows(conn, incidents.incident_entry, [incidents.entry_values(e) for e in lines])
    incidents.note_head(conn, kept.id, lines[-1])
    for role in ("commander", "comms", "ops"):
        incidents.save_role(conn, RoleHolding(kept.id, role, dice.choice(("ann", "ben")), at))


def timeline(kept: Incident, words: Words, at: float, entries: int) -> Iterator[Entry]:
    """Entries that follow one another."""
    its = kept
    for n in range(entries):
        kind = words.dice.choice([EntryKind.MESSAGE, EntryKind.ACTION, EntryKind.UPDATE])
        new = NewEntry(kind, "ann", "web", words.some(12))
        made = chain.link(its, new, at + 60.0 * n)
        its = replace(its, entries=made.number, head=made.digest)
        yield made


def postmortem(conn: Connection, known: Specs, words: Words, number: int, at: float) -> None:
    """Its postmortem, published, with an action item."""
    title = words.some(6).capitalize()
    parts = ("Summary", "Impact", "Root cause analysis", "Contributing factors", "What went well")
    source = f"# {title}\n\n" + "\n".join(f"## {p}\n\n{words.some(70)}.\n" for p in parts)
    made = Postmortem(
        id=0, incident_id=number, title=title, state=PostmortemState.PUBLISHED, owner="ann",
        due_at=None, created_at=at, version=1, text=source, severity="SEV2",
        published_at=at + DAY, published_by="ann", services=(words.dice.choice(SERVICES),),
    )  # fmt: skip
    kept = store.add(conn, made, "ann")
    store_words.index(conn, kept.id, kept.title, kept.text)
    item = items_work.add(conn, known, words.some(8), "ann", at, owner="ben", incident_id=number,
                          postmortem_id=kept.id)  # fmt: skip
    if number % 3:
        items_work.move(conn, item.id, "done", "ben", at + 5 * DAY)


if __name__ == "__main__":
    sys.exit(main())
