"""From the state of SLOs to signals. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from typing import Any

from watchkeeper.alerting.model import Signal, SignalAction, Urgency
from watchkeeper.alerting.policies import evidence, say
from watchkeeper.kernel.clock import Seconds
from watchkeeper.kernel.duration import parse_duration
from watchkeeper.slo.model import BURN_WINDOWS, Events, Fleet, SloStatus
from watchkeeper.slo.subjects import base_name
from watchkeeper.spec.duty import (
    AlertRule,
    BurnRule,
    ConsumedRule,
    ExhaustionRule,
    Guards,
    NoDataRule,
)
from watchkeeper.spec.model import AlertPolicyDefinition, Specs

HOUR = 60
BLIND_MINUTES = 5
REFRESH = 300.0
"""Seconds after which an open alert is told its new numbers."""
LEAST_BURN = 1.0
"""An exhaustion rule asks that the last hour and its last five minutes burn at least so fast:
below, the budget grows."""


def _burn(long: str, short: str, factor: float, urgency: str) -> BurnRule:
    return BurnRule(parse_duration(long), parse_duration(short), factor, urgency)


DEFAULT_RULES: tuple[AlertRule, ...] = (
    ExhaustionRule(3600.0, "page"),
    ExhaustionRule(86_400.0, "ticket"),
    _burn("1h", "5m", 14.4, "page"),
    _burn("6h", "30m", 6.0, "page"),
    _burn("1d", "2h", 3.0, "ticket"),
    _burn("3d", "6h", 1.0, "ticket"),
    NoDataRule(900.0, "ticket"),
)
"""For SLOs that name no policy: row R5 of our plan, and beside it the table of the SRE workbook.

