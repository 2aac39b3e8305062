"""The rules of one SLO: counts, burn rates, budget, alerts. Pure.

Names of what is recorded are constants here, so that dashboards refer only to what rules make.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from fractions import Fraction

from watchkeeper.kernel.duration import Duration, parse_duration
from watchkeeper.kernel.errors import UserError
from watchkeeper.measure.selectors import quote
from watchkeeper.slo import metric_names
from watchkeeper.slo.generate.counts import count_rules
from watchkeeper.slo.generate.promql import Sampling
from watchkeeper.spec.model import (
    BurnCondition,
    CalendarWindow,
    Occurrences,
    SliDefinition,
    SloDefinition,
    SourceType,
    Specs,
    TimeSlices,
)

EVENTS = "slo:events:count"
BAD = "slo:bad:count"
BASE_EVENTS = "slo:base_events:count"
BASE_BAD = "slo:base_bad:count"
BURN_RATE = "slo:burn_rate:ratio"
ERROR_RATIO = "slo:sli_error:ratio"
ATTAINMENT = "slo:attainment:ratio"
BUDGET_REMAINING = "slo:error_budget_remaining:ratio"
OBJECTIVE = "slo:objective:ratio"
TIME_TO_EXHAUSTION = "slo:time_to_exhaustion:seconds"
RECORDED = (
    EVENTS,
    BAD,
    BASE_EVENTS,
    BASE_BAD,
    BURN_RATE,
    ERROR_RATIO,
    ATTAINMENT,
    BUDGET_REMAINING,
    OBJECTIVE,
    TIME_TO_EXHAUSTION,
)
ALERT = "ErrorBudgetBurn"
WINDOWS = ("5m", "30m", "1h", "2h", "6h", "1d", "3d")
DEFAULT_CONDITIONS = tuple(
    BurnCondition(parse_duration(long), parse_duration(short), Decimal(threshold), severity)
    for long, short, threshold, severity in (
        ("1h", "5m", "14.4", "page"),
        ("6h", "30m", "6", "page"),
        ("1d", "2h", "3", "ticket"),
        ("3d", "6h", "1", "ticket"),
    )
)
"""The multi-window multi-burn-rate conditions of The Site Reliability Workbook, chapter 5."""


@dataclass(frozen=True, slots=True)
class Rule:
    """A recording rule (``record``) or an alert (``alert``)."""

    expr: str
    record: str = ""
    alert: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)
    annotations: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Group:
    """Rules that are evaluated one after another at one instant, every ``minutes``."""

    name: str
    rules: tuple[Rule, ...]
    minutes: int = 1


@dataclass(frozen=True, slots=True)
class Subject:
    """An SLO with all that its rules need to know."""

    slo: SloDefinition
    team: str | None
    conditions: tuple[BurnCondition, ...]
    native: bool  # counts come from PromQL; else from our own /metrics

    @property
    def labels(self) -> dict[str, str]:
        """The labels of everything recorded for it."""
        found = {"slo": self.slo.name, "service": self.slo.service}
        return {**found, "team": self.team} if self.team else found

    @property
    def budget(self) -> Fraction:
        """1 - target, exactly."""
        return 1 - Fraction(self.slo.target)

    @property
    def period(self) -> Duration:
        """The length of its window."""
        return self.slo.window.duration

    @property
    def rolling(self) -> bool:
        """True when PromQL can say its window: fixed length, ending now."""
        return not isinstance(self.slo.window, CalendarWindow) and not self.period.is_calendar

    def pick(self, metric: str, window: str = "") -> str:
        """A selector of one of its recorded series."""
        extra = f",window={quote(window)}" if window else ""
        return f"{metric}{{slo={quote(self.slo.name)}{extra}}}"


def subject(specs: Specs, slo: SloDefinition) -> Subject:
    """Look up what an SLO's rules need: owner, alert conditions, where its numbers come from."""
    service = specs.services.get(slo.service)
    policies = [specs.alert_policies[n] for n in slo.alert_policies if n in specs.alert_policies]
    conditions = tuple(c for policy in policies for c in policy.conditions)
    source = specs.sources.get(slo.sli.source) if slo.sli else None
    native = source is not None and source.type is SourceType.PROMETHEUS
    return Subject(
        slo, service.owner if service else None, conditions or DEFAULT_CONDITIONS, native
    )


