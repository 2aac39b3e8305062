"""Rooms of incidents in other chats: one thread tells them what happens, others listen to Matrix.

Slack tells us by itself (`faces/hooks.py`); a homeserver is asked, and answers when there is
something. Where listening goes on is a row, so that a restart misses nothing, and one replica at a
time listens to each.
"""

from __future__ import annotations

import logging
import secrets
import threading
from collections.abc import Callable
from dataclasses import dataclass, field

from watchkeeper.incidents.chat import store_rooms
from watchkeeper.incidents.chat.hearing import Ears
from watchkeeper.incidents.chat.matrix import MatrixChat
from watchkeeper.incidents.chat.mirroring import Mirrors
from watchkeeper.kernel.errors import StoreError
from watchkeeper.notify.model import TransportError
from watchkeeper.spec.duty import ChannelType

EVERY = 0.5
"""Seconds between two looks for something to tell."""
WAIT = 5.0
"""Seconds that a homeserver may wait for something to say."""
PATIENCE = 5.0
"""Seconds more that we wait for it. Another replica takes over when twice this has gone by."""
AGAIN = 5.0
LONGEST = 60.0

log = logging.getLogger("watchkeeper.engine")


@dataclass
class RoomsLoop:
    """Tells and listens, in threads of its own, until stopped."""

    mirrors: Mirrors
    ears: Ears
    every: float = EVERY
    name: str = field(default_factory=lambda: f"l-{secrets.token_hex(8)}")
    _stop: threading.Event = field(default_factory=threading.Event)
    _listening: dict[str, threading.Thread] = field(default_factory=dict)
    _thread: threading.Thread | None = None

    def start(self) -> None:
        """Begin."""
        self._thread = threading.Thread(target=self._run, name="rooms", daemon=True)
        self._thread.start()

    def stop(self, timeout: float = 10.0) -> None:
        """Ask to stop, and let another replica listen."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join(timeout)
        if self._listening:
            self._guarded(self._give_back)

    def _give_back(self) -> int:
        with self.mirrors.db.write() as conn:
            store_rooms.give_back(conn, list(self._listening), self.name)
        return 0

    def _run(self) -> None:
        while not self._stop.is_set():
            done = self._guarded(self.mirrors.step)
            self._listen_to_all()
            self._stop.wait(0.1 if done else self.every)

    def _guarded(self, act: Callable[[], int]) -> int:
        try:
            return act()
        except StoreError as error:
            log.error("rooms: %s", error)
        except Exception:  # a defect must not end the telling
            log.exception("rooms failed; it goes on")
        return 0

    # -- listening
    def _matrix(self) -> list[str]:
        duty = self.mirrors.specs().duty
        named = [m.channel for m in duty.mirrors.values() if m.channel in duty.channels]
        return [n for n in named if duty.channels[n].type is ChannelType.MATRIX]

    def _listen_to_all(self) -> None:
        for channel in self._matrix():
            held = self._listening.get(channel)
            if held is None or not held.is_alive():
                thread = threading.Thread(
                    target=self._listen, args=(channel,), name="listen", daemon=True
                )
                self._listening[channel] = thread
                thread.start()

    def _listen(self, channel: str) -> None:
        failures = 0
        while not self._stop.is_set() and channel in self._matrix():
            try:
                pause = 0.0 if self.listen_once(channel) else AGAIN
                failures = 0
            except TransportError as error:
                pause = error.retry_after or min(LONGEST, 2.0**failures)
                failures = min(failures + 1, 10)
                log.warning("channel %s: %s", channel, error)
            except Exception as error:
                pause = AGAIN
                log.error("channel %s: %s", channel, error, exc_info=not _ours(error))
            self._stop.wait(pause)

    def listen_once(self, channel: str, wait: float = WAIT) -> bool:
        """Take what came since the last time; False: another replica listens."""
        db, now = self.mirrors.db, self.mirrors.clock.now()
        with db.write() as conn:
            since = store_rooms.take_cursor(conn, channel, self.name, now, wait + 2 * PATIENCE)
        if since is None:
            return False
        chat = self.mirrors.opened(channel)
        if not isinstance(chat, MatrixChat):
            return False
        synced = chat.sync(since, wait, wait + PATIENCE)
        missed = [h for room, token in synced.gaps.items() for h in chat.before(room, token, since)]
        for heard in (*missed, *synced.heard):
            # Told twice after a crash before the cursor moved, it is still written once.
            self.ears.answer(channel, heard, self.ears.hear(channel, heard))
        if synced.since != since:
            with db.write() as conn:
                store_rooms.move_cursor(conn, channel, self.name, since, synced.since)
        return True


def _ours(error: Exception) -> bool:
    return isinstance(error, StoreError)
