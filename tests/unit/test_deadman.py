"""The outgoing heartbeat and `/readyz`: whoever is outside hears when pages could be lost."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import NoReturn

import httpx2
import pytest
from sqlalchemy import update

from tests.support.duty import START, World
from tests.support.processes import wait_until
from tests.support.providers import Provider, running
from tests.support.serving import serving
from watchkeeper.alerting.store import alert
from watchkeeper.engine.board import Board
from watchkeeper.engine.collect import Collector
from watchkeeper.engine.tick import Engine
from watchkeeper.faces.cli.serve import _deadman
from watchkeeper.faces.server import build_server
from watchkeeper.faces.services import PROBE_EVERY, Services
from watchkeeper.kernel.errors import StoreError, UserError
from watchkeeper.notify.deadman import DeadMan, address_of, failing
from watchkeeper.notify.guarded import Web
from watchkeeper.oncall.store import page
from watchkeeper.store import Database

SECRET = "/ping/5f7c-secret"


def healthchecks(
    its: Provider, method: str, path: str, headers: dict[str, str], body: bytes
) -> object:
    """What Healthchecks takes: GET or POST of the address, ``/fail`` behind it."""
    del headers
    its.taken.append((method, path, body.decode()))
    return "OK"


@pytest.fixture
def outside() -> Iterator[Provider]:
    with running(healthchecks) as provider:
        yield provider


def deadman(outside: Provider, allow_private: bool = True) -> DeadMan:
    """It pings at once, in this thread."""
    return DeadMan(outside.url + SECRET, Web(allow_private, 2.0), lambda work: work())


def audited(db: Database, its: World, outside: Provider) -> Engine:
    board = Board()
    board.post(specs=its.specs)
    engine = Engine(db, (), Collector(lambda *_: pytest.fail("no source")), board)
    pinged = deadman(outside)
    engine.proof_of_life = lambda broken: pinged.report([f.text for f in broken])
    return engine


def test_each_minute_with_a_clean_audit_is_a_ping(db: Database, outside: Provider) -> None:
    engine = audited(db, World(db), outside)

    for second in range(0, 181, 10):
        engine.audit(START + second)

    assert outside.taken == [("GET", SECRET, "")] * 4


def test_a_page_that_nobody_takes_is_said_to_fail_and_then_to_be_well_again(
    db: Database, outside: Provider
) -> None:
    its = World(db)
    engine = audited(db, its, outside)
    its.signal()
    its.run(1)
    late = START + 300 + 31  # the next step was due half a minute ago, and no pager runs

    engine.audit(late)
    its.clock.advance(late + 1 - its.clock.now())
    its.run(1)
    engine.audit(late + 60)

    (method, path, said), *rest = outside.taken
    assert (method, path) == ("POST", SECRET + "/fail")
    assert "due for more than 30 s" in said
    assert rest == [("GET", SECRET, "")]


def test_an_open_alert_without_a_next_step_is_said_to_fail(db: Database, outside: Provider) -> None:
    its = World(db)
    engine = audited(db, its, outside)
    its.signal()
    with db.write() as conn:  # as if a defect had lost it
        conn.execute(update(alert).values(due_at=None, page_id=None))

    engine.audit(START + 60)

    assert [(m, p) for m, p, _ in outside.taken] == [("POST", SECRET + "/fail")]
    assert "open alerts have no next step" in outside.taken[0][2]


def test_an_address_of_a_private_network_is_refused_unless_it_is_allowed(
    outside: Provider, caplog: pytest.LogCaptureFixture
) -> None:
    deadman(outside, allow_private=False).report([])

    assert outside.taken == []
    assert "not a public address" in caplog.text
    assert SECRET not in caplog.text


@pytest.mark.parametrize("mode", ["down", "slow", "cut", "gateway"])
def test_an_address_that_fails_is_logged_without_its_secret_and_tried_again(
    outside: Provider, caplog: pytest.LogCaptureFixture, mode: str
) -> None:
    caplog.set_level(logging.DEBUG, "watchkeeper")
    pinged = DeadMan(outside.url + SECRET, Web(True, 0.3), lambda work: work())
    outside.mode = mode
    pinged.report([])
    outside.mode = "ok"
    pinged.report([])

    assert outside.taken[-1] == ("GET", SECRET, "")
    assert "the heartbeat at http://127.0.0.1" in caplog.text
    assert SECRET not in caplog.text


def test_a_ping_that_hangs_holds_nobody_up_and_is_not_joined_by_others(outside: Provider) -> None:
    waiting: list[object] = []
    pinged = DeadMan(outside.url + SECRET, Web(True, 2.0), waiting.append)

    for _ in range(5):
        pinged.report([])

    assert len(waiting) == 1
    waiting[0]()  # type: ignore[operator]
    pinged.report([])
    assert len(waiting) == 2


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("https://hc.example/a-b", "https://hc.example/a-b/fail"),
        ("https://hc.example/a-b/", "https://hc.example/a-b/fail"),
        ("https://hc.example/a?create=1", "https://hc.example/a/fail?create=1"),
    ],
)
def test_the_address_that_says_fail_is_behind_the_path(url: str, expected: str) -> None:
    assert failing(url) == expected


def test_the_address_is_read_from_the_environment_from_a_file_or_as_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WK_TEST_BEAT", "https://hc.example/1")
    (tmp_path / "beat").write_text("https://hc.example/2\n")

    assert address_of("env:WK_TEST_BEAT") == "https://hc.example/1"
    assert address_of("{env: WK_TEST_BEAT}") == "https://hc.example/1"
    assert address_of(f"file:{tmp_path / 'beat'}") == "https://hc.example/2"
    assert address_of("http://10.0.0.1/3") == "http://10.0.0.1/3"
    assert _deadman(None, False) is None
    monkeypatch.setenv("WK_TEST_BEAT", "not-the-secret-address")
    for wrong in ("env:WK_TEST_BEAT", "env:WK_NONE", "file:/nowhere", "ftp://x/y", "https://", "x"):
        with pytest.raises(UserError) as raised:
            address_of(wrong)
        assert "not-the-secret" not in str(raised.value)


# ---------------------------------------------------------------- /readyz


def ready(services: Services) -> tuple[int, str]:
    async def go() -> httpx2.Response:
        transport = httpx2.ASGITransport(app=build_server(services))
        async with httpx2.AsyncClient(transport=transport, base_url="http://wk") as client:
            return await client.get("/readyz")

    answer = asyncio.run(go())
    return answer.status_code, answer.text.strip()


def test_the_server_is_ready_while_it_evaluates_and_its_audit_is_clean(db: Database) -> None:
    its = World(db)
    engine = Engine(db, (), Collector(lambda *_: pytest.fail("no source")), Board())
    services = Services(db, engine.board, its.clock)
    assert ready(services) == (503, "not ready: the engine has not evaluated of late")

    engine.board.post(specs=its.specs, ticked_at=START)
    engine.audit(START)
    assert ready(services) == (200, "ready")

    its.signal()
    its.run(1)
    with db.write() as conn:
        conn.execute(update(page).values(due_at=None))
    engine.audit(START + 60)
    assert ready(services) == (503, "not ready: the engine's audit found broken promises")
    its.clock.advance(200)
    engine.board.post(broken=())
    assert ready(services)[0] == 503


def test_the_server_is_not_ready_while_the_database_can_be_read_but_not_written(
    db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    its, board = World(db), Board()
    board.post(specs=its.specs, ticked_at=START)
    services = Services(db, board, its.clock)
    writes: list[float] = []

    def full() -> NoReturn:
        writes.append(its.clock.now())
        raise StoreError("The disk is full.", "Make room.")

    with monkeypatch.context() as patched:
        patched.setattr(db, "write", full)
        assert ready(services) == (503, "not ready: the database cannot be written")
        assert ready(services)[0] == 503
        assert len(writes) == 1  # whoever asks often does not make us write often
        its.clock.advance(PROBE_EVERY)
        assert ready(services)[0] == 503
    its.clock.advance(PROBE_EVERY)
    assert ready(services) == (200, "ready")


def test_a_real_server_pings_from_its_start(
    tmp_path: Path, outside: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    specs = tmp_path / "specs"
    specs.mkdir()
    (specs / "way.yaml").write_text(
        "apiVersion: watchkeeper/v1\nkind: Channel\nmetadata: {name: way}\nspec: {type: inbox}\n"
    )
    monkeypatch.setenv("WK_TEST_BEAT", outside.url + SECRET)
    options = ("--heartbeat-url", "env:WK_TEST_BEAT", "--heartbeat-private")
    with serving(tmp_path, specs, str(tmp_path / "wk.db"), *options) as server:
        wait_until(lambda: outside.taken, 30, server.tail())
        assert outside.taken[0] == ("GET", SECRET, "")
        assert SECRET not in server.tail()
