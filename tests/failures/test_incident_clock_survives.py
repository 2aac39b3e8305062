"""Reminders of incidents come once and on time though `serve` is killed around each of them.

A real process on a wall clock that the test sets: half an hour of an incident passes in seconds.
"""

from __future__ import annotations

import json
import random
import time
import urllib.request
from collections import Counter
from datetime import datetime
from pathlib import Path
from typing import Any

from tests.support.pagers import Sundial
from tests.support.processes import wait_until
from tests.support.serving import Serve

MINUTE = 60.0
LATE = 20.0
"""Seconds that a notice may be late: a tick, and a start of the server on a busy machine."""
WORDS = {"update soon": 0, "update late": 1}


class Desk:
    """A server that is killed, and a clock that goes on meanwhile."""

    def __init__(self, directory: Path, db: str) -> None:
        specs = directory / "specs"
        specs.mkdir()
        (specs / "shop.yaml").write_text(
            "apiVersion: watchkeeper/v1\nkind: Service\nmetadata: {name: shop}\nspec: {}\n"
        )
        self.clock = Sundial(directory)
        self.server = Serve(directory, specs, db)
        self.server.environment = dict(self.clock.environment)

    def post(self, path: str, body: object) -> dict[str, Any]:
        request = urllib.request.Request(
            f"{self.server.url}/api/v1/{path}", json.dumps(body).encode(),
            {"Content-Type": "application/json"},
        )  # fmt: skip
        with urllib.request.urlopen(request, timeout=30) as answer:
            made: dict[str, Any] = json.load(answer)
            return made

    def declare(self, severity: str) -> tuple[int, float]:
        """An incident whose update was just posted: (its number, when that was)."""
        made = self.post("incidents", {"title": severity, "severity": severity})
        number = int(made["id"])
        told = self.post(f"incidents/{number}/updates", {"text": "We look", "public": True})
        at = datetime.fromisoformat(told["last_update_at"].replace("Z", "+00:00"))
        return number, at.timestamp()

    def pass_to(self, moment: float, started: float) -> None:
        """Killed; when it is started again it is this moment."""
        self.server.kill()
        self.clock.set(round(moment - (time.time() - started)))

    def notices(self, number: int) -> list[tuple[str, int, float]]:
        """(kind, number in its series, when it was written) of what was told of updates."""
        found = self.server.get(f"/api/v1/incidents/{number}/timeline")
        return [
            (e["data"]["notice"], e["data"]["number"],
             datetime.fromisoformat(e["written_at"].replace("Z", "+00:00")).timestamp())
            for e in found["entries"]
            if e.get("data", {}).get("notice") in WORDS
        ]  # fmt: skip


def test_reminders_and_escalations_come_once_though_the_server_is_killed_around_each(
    tmp_path: Path,
) -> None:
    seed = random.randrange(10**6)
    print(f"seed {seed}")
    chance = random.Random(seed)
    desk = Desk(tmp_path, str(tmp_path / "wk.db"))
    began = time.time()
    try:
        desk.server.start()
        (one, at_one), (two, at_two) = desk.declare("SEV1"), desk.declare("SEV2")
        expected = [(10.0, one, ("update soon", 1)), (15.0, one, ("update late", 1)),
                    (25.0, two, ("update soon", 1)), (30.0, two, ("update late", 1)),
                    (30.0, one, ("update late", 2))]  # fmt: skip
        for minutes in (10.0, 15.0, 25.0, 30.0):
            desk.pass_to(minutes * MINUTE - 1.0, began)
            desk.server.start(wait=False)
            time.sleep(chance.uniform(0.0, 2.5))  # the moment of the kill is the test's input
            desk.server.kill()
            desk.server.start()
            due = [(number, what) for at, number, what in expected if at == minutes]
            wait_until(
                lambda due=due: all(  # type: ignore[misc]
                    what in [n[:2] for n in desk.notices(number)] for number, what in due
                ),
                30,
                f"{due} told after {minutes} min; {desk.server.tail()}",
            )
        for number, start in ((one, at_one), (two, at_two)):
            _once_and_on_time(desk, number, start, expected)
    finally:
        desk.server.kill()


def _once_and_on_time(
    desk: Desk, number: int, start: float, expected: list[tuple[float, int, tuple[str, int]]]
) -> None:
    found = desk.notices(number)
    counted = Counter(what[:2] for what in found)
    wanted = {what: at for at, its, what in expected if its == number}
    assert counted == Counter(dict.fromkeys(wanted, 1))
    for kind, nth, written in found:
        late = written - (start + wanted[kind, nth] * MINUTE)
        assert -0.01 <= late < LATE, (kind, nth, late)
