"""Triage rules, maintenance and alert policies as written. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from decimal import Decimal
from itertools import islice, pairwise

from dateutil.rrule import rrulestr

from watchkeeper.spec.duty import (
    AlertRule,
    BurnRule,
    ConsumedRule,
    ExhaustionRule,
    Guards,
    MaintenanceDefinition,
    NoDataRule,
    TriageRule,
)
from watchkeeper.spec.duty_fields import (
    URGENCIES,
    DutyRead,
    amount,
    average,
    begin,
    delay,
    items,
    length,
    local_time,
    matchers,
    nearest_in,
    zone_of,
)
from watchkeeper.spec.model import AlertPolicyDefinition, BurnCondition
from watchkeeper.spec.reader import Reader

TRIAGE_KEYS = ("match", "escalationPolicy", "urgency", "service", "drop", "autoClose")
MAINTENANCE_KEYS = (
    "match", "start", "duration", "timeZone", "rrule", "reason", "statusPages", "title", "text",
    "components",
)  # fmt: skip
POLICY_KEYS = ("exhaustion", "burn", "consumed", "noData", "guards")
FREQUENCIES = ("DAILY", "WEEKLY", "MONTHLY", "YEARLY")
"""More often than daily is written with BYHOUR; finer ones would be slow to look up."""
_ANYTIME = timedelta(days=366 * 12)


def read_triage(reader: Reader, duty: DutyRead) -> None:
    """What to do with alerts that match."""
    begun = begin(reader, duty, TRIAGE_KEYS)
    if begun is None:
        return
    name, _, spec = begun
    deeds = [k for k in TRIAGE_KEYS[1:] if k != "drop" and spec.has(k)]
    drop = spec.flag("drop")
    if not drop and not deeds:
        spec.warn("does-nothing", "this rule does nothing", "one of " + ", ".join(TRIAGE_KEYS[1:]))
    elif drop and deeds:
        spec.warn(
            "unused", f"'{deeds[0]}' of an alert that is dropped", "drop: true alone",
            "remove it", key=deeds[0],
        )  # fmt: skip
    duty.triage[name] = TriageRule(
        name,
        matchers(spec, "match"),
        reader.place(),
        duty.refer(spec, "escalationPolicy", "EscalationPolicy") or None,
        spec.choice("urgency", URGENCIES) or None,
        duty.refer(spec, "service", "Service") or None,
        drop,
        length(spec, "autoClose"),
    )


# ---------------------------------------------------------------- maintenance


def read_maintenance(reader: Reader, duty: DutyRead) -> None:
    """A planned, perhaps recurring, silence."""
    begun = begin(reader, duty, MAINTENANCE_KEYS)
    if begun is None:
        return
    name, _, spec = begun
    zone = zone_of(spec)
    lasts = length(spec, "duration", required=True)
    start = local_time(spec, "start", zone, required=True)
    rule = spec.text("rrule").strip().removeprefix("RRULE:")
    if rule and start:
        _check_rrule(spec, rule, datetime.fromisoformat(start), lasts or 0.0)
    found = matchers(spec, "match")
    if spec.data.get("match") == []:
        spec.warn(
            "matches-all", "'match' is empty: every alert is silenced", "what it applies to",
            "e.g. [service=shop]", key="match",
        )  # fmt: skip
    if lasts is not None and start:
        pages = tuple(duty.refer(a, "statusPages", "StatusPage", n)
                      for a, n in items(spec, "statusPages"))  # fmt: skip
        duty.maintenance[name] = MaintenanceDefinition(
            name, found, reader.place(), start, lasts, zone, rule, spec.text("reason"), pages,
            spec.text("title"), spec.text("text"), spec.texts("components"),
        )  # fmt: skip


def _check_rrule(spec: Reader, rule: str, start: datetime, lasts: float) -> None:
    problem, fix = _rule_problem(rule)
    if not problem:
        try:
            made = rrulestr(_bounded(rule, start), dtstart=start)
        except (ValueError, TypeError, AttributeError, LookupError, OverflowError) as error:
            problem = str(error)
            if "UNTIL values" in problem:
                problem, fix = "UNTIL has an offset, but 'start' is local", "write UNTIL without Z"
        else:
            _check_times(spec, rule, made, lasts)
    if problem:
        spec.fault(
            "bad-rrule",
            f"'{rule}' is no recurrence: {problem}",
            "RFC 5545, e.g. FREQ=WEEKLY;BYDAY=SU",
            fix,
            "rrule",
        )


def _rule_problem(rule: str) -> tuple[str, str]:
    """(what is wrong, how to fix it) with the parts of a rule, before it is expanded."""
    if "DTSTART" in rule.upper() or "\n" in rule:
        return "it begins at 'start'", "write the RRULE alone, without DTSTART"
    parts: dict[str, str] = {}
    for part in rule.split(";"):
        name, equals, value = part.partition("=")
        if not equals:
            return f"'{part}' is not NAME=VALUE", ""
        parts[name.strip().upper()] = value.strip()
    often = parts.get("FREQ", "")
    if often.upper() not in FREQUENCIES:
        said = f"FREQ is {often}" if often else "FREQ is missing"
        fix = nearest_in(often.upper(), FREQUENCIES) if often else "begin with FREQ="
        return f"{said}, not one of {', '.join(FREQUENCIES)}", fix
    if parts.get("INTERVAL", "1").lstrip("0") == "":
        return "INTERVAL is 0", "write INTERVAL=1, or leave it out"
    return "", ""


def _bounded(rule: str, start: datetime) -> str:
    """The rule with an end: one that never comes would be looked for until the year 9999."""
    if "UNTIL=" in rule.upper() or "COUNT=" in rule.upper():
        return rule
    return f"{rule};UNTIL={start + _ANYTIME:%Y%m%dT%H%M%S}"


def _check_times(spec: Reader, rule: str, made: Iterable[datetime], lasts: float) -> None:
    first = list(islice(made, 3))
    gaps = [(b - a).total_seconds() for a, b in pairwise(first)]
    if not first:
        spec.fault(
            "bad-rrule",
            f"'{rule}' never comes",
            "days that there are",
            "mend it, or remove it",
            "rrule",
        )
    elif gaps and min(gaps) <= lasts:
        spec.fault(
            "bad-rrule",
            f"'{rule}' comes again before the {spec.text('duration')} of 'duration' have passed",
            "times that lie further apart",
            "write a shorter duration",
            "rrule",
        )


# ---------------------------------------------------------------- alert policies


def read_alert_policy(reader: Reader, duty: DutyRead) -> None:
    """When an SLO alerts, in our own words."""
    begun = begin(reader, duty, POLICY_KEYS)
    if begun is None:
        return
    name, _, spec = begun
    rules: list[AlertRule] = [
        *(_exhaustion(i) for i in spec.children("exhaustion")),
        *(x for i in spec.children("burn") if (x := _burn(i)) is not None),
        *(_consumed(i) for i in spec.children("consumed")),
        *(_no_data(i) for i in spec.children("noData")),
    ]
    if not any(spec.data.get(k) for k in POLICY_KEYS[:4]):
        spec.fault(
            "missing", f"policy '{name}' never alerts", "one of " + ", ".join(POLICY_KEYS[:4])
        )
    duty.alert_policies[name] = AlertPolicyDefinition(
        name,
        reader.place(),
        tuple(
            BurnCondition(r.long, r.short, Decimal(str(r.factor)), r.urgency)
            for r in rules
            if isinstance(r, BurnRule) and r.urgency != "info"
        ),
        spec.text("description"),
        dict(spec.data),
        tuple(rules),
        _guards(spec.child("guards")),
    )


def _urgency(item: Reader) -> str:
    return item.choice("urgency", URGENCIES, required=True) or "ticket"


def _exhaustion(item: Reader) -> ExhaustionRule:
    item.only("within", "urgency", "rollOff")
    within = average(item.duration("within", required=True))
    return ExhaustionRule(within, _urgency(item), item.flag("rollOff", True))


def _burn(item: Reader) -> BurnRule | None:
    item.only("long", "short", "factor", "urgency")
    long, short = item.duration("long", required=True), item.duration("short", required=True)
    factor = item.number("factor", required=True)
    if factor is not None and factor <= 0:
        item.fault("bad-value", f"'factor' is {factor}", "more than zero", key="factor")
    if long and short and average(short) > average(long):
        item.fault(
            "bad-value", f"'short' is {short}, longer than 'long', {long}", "a shorter window",
            "exchange them", key="short",
        )  # fmt: skip
    for key, window in (("long", long), ("short", short)):
        if window and not window.is_calendar and window.seconds % 60:
            item.fault("bad-duration", f"'{key}' is {window}", "whole minutes", key=key)
    urgency = _urgency(item)
    if long is None or short is None or factor is None:
        return None
    return BurnRule(long, short, float(factor), urgency)


def _consumed(item: Reader) -> ConsumedRule:
    item.only("share", "urgency")
    return ConsumedRule(_share(item), _urgency(item))


def _share(item: Reader) -> float:
    """A share of the budget; with its sign it may be more than the whole, e.g. 150%."""
    written = str(item.data.get("share", "")).strip()
    if written.endswith("%"):
        try:
            percent = float(written[:-1])
        except ValueError:
            percent = 0.0
        if 100 < percent < 100_000:
            return percent / 100
    return float(item.share("share", required=True) or 0)


def _no_data(item: Reader) -> NoDataRule:
    item.only("after", "urgency")
    after = length(item, "after", required=True)
    return NoDataRule(after or 0.0, _urgency(item))


def _guards(item: Reader | None) -> Guards:
    if item is None:
        return Guards()
    item.only("minEvents", "minBad", "significance", "hold")
    significance = item.share("significance")
    if significance == 1:
        item.fault(
            "bad-value", "'significance' is 1, which every count passes", "below 1, e.g. 0.01",
            "leave it out if no test is wanted", key="significance",
        )  # fmt: skip
    return Guards(
        amount(item, "minEvents"),
        amount(item, "minBad"),
        None if significance is None else float(significance),
        delay(item, "hold"),
    )
