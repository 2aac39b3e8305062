"""The drills of each policy, and until when the times of its drills were looked at. Only SQL."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from sqlalchemy import Connection, case, exists, func, select, update

from watchkeeper.kernel.clock import Seconds
from watchkeeper.oncall.model import PageKind, PageState
from watchkeeper.oncall.store import page, page_call, setting
from watchkeeper.store.writing import insert_new

UNRESOLVED = (str(PageState.OPEN), str(PageState.ACKED))
_PREFIX = "drill:"


@dataclass(frozen=True, slots=True)
class Drilled:
    """The drills of one policy: when the last began, when somebody whom it called answered."""

    started_at: Seconds
    answered_at: Seconds | None


@dataclass(frozen=True, slots=True)
class Running:
    """A drill that is not over."""

    page_id: int
    policy: str
    state: PageState
    opened_at: Seconds


def drilled(conn: Connection) -> dict[str, Drilled]:
    """What is known of each policy that was ever drilled, by its name."""
    c, called = page.c, page_call.c
    # Whoever was not called and acknowledges all the same has proved nothing.
    reached = exists().where(called.page_id == c.id, called.user == c.acked_by)
    query = select(c.policy_name, func.max(c.opened_at), func.max(case((reached, c.acked_at))))
    query = query.where(c.kind == str(PageKind.DRILL)).group_by(c.policy_name)
    return {name: Drilled(start, answer) for name, start, answer in conn.execute(query)}


def running(conn: Connection) -> list[Running]:
    """Drills that are not over, oldest first."""
    c = page.c
    query = select(c.id, c.policy_name, c.state, c.opened_at).order_by(c.id)
    # (asked in every tick: the index is on state, and nearly all pages are resolved)
    query = query.where(c.state.in_(UNRESOLVED), c.kind == str(PageKind.DRILL))
    return [Running(i, name, PageState(s), at) for i, name, s, at in conn.execute(query)]


def looked(conn: Connection, policy: str) -> str | None:
    """What was kept of the times of a policy's drills."""
    return conn.execute(select(setting.c.value).where(setting.c.name == _key(policy))).scalar()


def keep_looked(conn: Connection, policy: str, old: str | None, new: str) -> bool:
    """Replace what was kept; False when another replica was quicker."""
    if old is None:
        return insert_new(conn, setting, {"name": _key(policy), "value": new})
    query = update(setting).where(setting.c.name == _key(policy), setting.c.value == old)
    return bool(conn.execute(query.values(value=new)).rowcount)


def _key(policy: str) -> str:
    """A policy's name may be longer than a setting's."""
    return _PREFIX + hashlib.sha256(policy.encode()).hexdigest()[:40]
