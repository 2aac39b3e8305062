"""What can be afforded, said in sentences. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime

from watchkeeper.kernel import text
from watchkeeper.kernel.clock import Seconds
from watchkeeper.policy import afford, rules
from watchkeeper.policy.affording import Afford, CostRow
from watchkeeper.policy.ladder import NextNine

NAMES: Mapping[str, tuple[str, str]] = {
    "deployment": ("deployment", "deployments"),
    "configuration": ("configuration change", "configuration changes"),
    "flag": ("flag change", "flag changes"),
    "infrastructure": ("infrastructure change", "infrastructure changes"),
    "maintenance": ("maintenance", "maintenances"),
    "other": ("other change", "other changes"),
    "feature": ("feature release", "feature releases"),
    "reliability": ("reliability release", "reliability releases"),
    "security": ("security release", "security releases"),
}
FIRST = ("feature", "deployment")
"""Of which changes the first sentence speaks, if there are any."""


def name_of(row: CostRow, amount: int = 2) -> str:
    """``feature releases``, or one of them."""
    one, many = NAMES[row.group.of]
    return one if amount == 1 else many


def date_of(at: Seconds) -> str:
    """``12 December``, UTC."""
    day = datetime.fromtimestamp(at, UTC)
    return f"{day.day} {day:%B}"


def leading(found: Afford) -> CostRow | None:
    """The changes that the first sentence is about."""
    by_name = {row.group.of: row for row in found.costs}
    named = [by_name[name] for name in FIRST if name in by_name]
    return next(iter([*named, *found.costs]), None)


def days_of(found: Afford) -> str:
    """``90 days`` of history."""
    days = max(1, round((found.as_of - found.since) / 86_400))
    return f"{days} day{'s' if days != 1 else ''}"


def answer(found: Afford) -> str:
    """The answer in one sentence."""
    row = leading(found)
    if found.lines[0].room <= 0:
        return f"Nothing more fits: the budget of {found.lines[0].name} is spent. {recovers(found)}"
    if row is None:
        return (
            f"No change of {found.service} is recorded in the last {days_of(found)}, so what a "
            f"release costs is not known; {rules.share_words(found.lines[0].left)}."
        )
    return fits(row, found)


def fits(row: CostRow, found: Afford) -> str:
    """How many more of one kind fit, in a sentence."""
    fit, seen, name = row.fit, row.spread, name_of(row)
    if fit.cautious is None:
        known = f"None of the {seen.n} {name}" if seen.n > 1 else f"The one {name_of(row, 1)}"
        cost = "cost anything" if seen.n > 1 else "cost nothing"
        tail = f" {seen.n} {'are' if seen.n > 1 else 'is'} too few to rely on." if fit.few else ""
        return (
            f"{known} of {days_of(found)} {cost} that was put down to it: what was seen sets no "
            f"limit.{tail}"
        )
    if fit.expected is None:
        those = _amount(fit.cautious, row)
        return (
            f"Too few {name} are known ({seen.n}) to say how many more fit; if each cost as much "
            f"as the costliest, {those}."
        )
    if fit.expected == 0:
        return f"Not one more {name_of(row, 1)} of the usual cost fits in what is left{_by(found)}."
    if fit.expected >= afford.MOST_FIT and fit.cautious >= afford.MOST_FIT:
        return f"More {name} fit in what is left than anybody makes ({afford.MOST_FIT} or more)."
    few = _amount(fit.expected, row, "more ")
    return f"About {few} fit in what is left{_by(found)}; cautiously {number(fit.cautious)}."


def _amount(amount: int, row: CostRow, between: str = "") -> str:
    return f"{number(amount)} {between}{name_of(row, amount)}"


def number(amount: int | None) -> str:
    """How many fit, for tables and sentences."""
    if amount is None:
        return text.NOTHING
    return f"{amount} or more" if amount >= afford.MOST_FIT else str(amount)


def limit(amount: int | None, *, few: bool) -> str:
    """How many fit, for tables: a number, or why there is none."""
    if amount is None:
        return "too few to say" if few else "no limit seen"
    return number(amount)


def _by(found: Afford) -> str:
    if found.purse.until is not None:
        return f" until {date_of(found.purse.until)}"
    return " now"


def recovers(found: Afford) -> str:
    """When the budget is back if nothing more burns."""
    its = found.recovery
    if found.purse.left >= 1:
        return "Nothing was spent: the whole budget is there."
    parts = []
    if its.usable_at is not None:
        parts.append(f"is no longer depleted on {date_of(its.usable_at)}")
    if its.healthy_at is not None and its.healthy_at != its.usable_at:
        parts.append(f"healthy on {date_of(its.healthy_at)}")
    if its.whole_at is not None and its.whole_at not in (its.usable_at, its.healthy_at):
        parts.append(f"whole on {date_of(its.whole_at)}")
    if not parts:
        return "It is whole again with the next window."
    if its.usable_at is None:
        parts[0] = f"is {parts[0]}"
    listed = " and ".join(filter(None, (", ".join(parts[:-1]), parts[-1])))
    return f"If nothing more burns, it {listed}."


def outage(found: Afford) -> str:
    """What one more outage like the worst of the window would do."""
    its = found.outage
    if its is None:
        return "No episode of the window stands out: there is no outage to compare with."
    cost = text.percent(its.share, 0)
    return (
        f"One more outage like the worst of the window costs {cost} of the budget: "
        f"{rules.share_words(its.left)} then, {rules.WORDS[its.state]}."
    )


def next_nine(its: NextNine) -> str:
    """What the next nine asks."""
    target, surplus = text.percent(its.target, 5), text.number(float(its.surplus), 0)
    if its.surplus == 0:
        return f"{target} is met over the window already."
    bad = text.number(float(its.bad), 0)
    if not its.met:
        tail = (
            "even without every known cause, what fails steadily is too much."
            if its.causes
            else "no single cause stands out: what fails steadily must go."
        )
        return f"For {target}, {surplus} of {bad} bad events must go; {tail}"
    causes = f"the {len(its.causes)} costliest causes" if len(its.causes) > 1 else "one cause"
    return f"For {target}, {surplus} of {bad} bad events must go: without {causes} it is met."
