"""Subscribing: asked for by anybody, so limited; told of nothing before the address proves itself.

Nobody learns from an answer whether an address is subscribed: it is the same either way.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from urllib.parse import urlsplit

from sqlalchemy import Connection

from watchkeeper.access import store_accounts
from watchkeeper.access.throttle import Limit, filled, network, wait
from watchkeeper.incidents.status import messages, store, tokens, work
from watchkeeper.incidents.status.messages import Envelope
from watchkeeper.incidents.status.model import Subscriber
from watchkeeper.incidents.status.tokens import CONFIRM, Pass
from watchkeeper.kernel.clock import Seconds
from watchkeeper.kernel.errors import NotFound, UserError
from watchkeeper.kernel.text import duration
from watchkeeper.notify import bulk, outbox
from watchkeeper.oncall.model import Site
from watchkeeper.spec.response import StatusPageDefinition
from watchkeeper.store import timeline

LIMITS = {"status-from": Limit(10, 900.0), "status-page": Limit(200, 900.0)}
"""How often may be asked from one network, and for one page by all."""
AGAIN_AFTER = 3600.0
"""Seconds after which an address that did not confirm is asked again."""
KINDS = ("email", "webhook")
_MAILBOX = re.compile(r"[^\s@<>\",;:()\[\]\\]{1,64}@[^\s@<>\",;:()\[\]\\/]{1,190}\.[^\s@.]{2,63}")


class TooOftenError(UserError):
    """Asked too often; ``seconds`` until it may be asked again."""

    http_status = 429

    def __init__(self, seconds: float) -> None:
        super().__init__("Too many have asked to subscribe.", f"Try in {duration(seconds)}.")
        self.seconds = seconds


def checked_address(page: StatusPageDefinition, kind: str, written: str) -> str:
    """An address of this kind that this page can send to. Raises UserError."""
    if kind not in KINDS or not (page.channel if kind == "email" else page.webhooks):
        raise UserError(f"This page does not tell by {kind[:20]!r}.", "Its feeds are open to all.")
    found = written.strip()
    if kind == "email":
        if len(found) > 254 or not _MAILBOX.fullmatch(found) or not found.isprintable():
            raise UserError(
                f"{found[:80]!r} is no e-mail address.", "Write it like me@example.com."
            )
        box, _, domain = found.rpartition("@")
        return f"{box}@{domain.lower()}"
    try:
        parts = urlsplit(found)
        usable = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        usable = False
    if not usable or len(found) > 500 or not found.isprintable() or " " in found:
        raise UserError("That is no http or https URL.", "Give the whole address of your endpoint.")
    return found


def limit(conn: Connection, page: str, address: str, now: Seconds) -> None:
    """Count a request from a network address. Raises TooOftenError."""
    keys = {f"status-from:{network(address)}": LIMITS["status-from"],
            f"status-page:{page}"[:100]: LIMITS["status-page"]}  # fmt: skip
    held = store_accounts.buckets(conn, list(keys))
    seconds = wait([(keys[k], b) for k, b in held.items()], now)
    if seconds > 0:
        raise TooOftenError(seconds)
    store_accounts.set_buckets(conn, {k: filled(b, keys[k], now) for k, b in held.items()})


def ask(
    conn: Connection, page: StatusPageDefinition, site: Site, kind: str, written: str,
    components: Sequence[str], now: Seconds, actor: str = "anonymous",
) -> Subscriber:  # fmt: skip
    """Keep that an address wants to be told; a mailbox is asked whether it does. Raises UserError.

    A webhook is asked by the caller, outside of the transaction.
    """
    address = checked_address(page, kind, written)
    mine = {c.name for c in page.components}
    wanted = tuple(n for n in dict.fromkeys(components) if n in mine)
    wanted = () if len(wanted) == len(mine) else wanted
    before = store.of_address(conn, page.name, kind, address)
    if before is not None and (before.active or now - before.created_at < AGAIN_AFTER):
        return before
    store.forget_unconfirmed(conn, now - tokens.VALID[CONFIRM])
    made = store.subscribe(
        conn, Subscriber(0, page.name, kind, address, False, now, components=wanted)
    )
    if kind == "email":
        envelope = Envelope(page, work.address(page, site), site.secret)
        outbox.enqueue(conn, [messages.confirmation(envelope, made, now)], now)
    _log(conn, "status.asked", made, actor, now)
    return made


def passed(
    conn: Connection, page: str, signed: str, site: Site, now: Seconds
) -> tuple[Pass, Subscriber]:
    """What a link says, and whose it is. Raises NotFound."""
    its = tokens.verify(signed, page, site.secret, now)
    found = store.get(conn, its.subscriber) if its else None
    if its is None or found is None or found.page != page:
        raise NotFound("This link is no longer good.", "Subscribe again if you want to be told.")
    return its, found


def confirm(conn: Connection, subscriber: Subscriber, now: Seconds) -> None:
    """The address proved itself: it is told from now on."""
    if store.confirm(conn, subscriber.id, now):
        _log(conn, "status.subscribed", subscriber, "subscriber", now)


def choose(
    conn: Connection, page: StatusPageDefinition, subscriber: Subscriber, components: Sequence[str]
) -> None:
    """Be told of these components only; all or none of them is all. Raises UserError."""
    mine = [c.name for c in page.components if c.name in components]
    store.choose(conn, subscriber.id, () if len(mine) == len(page.components) else mine)


def leave(
    conn: Connection, page: StatusPageDefinition | None, subscriber: Subscriber, actor: str,
    now: Seconds,
) -> None:  # fmt: skip
    """Forget a subscriber; what waits for it is not sent."""
    if not store.remove(conn, subscriber.id):
        return
    channel = "" if page is None else page.channel
    if page is not None and subscriber.kind == "webhook":
        channel = page.webhooks
    if channel:
        bulk.cancel_to(conn, channel, subscriber.address, "unsubscribed")
    _log(conn, "status.unsubscribed", subscriber, actor, now)


def _log(conn: Connection, kind: str, its: Subscriber, actor: str, now: Seconds) -> None:
    # Who subscribes is nobody else's business: events name the number, never the address.
    data = {"subscriber": its.id, "kind": its.kind, "components": list(its.components)}
    timeline.append(conn, now, kind, f"status/{its.page}", actor, data)
