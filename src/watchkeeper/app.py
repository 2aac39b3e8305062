"""The composition: the only module that knows the real adapters."""

from __future__ import annotations

import random
import secrets
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from watchkeeper.engine.board import Board
from watchkeeper.engine.chatting import BEYOND
from watchkeeper.engine.collect import Collector
from watchkeeper.engine.follow import Follower
from watchkeeper.engine.loop import Loop
from watchkeeper.engine.mitigate import MitigationLoop
from watchkeeper.engine.pager import Pager, PagerLoop
from watchkeeper.engine.rooms import RoomsLoop
from watchkeeper.engine.tick import Engine
from watchkeeper.incidents.chat.hearing import Ears
from watchkeeper.incidents.chat.mirroring import Mirrors
from watchkeeper.incidents.chat.opening import Chats
from watchkeeper.incidents.mitigation.running import Runner
from watchkeeper.kernel.clock import Clock, SteadyClock, SystemClock
from watchkeeper.measure.model import Batch, Source
from watchkeeper.notify import beats
from watchkeeper.notify.channels import open_channel
from watchkeeper.notify.deadman import DeadMan, address_of
from watchkeeper.notify.guarded import Web
from watchkeeper.notify.model import Transport, TransportError
from watchkeeper.notify.sending import Outcome, Sender
from watchkeeper.oncall import store as duty_store
from watchkeeper.oncall.calendars import LARGEST
from watchkeeper.oncall.model import Site
from watchkeeper.postmortems.trackers import open_tracker
from watchkeeper.postmortems.trackers.model import Tracker
from watchkeeper.spec.duty import ChannelDefinition
from watchkeeper.spec.model import SourceDefinition, SourceType, Specs
from watchkeeper.store import Database


def build_deadman(given: str, allow_private: bool) -> DeadMan:
    """The outgoing heartbeat to ``env:NAME``, ``file:PATH`` or a URL. Raises UserError."""
    pool = ThreadPoolExecutor(1, thread_name_prefix="heartbeat")
    return DeadMan(address_of(given), Web(allow_private), pool.submit)


class SilentSource:
    """A vendor's source that we keep but cannot measure: it never has anything to say."""

    def __init__(self, definition: SourceDefinition) -> None:
        self.name = definition.name

    def collect(self, slis: object, cursor: object, now: float) -> Batch:
        """Nothing."""
        del slis, cursor, now
        return Batch()


def open_source(definition: SourceDefinition, backfill_minutes: int) -> Source:
    """The adapter for a source definition. Imports are late: a process loads what it uses."""
    match definition.type:
        case SourceType.PROMETHEUS:
            from watchkeeper.measure.prometheus.source import PrometheusSource

            return PrometheusSource(definition, backfill_minutes=backfill_minutes)
        case SourceType.SCRAPE:
            from watchkeeper.measure.scrape.source import ScrapeSource

            return ScrapeSource(definition)
        case SourceType.ACCESS_LOG:
            from watchkeeper.measure.accesslog.source import AccessLogSource

            return AccessLogSource(definition)
        case SourceType.PROBE:
            from watchkeeper.measure.probe.source import ProbeSource

            return ProbeSource(definition)
        case SourceType.PUSH:
            from watchkeeper.measure.push.source import PushSource

            return PushSource(definition)
        case SourceType.SQL:
            from watchkeeper.measure.sql.source import SqlSource

            return SqlSource(definition, backfill_minutes=backfill_minutes)
        case _:
            return SilentSource(definition)


def build_engine(
    db: Database, paths: Sequence[Path], board: Board | None = None, patience: float = 5.0
) -> Engine:
    """An engine over the real adapters."""
    return Engine(db, paths, Collector(open_source), board or Board(), patience)


def build_loop(
    engine: Engine,
    interval: float,
    clock: Clock | None = None,
    pager: PagerLoop | None = None,
    mitigation: MitigationLoop | None = None,
) -> Loop:
    """A loop that ticks the engine by the machine's clock, and what runs beside it."""
    return Loop(engine, clock or SystemClock(), interval, pager, mitigation)


