"""`wk serve`: engine, pages and API in one process."""

from __future__ import annotations

import gc
import ipaddress
import logging
import os
import socket
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from watchkeeper.faces.cli import common
from watchkeeper.kernel.errors import UserError

if TYPE_CHECKING:
    from watchkeeper.notify.deadman import DeadMan
    from watchkeeper.store import Database


@click.command()
@common.specs_option
@common.db_option
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--port", default=8080, show_default=True, type=click.IntRange(0, 65535))
@click.option(
    "--interval",
    default=10.0,
    show_default=True,
    type=click.FloatRange(0.5, 15),
    help="Seconds between two ticks of the engine.",
)
@click.option(
    "--anonymous-read",
    is_flag=True,
    envvar="WATCHKEEPER_ANONYMOUS_READ",
    help="Let anyone who can reach a loopback address read. Refused on other addresses.",
)
@click.option(
    "--anonymous-write",
    is_flag=True,
    envvar="WATCHKEEPER_ANONYMOUS_WRITE",
    help="Also let them push and correct; for demonstrations. Loopback only.",
)
@click.option(
    "--url",
    envvar="WATCHKEEPER_URL",
    help="Where people reach this server, for links in messages. Default: http://HOST:PORT.",
)
@click.option(
    "--heartbeat-url",
    envvar="WATCHKEEPER_HEARTBEAT_URL",
    metavar="env:NAME|file:PATH|URL",
    help="Pinged each minute while the engine's audit finds nothing broken; else its /fail is.",
)
@click.option(
    "--heartbeat-private",
    is_flag=True,
    envvar="WATCHKEEPER_HEARTBEAT_PRIVATE",
    help="The heartbeat's address may be in a private network.",
)
@click.option(
    "--smtp",
    envvar="WATCHKEEPER_SMTP",
    metavar="HOST:PORT",
    help="Take alerts by e-mail there too, addressed to KEY@anything.",
)
@click.option(
    "--log-level",
    default="info",
    show_default=True,
    type=click.Choice(["debug", "info", "warning", "error"]),
)
def serve(
    specs_dir: Path,
    db: str | None,
    host: str,
    port: int,
    interval: float,
    anonymous_read: bool,
    anonymous_write: bool,
    url: str | None,
    heartbeat_url: str | None,
    heartbeat_private: bool,
    smtp: str | None,
    log_level: str,
) -> None:
    """Watch the specs' SLOs and serve pages and API until stopped.

    A changed specs directory is taken over live; a broken change keeps the last good one.
    """
    if (anonymous_read or anonymous_write) and not _loopback(host):
        raise UserError(
            f"Anonymous access is refused on {host}.",
            "It is for loopback addresses; elsewhere give people tokens: `wk token create`.",
        )
    if not specs_dir.exists():
        raise UserError(f"There is no {specs_dir}.", "Give the directory with --specs DIR.")
    logging.basicConfig(
        level=log_level.upper(),
        stream=sys.stderr,
        format="%(asctime)s %(levelname)s %(name)s: %(message)s",
    )
    # httpx logs every request's URL, which may hold secrets of a data source.
    logging.getLogger("httpx2").setLevel(logging.WARNING)
    logging.getLogger("httpx").setLevel(logging.WARNING)
    where = url or f"http://{host}:{port}"
    deadman = _deadman(heartbeat_url, heartbeat_private)
    # What is loaded stays: to look through it for garbage meanwhile, or at any collection from
    # then on, would find none.
    gc.disable()
    try:
        _run(specs_dir, db, host, port, interval, anonymous_read, anonymous_write, where, deadman,
             _mail(smtp))  # fmt: skip
    finally:
        gc.enable()


def _deadman(url: str | None, private: bool) -> DeadMan | None:
    from watchkeeper.app import build_deadman

    return build_deadman(url, private) if url else None


def _mail(address: str | None) -> socket.socket | None:
    if address is None:
        return None
    from watchkeeper.faces.letterbox import bound

    return bound(address)


def _run(
    specs_dir: Path,
    db: str | None,
    host: str,
    port: int,
    interval: float,
    read: bool,
    write: bool,
    url: str,
    deadman: DeadMan | None,
    mail: socket.socket | None,
) -> None:
    from watchkeeper.access.model import Scope
    from watchkeeper.app import (
        build_engine,
        build_follower,
        build_loop,
        build_mitigation,
        build_pager,
        build_rooms,
        site_of,
        steady_clock,
    )
    from watchkeeper.faces.duty import Duty
    from watchkeeper.faces.server import build_server, run
    from watchkeeper.faces.services import Services
    from watchkeeper.faces.status.export import Exporter, then
    from watchkeeper.faces.status.pages import status_pages_of

    with common.open_db(db) as database:
        clock = steady_clock(database)
        engine = build_engine(database, [specs_dir], patience=interval / 2)
        engine.start(clock.now())
        site = site_of(database, url)
        pager = build_pager(database, engine.board, site, clock)
        mitigation = build_mitigation(database, engine.board, clock)
        engine.wake, engine.site = pager.wake, site
        follow = build_follower(database, engine.board, site, clock).step
        if deadman is not None:
            engine.proof_of_life = lambda broken: deadman.report([f.text for f in broken])

        def wake() -> None:
            pager.wake()
            mitigation.wake()

        duty = Duty(database, engine.board, clock, site, wake)
        engine.follow_up = then(follow, Exporter(status_pages_of(duty)).step)
        services = Services(
            database, engine.board, clock, os.environ.get("WATCHKEEPER_DEMO_NOTE", "")
        )
        anonymous = frozenset(
            [
                *([Scope.READ] if read or write else []),
                *([Scope.WRITE, Scope.PUSH] if write else []),
            ]
        )
        loop = build_loop(engine, interval, clock, pager, mitigation)
        loop.rooms = build_rooms(database, engine.board, site, clock)
        app = build_server(services, loop, anonymous, duty, mail)
        click.echo(
            f"Watchkeeper on http://{host}:{port} · {len(engine.board.posting.specs.slos)} "
            f"objectives from {specs_dir} · ledger {database.url}",
            err=True,
        )
        _offer_setup(database, url, clock.now())
        run(app, host, port)


def _offer_setup(database: Database, url: str, now: float) -> None:
    """While nobody can sign in, print a one-time link that makes the first admin."""
    from watchkeeper.access.people import needs_setup, setup_secret

    with database.write() as conn:
        secret = setup_secret(conn, now) if needs_setup(conn) else None
    if secret is not None:
        click.echo(
            f"Nobody can sign in yet. Make the first admin (once, within a day):\n"
            f"  {url.rstrip('/')}/setup?key={secret}",
            err=True,
        )


def _loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
