"""Silences as people make and end them, and what happens when one is over."""

from __future__ import annotations

import re
import secrets
from collections.abc import Sequence
from dataclasses import replace

from sqlalchemy import Connection

from watchkeeper.alerting import quiet, store, store_doors, triage
from watchkeeper.alerting.quiet import Silence
from watchkeeper.kernel.clock import Seconds
from watchkeeper.kernel.errors import NotFound, UserError
from watchkeeper.spec.duty import Matcher
from watchkeeper.spec.model import Specs
from watchkeeper.store import timeline

MOST_MATCHERS = 20
_MATCHER = re.compile(r"\s*([A-Za-z_][\w.-]*)\s*(=~|!~|!=|=)\s*(.*?)\s*", re.DOTALL)


def matcher_of(text: str) -> Matcher:
    """``service=shop``, ``severity!=info``, ``summary=~".*disk.*"``. Raises UserError."""
    parts = _MATCHER.fullmatch(text)
    if parts is None or len(text) > 500:
        raise UserError(
            f"{text[:80]!r} is no matcher.",
            "Write label=value, label!=value, label=~regex or label!~regex.",
        )
    value = parts[3]
    if len(value) > 1 and value[0] == value[-1] and value[0] in "\"'":
        value = value[1:-1]
    return checked(Matcher(parts[1], parts[2], value))


def checked(matcher: Matcher) -> Matcher:
    """The matcher, if its regex can be read. Raises UserError."""
    if matcher.op in ("=~", "!~"):
        try:
            re.compile(matcher.value)
        except (re.error, OverflowError, RecursionError) as error:
            raise UserError(f"{matcher.value!r} is no regex: {error}.", "Escape it.") from None
    return matcher


def create_silence(
    conn: Connection,
    matchers: Sequence[Matcher],
    start: Seconds,
    end: Seconds,
    author: str,
    reason: str,
    now: Seconds,
) -> Silence:
    """Keep people from being called for alerts that match all. Raises UserError."""
    if not 1 <= len(matchers) <= MOST_MATCHERS:
        raise UserError(f"A silence has 1 to {MOST_MATCHERS} matchers.", "E.g. service=checkout.")
    if triage.matches(matchers, {}):
        raise UserError("This silence would match every alert.", "Name a value that must be there.")
    if not end > max(start, now):
        raise UserError("A silence must end after it starts, and after now.", "Check its end.")
    if not reason.strip():
        raise UserError("A silence needs a reason.", "Say why nobody need be called.")
    made = Silence(
        secrets.token_hex(8),
        tuple(checked(m) for m in matchers),
        start,
        end,
        author[:200],
        reason.strip()[:1000],
        now,
    )
    store_doors.add_silence(conn, made)
    data = {"matchers": [f"{m.label}{m.op}{m.value}" for m in made.matchers], "end": end}
    timeline.append(conn, now, "silence.made", f"silence/{made.id}", made.author, data)
    return made


def expire_silence(conn: Connection, silence_id: str, actor: str, now: Seconds) -> None:
    """End a silence now. Raises NotFound."""
    if not store_doors.end_silence(conn, silence_id, now):
        raise NotFound(f"No silence {silence_id[:40]!r} is in force.", "It may be over already.")
    timeline.append(conn, now, "silence.ended", f"silence/{silence_id}", actor, {})


def end_quiet(conn: Connection, specs: Specs, now: Seconds, limit: int = 500) -> int:
    """Have people called for open alerts whose silence or maintenance is over. How many."""
    in_force = store_doors.silences(conn, now)
    done, after = 0, 0
    while ids := store_doors.quiet_ids(conn, after, limit):
        after = ids[-1]
        alerts = store.by_ids(conn, ids)
        loud = [a for a in alerts if not quiet.reason(a.labels, specs, in_force, now)]
        store.save(conn, [replace(a, quiet="", due_at=now) for a in loud])
        events = [(now, "alert.loud", f"alert/{a.id}", "engine", {"was": a.quiet}) for a in loud]
        timeline.append_many(conn, events)
        done += len(loud)
    return done


def anything_quiet(conn: Connection, specs: Specs, now: Seconds) -> bool:
    """True when `end_quiet` would change something; asked in a snapshot."""
    in_force = store_doors.silences(conn, now)
    after = 0
    while ids := store_doors.quiet_ids(conn, after, 500):
        after = ids[-1]
        alerts = store.by_ids(conn, ids)
        if any(not quiet.reason(a.labels, specs, in_force, now) for a in alerts):
            return True
    return False
