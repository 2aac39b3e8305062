"""The clock of incidents: every reminder and escalation once, on time, whatever restarts."""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import dataclass, field, replace

from hypothesis import given, settings
from hypothesis import strategies as st

from watchkeeper.incidents import clocks, rules
from watchkeeper.incidents.clocks import Notice, NoticeKind
from watchkeeper.incidents.model import Incident, IncidentState, RoleHolding
from watchkeeper.spec.response import ROLES, SEVERITIES

MINUTE = 60
START = 1_767_600_000
WEEK = 7 * 24 * 60
INTERVAL = {"SEV1": 15, "SEV2": 30, "SEV3": None}
LEAD = {"SEV1": 5, "SEV2": 5}
NEEDED = {"SEV1": {"commander", "comms", "ops"}, "SEV2": {"commander", "comms", "ops"},
          "SEV3": {"commander"}}  # fmt: skip


@dataclass
class Oracle:
    """The rules told minute by minute, in whole minutes, without looking at the code."""

    severity: str = "SEV1"
    over: bool = False
    last: int = 0  # minute of the last update or of the declaration
    due: int | None = 15
    public: bool = False
    owed: int = 0  # minute from which a public message is owed
    graded: int = 0
    reopened: int = 0
    holders: dict[str, str] = field(default_factory=dict)
    left: dict[str, int] = field(default_factory=dict)
    offers: dict[str, int] = field(default_factory=dict)

    def expects(self, minute: int) -> Counter[tuple[str, str]]:
        found: Counter[tuple[str, str]] = Counter()
        if self.over:
            return found
        every = INTERVAL[self.severity]
        if self.due is not None and every is not None:
            if minute == self.due - 5:
                found["update soon", ""] += 1
            if minute >= self.due and (minute - self.due) % every == 0:
                found["update late", ""] += 1
        if self.severity != "SEV3" and not self.public:
            waited = minute - self.owed
            if waited >= 5 and waited % 5 == 0:
                found["public late", ""] += 1
        for role in NEEDED[self.severity] - self.holders.keys():
            waited = minute - max(self.graded, self.reopened, self.left.get(role, 0)) - 2
            if waited >= 0 and waited % 10 == 0:
                found["role empty", role] += 1
        for role, since in self.offers.items():
            if minute - max(since, self.reopened) == 5:
                found["offer open", role] += 1
        return found


@dataclass
class Played:
    """The same incident as the rules keep it."""

    incident: Incident
    holdings: dict[str, RoleHolding] = field(default_factory=dict)

    def severity(self) -> str:
        return self.incident.severity

    def step(self, now: float) -> list[Notice]:
        self.incident, notices = clocks.advance(
            self.incident, list(self.holdings.values()), SEVERITIES[self.severity()], ROLES, now
        )
        return notices


def declared() -> Played:
    made = Incident(
        id=1, title="x", severity="SEV1", state=IncidentState.TRIGGERED, declared_at=START,
        declared_by="ann", version=0,
    )  # fmt: skip
    return Played(clocks.begun(made, SEVERITIES["SEV1"]))


def act(chance: random.Random, minute: int, oracle: Oracle, played: Played) -> None:
    """Something that people do, told to both."""
    now = START + minute * MINUTE
    role = chance.choice(["commander", "comms", "ops"])
    match chance.choice(["update", "public", "severity", "state", "take", "leave", "offer"]):
        case "update" | "public" as kind:
            oracle.last, oracle.public = minute, oracle.public or kind == "public"
            every = None if oracle.over else INTERVAL[oracle.severity]
            oracle.due = None if every is None else minute + every
            grade = SEVERITIES[played.severity()]
            played.incident = clocks.updated(played.incident, grade, now, public=kind == "public")
        case "severity":
            name = chance.choice([s for s in INTERVAL if s != oracle.severity])
            if oracle.severity == "SEV3":
                oracle.owed = minute
            oracle.severity, oracle.graded = name, minute
            every = None if oracle.over else INTERVAL[name]
            oracle.due = None if every is None else max(oracle.last + every, minute + 5)
            changed = rules.graded(played.incident, SEVERITIES[name], "").incident
            played.incident = clocks.graded(changed, SEVERITIES[name], now)
        case "state":
            over = not oracle.over
            state = IncidentState.RESOLVED if over else IncidentState.INVESTIGATING
            every = INTERVAL[oracle.severity]
            oracle.over = over
            if not over:
                oracle.reopened = oracle.owed = minute
            oracle.due = None if over or every is None else minute + every
            changed = rules.moved(played.incident, state, "so", now).incident
            played.incident = clocks.moved(changed, SEVERITIES[played.severity()], now)
        case "take":
            oracle.holders[role] = "ann"
            oracle.offers.pop(role, None)
            played.holdings[role] = RoleHolding(1, role, "ann", now)
        case "leave":
            oracle.holders.pop(role, None)
            oracle.left[role] = minute
            oracle.offers.pop(role, None)
            played.holdings[role] = RoleHolding(1, role, "", now)
        case "offer":
            if role in oracle.holders:
                oracle.offers[role] = minute
                held = played.holdings[role]
                played.holdings[role] = replace(held, offered_to="ben", offered_at=now)


