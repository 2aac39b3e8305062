"""The page of one SLO: where did the budget go, and how long does it last. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from watchkeeper.causes.model import Account
from watchkeeper.faces.web import chart_changes, charts, definition, words
from watchkeeper.faces.web.alerts import AlertRow, BurnWindow, alert_rows, burn_windows
from watchkeeper.faces.web.budget_card import PolicyCard
from watchkeeper.faces.web.causes_view import CausesView, causes_view
from watchkeeper.faces.web.chart_changes import NO_CHANGES, Behind, ChartChanges
from watchkeeper.faces.web.definition import QueryText
from watchkeeper.faces.web.words import Badge, Bar
from watchkeeper.kernel import text
from watchkeeper.kernel.clock import Seconds
from watchkeeper.measure.model import SourceHealth
from watchkeeper.slo import windows
from watchkeeper.slo.model import Correction, Look, SloDetail, SloStatus
from watchkeeper.slo.subjects import base_name
from watchkeeper.spec.model import SloDefinition, Specs

_MINUTES = "Minutes of full outage at the window's average traffic"


@dataclass(frozen=True, slots=True)
class Figure:
    """One of the lead numbers: a label, the number, what follows it in small, and why."""

    label: str
    value: str
    small: str
    why: str
    key: str = ""
    hint: str = ""


@dataclass(frozen=True, slots=True)
class CorrectionRow:
    """An excluded interval."""

    id: str
    span: str
    length: str
    reason: str
    author: str
    made: str


@dataclass(frozen=True, slots=True)
class PartRow:
    """A part of a composite SLO."""

    url: str
    name: str
    weight: str
    badge: Badge
    left: str


@dataclass(frozen=True, slots=True)
class SloView:
    """All that the page shows."""

    name: str
    url: str
    title: str
    service: str
    service_url: str
    afford_url: str
    journey: str
    promise: str
    owner: str
    badge: Badge
    bar: Bar
    lead: Sequence[Figure]
    warnings: Sequence[str]
    charts: Mapping[str, charts.Chart]
    data: dict[str, Any]
    alerts: Sequence[AlertRow]
    burns: Sequence[BurnWindow]
    causes: CausesView
    spent: str
    corrections: Sequence[CorrectionRow]
    facts: Sequence[tuple[str, str]]
    queries: Sequence[QueryText]
    versions: Sequence[tuple[str, str]]
    parts: Sequence[PartRow]
    refresh: str
    changes: Mapping[str, Behind] = field(default_factory=dict)
    labels: Mapping[str, str] = field(default_factory=dict)
    policies: Sequence[PolicyCard] = ()


def slo_view(
    detail: SloDetail,
    account: Account,
    specs: Specs,
    others: Mapping[str, SloStatus],
    health: Sequence[SourceHealth],
    now: Seconds,
    changes: ChartChanges = NO_CHANGES,
) -> SloView:
    """The page of ``detail`` and of where its budget went, both of one revision.

    ``others`` are the statuses of a composite's parts, by name.
    """
    status = detail.status
    defined = specs.slos.get(status.name) or specs.slos.get(base_name(status.name))
    url = words.slo_url(status.name)
    return SloView(
        name=status.name,
        url=url,
        title=status.display_name or status.name,
        service=words.service_name(specs, status.service),
        service_url=f"/services#{status.service}",
        afford_url=words.afford_url(status.service, status.name),
        journey=_journey(specs, status),
        promise=_promise(defined, status),
        owner=words.team_name(specs, status.team),
        badge=words.badge(status.look),
        bar=words.bar(status),
        lead=lead(status, now),
        warnings=tuple(status.warnings),
        charts=charts.charts(detail),
        data={**charts.data(detail), "changes": chart_changes.data(changes)},
        alerts=alert_rows(status, defined, specs),
        burns=burn_windows(status),
        causes=causes_view(account, detail.spends),
        spent=_spent(status),
        corrections=[_correction(c, now) for c in detail.corrections],
        facts=_facts(detail, defined, health, now),
        queries=definition.queries(defined.sli.measurement) if defined and defined.sli else (),
        versions=[
            (f"{words.minute_clock(v.since)} UTC", text.percent(v.target)) for v in detail.versions
        ],
        parts=_parts(defined, others),
        refresh="/parts" + url,
        changes=chart_changes.behind(changes, status, specs),
        labels=status.labels,
    )


def _journey(specs: Specs, status: SloStatus) -> str:
    found = specs.journeys.get(status.journey or "")
    return (found.display_name or found.name) if found else status.journey or ""


def _promise(defined: SloDefinition | None, status: SloStatus) -> str:
    if defined is None:
        return f"{text.percent(status.target)} over {windows.in_words(status.window)}."
    promise = definition.sentence(defined, text.percent(status.target))
    about = defined.description.strip()
    return f"{about}{'' if about[-1] in '.!?' else '.'} {promise}" if about else promise


# ---------------------------------------------------------------- lead numbers


def lead(status: SloStatus, now: Seconds) -> list[Figure]:
    """Budget left, burn, when it is gone (or back), what was measured."""
    return [_budget(status), _burning(status), _gone(status, now), _measured(status)]


def _budget(status: SloStatus) -> Figure:
    budget, left = status.budget, status.budget.remaining_ratio
    if left is None:
        why = "No events in this window, so nothing was kept or missed."
        return Figure("Budget left", text.NOTHING, "no evidence", why, "none")
    total = text.duration(budget.minutes_total * 60)
    events = f"{text.count(budget.consumed)} of {text.count(budget.total)} bad events used"
    even = status.even_spend_left
    tick = f"An even spend would leave {text.whole_percent(even)}. " if even is not None else ""
    if left <= 0:
        over = text.duration(-budget.minutes_remaining * 60)
        value = "0 %" if left == 0 else text.left(left).removesuffix(" over")
        small = "nothing left" if left == 0 else f"{over} over {total}"
        label = "Budget left" if left == 0 else "Overspent"
        return Figure(label, value, small, events + ".", hint=_MINUTES)
    small = f"{text.duration(budget.minutes_remaining * 60)} of {total}"
    return Figure("Budget left", text.percent(left, 1), small, f"{tick}{events}.", hint=_MINUTES)


def _burning(status: SloStatus) -> Figure:
    rate = status.burn_rate.get("1h")
    if rate is None:
        return Figure("Burn rate", text.NOTHING, "over 1 h", "No events in the last hour.")
    if status.look is Look.BURN:
        why = "Fast enough to page someone."
    elif rate > 1:
        why = "Faster than an even spend (1×)."
    else:
        why = "No faster than an even spend (1×)."
    return Figure("Burn rate", text.times(rate), "over 1 h", why, status.look if rate > 1 else "")


def _gone(status: SloStatus, now: Seconds) -> Figure:
    left, seconds = status.budget.remaining_ratio, status.time_to_exhaustion_seconds
    if left is None:
        return Figure("Gone at this pace", text.NOTHING, "", "Nothing is known of the pace.")
    if left <= 0:
        back = status.recovers_in_seconds
        if back is None:
            return Figure("Positive again", "not in sight", "", "Not within this window.")
        return Figure(
            "Positive again in",
            text.duration(back),
            "at best",
            f"{words.day_clock(now + back)} UTC, if nothing else fails.",
        )
    if seconds is None:
        why = "What leaves the window gives back as much as is spent."
        if not status.burn_rate.get("1h"):
            why = "Nothing failed in the last hour."
        return Figure("Gone at this pace", "never", "", why)
    why = f"{words.day_clock(now + seconds)} UTC"
    plain = status.time_to_exhaustion_plain_seconds
    if plain is not None and abs(plain - seconds) > 0.05 * max(plain, seconds):
        why += f"; {text.duration(plain)} if nothing left the window"
    return Figure("Gone at this pace in", text.duration(seconds), "", f"{why}.")


def _measured(status: SloStatus) -> Figure:
    events = status.events
    if events.total <= 0:
        return Figure("Measured", text.NOTHING, "", "No events.")
    why = f"{text.count(events.bad)} bad of {text.count(events.total)} events"
    return Figure(
        "Measured",
        text.percent(status.attainment),
        "",
        f"{why}; the target is {text.percent(status.target)}.",
    )


# ---------------------------------------------------------------- where it went


def _spent(status: SloStatus) -> str:
    if status.budget.remaining_ratio is None:
        return ""
    minutes = text.duration(status.budget.minutes_consumed * 60)
    return f"Together worth {minutes} of full outage" if status.budget.consumed > 0 else ""


# ---------------------------------------------------------------- corrections, definition


def _correction(correction: Correction, now: Seconds) -> CorrectionRow:
    return CorrectionRow(
        correction.id,
        f"{words.minute_clock(correction.start)} to {words.minute_clock(correction.end)}",
        text.duration((correction.end - correction.start) * 60),
        correction.reason,
        correction.author,
        words.ago(correction.created_at, now),
    )


def _facts(
    detail: SloDetail,
    defined: SloDefinition | None,
    health: Sequence[SourceHealth],
    now: Seconds,
) -> list[tuple[str, str]]:
    status = detail.status
    if defined is None:
        return [("Window", windows.in_words(status.window))]
    facts = [
        ("Target", text.percent(status.target)),
        ("Window", words.window_words(defined.window)),
        ("Counted", definition.method_words(defined.method)),
    ]
    if status.period_end != status.window_end:
        rest = text.duration(status.period_end * 60 - now)
        facts.append(("Period ends", f"{words.minute_clock(status.period_end)} UTC, in {rest}"))
    if defined.sli is not None:
        facts.extend(_source_facts(defined.sli.source, health, now))
    gaps = detail.unseen_minutes
    facts.append(("Gaps", f"{text.duration(gaps * 60)} without data" if gaps else "none"))
    facts.append(("Defined in", f"{status.file}:{status.line}" if status.file else "–"))
    return facts


def _source_facts(
    source: str, health: Sequence[SourceHealth], now: Seconds
) -> list[tuple[str, str]]:
    found = next((h for h in health if h.name == source), None)
    if found is None:
        return [("Source", source)]
    facts = [
        ("Source", f"{found.name} ({found.type})"),
        ("Freshness", f"read {words.ago(found.last_success, now)}"),
    ]
    if found.last_error:
        facts.append(("Trouble", found.last_error))
    return facts


def _parts(defined: SloDefinition | None, others: Mapping[str, SloStatus]) -> list[PartRow]:
    if defined is None or defined.composite is None:
        return []
    rows = []
    for part in defined.composite.parts:
        status = others.get(part.slo)
        rows.append(
            PartRow(
                words.slo_url(part.slo),
                (status.display_name if status else "") or part.slo,
                text.number(part.weight),
                words.badge(status.look if status else Look.NONE),
                text.left(status.budget.remaining_ratio if status else None),
            )
        )
    return rows
