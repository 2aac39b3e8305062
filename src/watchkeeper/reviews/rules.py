"""What a week says, and what is to be decided: sentences computed from facts. Pure.

Nothing here counts or ranks people.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from watchkeeper.kernel import text
from watchkeeper.kernel.clock import Seconds
from watchkeeper.oncall.load import LIMIT
from watchkeeper.reviews.model import Facts, Question, SloWeek
from watchkeeper.reviews.wording import alone, compared, counted, listed, number, part, sentence
from watchkeeper.slo.model import Look

SAID_OF = 0.2
"""An incident or a cause is named when it has at least this share of what was spent."""
FAST = 0.25
"""More than an even spend of a 28-day window in a week: a budget that does not last."""
BLIND = 0.05
"""From this share of minutes without data on, one should ask whether figures can be trusted."""
MOST_OF_A_KIND = 3
USUAL = "usual"
"""The kind of what failed outside of episodes, as some always does."""
UNKNOWN_COSTS = 0.1
"""Budget spent, from which on an unknown cause is worth a question."""


def summary(facts: Facts) -> tuple[str, str, str]:
    """The week in three sentences: budget, what happened, what was promised and decided."""
    return _budget(facts), _happened(facts), _promised(facts)


def costliest(facts: Facts) -> SloWeek | None:
    """The objective that spent the largest share of its budget; None when none did."""
    spent = [s for s in facts.slos if s.spent]
    return max(spent, key=lambda s: (s.spent or 0.0, s.name), default=None)


def week_words(facts: Facts) -> str:
    """What follows "spent …"."""
    return "this week so far" if facts.now < facts.week.end else "this week"


def _budget(facts: Facts) -> str:
    worst = costliest(facts)
    if worst is None:
        if not any(s.total for s in facts.slos):
            return "Nothing was measured this week, so nothing is known of any budget."
        return sentence(f"no budget was spent {week_words(facts)}")
    said = f"{worst.title} spent {text.whole_percent(worst.spent)} of its budget "
    said += week_words(facts)
    against = compared(worst.spent or 0.0, worst.spent_before)
    parts = [said, against, _mostly(facts, worst)]
    return sentence(", ".join(p for p in parts if p))


def _mostly(facts: Facts, slo: SloWeek) -> str:
    """Where most of it went: an incident, or else what it is put down to."""
    during = [(i.bad.get(slo.name, 0.0), i.id) for i in facts.incidents]
    bad, incident = max(during, default=(0.0, 0))
    if slo.bad and bad / slo.bad >= SAID_OF:
        return f"{part(bad / slo.bad)} of it in incident {incident}"
    causes = [c for c in facts.causes if c.slo == slo.name and c.known]
    first = max(causes, key=lambda c: c.share, default=None)
    if first is not None and first.share >= SAID_OF:
        return f"{part(first.share)} of it put down to: {first.what}"
    return ""


def _happened(facts: Facts) -> str:
    incidents, pages = len(facts.incidents), sum(p.pages for p in facts.load)
    open_ones = sum(not i.over for i in facts.incidents)
    said = f"{counted(incidents, 'incident')} happened"
    if open_ones == incidents == 1:
        said += " and is not over"
    elif open_ones:
        said += f", of which {number(open_ones)} {'is' if open_ones == 1 else 'are'} not over"
    elif incidents != facts.incidents_before:
        said += f", after {alone(facts.incidents_before)} last week"
    calls = f"{counted(pages, 'page')} called somebody" if pages else "nobody was paged"
    out = sum(p.out_of_hours for p in facts.load)
    over = sum(p.over_limit for p in facts.load)
    if out:
        calls += f", {number(out)} of them out of hours"
    if over:
        calls += f"; {counted(over, 'shift')} had more than {number(LIMIT)}"
    return sentence(f"{said}, and {calls}")


def _promised(facts: Facts) -> str:
    halted, asked = _gate(facts)
    parts = [f"the gate halted {alone(halted)} of {counted(asked, 'release')}"] if asked else []
    if asked == 1:
        parts = [
            f"the gate {'halted' if halted else 'let pass'} the one release it was asked about"
        ]
    done, late = sum(i.done for i in facts.items), [i.late for i in facts.items if i.late > 0]
    parts.append(f"{counted(done, 'action item')} {'was' if done == 1 else 'were'} done")
    if late:
        verb = "is" if len(late) == 1 else "are"
        by = "" if len(late) == 1 else ", the oldest"
        parts.append(f"{number(len(late))} {verb} late{by} by {text.spoken(max(late))}")
    owed = [p for p in facts.postmortems if p.late > 0]
    if owed:
        verb = "is" if len(owed) == 1 else "are"
        parts.append(f"{counted(len(owed), 'postmortem')} {verb} overdue")
    return sentence(listed(parts))


def _gate(facts: Facts) -> tuple[int, int]:
    halted = sum(g.halted for g in facts.gate)
    return halted, halted + sum(g.allowed for g in facts.gate)


# ---------------------------------------------------------------- what to decide


def decide(facts: Facts) -> Sequence[Question]:
    """What should be decided, the most pressing first; empty: nothing must be."""
    return [
        *_spent(facts), *_going(facts), *_open(facts), *_late(facts), *_load(facts),
        *_leave(facts), *_unknown(facts), *_blind(facts),
    ]  # fmt: skip


def _some(found: Sequence[Question], what: str, url: str) -> Iterator[Question]:
    yield from found[:MOST_OF_A_KIND]
    if len(found) > MOST_OF_A_KIND:
        yield Question(f"And {len(found) - MOST_OF_A_KIND} more {what}.", url)


def _spent(facts: Facts) -> Iterator[Question]:
    gone = sorted((s for s in facts.slos if s.left is not None and s.left <= 0),
                  key=lambda s: (s.left or 0.0, s.name))  # fmt: skip
    asked = [
        Question(
            f"{s.title} {_gone_by(s.left)}. "
            "Is the next work on reliability, or is the target wrong?",
            f"/slo/{s.name}",
        )
        for s in gone
    ]
    yield from _some(asked, "budgets are spent", "/?state=spent")


def _gone_by(left: float | None) -> str:
    return f"is {text.left(left)} its budget" if left else "has spent its whole budget"


def _going(facts: Facts) -> Iterator[Question]:
    fast = [
        s
        for s in facts.slos
        if s.left is not None and s.left > 0 and s.spent is not None
        and s.spent > FAST and s.spent >= s.left
    ]  # fmt: skip
    asked = [
        Question(
            f"{s.title} has {text.left(s.left)} and spent {text.whole_percent(s.spent)} this week: "
            "another such week spends the rest. What do we hold back?",
            f"/slo/{s.name}",
        )
        for s in sorted(fast, key=lambda s: (-(s.spent or 0.0), s.name))
    ]
    yield from _some(asked, "budgets do not outlast another such week", "/?state=watch")


def _open(facts: Facts) -> Iterator[Question]:
    still = [i for i in facts.incidents if not i.over]
    asked = [Question(f"Incident {i.id}, {i.title}, is not over. What does it need?",
                      f"/incidents/{i.id}") for i in still]  # fmt: skip
    yield from _some(asked, "incidents are not over", "/incidents")


def _late(facts: Facts) -> Iterator[Question]:
    owed = [p for p in facts.postmortems if p.late > 0]
    asked = [
        Question(
            f"The postmortem “{p.title}” is {text.spoken(p.late)} overdue. "
            "When is there time for it?",
            f"/postmortems/{p.id}",
        )
        for p in sorted(owed, key=lambda p: -p.late)
    ]
    yield from _some(asked, "postmortems are overdue", "/postmortems")
    late = [i for i in facts.items if i.late > 0]
    if late:
        oldest = max(late, key=lambda i: i.late)
        said = sentence(f"{counted(len(late), 'action item')} {'is' if len(late) == 1 else 'are'}"
                        " late")  # fmt: skip
        yield Question(
            f"{said} Do, move or drop? The oldest: {oldest.text}",
            f"/actions/{oldest.id}" if len(late) == 1 else "/actions",
        )


def _load(facts: Facts) -> Iterator[Question]:
    for each in facts.load:
        if each.over_limit:
            shifts = counted(each.over_limit, "shift")
            yield Question(
                sentence(f"{shifts} of {rotation(each.rotation)} had more than {LIMIT} pages")
                + " Which alert do we mend, or who relieves the rotation?",
                "/load",
            )


def _leave(facts: Facts) -> Iterator[Question]:
    for each in facts.leaves:
        if each.waits:
            yield Question(
                f"An exception for {each.service} waits for an answer: {each.reason}", "/gate"
            )


def _unknown(facts: Facts) -> Iterator[Question]:
    by_name = {s.name: s for s in facts.slos}
    asked = []
    for cause in facts.causes:
        slo = by_name.get(cause.slo)
        if (
            cause.known
            or cause.kind == USUAL
            or slo is None
            or (slo.spent or 0.0) * cause.share < UNKNOWN_COSTS
        ):
            continue
        if cause.share >= SAID_OF:
            asked.append(
                Question(
                    f"{sentence(part(cause.share))[:-1]} of what {slo.title} spent has no known "
                    "cause. Do we know it?",
                    f"/slo/{slo.name}",
                )
            )
    yield from _some(asked, "objectives spent on causes that nobody knows", "/")


def _blind(facts: Facts) -> Iterator[Question]:
    blind = [s for s in facts.slos if s.unseen_share >= BLIND]
    asked = [
        Question(
            f"{s.title} was not seen for {text.spoken(s.unseen * 60)}. Are its figures right?",
            f"/slo/{s.name}",
        )
        for s in sorted(blind, key=lambda s: (-s.unseen, s.name))
    ]
    yield from _some(asked, "objectives lack data", "/sources")


def rotation(via: str) -> str:
    """``schedule:shop`` as people call it."""
    kind, _, name = via.partition(":")
    return name if kind == "schedule" and name else via.replace(":", " ")


def attention(slo: SloWeek) -> tuple[int, float, str]:
    """The order in which objectives are listed: what burns or is spent, then what cost most."""
    urgent = (Look.BURN, Look.SPENT, Look.WATCH, Look.OK, Look.NONE).index(slo.look)
    return min(urgent, 2), -(slo.spent or 0.0), slo.name


def late_by(due_at: Seconds | None, now: Seconds) -> float:
    """Seconds past a day; 0 when it is not past."""
    return 0.0 if due_at is None else max(0.0, now - due_at)
