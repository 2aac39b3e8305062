"""A fleet as a shop might have it, made up from a seed, and services that answer from it.

For tests of pages and for their benchmark: the numbers agree with each other (attainment, budget,
burn-down, spends), but nothing here is measured.
"""

from __future__ import annotations

import random
import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal

import numpy as np

from tests.support.spent import account
from watchkeeper.causes.model import Account
from watchkeeper.changes.marks import NOTHING, Marked
from watchkeeper.kernel.clock import Seconds
from watchkeeper.kernel.duration import parse_duration
from watchkeeper.kernel.errors import NotFound, UserError
from watchkeeper.measure.model import Note, SourceHealth
from watchkeeper.slo.model import (
    BURN_WINDOWS,
    Budget,
    BurnDown,
    Correction,
    Events,
    Fleet,
    Look,
    Series,
    SloDetail,
    SloStatus,
    Spend,
    State,
    TargetVersion,
)
from watchkeeper.spec.model import (
    Aspect,
    CountsSli,
    Finding,
    HistogramSli,
    JourneyDefinition,
    Place,
    PrometheusQuery,
    RollingWindow,
    ServiceDefinition,
    SliDefinition,
    SloDefinition,
    SourceDefinition,
    SourceType,
    Specs,
    TeamDefinition,
)

