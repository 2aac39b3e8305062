"""Search of postmortems beside a plain search of the same texts; what an older version kept."""

from __future__ import annotations

import math
import random
from pathlib import Path

from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, text

from watchkeeper.postmortems import store, store_words
from watchkeeper.postmortems.model import Postmortem, PostmortemState
from watchkeeper.postmortems.terms import tokens, weights
from watchkeeper.store import Database
from watchkeeper.store.migrate import HERE

WORDS = ("pool", "poolside", "queue", "disk", "disks", "kafka", "cert", "100", "x_y")
DRAFT, PUBLISHED = PostmortemState.DRAFT, PostmortemState.PUBLISHED


def keep(conn: Connection, number: int, title: str, source: str) -> Postmortem:
    made = Postmortem(
        id=0, incident_id=number, title=title, state=PUBLISHED if number % 3 else DRAFT,
        owner="ann", due_at=None, created_at=1.0, version=1, text=source,
    )  # fmt: skip
    kept = store.add(conn, made, "ann")
    store_words.index(conn, kept.id, kept.title, kept.text)
    return kept


def plainly(
    kept: list[Postmortem], asked: str, states: list[str], phrase: str
) -> list[tuple[float, int]]:
    """(rank, id) of all that a search must find, the best first."""
    weighed = {p.id: weights(p.title, p.text) for p in kept}
    ranks = dict.fromkeys(weighed, 0.0)
    words = list(dict.fromkeys(tokens(asked)))
    for word in words:
        begun = word == words[-1]
        has = {
            number: max(found)
            for number, its in weighed.items()
            if (found := [w for t, w in its.items() if t == word or (begun and t.startswith(word))])
        }
        rare = math.log(1 + (len(kept) - len(has) + 0.5) / (len(has) + 0.5))
        ranks = {n: ranks[n] + weight * rare for n, weight in has.items() if n in ranks}
    fits = [p for p in kept if p.id in ranks and (not states or str(p.state) in states)]
    fits = [p for p in fits if phrase in f"{p.title}\n{p.text}".casefold()]
    # Sums of the same weights may differ in their last digit: such are equals, the newest first.
    return sorted(((round(ranks[p.id], 9), p.id) for p in fits), reverse=True)


def test_a_search_finds_and_ranks_as_a_plain_one_does(db: Database) -> None:
    dice = random.Random(11)
    with db.write() as conn:
        kept = [
            keep(conn, n, dice.choice(WORDS), " ".join(dice.choices(WORDS, k=dice.randint(1, 6))))
            for n in range(1, 61)
        ]
    with db.read() as conn:
        for _ in range(80):
            words = [
                *dice.sample(WORDS, dice.randint(1, 3)),
                dice.choice(["", "po", "dis", "none"]),
            ]
            phrase = dice.choice(["", "", "pool disk", "100 x_y"])
            asked = f'"{phrase}" {" ".join(words)}' if phrase else " ".join(words)
            states = dice.choice([[], [str(PUBLISHED)]])
            most = dice.choice([5, 50])
            hits, having = store_words.search(conn, asked, states, most)
            wanted = plainly(kept, asked, states, phrase)
            assert having == len(wanted), asked
            found = [(round(h.rank, 9), h.postmortem_id) for h in hits]
            assert [rank for rank, _ in found] == [rank for rank, _ in wanted[:most]], asked
            # Of sums of the same weights, the last digit may say which of two is cut off.
            assert set(found) <= set(wanted), asked
            assert len(found) == min(most, having), asked


def test_words_and_marks_that_an_older_version_kept_in_sqlite_are_kept(tmp_path: Path) -> None:
    db = Database.open(str(tmp_path / "wk.db"), migrate=False)
    config = Config()
    config.set_main_option("script_location", str(HERE))
    with db.write() as conn:
        config.attributes["connection"] = conn
        command.upgrade(config, "0017")
        conn.execute(text("INSERT INTO postmortem_word VALUES ('pool', 2, 1.5), ('disk', 1, 0.5)"))
        conn.execute(text("INSERT INTO incident_mark VALUES ('cause:x', 2), ('burn:y', 2)"))
        command.upgrade(config, "head")
        assert conn.execute(text("SELECT * FROM postmortem_word")).all() == [
            ("disk", 1, 0.5), ("pool", 2, 1.5)]  # fmt: skip
        assert conn.execute(text("SELECT * FROM incident_mark")).all() == [
            ("burn:y", 2), ("cause:x", 2)]  # fmt: skip
        kept = "SELECT count(*) FROM sqlite_master WHERE sql LIKE '%WITHOUT ROWID%' AND name IN "
        names = "('postmortem_word', 'incident_mark')"
        assert conn.execute(text(kept + names)).scalar() == 2
        plan = "EXPLAIN QUERY PLAN SELECT mark FROM incident_mark WHERE incident_id = 2"
        assert "COVERING INDEX ix_incident_mark_incident" in str(conn.execute(text(plan)).all())
    db.close()


def test_texts_that_are_searched_for_phrases_are_not_compressed_in_postgresql(
    postgres_url: str,
) -> None:
    db = Database.open(postgres_url)
    with db.read() as conn:
        asked = "SELECT attstorage FROM pg_attribute WHERE attname = 'words' AND attrelid = "
        assert conn.execute(text(f"{asked}'postmortem'::regclass")).scalar() == "e"
    db.close()
