"""Plans to try, and which of those tried to take. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

from watchkeeper.alerting.backtest.model import Plan, PlanRule, RatioRule, Recommendation, Score
from watchkeeper.alerting.policies.rules import DEFAULT_GUARDS, DEFAULT_RULES
from watchkeeper.kernel import text
from watchkeeper.kernel.duration import parse_duration
from watchkeeper.spec.duty import AlertRule, BurnRule, ExhaustionRule, Guards

PAGE, TICKET = "page", "ticket"


def burn(long: str, short: str, factor: float, urgency: str) -> BurnRule:
    """A burn rule, written shortly."""
    return BurnRule(parse_duration(long), parse_duration(short), factor, urgency)


DEFAULT_PLAN = Plan("default", DEFAULT_RULES, DEFAULT_GUARDS)


def workbook(target: Decimal) -> list[Plan]:
    """The six approaches of The Site Reliability Workbook, chapter 5, for this target."""
    share = 1 - target
    return [
        Plan("1: error rate above the objective", (_ratio("10m", share, 0),)),
        Plan("2: longer window", (_ratio("36h", share, 0),)),
        Plan("3: lasting", (_ratio("1m", share, 3600),)),
        Plan("4: burn rate", (burn("1h", "1h", 36.0, PAGE),)),
        Plan("5: burn rates", _several(short=False)),
        Plan("6: burn rates over two windows", _several(short=True)),
    ]


def _ratio(window: str, above: Decimal, lasting: float) -> RatioRule:
    return RatioRule(parse_duration(window), above, lasting, PAGE)


def _several(*, short: bool) -> tuple[PlanRule, ...]:
    table = (("1h", "5m", 14.4, PAGE), ("6h", "30m", 6.0, PAGE), ("3d", "6h", 1.0, TICKET))
    return tuple(burn(long, s if short else long, f, urgency) for long, s, f, urgency in table)


BURNS: tuple[AlertRule, ...] = (
    burn("1h", "5m", 14.4, PAGE),
    burn("6h", "30m", 6.0, PAGE),
    burn("1d", "2h", 3.0, TICKET),
    burn("3d", "6h", 1.0, TICKET),
)


def usual() -> list[Plan]:
    """What is worth trying on any SLO: ours, the workbook's, parts, and stricter guards."""
    exhaustion = (ExhaustionRule(3600.0, PAGE), ExhaustionRule(86_400.0, TICKET))
    strict = Guards(min_events=100, min_bad=10, significance=0.001, hold=300)
    return [
        DEFAULT_PLAN,
        Plan("exhaustion", exhaustion, DEFAULT_GUARDS),
        Plan("burn", BURNS),
        Plan("burn, guarded", BURNS, DEFAULT_GUARDS),
        Plan("slow", (burn("6h", "30m", 6.0, PAGE), *BURNS[2:]), DEFAULT_GUARDS),
        Plan("strict", (*exhaustion, *BURNS), strict),
    ]


def recommend(scores: Sequence[Score]) -> Recommendation | None:
    """The plan that misses least; of those the one that calls least for nothing; then the one that
    calls least, the quickest to tell, and the quickest to be quiet again.

    None when there is nothing to choose by (no incident, or no plan).
    """
    judged = [s for s in scores if s.recall is not None]
    if not judged:
        return None
    best = min(judged, key=_worse)
    return Recommendation(best.plan.name, _reason(best, [s for s in judged if s is not best]))


def _worse(score: Score) -> tuple[float, ...]:
    times = (score.median("detection"), score.median("reset"))
    precision = 1.0 if score.precision is None else score.precision
    quick = (float("inf") if t is None else t for t in times)
    return (-(score.recall or 0.0), -precision, _calls(score), *quick, score.tickets_per_week)


def _calls(score: Score) -> float:
    """How often a week it calls: by page, or by ticket if that is all it does."""
    return score.pages_per_week if score.pages else score.tickets_per_week


def _found(score: Score) -> int:
    return sum(t.detection is not None for t in score.told)


def _reason(best: Score, others: Sequence[Score]) -> str:
    incidents = len(best.told)
    said = [f"it tells {_found(best)} of {incidents} incident{'s' if incidents > 1 else ''}"]
    loud = best.pages or best.tickets
    if loud and best.precision is not None:
        wrong = round(loud * (1 - best.precision))
        kind = "page" if best.pages else "ticket"
        said.append(f"{wrong} of {loud} {kind}{'s' if loud > 1 else ''} for nothing")
    detection = best.median("detection")
    if detection is not None:
        said.append(f"typically {text.duration(detection)} after the start")
    if others:
        said.append(_beside(best, min(others, key=_worse)))
    return "; ".join(said) + "."


def _beside(best: Score, other: Score) -> str:
    """What the next best does worse: the first of the grounds on which they differ."""
    name = f"the next best ({other.plan.name})"
    grounds = zip(_worse(best), _worse(other), range(6), strict=True)
    match next((i for mine, theirs, i in grounds if mine != theirs), None):
        case 0:
            return f"{name} tells {_found(other)}"
        case 1:
            return f"{name} is right in {text.whole_percent(other.precision)} of its calls"
        case 2:
            return f"{name} calls {_calls(other):.2g} times a week, this one {_calls(best):.2g}"
        case 3:
            return f"{name} takes {text.duration(other.median('detection'))}"
        case 4:
            return f"{name} is quiet again only after {text.duration(other.median('reset'))}"
        case 5:
            return f"{name} makes more tickets"
        case _:
            return f"{name} does as well"