def limit_of(specs: Specs, channel: str) -> int:
    """Messages a minute that a channel may send; 0: no limit."""
    definition = specs.duty.channels.get(channel)
    written = definition.settings.get("per_minute", 0) if definition else 0
    return written if isinstance(written, int) else 0


class Channels:
    """The transports in use, opened when first needed, anew when their definition changes."""

    def __init__(self, board: Board) -> None:
        self._board = board
        self._open: dict[str, tuple[ChannelDefinition, Transport]] = {}
        self._opening = threading.Lock()

    def __call__(self, name: str) -> Transport:
        """The transport of a channel. Raises TransportError when there is none."""
        definition = self._board.posting.specs.duty.channels.get(name)
        if definition is None:
            raise TransportError(f"there is no channel {name!r} any more", permanent=True)
        with self._opening:
            held = self._open.get(name)
            if held is not None and held[0] == definition:
                return held[1]
            made = open_channel(definition)
            self._open[name] = (definition, made)
        if held is not None:
            held[1].close()
        return made


def steady_clock(db: Database) -> SteadyClock:
    """The clock of a server on this database: it never jumps, and restarts do not make it."""
    with db.read() as conn:
        return beats.steady_clock(conn)


def site_of(db: Database, base_url: str) -> Site:
    """Where our pages are, and what signs the links to them."""
    with db.write() as conn:
        secret = duty_store.signing_secret(conn)
    return Site(base_url.rstrip("/"), secret)


def build_follower(db: Database, board: Board, site: Site, clock: Clock) -> Follower:
    """Reads calendars, follows action items, also in the trackers that are defined."""
    web = Web(timeout=20.0, most=LARGEST)
    pool = ThreadPoolExecutor(1, thread_name_prefix="follow")

    def opened(name: str) -> Tracker:
        definition = board.posting.specs.response.trackers.get(name)
        if definition is None:
            raise TransportError(f"there is no tracker {name!r} any more", permanent=True)
        return open_tracker(definition)

    def fetch(url: str) -> str:
        return web.call("GET", url, headers={"User-Agent": "watchkeeper"}).text

    return Follower(db, site, clock, opened, pool.submit, fetch, lambda: board.posting.fleet)


def build_rooms(db: Database, board: Board, site: Site, clock: Clock) -> RoomsLoop:
    """Rooms of incidents in other chats: told in a pool of their own, listened to."""
    pool = ThreadPoolExecutor(4, thread_name_prefix="room")
    chats = Chats(lambda: board.posting.specs.duty)

    def specs() -> Specs:
        return board.posting.specs

    def changed() -> None:
        board.post()

    chance = random.SystemRandom().random
    mirrors = Mirrors(db, site, clock, specs, chats, chance, pool.submit, changed)
    return RoomsLoop(mirrors, Ears(db, site, clock, specs, chats, BEYOND, changed))


def build_mitigation(db: Database, board: Board, clock: Clock) -> MitigationLoop:
    """What carries mitigations out; each process is a server of its own name."""

    def start(work: Callable[[], None]) -> None:
        # No pool: a process must be able to end while a long command is under way.
        threading.Thread(target=work, name="mitigation", daemon=True).start()

    owner = f"r-{secrets.token_hex(8)}"
    runner = Runner(db, clock, lambda: board.posting.specs, owner, start, board.post)
    return MitigationLoop(runner)


def build_pager(
    db: Database, board: Board, site: Site, clock: Clock, workers: int = 32
) -> PagerLoop:
    """A pager over the real channels; each process is a replica of its own name."""
    pool = ThreadPoolExecutor(workers, thread_name_prefix="send")

    def run(work: Callable[[], None]) -> object:
        return pool.submit(work)

    def told(_: Outcome) -> None:
        board.post()

    sender = Sender(
        db,
        Channels(board),
        clock,
        time.monotonic,
        random.SystemRandom().random,
        run,
        f"r-{secrets.token_hex(8)}",
        workers,
        told,
    )
    sender.limit = lambda name: limit_of(board.posting.specs, name)
    if isinstance(clock, SteadyClock):
        sender.keep_time = lambda conn: clock.observe(beats.wall(conn))
    return PagerLoop(Pager(db, lambda: board.posting.specs, site, sender), clock)