def groups(of: Subject, sampling: Sampling) -> list[Group]:
    """The rule groups of one SLO."""
    name = of.slo.name
    if not of.native or of.slo.sli is None:
        rules = [*_from_exported(of), *_alerts(of)]
        return [Group(f"slo-{name}", tuple(rules))]
    sliced = not isinstance(of.slo.method, Occurrences)
    counts = _counts(of, of.slo.sli, sampling, sliced)
    rest = [*_windows(of), *_budget(of), *_alerts(of)]
    if not sliced:
        return [Group(f"slo-{name}", (*counts, *rest))]
    return [
        Group(f"slo-{name}-counts", tuple(counts)),
        Group(f"slo-{name}-slices", tuple(_slices(of)), of.slo.method.minutes),  # type: ignore[union-attr]
        Group(f"slo-{name}", tuple(rest)),
    ]


def _counts(of: Subject, sli: SliDefinition, sampling: Sampling, sliced: bool) -> list[Rule]:
    events, bad = (BASE_EVENTS, BASE_BAD) if sliced else (EVENTS, BAD)
    made = count_rules(sli, of.pick(events), sampling)
    return [Rule(made.events, events, labels=of.labels), Rule(made.bad, bad, labels=of.labels)]


def _slices(of: Subject) -> list[Rule]:
    method = of.slo.method
    assert not isinstance(method, Occurrences)
    span = within(method.minutes * 60)
    events = f"sum_over_time({of.pick(BASE_EVENTS)}[{span}])"
    bad = f"sum_over_time({of.pick(BASE_BAD)}[{span}])"
    if isinstance(method, TimeSlices):
        allowed = 1 - Fraction(method.slice_target)
        value = (
            f"{bad} * {allowed.denominator} > bool {events} * {allowed.numerator}"
            f"\nand\n{events} > 0"
        )
    else:
        value = f"{bad} / ({events} > 0)"
    return [
        Rule(f"({events} > 0) * 0 + 1", EVENTS, labels=of.labels),
        Rule(value, BAD, labels=of.labels),
    ]


def within(seconds: float) -> str:
    """A range that holds exactly the samples of ``seconds`` seconds: a second shorter than it.

    Up to Prometheus 2 a range holds both its ends, from 3 on only the later: counts are recorded
    on the minute, and so ``[5m]`` is six of them in one and five in the other, ``[4m59s]`` five.
    """
    left = round(seconds) - 1
    parts = []
    for unit, size in (("d", 86400), ("h", 3600), ("m", 60), ("s", 1)):
        number, left = divmod(left, size)
        parts += [f"{number}{unit}"] if number else []
    return "".join(parts)


def windows_of(of: Subject) -> dict[str, float]:
    """The windows whose burn rate is recorded: name → seconds, in order of length."""
    found = {w: parse_duration(w).seconds for w in WINDOWS}
    for condition in of.conditions:
        found |= {d.text: d.seconds for d in (condition.long, condition.short)}
    if of.rolling:
        found[of.period.text] = of.period.seconds
    return dict(sorted(found.items(), key=lambda item: item[1]))


def _windows(of: Subject) -> list[Rule]:
    """Burn = bad / events / budget, with one rounding: a rate of exactly 14.4 is not 14.39999."""
    up, down = of.budget.denominator, of.budget.numerator
    if not down:
        return _flawless_windows(of)
    rules = []
    for window, seconds in windows_of(of).items():
        span = within(seconds)
        events = f"sum_over_time({of.pick(EVENTS)}[{span}])"
        divisor = f"({events} > 0)" if down == 1 else f"({events} * {down} > 0)"
        expr = f"sum_over_time({of.pick(BAD)}[{span}]) * {up}\n/\n{divisor}"
        rules.append(Rule(expr, BURN_RATE, labels={**of.labels, "window": window}))
    ratio = f"{of.pick(BURN_RATE)} * {decimal_text(of.budget)}"
    return [*rules, Rule(ratio, ERROR_RATIO, labels=of.labels)]


def _flawless_windows(of: Subject) -> list[Rule]:
    """A target of 100 % has no budget to burn: only the error ratio is said."""
    rules = []
    for window, seconds in windows_of(of).items():
        events, bad = (f"sum_over_time({of.pick(m)}[{within(seconds)}])" for m in (EVENTS, BAD))
        labels = {**of.labels, "window": window}
        rules.append(Rule(f"{bad}\n/\n({events} > 0)", ERROR_RATIO, labels=labels))
    return rules


def _budget(of: Subject) -> list[Rule]:
    objective = Rule(f"vector({of.slo.target})", OBJECTIVE, labels=of.labels)
    if not of.rolling:
        return [objective, *_exported_budget(of)]
    period = of.period.text
    drop = {**of.labels, "window": ""}
    if not of.budget:
        untouched = f"{of.pick(ERROR_RATIO, period)} <= bool 0"
        return [
            objective,
            Rule(f"1 - {of.pick(ERROR_RATIO, period)}", ATTAINMENT, labels=drop),
            Rule(untouched, BUDGET_REMAINING, labels=drop),
        ]
    return [
        objective,
        Rule(f"1 - {of.pick(ERROR_RATIO, period)}", ATTAINMENT, labels=drop),
        Rule(f"1 - {of.pick(BURN_RATE, period)}", BUDGET_REMAINING, labels=drop),
        Rule(_exhaustion(of), TIME_TO_EXHAUSTION, labels=of.labels),
    ]