NOW: Seconds = 1_795_442_560.0
"""Monday 23 November 2026, 14:02:40 UTC."""
WINDOW_DAYS = 28
WINDOW_MINUTES = WINDOW_DAYS * 1440
END = int(NOW // 60) + 1

TEAMS = {
    "payments": "Payments",
    "discovery": "Discovery",
    "platform": "Platform",
    "storefront": "Storefront",
}
SERVICES: Mapping[str, tuple[str, str, int, tuple[str, ...]]] = {
    "checkout": ("Checkout", "payments", 1, ("payment-gateway", "inventory")),
    "payment-gateway": ("Payment gateway", "payments", 1, ()),
    "ledger": ("Ledger", "payments", 1, ()),
    "search": ("Search", "discovery", 2, ("inventory",)),
    "recommendations": ("Recommendations", "discovery", 3, ("profile",)),
    "inventory": ("Inventory", "platform", 1, ()),
    "profile": ("Profile", "storefront", 2, ()),
    "cart": ("Cart", "storefront", 1, ("inventory", "profile")),
    "media": ("Media upload", "storefront", 3, ()),
    "notifications": ("Notifications", "platform", 3, ()),
}
JOURNEYS = (
    ("checkout", "checkout", "Check out", True),
    ("pay", "payment-gateway", "Pay by card", True),
    ("find", "search", "Find a product", True),
    ("browse", "recommendations", "See what others bought", False),
    ("stock", "inventory", "See what is in stock", False),
    ("basket", "cart", "Fill the basket", True),
    ("account", "profile", "Change the account", False),
    ("upload", "media", "Upload a picture", False),
)
TARGETS = {
    Aspect.AVAILABILITY: Decimal("0.999"),
    Aspect.LATENCY: Decimal("0.99"),
    Aspect.CORRECTNESS: Decimal("0.9995"),
}
WORDS = {
    Aspect.AVAILABILITY: "availability",
    Aspect.LATENCY: "latency under 300 ms",
    Aspect.CORRECTNESS: "correctness",
}
PLACE = Place("slos/shop.yaml", 12, 1)


# ---------------------------------------------------------------- definitions


def definition(name: str, title: str, service: str, aspect: Aspect | None = None) -> SloDefinition:
    """An objective on Prometheus over 28 rolling days."""
    job = service
    measurement: CountsSli | HistogramSli = CountsSli(
        PrometheusQuery(f'http_requests_total{{job="{job}"}}'),
        good=PrometheusQuery(f'http_requests_total{{job="{job}",code!~"5.."}}'),
    )
    if aspect is Aspect.LATENCY:
        measurement = HistogramSli(f'http_request_duration_seconds{{job="{job}"}}', 0.3)
    return SloDefinition(
        name,
        title,
        service,
        TARGETS[aspect or Aspect.AVAILABILITY],
        RollingWindow(parse_duration(f"{WINDOW_DAYS}d")),
        PLACE,
        sli=SliDefinition(name, "prometheus-eu", measurement),
        aspect=aspect,
    )


def specs(slos: Mapping[str, SloDefinition], journeys: Sequence[JourneyDefinition]) -> Specs:
    """Definitions around these objectives."""
    return Specs(
        sources={
            "prometheus-eu": SourceDefinition(
                "prometheus-eu",
                SourceType.PROMETHEUS,
                {"url": "http://127.0.0.1:9090", "password": "not-for-pages"},
                Place("slos/sources.yaml", 3),
            ),
            "edge-log": SourceDefinition(
                "edge-log", SourceType.ACCESS_LOG, {}, Place("slos/sources.yaml", 14)
            ),
            "front-door": SourceDefinition(
                "front-door", SourceType.PROBE, {}, Place("slos/sources.yaml", 22)
            ),
        },
        slos=slos,
        services={
            name: ServiceDefinition(
                name,
                title,
                PLACE,
                owner=owner,
                tier=tier,
                depends_on=needs,
                links={"Runbook": f"https://runbooks.example/{name}", "Bad": "javascript:alert(1)"},
            )
            for name, (title, owner, tier, needs) in SERVICES.items()
        },
        teams={name: TeamDefinition(name, title, PLACE) for name, title in TEAMS.items()},
        journeys={j.name: j for j in journeys},
        alert_policies={},
    )


# ---------------------------------------------------------------- statuses


def status(name: str = "checkout", /, **changes: object) -> SloStatus:
    """A healthy status; ``left`` and ``look`` set what belongs together, the rest by name."""
    left = changes.pop("left", 0.72)
    look = Look(str(changes.pop("look", Look.OK)))
    total = float(str(changes.pop("total", 41_300_000)))
    burn = changes.pop("burn", 0.6)
    target = Decimal(str(changes.pop("target", "0.999")))
    made = _status(name, left, look, total, burn, target)
    return replace(made, **changes)  # type: ignore[arg-type]


def _status(
    name: str, left: object, look: Look, total: float, burn: object, target: Decimal
) -> SloStatus:
    ratio = None if left is None else float(str(left))
    rate = None if burn is None else float(str(burn))
    known = ratio is not None
    budget = total * float(1 - target) if known else 0.0
    bad = budget * (1 - ratio) if ratio is not None else 0.0
    minutes = WINDOW_MINUTES * float(1 - target)
    per = minutes / budget if budget else 0.0
    state = {Look.OK: State.OK, Look.SPENT: State.DEPLETED, Look.NONE: State.NO_DATA}.get(
        look, State.AT_RISK if ratio is not None and 0 < ratio <= 0.5 else State.OK
    )
    return SloStatus(
        name=name,
        display_name=name.replace("-", " ").capitalize(),
        service="checkout",
        journey=None,
        team="payments",
        aspect=None,
        target=target,
        window=f"{WINDOW_DAYS}d",
        window_start=END - WINDOW_MINUTES,
        window_end=END,
        period_end=END,
        attainment=1 - bad / total if known and total else None,
        events=Events(total - bad, total, WINDOW_MINUTES) if known else Events(0, 0, 0),
        budget=Budget(
            budget,
            bad,
            budget - bad,
            ratio,
            budget * per,
            bad * per,
            (budget - bad) * per,
        ),
        burn_rate={n: _burn(rate, i) for i, (n, _) in enumerate(BURN_WINDOWS)},
        time_to_exhaustion_seconds=_gone(ratio, rate),
        time_to_exhaustion_plain_seconds=_gone(ratio, rate, 0.8),
        recovers_in_seconds=3 * 86_400.0 if ratio is not None and ratio <= 0 else None,
        even_spend_left=0.46 if known else None,
        state=state,
        look=look,
        as_of=NOW,
        since=NOW - 480 if look in (Look.BURN, Look.SPENT) else None,
        file="slos/shop.yaml",
        line=12,
    )


def _burn(rate: float | None, place: int) -> float | None:
    """Short windows burn more than long ones when something is going on."""
    return None if rate is None else rate * (1.25, 1.1, 1.0, 0.7, 0.4, 0.25, 0.2, 0.15)[place]


def _gone(left: float | None, burn: float | None, factor: float = 1.0) -> float | None:
    if left is None:
        return None
    if left <= 0:
        return 0.0
    if not burn or burn <= 1:
        return None
    return left / burn * WINDOW_MINUTES * 60 * factor


def _fate(rng: random.Random) -> tuple[float | None, Look, float | None]:
    """Budget left, look and burn rate, about as often as in a real fleet."""
    dice = rng.random()
    if dice < 0.03:
        return rng.uniform(0.03, 0.3), Look.BURN, rng.uniform(14.5, 40)
    if dice < 0.06:
        return -rng.uniform(0.05, 0.8), Look.SPENT, rng.uniform(0.5, 9)
    if dice < 0.16:
        return rng.uniform(0.08, 0.5), Look.WATCH, rng.uniform(0.3, 3)
    if dice < 0.19:
        return None, Look.NONE, None
    return 1 - rng.random() ** 2 * 0.49, Look.OK, rng.uniform(0, 1.4)


def fleet(size: int = 40, seed: int = 7) -> tuple[Fleet, Specs]:
    """``size`` objectives: those of the shop's journeys first, then regional copies of them."""
    rng = random.Random(seed)
    slos: dict[str, SloDefinition] = {}
    statuses: list[SloStatus] = []
    journeys: dict[str, list[str]] = {}
    for name, title, service, journey, aspect in _names(size):
        defined = definition(name, title, service, aspect)
        slos[name] = replace(defined, journey=journey)
        left, look, burn = _fate(rng) if len(statuses) > 3 else _FIRST[len(statuses)]
        if journey:
            journeys.setdefault(journey, []).append(name)
        statuses.append(
            status(
                name,
                left=left,
                look=look,
                burn=burn,
                total=rng.randint(20_000, 60_000_000),
                target=defined.target,
                display_name=title,
                service=service,
                journey=journey,
                aspect=str(aspect) if aspect else None,
                team=SERVICES[service][1],
                labels={"region": name.rsplit("-", 1)[-1]} if name[-1].isdigit() else {},
            )
        )
    defined_journeys = [
        JourneyDefinition(name, title, service, PLACE, critical, slos=tuple(journeys[name]))
        for name, service, title, critical in JOURNEYS
        if name in journeys
    ]
    return Fleet(statuses, NOW, 4711), specs(slos, defined_journeys)


_FIRST: Sequence[tuple[float | None, Look, float | None]] = (
    (0.184, Look.BURN, 14.8),
    (0.81, Look.OK, 0.3),
    (0.97, Look.OK, 0.1),
    (-0.3, Look.SPENT, 9.1),
)


def _names(size: int) -> Iterator[tuple[str, str, str, str | None, Aspect | None]]:
    made = 0
    for journey, service, title, _ in JOURNEYS:
        for aspect in Aspect:
            if journey == "find" and aspect is Aspect.CORRECTNESS:
                continue  # a critical journey that lacks one
            if made < size:
                made += 1
                yield f"{journey}-{aspect}", f"{title}: {WORDS[aspect]}", service, journey, aspect
    services = list(SERVICES)
    for i in range(size - made):
        service = services[i % len(services)]
        aspect = list(Aspect)[i % 3]
        region = ("EU", "US", "APAC")[i // 3 % 3]
        title = f"{SERVICES[service][0]} {WORDS[aspect]}, {region}"
        yield f"{service}-{aspect}-{i}", title, service, None, aspect


# ---------------------------------------------------------------- one in depth


def detail(of: SloStatus) -> SloDetail:
    """A burn-down that ends at the status's budget: slow errors and two outages."""
    rng = np.random.default_rng(len(of.name))
    hours = WINDOW_MINUTES // 60
    starts = np.arange(hours, dtype=np.int64) * 60 + of.window_start
    daily = 1.0 + 0.6 * np.sin(np.arange(hours) / 24 * 2 * np.pi)
    total = daily / daily.sum() * of.events.total
    shape = rng.random(hours) * 0.4 + 0.1
    shape[hours // 2 : hours // 2 + 2] += 160
    shape[-2:] += 90
    bad = shape / shape.sum() * of.events.bad
    known = of.budget.total > 0
    down = 1 - np.cumsum(bad) / of.budget.total if known else np.full(hours, np.nan)
    even = np.linspace(1, of.even_spend_left or 0, hours) if known else np.full(hours, np.nan)
    per_hour = Series(starts, total - bad, total, np.full(hours, 60.0), 60)
    spends = [
        _spend(starts, bad, hours // 2, of.events.bad, ongoing=False),
        _spend(starts, bad, hours - 2, of.events.bad, ongoing=of.look is Look.BURN),
    ]
    spends.sort(key=lambda s: -s.bad)
    return SloDetail(
        status=of,
        burn_down=BurnDown(starts, down, even),
        per_hour=per_hour,
        per_minute=_minutes(of, rng),
        spends=spends if known and of.events.bad else (),
        elsewhere=float(of.events.bad - sum(s.bad for s in spends)),
        corrections=(),
        versions=(TargetVersion(of.window_start - 1000, of.target),),
        unseen_minutes=3,
        revision=4711,
    )


def _spend(starts: np.ndarray, bad: np.ndarray, i: int, all_bad: float, ongoing: bool) -> Spend:
    cost = float(bad[i : i + 2].sum())
    share = cost / all_bad if all_bad else 0.0
    return Spend(int(starts[i]) + 10, int(starts[i]) + 51, cost, share, ongoing)


def _minutes(of: SloStatus, rng: np.random.Generator) -> Series:
    starts = np.arange(180, dtype=np.int64) + END - 180
    total = rng.poisson(max(0.0, of.events.total / WINDOW_MINUTES), 180).astype(np.float64)
    bad = np.where(np.arange(180) > 150, np.floor(total * 0.012), np.floor(total * 0.0004))
    seen = np.ones(180)
    seen[40:43] = 0
    total[40:43] = bad[40:43] = 0
    return Series(starts, total - bad, total, seen, 1)


# ---------------------------------------------------------------- services


@dataclass
class FakeServices:
    """What pages stand on, from memory. ``post`` changes the board and wakes who waits."""

    shown: Fleet
    defined: Specs
    demo: str = ""
    hindrance: str = ""
    problems: Sequence[Finding] = ()
    health: Sequence[SourceHealth] | None = None
    corrections: dict[str, list[Correction]] = field(default_factory=dict)
    number: int = 1
    changed: threading.Condition = field(default_factory=threading.Condition)

    def fleet(self) -> Fleet:
        return self.shown

    def specs(self) -> Specs:
        return self.defined

    def detail(self, name: str) -> SloDetail:
        found = self.shown.get(name)
        if found is None:
            raise NotFound(f"There is no SLO named {name!r}.", "The overview lists them all.")
        return replace(detail(found), corrections=tuple(self.corrections.get(name, ())))

    def marks(self, service: str, start: Seconds, end: Seconds) -> Marked:
        return NOTHING

    def in_depth(self, name: str) -> tuple[SloDetail, Account]:
        found = self.detail(name)
        return found, account(found)

    def sparklines(self, names: Sequence[str]) -> Mapping[str, list[float | None]]:
        drawn: dict[str, list[float | None]] = {}
        for name in names:
            found = self.shown.get(name)
            if found is None or found.attainment is None:
                drawn[name] = [None] * 28
                continue
            rng, miss = random.Random(name), 1 - found.attainment
            drawn[name] = [1 - miss * rng.choice((0.3, 0.5, 0.6, 1.0, 2.2)) for _ in range(28)]
        return drawn

    def source_health(self) -> Sequence[SourceHealth]:
        return SOURCES if self.health is None else self.health

    def reload_problem(self) -> Sequence[Finding]:
        return self.problems

    def trouble(self) -> str:
        return self.hindrance

    def alone(self) -> int:
        """How many pages are open that nobody has."""
        return 0

    def responding(self) -> int:
        return 0

    def demo_note(self) -> str:
        return self.demo

    def wait_for_change(self, seen: int, timeout: float) -> int:
        with self.changed:
            self.changed.wait_for(lambda: self.number != seen, timeout)
            return self.number

    def post(self, shown: Fleet | None = None) -> None:
        with self.changed:
            self.shown = shown or self.shown
            self.number += 1
            self.changed.notify_all()

    def add_correction(
        self, name: str, start: Seconds, end: Seconds, reason: str, author: str
    ) -> Correction:
        if end <= start:
            raise UserError("A correction must end after it starts.", "Check 'from' and 'to'.")
        number = f"c{len(self.corrections.get(name, ()))}"
        made = Correction(number, name, int(start // 60), int(end // 60), reason, author, NOW)
        self.corrections.setdefault(name, []).append(made)
        self.post()
        return made

    def remove_correction(self, name: str, correction_id: str, author: str) -> None:
        kept = [c for c in self.corrections.get(name, ()) if c.id != correction_id]
        if len(kept) == len(self.corrections.get(name, ())):
            raise NotFound(f"There is no correction {correction_id!r}.", "")
        self.corrections[name] = kept
        self.post()


SOURCES = (
    SourceHealth("prometheus-eu", "prometheus", NOW - 12, "", 12.0),
    SourceHealth(
        "edge-log",
        "accesslog",
        NOW - 4,
        "",
        4.0,
        (
            Note("unparsable", 'line 48112: no status: "\\x16\\x03\\x01"', NOW - 4000, 37),
            Note("gap", "nothing was written from 03:10 to 03:13", NOW - 39_000, 1),
        ),
    ),
    SourceHealth(
        "front-door",
        "probe",
        NOW - 900,
        "https://shop.example/: connection refused; is it running?",
        900.0,
        (Note("error", "connection refused", NOW - 20, 45),),
    ),
)


def services(size: int = 40, **changes: object) -> FakeServices:
    """Services over a fleet of ``size`` objectives."""
    shown, defined = fleet(size)
    return FakeServices(shown, defined, **changes)  # type: ignore[arg-type]
