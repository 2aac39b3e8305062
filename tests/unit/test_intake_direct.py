"""New alerts on PostgreSQL: one statement of the event loop opens them; trouble loses none."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import closing

import pytest

from tests.support.duty import START, specs
from tests.support.postgres import end_others, sessions
from tests.support.processes import wait_until
from watchkeeper.alerting.accepting import Accepted
from watchkeeper.alerting.model import AlertState, Signal, SignalAction
from watchkeeper.alerting.work import find
from watchkeeper.faces.gathering import MOST_DIRECT, Gathering
from watchkeeper.kernel.clock import VirtualClock
from watchkeeper.spec.model import Specs
from watchkeeper.store import Database, direct

SPECS: Specs = specs()


def trigger(key: str) -> Signal:
    return Signal(key, SignalAction.TRIGGER, f"{key} is full")


@pytest.fixture
def postgres(postgres_url: str) -> Iterator[Database]:
    with closing(Database.open(postgres_url)) as found:
        yield found


def told(db: Database, test: Callable[[Gathering], Awaitable[None]]) -> None:
    async def body() -> None:
        with closing(Gathering(db, VirtualClock(START), lambda: None)) as gathering:
            await test(gathering)

    asyncio.run(body())


async def keep(gathering: Gathering, *keys: str) -> list[Accepted]:
    return await gathering.keep("mon", [trigger(k) for k in keys], SPECS)


def counts(db: Database) -> dict[str, int]:
    with db.read() as conn:
        return {a.key: a.count for a in find(conn, limit=1000)}


def sessions_that_open(url: str) -> int:
    """How many sessions last opened alerts by the one statement."""
    return sessions(url, "query LIKE %s", "WITH same%")


def test_new_alerts_that_come_together_are_opened_by_one_statement(
    postgres: Database, postgres_url: str
) -> None:
    async def test(gathering: Gathering) -> None:
        await keep(gathering, "first")  # from it we learn that most is new
        both = await asyncio.gather(keep(gathering, "a", "b"), keep(gathering, "c"))
        assert [[k.created for k in one] for one in both] == [[True, True], [True]]
        assert sessions_that_open(postgres_url) == 1

    told(postgres, test)
    assert counts(postgres) == {"first": 1, "a": 1, "b": 1, "c": 1}


def test_what_is_no_news_is_left_to_the_usual_way_and_the_rest_is_opened(
    postgres: Database,
) -> None:
    async def test(gathering: Gathering) -> None:
        await keep(gathering, "old")
        again, new = await keep(gathering, "old", "new")
        assert (again.created, new.created) == (False, True)
        ended = Signal("new", SignalAction.RESOLVE, "")
        (opened, closed) = await gathering.keep("mon", [trigger("x"), ended], SPECS)
        assert opened.created
        assert closed.state is AlertState.CLOSED

    told(postgres, test)
    assert counts(postgres) == {"old": 2, "new": 1, "x": 1}


def test_a_storm_in_one_message_does_not_hold_up_the_loop(
    postgres: Database, postgres_url: str
) -> None:
    async def test(gathering: Gathering) -> None:
        await keep(gathering, "first")
        kept = await keep(gathering, *(f"k{i}" for i in range(MOST_DIRECT + 1)))
        assert all(k.created for k in kept)
        assert sessions_that_open(postgres_url) == 0

    told(postgres, test)
    assert len(counts(postgres)) == MOST_DIRECT + 2


def test_an_alert_outlives_the_connection_that_would_have_opened_it(
    postgres: Database, postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(direct, "AFTER_TROUBLE", 0.0)

    async def test(gathering: Gathering) -> None:
        for key in ("one", "two"):
            await keep(gathering, key)
        assert sessions_that_open(postgres_url) == 1
        postgres.engine.dispose()  # its own connections are asked whether they live
        assert end_others(postgres_url) >= 1
        (three,) = await keep(gathering, "three")
        assert three.created
        assert sessions_that_open(postgres_url) == 0, "it was opened in the usual way"
        (four,) = await keep(gathering, "four")
        assert four.created
        assert sessions_that_open(postgres_url) == 1, "the loop has a connection again"

    told(postgres, test)
    assert counts(postgres) == {"one": 1, "two": 1, "three": 1, "four": 1}


def test_after_trouble_the_usual_way_is_taken_for_a_while(
    postgres: Database, postgres_url: str
) -> None:
    async def test(gathering: Gathering) -> None:
        for key in ("one", "two"):
            await keep(gathering, key)
        postgres.engine.dispose()
        end_others(postgres_url)
        for key in ("three", "four"):
            (kept,) = await keep(gathering, key)
            assert kept.created
        assert sessions_that_open(postgres_url) == 0

    told(postgres, test)


def test_a_statement_that_is_given_up_half_way_leaves_no_connection_to_misread(
    postgres: Database, postgres_url: str
) -> None:
    asked = postgres.direct()
    assert asked is not None

    async def test() -> None:
        slow = asyncio.create_task(asked.rows("SELECT pg_sleep(%(s)s), 'slow'", {"s": 30}))
        asleep = "query LIKE %s", "SELECT pg_sleep%"
        await asyncio.to_thread(
            wait_until, lambda: sessions(postgres_url, *asleep) == 1, 10, "it is asked"
        )
        slow.cancel()
        with pytest.raises(asyncio.CancelledError):
            await slow
        assert await asked.rows("SELECT %(s)s::text", {"s": "next"}) == [("next",)]

    with closing(asked):
        asyncio.run(test())


def test_a_refusal_of_the_database_is_no_answer(postgres: Database) -> None:
    asked = postgres.direct()
    assert asked is not None
    with closing(asked):
        assert asyncio.run(asked.rows("SELECT * FROM no_such_table", {})) is None
