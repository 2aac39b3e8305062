"""The outgoing heartbeat: somebody outside notices when we are silent.

After each clean audit the address is pinged; after one that found broken promises its ``/fail`` is,
with what was found (the convention of Healthchecks, which others share). When the engine stands
still or the database is away there is no audit and no ping, and that is the point.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from urllib.parse import urlsplit, urlunsplit

from watchkeeper.kernel.errors import UserError
from watchkeeper.kernel.secrets import secret
from watchkeeper.notify.guarded import Web, shown
from watchkeeper.notify.model import TransportError

log = logging.getLogger("watchkeeper.notify")

MOST_SAID = 10_000
"""Characters of a failure's text."""


@dataclass
class DeadMan:
    """Pings one address. ``run`` does it elsewhere, so that a slow address holds nobody up."""

    url: str
    web: Web
    run: Callable[[Callable[[], None]], object]
    _busy: threading.Lock = field(default_factory=threading.Lock)

    def report(self, broken: Sequence[str]) -> None:
        """Say that all is well, or what is not. A ping that still goes on is not overtaken."""
        if self._busy.acquire(blocking=False):
            self.run(lambda: self._ping(broken))

    def _ping(self, broken: Sequence[str]) -> None:
        try:
            if broken:
                said = "\n".join(broken)[:MOST_SAID].encode()
                self.web.call("POST", failing(self.url), content=said)
            else:
                self.web.call("GET", self.url)
        except TransportError as error:
            # The path is the secret of such addresses, and an answer may repeat it.
            why = error.message.replace(urlsplit(self.url).path, "/…")
            log.warning("the heartbeat at %s: %s", shown(self.url), why)
        finally:
            self._busy.release()


def failing(url: str) -> str:
    """The address that says that we fail: ``/fail`` behind the path, whatever is asked with it."""
    parts = urlsplit(url)
    return urlunsplit(parts._replace(path=parts.path.rstrip("/") + "/fail"))


def address_of(given: str) -> str:
    """The address behind ``env:NAME``, ``file:PATH`` or a URL. Raises UserError, without it."""
    text = given.strip().strip("{}").strip()
    kind, colon, where = text.partition(":")
    url = text
    if colon and kind in ("env", "file"):
        url = secret({kind: where.strip()}, "the heartbeat's address").strip()
    try:
        parts = urlsplit(url)
        usable = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        usable = False
    if not usable:
        raise UserError(
            "The heartbeat's address is no http or https URL.",
            "Give env:NAME or file:PATH of one, or the URL.",
        )
    return url