@settings(deadline=None, max_examples=2)
@given(st.integers(0, 2**32))
def test_each_notice_comes_once_and_in_its_minute_through_a_week(seed: int) -> None:
    chance, oracle, played = random.Random(seed), Oracle(), declared()
    told = 0
    for minute in range(WEEK):
        if minute and chance.random() < 0.03:
            act(chance, minute, oracle, played)
        got = Counter((str(n.kind), n.role) for n in played.step(START + minute * MINUTE))
        # The reminder of the first public message comes 100 s before it, between two minutes.
        got.pop(("public soon", ""), None)
        assert got == oracle.expects(minute), (seed, minute)
        told += got.total()
    assert told > 10


@settings(deadline=None, max_examples=20)
@given(st.integers(0, 2**32))
def test_the_engine_is_told_when_to_look_so_that_nothing_is_early_or_missed(seed: int) -> None:
    chance, oracle, played = random.Random(seed), Oracle(), declared()
    played.step(START)
    for minute in range(1, 600):
        now = START + minute * MINUTE
        if chance.random() < 0.03:
            act(chance, minute, oracle, played)
            played.incident = clocks.scheduled(
                played.incident,
                list(played.holdings.values()),
                SEVERITIES[played.severity()],
                ROLES,
            )
        due = played.incident.due_at
        if due is not None and due <= now:
            assert played.step(now) != [] or due > now - MINUTE
        else:
            before = played.incident
            assert played.step(now) == []
            played.incident = before


@settings(deadline=None, max_examples=40)
@given(st.integers(0, 2**32), st.integers(1, 200))
def test_a_pause_of_the_engine_makes_notices_late_never_double(seed: int, pause: int) -> None:
    chance, played = random.Random(seed), declared()
    start = chance.randrange(1, 60)
    seen: Counter[tuple[NoticeKind, str, float, int]] = Counter()
    for minute in range(start + pause + 60):
        if start <= minute < start + pause:
            continue
        for notice in played.step(START + minute * MINUTE):
            seen[notice.kind, notice.role, notice.at, notice.number] += 1
    assert set(seen.values()) == {1}
    after = played.step(START + (start + pause + 60) * MINUTE)
    kinds = {kind for kind, *_ in seen} | {n.kind for n in after}
    assert {NoticeKind.UPDATE_LATE, NoticeKind.PUBLIC_LATE, NoticeKind.ROLE_EMPTY} <= kinds


def test_a_reminder_that_is_as_late_as_its_escalation_is_left_out() -> None:
    played = declared()
    kinds = [n.kind for n in played.step(START + 15 * MINUTE)]
    assert NoticeKind.UPDATE_LATE in kinds
    assert NoticeKind.UPDATE_SOON not in kinds


def test_nothing_is_told_of_an_incident_that_is_over_or_merged() -> None:
    played = declared()
    over = rules.moved(played.incident, IncidentState.RESOLVED, "", START + 60).incident
    played.incident = clocks.moved(over, SEVERITIES["SEV1"], START + 60)
    assert played.step(START + 10 * 3600) == []
    assert played.incident.due_at is None


def test_what_a_higher_severity_makes_due_at_once_leaves_time_to_write() -> None:
    made = replace(declared().incident, severity="SEV3", update_due_at=None)
    raised = rules.graded(made, SEVERITIES["SEV1"], "it is worse").incident
    after = clocks.graded(raised, SEVERITIES["SEV1"], START + 3600)
    assert after.update_due_at == START + 3600 + 5 * MINUTE