def _exhaustion(of: Subject) -> str:
    """(budget - bad of the window) / bad per second of the last hour; no errors: never, +Inf."""
    span, hour = within(of.period.seconds), within(3600)
    budget = f"sum_over_time({of.pick(EVENTS)}[{span}]) * {decimal_text(of.budget)}"
    spent = f"sum_over_time({of.pick(BAD)}[{span}])"
    recent = f"sum_over_time({of.pick(BAD)}[{hour}])"
    return f"clamp_min({budget} - {spent}, 0)\n/\n({recent} / 3600 > 0)"


def _from_exported(of: Subject) -> list[Rule]:
    """An SLO that PromQL cannot measure: what `serve` exports of it, under the recorded names."""
    unknown = [w for w in _needed(of) if w not in (*metric_names.EXPORTED_WINDOWS, of.period.text)]
    if unknown:
        raise UserError(
            f"SLO {of.slo.name}: its alerts look at {', '.join(unknown)}, which is not exported",
            f"use windows of {', '.join(metric_names.EXPORTED_WINDOWS)}",
        )
    burn = Rule(_exported(of, metric_names.BURN_RATE.name), BURN_RATE, labels=of.labels)
    ratio = f"{of.pick(BURN_RATE)} * {decimal_text(of.budget)}"
    return [
        *([burn, Rule(ratio, ERROR_RATIO, labels=of.labels)] if of.budget else []),
        Rule(f"vector({of.slo.target})", OBJECTIVE, labels=of.labels),
        *_exported_budget(of),
    ]


def _needed(of: Subject) -> list[str]:
    return [d.text for c in of.conditions for d in (c.long, c.short)]


def _exported_budget(of: Subject) -> list[Rule]:
    pairs = (
        (metric_names.ATTAINMENT, ATTAINMENT),
        (metric_names.BUDGET_REMAINING, BUDGET_REMAINING),
        (metric_names.TIME_TO_EXHAUSTION, TIME_TO_EXHAUSTION),
    )
    return [Rule(_exported(of, m.name), recorded, labels=of.labels) for m, recorded in pairs]


def _exported(of: Subject, metric: str) -> str:
    return f"max without (job, instance) ({of.pick(metric)})"


def _alerts(of: Subject) -> list[Rule]:
    if not of.budget:
        return [_alert_of_any(of)]
    return [_alert(of, condition) for condition in of.conditions]


def _alert_of_any(of: Subject) -> Rule:
    native = of.native and of.slo.sli is not None
    expr = f"{of.pick(ERROR_RATIO, '5m')} > 0" if native else f"{of.pick(BUDGET_REMAINING)} <= 0"
    text = {"summary": f"{_title(of)}: a bad event, and the target of 100 % allows none"}
    return Rule(expr, alert=ALERT, labels={**of.labels, "severity": "page"}, annotations=text)


def _title(of: Subject) -> str:
    """Its name, with braces that Prometheus would take for a template taken apart."""
    return (of.slo.display_name or of.slo.name).replace("{{", "{ {")


def _alert(of: Subject, condition: BurnCondition) -> Rule:
    long, short, limit = condition.long.text, condition.short.text, condition.threshold
    expr = (
        f"{of.pick(BURN_RATE, long)} >= {limit}\nand ignoring (window)\n"
        f"{of.pick(BURN_RATE, short)} >= {limit}"
    )
    labels = {**of.labels, "severity": condition.severity, "window": long, "short_window": short}
    annotations = {
        "summary": f"{_title(of)}: the error budget burns {limit} times too fast or more",
        "description": (
            f'Over {long} the burn rate is {{{{ $value | printf "%.2f" }}}} and over {short} it is '
            f"at least {limit}. At {limit} the budget of {of.period} is gone in "
            f"{_length(of.period.average_seconds / float(limit))}."
        ),
    }
    own = {_label(k): str(v) for k, v in of.slo.annotations.items()}
    return Rule(expr, alert=ALERT, labels=labels, annotations={**own, **annotations})


def _label(text: str) -> str:
    return re.sub(r"[^a-zA-Z0-9_]", "_", text)


def _length(seconds: float) -> str:
    hours = seconds / 3600
    return f"{hours:.0f} h" if hours < 72 else f"{hours / 24:.0f} d"


def decimal_text(value: Fraction) -> str:
    """A fraction as a decimal number: targets are decimals, so it has an end."""
    return format((Decimal(value.numerator) / Decimal(value.denominator)).normalize(), "f")
