"""What faces stand on for budget policies and the gate: each use case one method."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import TypeVar

from sqlalchemy import Connection

from watchkeeper.faces.duty import Duty
from watchkeeper.kernel.clock import Seconds
from watchkeeper.kernel.errors import NotFound
from watchkeeper.kernel.unique import Unique
from watchkeeper.policy import rules, store, watching, work
from watchkeeper.policy.model import (
    Decision,
    GateException,
    Ground,
    Kept,
    Question,
    Standing,
)
from watchkeeper.policy.rules import StatusesOf
from watchkeeper.policy.watching import Watched
from watchkeeper.policy.work import Asked, Proof
from watchkeeper.slo.model import Fleet
from watchkeeper.spec.budget import BudgetPolicyDefinition
from watchkeeper.spec.model import Specs

T = TypeVar("T")
PROVEN_AT_ONCE = 2_000


@dataclass(frozen=True, slots=True)
class PolicyNow:
    """A policy, how its budget stands, since when it was announced, and what is left of leave."""

    policy: BudgetPolicyDefinition
    standing: Standing
    kept: Kept | None
    bullets_left: int
    exceptions: Sequence[GateException]


@dataclass(frozen=True, slots=True)
class Replayed:
    """How many decisions were made again, and those that were altered or came out otherwise."""

    count: int
    broken: Sequence[Proof]


@dataclass(frozen=True, slots=True)
class _Evaluated:
    """What follows from one evaluation: the statuses in order, standings once they are asked."""

    fleet: Fleet
    specs: Specs
    by_slo: StatusesOf
    standings: dict[str, Sequence[Standing]] = field(default_factory=dict)


@dataclass
class Gate:
    """The use cases of budget policies."""

    duty: Duty
    _evaluated: _Evaluated | None = field(default=None, repr=False)
    _uids: Unique = field(default_factory=Unique, repr=False)

    def specs(self) -> Specs:
        """The definitions in use."""
        return self.duty.specs()

    def by_slo(self) -> StatusesOf:
        """The statuses of each objective, put in order once for each evaluation."""
        return self._latest().by_slo

    def _latest(self) -> _Evaluated:
        fleet, specs, held = self.duty.board.posting.fleet, self.specs(), self._evaluated
        if held is None or held.fleet is not fleet or held.specs is not specs:
            held = _Evaluated(fleet, specs, rules.by_definition(fleet.statuses))
            self._evaluated = held
        return held

    # -- asking
    def check(self, question: Question) -> Future[Decision]:
        """Ask the gate; the decision is on disk when the future is done. Raises NotFound."""
        asked, now, secret = self.asked(question), self.duty.clock.now(), self.duty.site.secret
        return self.duty.db.submit(lambda conn: work.check_many(conn, [asked], secret, now)[0])

    def asked(self, question: Question) -> Asked:
        """A question with how the budgets stand that decide it now. Raises NotFound."""
        return Asked(question, self.standings(question.service), self._uids())

    async def check_many(self, asked: Sequence[Asked]) -> list[Decision]:
        """Decide several questions in one transaction."""
        now, secret = self.duty.clock.now(), self.duty.site.secret
        return await asyncio.wrap_future(
            self.duty.db.submit(lambda conn: work.check_many(conn, asked, secret, now))
        )

    def standings(self, service: str) -> Sequence[Standing]:
        """How the budgets stand that rule a service's releases. Raises NotFound."""
        latest = self._latest()
        found = latest.standings.get(service)
        if found is None:
            found = work.standings_for(latest.specs, service, latest.by_slo)
            latest.standings[service] = found
        return found

    def watch(self, service: str, since: Seconds) -> Watched:
        """Whether a release that began at ``since`` burns more than before. Raises NotFound."""
        names = [e.slo for s in self.standings(service) for e in s.evidence]
        now = self.duty.clock.now()
        with self.duty.db.read() as conn:
            return watching.watch(
                conn, self.specs(), service, list(dict.fromkeys(names)), since, now
            )

    # -- policies
    def policies(self) -> Sequence[PolicyNow]:
        """All policies, the worst first."""
        found = [self._policy(p) for p in self.specs().budgets.values()]
        return sorted(found, key=lambda p: (-rules.RANK.index(p.standing.state), p.policy.name))

    def policy(self, name: str) -> PolicyNow:
        """One policy. Raises NotFound."""
        found = self.specs().budgets.get(name)
        if found is None:
            raise NotFound(f"There is no budget policy {name!r}.", "/budgets lists them.")
        return self._policy(found)

    def _policy(self, policy: BudgetPolicyDefinition) -> PolicyNow:
        now = self.duty.clock.now()
        standing = rules.standing(policy, self.specs(), self.by_slo())
        with self.duty.db.read() as conn:
            kept = store.states(conn).get(policy.name)
            left = work.bullets_left(conn, policy, now)
            leaves = [e for s in policy.services for e in store.exceptions(conn, s, now)]
        return PolicyNow(policy, standing, kept, left, leaves)

    # -- decisions
    def decisions(
        self, service: str = "", verdict: str = "", since: Seconds | None = None,
        until: Seconds | None = None, before: int | None = None, limit: int = 100,
    ) -> Sequence[Decision]:  # fmt: skip
        """Decisions, newest first; ``before`` is the id to go on after."""
        with self.duty.db.read() as conn:
            return store.decisions(conn, service, verdict, since, until, before, limit)

    def decision(self, uid: str) -> Proof:
        """One decision with what it is worth. Raises NotFound."""
        with self.duty.db.read() as conn:
            found = work.must_decision(conn, uid)
        return work.prove(found, self.duty.site.secret)

    def replay(self, since: Seconds, until: Seconds) -> Replayed:
        """Make every decision of an interval again from what it followed from."""
        count, broken, before = 0, [], None
        while found := self.decisions(
            since=since, until=until, before=before, limit=PROVEN_AT_ONCE
        ):
            proofs = [work.prove(d, self.duty.site.secret) for d in found]
            count, before = count + len(proofs), found[-1].id
            broken += [p for p in proofs if not (p.signed and p.same)]
        return Replayed(count, broken)

    # -- exceptions
    def exceptions(self, service: str = "", alive: bool = False) -> Sequence[GateException]:
        """Exceptions, newest first."""
        at = self.duty.clock.now() if alive else None
        with self.duty.db.read() as conn:
            return store.exceptions(conn, service, at)

    def ask_exception(
        self, service: str, ground: str, reason: str, by: str, *, kind: str = "",
        lasts: Seconds | None = None, most_uses: int | None = None,
    ) -> GateException:  # fmt: skip
        """Ask for leave to pass. Raises NotFound, UserError."""
        return self._do(
            lambda conn, now: work.ask_exception(
                conn, self.specs(), service, Ground(ground), reason, by, now,
                kind=kind, lasts=lasts, most_uses=most_uses,
            )
        )  # fmt: skip

    def approve(self, exception_id: int, by: str) -> GateException:
        """Give it. Raises NotFound, UserError."""
        return self._do(lambda conn, now: work.approve(conn, self.specs(), exception_id, by, now))

    def revoke(self, exception_id: int, by: str) -> GateException:
        """Take it back or decline it. Raises NotFound, UserError."""
        return self._do(lambda conn, now: work.revoke(conn, exception_id, by, now))

    def _do(self, what: Callable[[Connection, Seconds], T]) -> T:
        now = self.duty.clock.now()
        with self.duty.db.write() as conn:
            done = what(conn, now)
        self.duty.board.post()
        return done


def gate_of(duty: Duty) -> Gate:
    """The use cases over the same database, definitions and clock."""
    return Gate(duty)
