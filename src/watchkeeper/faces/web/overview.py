"""The overview: who needs someone now, the whole fleet at a glance, every objective. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from watchkeeper.faces.web import words
from watchkeeper.faces.web.ask import BANDS, PAGE_SIZE, SORTS, Ask, band_of
from watchkeeper.faces.web.spark import Spark, spark
from watchkeeper.faces.web.words import Badge, Bar
from watchkeeper.kernel import text
from watchkeeper.kernel.clock import Seconds
from watchkeeper.slo.model import Fleet, Look, SloStatus
from watchkeeper.spec.model import Specs

CARDS = 3


@dataclass(frozen=True, slots=True)
class Card:
    """An objective that needs someone, or comes nearest to it."""

    url: str
    title: str
    service: str
    badge: Badge
    since: str
    bar: Bar
    left: str
    fate: str


@dataclass(frozen=True, slots=True)
class Band:
    """A bar of the histogram: ``parts`` are (look, percent of the tallest bar), bottom first."""

    url: str
    label: str
    parts: Sequence[tuple[str, float]]
    current: bool


@dataclass(frozen=True, slots=True)
class Tally:
    """How many objectives look like this."""

    url: str
    badge: Badge
    number: str
    current: bool


@dataclass(frozen=True, slots=True)
class NowView:
    """The upper half: headline, cards, histogram, tally."""

    headline: str
    summary: str
    cards: Sequence[Card]
    cards_label: str
    bands: Sequence[Band]
    bands_label: str
    tally: Sequence[Tally]
    refresh: str


@dataclass(frozen=True, slots=True)
class Row:
    """One objective in the table."""

    url: str
    title: str
    sub: str
    badge: Badge
    target: str
    measured: str
    bar: Bar
    left: str
    burn: str
    fate: str
    spark: Spark | None


@dataclass(frozen=True, slots=True)
class ListView:
    """The lower half: one page of objectives; addresses are None where there is no such page."""

    rows: Sequence[Row]
    found: int
    total: int
    span: str
    previous: str | None
    next: str | None
    refresh: str
    csv: str
    json: str
    clear: str | None


@dataclass(frozen=True, slots=True)
class Choice:
    """An option of a filter."""

    value: str
    label: str
    selected: bool


@dataclass(frozen=True, slots=True)
class FormView:
    """The search and its filters; a filter with nothing to choose from is empty."""

    q: str
    teams: Sequence[Choice]
    tiers: Sequence[Choice]
    services: Sequence[Choice]
    states: Sequence[Choice]
    sorts: Sequence[Choice]
    band: int | None


# ---------------------------------------------------------------- upper half


def now_view(fleet: Fleet, specs: Specs, ask: Ask) -> NowView:
    """The upper half; it always speaks of the whole fleet, whatever the filter."""
    counts = Counter(s.look for s in fleet.statuses)
    needed = counts[Look.BURN] + counts[Look.SPENT]
    cards = [_card(s, specs, fleet.as_of) for s in attention(fleet.statuses)]
    return NowView(
        headline=_headline(needed),
        summary=_summary(fleet, counts),
        cards=cards,
        cards_label="To look at first",
        bands=_bands(fleet.statuses, ask),
        bands_label=_bands_label(fleet.statuses),
        tally=[
            Tally(
                "/" + Ask(state="" if ask.state == look else str(look)).query(),
                words.badge(look),
                text.number(counts[look], 0),
                ask.state == look,
            )
            for look in words.LOOKS
        ],
        refresh="/parts/now" + ask.query(),
    )


def attention(statuses: Sequence[SloStatus]) -> list[SloStatus]:
    """The objectives to look at first: burning before spent before watch, soonest gone first.

    Those that are healthy or without data do not need anyone, and are left out.
    """
    urgent = [s for s in statuses if s.look in (Look.BURN, Look.SPENT, Look.WATCH)]
    return sorted(urgent, key=_urgency)[:CARDS]


def _urgency(status: SloStatus) -> tuple[int, float, float, str]:
    gone, left = status.time_to_exhaustion_seconds, status.budget.remaining_ratio
    return (
        words.URGENCY[status.look],
        float("inf") if gone is None else gone,
        0.0 if left is None else left,
        status.name,
    )


def _headline(needed: int) -> str:
    if needed:
        return f"{words.plural(needed, 'objective needs', 'objectives need')} someone now"
    return "Nobody is needed now"


def _summary(fleet: Fleet, counts: Mapping[Look, int]) -> str:
    services = len({s.service for s in fleet.statuses})
    whole = f"{words.plural(len(fleet.statuses), 'objective')} across " + words.plural(
        services, "service"
    )
    said = [
        f"{text.number(counts[look], 0)} {word}"
        for look, word in ((Look.BURN, "burning"), (Look.SPENT, "spent"), (Look.WATCH, "to watch"))
        if counts[look]
    ]
    return f"{', '.join(said)}. {whole}." if said else f"{whole}."


def _card(status: SloStatus, specs: Specs, now: Seconds) -> Card:
    return Card(
        words.slo_url(status.name),
        status.display_name or status.name,
        words.service_name(specs, status.service),
        words.badge(status.look),
        words.held(status, now),
        words.bar(status),
        text.left(status.budget.remaining_ratio),
        words.fate(status, now),
    )


def _bands(statuses: Sequence[SloStatus], ask: Ask) -> list[Band]:
    counts: list[Counter[Look]] = [Counter() for _ in range(BANDS)]
    for status in statuses:
        place = band_of(status)
        if place is not None:
            counts[place][status.look] += 1
    tallest = max((c.total() for c in counts), default=0) or 1
    return [
        Band(
            "/" + Ask(band=None if ask.band == i else i).query(),
            f"{words.plural(count.total(), 'objective')} with {_band_words(i)}",
            [
                (str(look), round(100 * count[look] / tallest, 2))
                for look in reversed(tuple(words.LOOKS))
                if count[look]
            ],
            ask.band == i,
        )
        for i, count in enumerate(counts)
    ]


def _band_words(i: int) -> str:
    return "nothing left" if i == 0 else f"{5 * (i - 1)} to {5 * i} % left"


def _bands_label(statuses: Sequence[SloStatus]) -> str:
    known = [s.budget.remaining_ratio for s in statuses if s.budget.remaining_ratio is not None]
    if not known:
        return "No objective has evidence yet."
    half = sum(1 for left in known if left > 0.5)
    return (
        f"{text.number(half, 0)} of {text.number(len(known), 0)} objectives have more than half of "
        f"their budget left, {text.number(sum(1 for v in known if v <= 0), 0)} have none."
    )


# ---------------------------------------------------------------- lower half


def page_of(found: Sequence[SloStatus], ask: Ask) -> tuple[Ask, Sequence[SloStatus]]:
    """The statuses of the page asked for; a page past the end is the last one."""
    last = max(1, -(-len(found) // PAGE_SIZE))
    page = min(ask.page, last)
    start = (page - 1) * PAGE_SIZE
    return replace(ask, page=page), found[start : start + PAGE_SIZE]


def list_view(
    fleet: Fleet,
    specs: Specs,
    ask: Ask,
    found: Sequence[SloStatus],
    sparks: Mapping[str, Sequence[float | None]],
) -> ListView:
    """One page of ``found`` (all that match, in order), with the sparklines of its rows."""
    ask, shown = page_of(found, ask)
    start = (ask.page - 1) * PAGE_SIZE
    end = start + len(shown)
    export = ask.query(page=1)
    return ListView(
        rows=[row(s, specs, fleet.as_of, sparks.get(s.name, ())) for s in shown],
        found=len(found),
        total=len(fleet.statuses),
        span=f"{text.number(start + 1, 0)}–{text.number(end, 0)} of {text.number(len(found), 0)}",
        previous="/" + ask.query(page=ask.page - 1) if start else None,
        next="/" + ask.query(page=ask.page + 1) if end < len(found) else None,
        refresh="/parts/list" + ask.query(),
        csv="/export.csv" + export,
        json="/export.json" + export,
        clear="/" if ask.narrow else None,
    )


def row(status: SloStatus, specs: Specs, now: Seconds, values: Sequence[float | None]) -> Row:
    """One objective as the table shows it."""
    parts = (
        words.service_name(specs, status.service),
        words.team_name(specs, status.team),
    )
    return Row(
        words.slo_url(status.name),
        status.display_name or status.name,
        " · ".join(p for p in parts if p),
        words.badge(status.look),
        text.percent(status.target),
        text.aligned(status.attainment),
        words.bar(status),
        _left_short(status),
        text.times(status.burn_rate.get("1h")),
        words.fate(status, now),
        spark(values, float(status.target)),
    )


def _left_short(status: SloStatus) -> str:
    words_ = text.left(status.budget.remaining_ratio)
    return words_.removesuffix(" left") if words_ != "no evidence" else text.NOTHING


# ---------------------------------------------------------------- filters


def form_view(fleet: Fleet, specs: Specs, ask: Ask) -> FormView:
    """The filters that this fleet has a use for."""
    teams = {s.team: words.team_name(specs, s.team) for s in fleet.statuses if s.team}
    services = {s.service for s in fleet.statuses}
    tiers = {words.tier_of(specs, name) for name in services}
    known_tiers = sorted(t for t in tiers if t is not None)
    tier_labels = {str(t): f"Tier {t}" for t in known_tiers}
    if known_tiers and None in tiers:
        tier_labels["none"] = "No tier"
    return FormView(
        q=ask.q,
        teams=_choices(teams, ask.team, "All teams"),
        tiers=_choices(tier_labels, ask.tier, "All tiers", by_label=False),
        services=_choices(
            {name: words.service_name(specs, name) for name in services},
            ask.service,
            "All services",
        ),
        states=_choices(
            {str(k): v for k, v in words.LOOKS.items()}, ask.state, "All states", by_label=False
        ),
        sorts=[Choice(value, label, value == ask.sort) for value, label in SORTS.items()],
        band=ask.band,
    )


def _choices(
    labels: Mapping[str, str], selected: str, everything: str, by_label: bool = True
) -> list[Choice]:
    if not labels:
        return []
    pairs = list(labels.items())
    if by_label:
        pairs.sort(key=lambda pair: pair[1].casefold())
    return [
        Choice("", everything, not selected),
        *(Choice(value, label, value == selected) for value, label in pairs),
    ]
