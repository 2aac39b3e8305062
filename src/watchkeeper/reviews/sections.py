"""The sections that every review has, as data. Pure.

Each is a sentence and a table. Sections of other rooms plug in beside them: see `gather.SectionOf`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from zoneinfo import ZoneInfo

from watchkeeper.causes.model import Kind
from watchkeeper.kernel import text
from watchkeeper.oncall.load import LIMIT
from watchkeeper.reviews import rules
from watchkeeper.reviews.model import CauseWeek, Cell, Facts, Section, SloWeek
from watchkeeper.reviews.wording import alone, counted, listed, number, sentence
from watchkeeper.slo import windows
from watchkeeper.slo.model import Look
from watchkeeper.spec.budget import BudgetState

MOST_ROWS = 25
LOOKS = {Look.BURN: "Burning", Look.SPENT: "Spent", Look.WATCH: "Watch", Look.OK: "Healthy",
         Look.NONE: "No data"}  # fmt: skip
KINDS = {
    str(Kind.DEPLOYMENT): "Release or setting",
    str(Kind.INFRASTRUCTURE): "Infrastructure",
    str(Kind.DEPENDENCY): "Dependency",
    str(Kind.TRAFFIC_SPIKE): "Traffic spike",
    str(Kind.UNKNOWN): "Unknown",
    rules.USUAL: "Usual",
}
"""Of causes, in words of those who do not operate the services."""
STATES = {BudgetState.HEALTHY: ("ok", "Healthy"), BudgetState.AT_RISK: ("watch", "At risk"),
          BudgetState.DEPLETED: ("spent", "Depleted"),
          BudgetState.NO_DATA: ("none", "No data")}  # fmt: skip


def sections(facts: Facts) -> list[Section]:
    """All of them, in the order in which a meeting reads them."""
    every: Sequence[Callable[[Facts], Section]] = (
        objectives, causes, incidents, postmortems, items, load, releases, policies, changes, gaps,
    )  # fmt: skip
    return [make(facts) for make in every]


def _section(
    key: str, title: str, lead: str, head: Sequence[str], rows: Sequence[Sequence[Cell]]
) -> Section:
    more = max(0, len(rows) - MOST_ROWS)
    return Section(key, title, lead, head if rows else (), rows[:MOST_ROWS], more)


def _day(facts: Facts, at: float | None) -> Cell:
    return Cell("" if at is None else text.clock_time(at, facts.now, ZoneInfo(facts.week.zone)))


# ---------------------------------------------------------------- objectives and causes


def objectives(facts: Facts) -> Section:
    """Attainment, budget left, and what the week spent of it."""
    worse = sum(s.look in (Look.BURN, Look.SPENT) for s in facts.slos)
    lead = f"{counted(len(facts.slos), 'objective')}"
    lead += f", {number(worse)} with a budget that is spent or burning" if worse else ""
    if facts.slos and not worse:
        lead += ", none with a budget that is spent or burning"
    rows = [_objective(s) for s in sorted(facts.slos, key=rules.attention)]
    head = ("Objective", "State", "Attained#", "Target#", "Spent this week#", "Last week#", "Left#")
    return _section("slos", "Objectives", sentence(lead), head, rows)


def _objective(slo: SloWeek) -> list[Cell]:
    before = text.aligned(slo.attained_before) if slo.attained_before is not None else ""
    return [
        Cell(slo.title, slo.service, url=f"/slo/{slo.name}"),
        Cell(LOOKS[slo.look], look=str(slo.look)),
        Cell(text.aligned(slo.attained), f"last week {before}" if before else ""),
        Cell(slo.target, windows.in_words(slo.window)),
        Cell(text.whole_percent(slo.spent)),
        Cell(text.whole_percent(slo.spent_before)),
        Cell(text.left(slo.left)),
    ]


def causes(facts: Facts) -> Section:
    """What the costliest objectives spent their budgets on."""
    lead = "no budget was spent, so there is nothing to put down to a cause"
    if facts.causes:
        first = [c for c in facts.causes if c.slo == facts.causes[0].slo]
        went = [f"{share} to “{c.what}”" for c, share in _shared(first) if c.kind != rules.USUAL]
        lead = f"{first[0].title} cost most, and {listed(went) or 'nothing stood out in it'}"
        lead = lead.replace("most, and ", "most: ", 1) if went else lead
    rows = [
        [
            Cell(c.title, url=f"/slo/{c.slo}"),
            Cell(c.what),
            Cell(KINDS[c.kind], look="none" if c.kind == str(Kind.UNKNOWN) else ""),
            Cell(share),
        ]
        for slo in dict.fromkeys(c.slo for c in facts.causes)
        for c, share in _shared([c for c in facts.causes if c.slo == slo])
    ]
    head = ("Objective", "Put down to", "Kind", "Of the week#")
    return _section("causes", "Budget by cause", sentence(lead), head, rows)


def _shared(causes: Sequence[CauseWeek]) -> Iterator[tuple[CauseWeek, str]]:
    """Each with its share; shares that are cut leave something, which the rest is given, so that
    what is shown adds up to 100 %."""
    cut = 100 - sum(math.floor(c.share * 100) for c in causes if c.kind != rules.USUAL)
    for cause in causes:
        least = math.floor(cause.share * 100)
        fills = cause.kind == rules.USUAL and 0.01 <= cause.share < 1 and least < cut < 100
        yield cause, f"{cut} %" if fills else text.whole_percent(cause.share)


# ---------------------------------------------------------------- incidents and what follows


def incidents(facts: Facts) -> Section:
    """Incidents declared in the week, or going on in it."""
    lead = counted(len(facts.incidents), "incident")
    lead += f", {alone(facts.incidents_before)} the week before"
    titles = {s.name: s.title for s in facts.slos}
    rows = []
    for i in sorted(facts.incidents, key=lambda i: -i.declared_at):
        hurt = [titles.get(n, n) for n, bad in i.bad.items() if bad > 0]
        rows.append(
            [
                Cell(f"{i.id}: {i.title}", listed(hurt[:3]), url=f"/incidents/{i.id}"),
                Cell(i.severity),
                Cell("Over", look="ok") if i.over else Cell("Going on", look="burn"),
                _day(facts, i.declared_at),
                Cell(text.NOTHING if i.to_mitigate is None else text.spoken(i.to_mitigate)),
            ]
        )
    head = ("Incident", "Severity", "State", "Declared#", "To mitigate#")
    return _section("incidents", "Incidents", sentence(lead), head, rows)


def postmortems(facts: Facts) -> Section:
    """Those that are due, and those that were published."""
    published = sum(p.published for p in facts.postmortems)
    owed = len(facts.postmortems) - published
    late = sum(p.late > 0 for p in facts.postmortems)
    lead = f"{alone(published)} published, {alone(owed)} being written"
    lead += f", {number(late)} overdue" if late else ""
    rows = [
        [
            Cell(p.title, url=f"/postmortems/{p.id}"),
            Cell("Published", look="ok")
            if p.published
            else Cell("Overdue", text.spoken(p.late), look="burn")
            if p.late > 0
            else Cell("Being written", look="watch"),
            _day(facts, p.due_at),
        ]
        for p in facts.postmortems
    ]
    return _section("postmortems", "Postmortems", sentence(lead),
                    ("Postmortem", "State", "Due#"), rows)  # fmt: skip


def items(facts: Facts) -> Section:
    """Action items: opened, done, late."""
    opened, done = sum(i.opened for i in facts.items), sum(i.done for i in facts.items)
    late = sum(i.late > 0 for i in facts.items)
    lead = (
        f"{alone(opened)} opened ({alone(facts.items_opened_before)} the week before), "
        f"{alone(done)} done ({alone(facts.items_done_before)}), {alone(late)} late"
    )
    rows = [
        [
            Cell(i.text, url=f"/actions/{i.id}"),
            Cell("Late", text.spoken(i.late), look="burn")
            if i.late > 0
            else Cell("Done", look="ok")
            if i.done
            else Cell("Opened", look="watch"),
            _day(facts, i.due_at),
        ]
        for i in sorted(facts.items, key=lambda i: (-i.late, i.done, i.id))
    ]
    return _section("actions", "Action items", sentence(lead), ("Item", "State", "Due#"), rows)


# ---------------------------------------------------------------- duty, gate, changes, data


def load(facts: Facts) -> Section:
    """Pages and what they cost, by rotation."""
    pages, before = (sum(p.pages for p in facts.load), sum(p.pages_before for p in facts.load))
    over = sum(p.over_limit for p in facts.load)
    lead = f"{counted(pages, 'page')}, {alone(before)} the week before; "
    lead += (
        f"{counted(over, 'shift')} over the limit of {LIMIT}"
        if over
        else f"no shift was over the limit of {LIMIT}"
    )
    rows = [
        [
            Cell(rules.rotation(p.rotation)),
            Cell(str(p.pages)),
            Cell(str(p.pages_before)),
            Cell(str(p.out_of_hours)),
            Cell(str(p.over_limit), look="burn" if p.over_limit else ""),
        ]
        for p in facts.load
    ]
    head = ("Rotation", "Pages#", "Last week#", "Out of hours#", "Shifts over the limit#")
    return _section("load", "Pages and on-call load", sentence(lead), head, rows)


def releases(facts: Facts) -> Section:
    """What the gate answered."""
    halted = sum(g.halted for g in facts.gate)
    asked = halted + sum(g.allowed for g in facts.gate)
    times = "once" if asked == 1 else f"{number(asked)} times"
    lead = f"the gate was asked {times} and halted {alone(halted)}"
    rows = [
        [Cell(g.service), Cell(str(g.allowed)), Cell(str(g.halted)), Cell(str(g.halted_before))]
        for g in facts.gate
    ]
    head = ("Service", "Let pass#", "Halted#", "Halted last week#")
    return _section("gate", "Release gate", sentence(lead if asked else "the gate was not asked"),
                    head, rows)  # fmt: skip


def policies(facts: Facts) -> Section:
    """How budgets stand by their policies, and exceptions."""
    lead = f"{counted(len(facts.policies), 'budget policy', 'budget policies')} in force"
    low = [p for p in facts.policies if p.state in (BudgetState.AT_RISK, BudgetState.DEPLETED)]
    if low:
        lead += ": " + listed(
            [f"{p.title} is {STATES[BudgetState(p.state)][1].lower()}" for p in low[:3]]
        )
    if facts.leaves:
        lead += f", {counted(len(facts.leaves), 'exception')} asked for or in force"
    rows = []
    for p in facts.policies:
        look, word = STATES[BudgetState(p.state)]
        rows.append(
            [
                Cell(p.title, url=f"/budgets/{p.name}"),
                Cell(word, look=look),
                Cell(text.left(p.left), _over(p.window)),
            ]
        )
    rows += [
        [Cell(f"Exception for {e.service}: {e.reason}", e.ground.replace("_", " "), url="/gate"),
         Cell(e.state, look="watch" if e.waits else ""), Cell("")]
        for e in facts.leaves
    ]  # fmt: skip
    return _section("policies", "Budget policies", sentence(lead), ("Policy", "State", "Left#"),
                    rows)  # fmt: skip


def _over(window: str) -> str:
    return f"over {windows.in_words(window)}" if window else ""


def changes(facts: Facts) -> Section:
    """What was changed, by kind."""
    made, before = sum(c.number for c in facts.changes), sum(c.before for c in facts.changes)
    lead = f"{counted(made, 'change')}, {alone(before)} the week before"
    rows = [
        [Cell(c.kind.replace("_", " ").capitalize()), Cell(str(c.number)), Cell(str(c.before)),
         Cell(str(c.failed))]
        for c in facts.changes
    ]  # fmt: skip
    head = ("Kind", "This week#", "Last week#", "Failed#")
    return _section("changes", "Changes", sentence(lead), head, rows)


def gaps(facts: Facts) -> Section:
    """Minutes without data, of which nothing is known."""
    blind = sorted((s for s in facts.slos if s.unseen), key=lambda s: (-s.unseen, s.name))
    lead = "every minute was seen" if facts.slos else "nothing is measured"
    if blind:
        lead = f"{counted(len(blind), 'objective')} had minutes without data"
    rows = [
        [Cell(s.title, url=f"/slo/{s.name}"), Cell(text.spoken(s.unseen * 60)),
         Cell(text.whole_percent(s.unseen_share))]
        for s in blind
    ]  # fmt: skip
    return _section("gaps", "Data gaps", sentence(lead), ("Objective", "Without data#", "Share#"),
                    rows)  # fmt: skip