Source of the burn factors: Beyer et al., The Site Reliability Workbook (2018), chapter 5,
table 5-8.
"""
DEFAULT_GUARDS = Guards(min_bad=2.0, significance=0.01, hold=120.0)

Lookup = Callable[[str, int], Events | None]
"""The events of an SLO in its last so many minutes."""


@dataclass(frozen=True, slots=True)
class Standing:
    """What is known of one urgency of one SLO: open since when, clear since when, last told."""

    opened: Seconds | None = None
    clear: Seconds | None = None
    told: Seconds = 0.0


@dataclass(frozen=True, slots=True)
class PolicyState:
    """What the machine remembers of an SLO between two ticks."""

    page: Standing = field(default_factory=Standing)
    ticket: Standing = field(default_factory=Standing)
    info: Standing = field(default_factory=Standing)

    def as_json(self) -> dict[str, Any]:
        """As it is kept; only what is not the beginning."""
        named = ((u, getattr(self, u)) for u in ("page", "ticket", "info"))
        return {u: [s.opened, s.clear, s.told] for u, s in named if s != Standing()}

    @classmethod
    def of_json(cls, kept: Mapping[str, Sequence[Any]]) -> PolicyState:
        """As it was kept."""
        return cls(**{u: Standing(*values) for u, values in kept.items()})


@dataclass(frozen=True, slots=True)
class Fired:
    """A rule that holds, with the events that speak for it."""

    rule: AlertRule
    events: Events | None

    @property
    def urgency(self) -> Urgency:
        """What it obliges to."""
        return Urgency(self.rule.urgency)


def holds(rule: AlertRule, status: SloStatus, guards: Guards, lookup: Lookup) -> Fired | None:
    """The rule with its evidence when it holds now, else None."""
    match rule:
        case ExhaustionRule():
            if not _exhausts(rule, status):
                return None
            return _guarded(rule, HOUR, status, guards, lookup)
        case BurnRule():
            windows = (rule.short.minutes, rule.long.minutes)
            if not all(_reaches(status, m, rule.factor, lookup) for m in windows):
                return None
            return _guarded(rule, rule.long.minutes, status, guards, lookup)
        case ConsumedRule():
            left = status.budget.remaining_ratio
            # No tolerance: the figure is exact, and so is the threshold.
            return None if left is None or 1.0 - left < rule.share else Fired(rule, None)
        case NoDataRule():
            # What was never measured is new, or not used; the pages say so without calling anyone.
            if status.events.seen <= 0 or not blind(status, lookup):
                return None
            found = lookup(status.name, max(1, round(rule.after / 60)))
            return Fired(rule, found) if found is not None and found.seen == 0 else None


def _exhausts(rule: ExhaustionRule, status: SloStatus) -> bool:
    found = status.time_to_exhaustion_seconds
    if not rule.roll_off:
        found = status.time_to_exhaustion_plain_seconds
    # The projection is made with the last hour; an outage that has just ended is still in it, so
    # the last minutes must burn as well, as with every rule of two windows.
    burns = (status.burn_rate.get("1h"), status.burn_rate.get("5m"))
    if found is None or any(b is None or b < LEAST_BURN for b in burns):
        return False
    # A spent budget cannot run out: how bad it is then is for the burn rules to say, or else a
    # trickle of errors would wake people for weeks.
    return 0.0 < found <= rule.within or (found == 0.0 and rule.urgency != "page")


def _reaches(status: SloStatus, minutes: int, factor: float, lookup: Lookup) -> bool:
    """Whether the burn over this window is at least the factor, decided without rounding.

    The evaluated rate, a float, decides unless it is so near that rounding could: then, and for
    windows of one's own, the events do, in fractions.
    """
    name = _NAMES.get(minutes)
    if name is not None:
        rate = status.burn_rate.get(name)
        if rate is None or abs(rate - factor) > NEAR * factor:
            return rate is not None and rate > factor
    events = lookup(status.name, minutes)
    if events is None or events.total <= 0 or events.bad <= 0 or status.target >= 1:
        return False  # where nothing is allowed no burn rate can be told
    allowed = Fraction(1 - status.target) * Fraction(repr(factor))
    return Fraction(events.bad) >= allowed * Fraction(events.total)


NEAR = 1e-6
_NAMES = {minutes: name for name, minutes in BURN_WINDOWS}


def _guarded(
    rule: AlertRule, minutes: int, status: SloStatus, guards: Guards, lookup: Lookup
) -> Fired | None:
    events = lookup(status.name, minutes)
    if events is None or not enough(events, 1.0 - float(status.target), guards):
        return None
    return Fired(rule, events)


def enough(events: Events, allowed: float, guards: Guards) -> bool:
    """True when so many bad events are evidence, and not the bad luck of a quiet hour."""
    if events.total < guards.min_events or events.bad < guards.min_bad:
        return False
    if guards.significance is None:
        return True
    return evidence.chance_of(events.bad, events.total, allowed) < guards.significance


CALM = PolicyState()


def blind(status: SloStatus, lookup: Lookup) -> bool:
    """True when not one of the last minutes was observed.

    Then nothing says that what was wrong is over: an alert stays open until there is data again, or
    a person closes it. A source that dies with the service must not end the service's page.
    """
    if status.burn_rate.get("5m") is not None:
        return False
    found = lookup(status.name, BLIND_MINUTES)
    return found is not None and found.seen <= 0


def decide(
    status: SloStatus,
    rules: Iterable[AlertRule],
    guards: Guards,
    state: PolicyState,
    now: Seconds,
    lookup: Lookup,
) -> tuple[PolicyState, list[Signal]]:
    """The next state and what is to be said, for one SLO."""
    fired = [f for rule in rules if (f := holds(rule, status, guards, lookup)) is not None]
    if not fired and state is CALM:
        return state, []
    unseen = state is not CALM and blind(status, lookup)
    signals: list[Signal] = []
    covered = False  # a page includes the ticket, a ticket the information
    for urgency in (Urgency.PAGE, Urgency.TICKET, Urgency.INFO):
        mine = [f for f in fired if f.urgency is urgency]
        standing: Standing = getattr(state, str(urgency))
        after, said = _stand(status, mine, covered, unseen, guards, standing, now, urgency)
        covered = covered or after.opened is not None or bool(mine)
        state = replace(state, **{str(urgency): after})
        signals.extend(said)
    # What opens comes before what closes: nobody sees a moment without any alert.
    return state, sorted(signals, key=lambda s: s.action is SignalAction.RESOLVE)


def _stand(
    status: SloStatus,
    fired: Sequence[Fired],
    covered: bool,
    unseen: bool,
    guards: Guards,
    standing: Standing,
    now: Seconds,
    urgency: Urgency,
) -> tuple[Standing, list[Signal]]:
    wanted = bool(fired) and not covered
    if wanted and standing.opened is None:
        return Standing(now, None, now), [_signal(status, fired, urgency, now)]
    if wanted:
        if now - standing.told < REFRESH:
            return replace(standing, clear=None), []
        return Standing(standing.opened, None, now), [_signal(status, fired, urgency, now)]
    if standing.opened is None or (unseen and not covered):
        return standing, []
    clear = standing.clear if standing.clear is not None else now
    if covered or now - clear >= guards.hold:
        return Standing(), [_resolved(status, urgency, now)]
    return replace(standing, clear=clear), []


def _signal(status: SloStatus, fired: Sequence[Fired], urgency: Urgency, now: Seconds) -> Signal:
    return Signal(
        key=_key(status.name, urgency),
        action=SignalAction.TRIGGER,
        summary=say.summary(status, [(f.rule, f.events) for f in fired], now),
        severity={Urgency.PAGE: "critical", Urgency.TICKET: "warning"}.get(urgency, "info"),
        service=status.service,
        source="watchkeeper",
        component=status.journey or "",
        labels={**status.labels, "slo": status.name},
        details=say.details(status, [(f.rule, f.events) for f in fired], now),
        links=((f"SLO {status.display_name or status.name}", f"/slo/{status.name}"),),
        at=now,
        urgency=urgency,
    )


def _resolved(status: SloStatus, urgency: Urgency, now: Seconds) -> Signal:
    return _ended(status.name, urgency, now)


def _ended(name: str, urgency: Urgency, now: Seconds) -> Signal:
    return Signal(_key(name, urgency), SignalAction.RESOLVE, "", at=now, urgency=urgency)


def _key(name: str, urgency: Urgency) -> str:
    return f"{name}#{urgency}"


def rules_of(name: str, specs: Specs) -> tuple[tuple[AlertRule, ...], Guards]:
    """The rules and guards of an SLO: those of its policies, or the default ones."""
    defined = specs.slos.get(name) or specs.slos.get(base_name(name))
    named = defined.alert_policies if defined else ()
    policies = [specs.alert_policies[p] for p in named if p in specs.alert_policies]
    rules = tuple(rule for p in policies for rule in rules_in(p))
    if not rules:
        return DEFAULT_RULES, DEFAULT_GUARDS
    return rules, next((p.guards for p in policies if p.guards != Guards()), Guards())


def rules_in(policy: AlertPolicyDefinition) -> tuple[AlertRule, ...]:
    """Our own rules, or the burn conditions of OpenSLO as such."""
    if policy.rules:
        return policy.rules
    return tuple(
        BurnRule(c.long, c.short, float(c.threshold), c.severity) for c in policy.conditions
    )


def step(
    fleet: Fleet, specs: Specs, states: Mapping[str, Any], now: Seconds, lookup: Lookup
) -> tuple[dict[str, Any], list[Signal]]:
    """All SLOs: the states that changed (None: forgotten), and the signals, by name."""
    changed: dict[str, Any] = {}
    signals: list[Signal] = []
    known: dict[str, tuple[tuple[AlertRule, ...], Guards]] = {}
    for status in fleet.statuses:
        base = base_name(status.name)
        if base not in known:
            known[base] = rules_of(status.name, specs)
        rules, guards = known[base]
        before = states.get(status.name)
        state = PolicyState.of_json(before) if before else CALM
        after, said = decide(status, rules, guards, state, now, lookup)
        if after is not state and after != state:
            changed[status.name] = after.as_json() or None
        signals.extend(said)
    there = {s.name for s in fleet.statuses}
    for name in states:
        if name not in there:  # the SLO is gone, and its alerts with it
            changed[name] = None
            signals.extend(_ended(name, Urgency(u), now) for u in states[name])
    return changed, signals
