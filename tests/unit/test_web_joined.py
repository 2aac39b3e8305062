"""An answer's head and body leave together; nothing is kept back longer than a turn of the loop."""

from __future__ import annotations

import asyncio
from typing import Any, cast

from watchkeeper.faces.web.joined import Joined


class Wire:
    """A transport that notes what it is given."""

    def __init__(self) -> None:
        self.done: list[bytes | str] = []

    def write(self, data: bytes) -> None:
        self.done.append(data)

    def close(self) -> None:
        self.done.append("closed")

    def is_closing(self) -> bool:
        return "closed" in self.done


def _joined(wire: Wire) -> Joined:
    return Joined(cast(asyncio.Transport, cast(Any, wire)), asyncio.get_running_loop())


def test_a_head_and_a_body_are_one_write() -> None:
    async def told() -> list[bytes | str]:
        wire = Wire()
        joined = _joined(wire)
        joined.write(b"head ")
        assert wire.done == []
        joined.write(b"body")
        joined.write(b"more")
        await asyncio.sleep(0)
        return wire.done

    assert asyncio.run(told()) == [b"head body", b"more"]


def test_what_comes_alone_leaves_in_the_same_turn() -> None:
    async def told() -> list[bytes | str]:
        wire = Wire()
        _joined(wire).write(b"data: 1\n\n")
        await asyncio.sleep(0)
        return wire.done

    assert asyncio.run(told()) == [b"data: 1\n\n"]


def test_closing_loses_nothing() -> None:
    async def told() -> list[bytes | str]:
        wire = Wire()
        joined = _joined(wire)
        joined.write(b"head")
        joined.write(b"")
        joined.write(b"last")
        joined.close()
        assert joined.is_closing()
        await asyncio.sleep(0)
        return wire.done

    assert asyncio.run(told()) == [b"head", b"last", "closed"]
