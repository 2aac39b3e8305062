"""Group commit: who shares a transaction, how long it waits, and what a refusal does."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence

import pytest

from watchkeeper.faces import grouped
from watchkeeper.faces.grouped import Grouped
from watchkeeper.kernel.errors import StoreError


class Disk:
    """Takes batches; the test says when each is on disk, or what went wrong."""

    def __init__(self) -> None:
        self.batches: list[list[str]] = []
        self._open: list[asyncio.Future[list[str]]] = []

    async def submit(self, items: Sequence[str]) -> list[str]:
        self.batches.append(list(items))
        self._open.append(asyncio.get_running_loop().create_future())
        return await self._open[-1]

    def done(self, error: Exception | None = None) -> None:
        number = len(self.batches) - len(self._open)
        future = self._open.pop(0)
        if error is None:
            future.set_result([f"{item} kept" for item in self.batches[number]])
        else:
            future.set_exception(error)


def told(test: Callable[[Disk, Grouped[str, str]], Awaitable[None]], most: int = 100) -> None:
    async def body() -> None:
        disk = Disk()
        await test(disk, Grouped(disk.submit, most))

    asyncio.run(body())


async def turns(number: int = 5) -> None:
    for _ in range(number):
        await asyncio.sleep(0)


def test_what_arrives_while_a_transaction_is_under_way_shares_the_next() -> None:
    async def test(disk: Disk, group: Grouped[str, str]) -> None:
        first = [asyncio.create_task(group.do(item)) for item in "ab"]
        await turns()
        later = [asyncio.create_task(group.do(item)) for item in "cd"]
        await turns()
        assert disk.batches == [["a", "b"]]
        disk.done()
        assert await asyncio.gather(*first) == ["a kept", "b kept"]
        await asyncio.sleep(2 * grouped.REST)
        assert disk.batches == [["a", "b"], ["c", "d"]]
        disk.done()
        assert await asyncio.gather(*later) == ["c kept", "d kept"]

    told(test)


def test_the_next_transaction_begins_at_once_when_all_who_were_answered_are_back(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(grouped, "REST", 3600.0)

    async def test(disk: Disk, group: Grouped[str, str]) -> None:
        async def twice(item: str) -> None:
            await group.do(item)
            await group.do(item.upper())

        clients = [asyncio.create_task(twice(item)) for item in "abc"]
        await turns()
        disk.done()
        await turns()
        assert disk.batches == [["a", "b", "c"], ["A", "B", "C"]]
        disk.done()
        await asyncio.gather(*clients)

    told(test)


def test_whoever_does_not_come_back_is_not_waited_for_longer_than_a_rest() -> None:
    async def test(disk: Disk, group: Grouped[str, str]) -> None:
        gone = [asyncio.create_task(group.do(item)) for item in "ab"]
        await turns()
        disk.done()
        await asyncio.gather(*gone)
        late = asyncio.create_task(group.do("c"))
        await asyncio.sleep(3 * grouped.REST)
        assert disk.batches == [["a", "b"], ["c"]]
        disk.done()
        await late

    told(test)


def test_no_more_than_the_most_share_a_transaction() -> None:
    async def test(disk: Disk, group: Grouped[str, str]) -> None:
        all_of_them = [asyncio.create_task(group.do(item)) for item in "abcde"]
        for _ in range(3):
            await asyncio.sleep(2 * grouped.REST)
            disk.done()
        await asyncio.gather(*all_of_them)
        assert disk.batches == [["a", "b"], ["c", "d"], ["e"]]
        assert len(group) == 0

    told(test, most=2)


def test_of_what_is_refused_together_only_the_cause_is_refused() -> None:
    async def test(disk: Disk, group: Grouped[str, str]) -> None:
        asked = [asyncio.create_task(group.do(item)) for item in "abc"]
        await turns()
        disk.done(ValueError("one is wrong"))
        await turns()
        assert disk.batches[1:] == [["a"], ["b"], ["c"]]
        disk.done()
        disk.done(ValueError("b is wrong"))
        disk.done()
        a, b, c = await asyncio.gather(*asked, return_exceptions=True)
        assert (a, str(b), c) == ("a kept", "b is wrong", "c kept")

    told(test)


def test_when_the_database_fails_everybody_is_told_and_nothing_is_tried_again() -> None:
    async def test(disk: Disk, group: Grouped[str, str]) -> None:
        asked = [asyncio.create_task(group.do(item)) for item in "ab"]
        await turns()
        disk.done(StoreError("The disk is full.", "Make room."))
        found = await asyncio.gather(*asked, return_exceptions=True)
        assert all(isinstance(e, StoreError) and "disk is full" in str(e) for e in found)
        assert disk.batches == [["a", "b"]]

    told(test)


def test_a_sender_who_goes_away_does_not_harm_the_others() -> None:
    async def test(disk: Disk, group: Grouped[str, str]) -> None:
        gone = asyncio.create_task(group.do("a"))
        stays = asyncio.create_task(group.do("b"))
        await turns()
        gone.cancel()
        await turns()
        disk.done()
        assert await stays == "b kept"

    told(test)
