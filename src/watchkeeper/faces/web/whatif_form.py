"""A policy as the fields of a form, and back; and as the text of a definition. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from watchkeeper.alerting.backtest.model import Plan
from watchkeeper.kernel.duration import Duration, parse_duration
from watchkeeper.kernel.errors import UserError
from watchkeeper.spec.duty import (
    AlertRule,
    BurnRule,
    ConsumedRule,
    ExhaustionRule,
    Guards,
    NoDataRule,
)

URGENCIES = ("page", "ticket", "info")
ROWS = {"burn": 6, "gone": 3, "spent": 4}
"""How many rows of each kind of rule the form has at most."""
LONGEST = 400 * 86_400.0
TRIED = "what if"


@dataclass(frozen=True, slots=True)
class Fields:
    """What stands in the form; every row has as many cells as its kind of rule has numbers."""

    burn: Sequence[tuple[str, str, str, str]]  # long, short, factor, urgency
    gone: Sequence[tuple[str, str, str]]  # within, urgency, roll-off ("yes" or "")
    spent: Sequence[tuple[str, str]]  # share in percent, urgency
    silent: tuple[str, str]  # after, urgency
    min_events: str = "0"
    min_bad: str = "0"
    significance: str = ""
    hold: str = "0s"


def fields_of(plan: Plan) -> Fields:
    """A plan's rules and guards as fields, with an empty row of each kind to write into."""
    burn = [
        (r.long.text, r.short.text, f"{r.factor:g}", r.urgency)
        for r in plan.rules
        if isinstance(r, BurnRule)
    ]
    gone = [
        (length(r.within), r.urgency, "yes" if r.roll_off else "")
        for r in plan.rules
        if isinstance(r, ExhaustionRule)
    ]
    spent = [(f"{r.share * 100:g}", r.urgency) for r in plan.rules if isinstance(r, ConsumedRule)]
    silent = [(length(r.after), r.urgency) for r in plan.rules if isinstance(r, NoDataRule)]
    guards = plan.guards
    return Fields(
        [*burn, ("", "", "", "page")][: ROWS["burn"]],
        [*gone, ("", "page", "yes")][: ROWS["gone"]],
        [*spent, ("", "ticket")][: ROWS["spent"]],
        silent[0] if silent else ("", "ticket"),
        f"{guards.min_events:g}",
        f"{guards.min_bad:g}",
        "" if guards.significance is None else f"{guards.significance * 100:g}",
        length(guards.hold),
    )


def plan_of(given: Mapping[str, str]) -> Plan:
    """The plan that a form's fields ask for; rows without a length are left out.

    Raises UserError for what is no rule.
    """
    rules: list[AlertRule] = []
    for i in range(ROWS["gone"]):
        if within := given.get(f"gone{i}"):
            rolls = given.get(f"gone_roll{i}") == "yes"
            rules.append(
                ExhaustionRule(_span(within).seconds, _urgency(given, f"gone_u{i}"), rolls)
            )
    for i in range(ROWS["burn"]):
        if long := given.get(f"long{i}"):
            short = given.get(f"short{i}") or long
            rules.append(_burn(given, i, _span(long), _span(short)))
    for i in range(ROWS["spent"]):
        if share := given.get(f"spent{i}"):
            urgency = _urgency(given, f"spent_u{i}")
            rules.append(ConsumedRule(_number(share, "share", 10_000) / 100, urgency))
    if after := given.get("silent"):
        rules.append(NoDataRule(_span(after).seconds, _urgency(given, "silent_u")))
    if not rules:
        raise UserError("This policy never alerts.", "Fill at least one row.")
    return Plan(TRIED, tuple(rules), _guards(given))


def _burn(given: Mapping[str, str], i: int, long: Duration, short: Duration) -> BurnRule:
    if short.seconds > long.seconds:
        raise UserError(
            f"The short window {short} is longer than the long one, {long}.", "Exchange them."
        )
    factor = _number(given.get(f"factor{i}", ""), "factor", 1e9)
    return BurnRule(long, short, factor, _urgency(given, f"burn_u{i}"))


def _guards(given: Mapping[str, str]) -> Guards:
    chance = given.get("significance", "").removesuffix("%").strip()
    hold = given.get("hold", "")
    return Guards(
        _number(given.get("min_events") or "0", "minimum of events", 1e15, zero=True),
        _number(given.get("min_bad") or "0", "minimum of bad events", 1e15, zero=True),
        _number(chance, "significance", 99.9) / 100 if chance else None,
        0.0 if hold in ("", "0", "0s", "0m") else _span(hold).seconds,
    )


def _span(written: str) -> Duration:
    try:
        found = parse_duration(written.strip())
    except ValueError as error:
        raise UserError(f"{error}.", "Write e.g. 5m, 1h, 3d.") from None
    if found.is_calendar or found.seconds > LONGEST:
        raise UserError(f"{written!r} is no length of up to 400 days.", "Write e.g. 5m, 1h, 3d.")
    return found


def _number(written: str, what: str, most: float, *, zero: bool = False) -> float:
    try:
        found = float(written)
    except ValueError:
        raise UserError(f"The {what} {written[:40]!r} is no number.", "Write e.g. 14.4.") from None
    if not (0 <= found <= most) or (found == 0 and not zero):
        raise UserError(f"The {what} {written[:40]!r} is out of range.", f"Up to {most:g}.")
    return found


def _urgency(given: Mapping[str, str], name: str) -> str:
    found = given.get(name, "page")
    if found not in URGENCIES:
        raise UserError(f"{found[:40]!r} is no urgency.", f"One of {', '.join(URGENCIES)}.")
    return found


def length(seconds: float) -> str:
    """Seconds in the largest unit that they are a whole number of: ``1h``, ``90m``, ``0s``."""
    for size, unit in ((86_400, "d"), (3600, "h"), (60, "m")):
        if seconds and seconds % size == 0:
            return f"{seconds / size:g}{unit}"
    return f"{seconds:g}s"


def as_yaml(plan: Plan, name: str) -> str:
    """The plan as an AlertPolicy to save beside the objectives."""
    lines = [
        "apiVersion: watchkeeper/v1",
        "kind: AlertPolicy",
        f"metadata: {{name: {name}}}",
        "spec:",
    ]
    kinds: dict[str, list[str]] = {}
    for rule in plan.rules:
        kind, said = _said(rule)
        kinds.setdefault(kind, []).append(f"    - {{{said}, urgency: {rule.urgency}}}")
    for kind, rows in kinds.items():
        lines += [f"  {kind}:", *rows]
    guards = plan.guards
    written = [
        f"    minEvents: {guards.min_events:g}" if guards.min_events else "",
        f"    minBad: {guards.min_bad:g}" if guards.min_bad else "",
        f"    significance: {guards.significance:g}" if guards.significance is not None else "",
        f"    hold: {length(guards.hold)}" if guards.hold else "",
    ]
    if any(written):
        lines += ["  guards:", *(line for line in written if line)]
    return "\n".join(lines)


def _said(rule: object) -> tuple[str, str]:
    match rule:
        case ExhaustionRule():
            roll = "" if rule.roll_off else ", rollOff: false"
            return "exhaustion", f"within: {length(rule.within)}{roll}"
        case BurnRule():
            return (
                "burn",
                f"long: {rule.long.text}, short: {rule.short.text}, factor: {rule.factor:g}",
            )
        case ConsumedRule():
            return "consumed", f"share: {rule.share * 100:g}%"
        case NoDataRule():
            return "noData", f"after: {length(rule.after)}"
        case _:
            raise UserError("This rule is of backtests only.", "Choose another policy.")
