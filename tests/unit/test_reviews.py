"""Weekly reviews: weeks, sentences, questions; kept, noted upon, and sent once."""

from __future__ import annotations

from dataclasses import asdict, replace
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Connection

from tests.support.duty import SITE
from tests.support.review_place import MONDAY, WEEK, owned
from watchkeeper.kernel.errors import NotFound, UserError
from watchkeeper.notify import outbox
from watchkeeper.reviews import render, rules, sections, store, work
from watchkeeper.reviews.gather import Asked
from watchkeeper.reviews.model import (
    CauseWeek,
    Facts,
    GateWeek,
    IncidentWeek,
    ItemWeek,
    LoadWeek,
    NoteKind,
    PolicyWeek,
    PostmortemWeek,
    Review,
    Section,
    SloWeek,
    of_json,
)
from watchkeeper.reviews.weeks import Week, last_ended, named, week_of
from watchkeeper.reviews.wording import compared, part
from watchkeeper.slo.model import Look
from watchkeeper.store import Database

BERLIN = "Europe/Berlin"
THIS = named("2026-W47", "UTC")
CHECKOUT = SloWeek(
    name="checkout", title="Checkout", service="shop", target="99.9 %", window="30d", look=Look.OK,
    bad=340, total=250_000, spent=0.34, spent_before=0.11, attained=0.99864, attained_before=0.9995,
    left=0.5, minutes=10_080,
)  # fmt: skip
OUTAGE = IncidentWeek(12, "Cache full", "SEV2", True, THIS.start + 60, 600.0, {"checkout": 227})


def facts(**more: object) -> Facts:
    return Facts(THIS, THIS.end, **more)  # type: ignore[arg-type]


# ---------------------------------------------------------------- weeks


@pytest.mark.parametrize(
    ("name", "hours"),
    [("2026-W13", 167), ("2026-W43", 169), ("2026-W47", 168), ("2026-W53", 168), ("2020-W53", 168)],
)
def test_a_week_has_the_hours_that_the_wall_clock_gives_it(name: str, hours: int) -> None:
    week = named(name, BERLIN)
    assert (week.end - week.start) / 3600 == hours
    assert week.name == name
    for moment in (week.start, week.end):
        local = datetime.fromtimestamp(moment, ZoneInfo(BERLIN))
        assert (local.weekday(), local.hour, local.minute) == (0, 0, 0)


@given(st.integers(100_000_000, 6_000_000_000), st.sampled_from(["UTC", BERLIN, "America/Santiago",
                                                        "Australia/Lord_Howe"]))  # fmt: skip
def test_every_instant_is_in_one_week_and_weeks_leave_no_gap(at: int, zone: str) -> None:
    week = week_of(at, zone)
    assert week.start <= at < week.end
    assert week.after.start == week.end
    assert week.before.end == week.start
    assert named(week.name, zone) == week


def test_a_year_may_begin_in_a_week_of_the_year_before() -> None:
    new_year = datetime(2027, 1, 1, 12, tzinfo=UTC).timestamp()
    assert week_of(new_year, "UTC").name == "2026-W53"
    assert week_of(new_year, "UTC").days == "28 Dec 2026 – 3 Jan 2027"


@pytest.mark.parametrize("wrong", ["2026-W54", "2025-W53", "2026-47", "", "next", "9999-W01"])
def test_what_is_no_week_is_refused_with_an_example(wrong: str) -> None:
    with pytest.raises(UserError):
        named(wrong, "UTC")


# ---------------------------------------------------------------- sentences


def test_three_sentences_say_how_much_was_spent_on_what_and_what_is_owed() -> None:
    found = facts(
        slos=[CHECKOUT, replace(CHECKOUT, name="search", title="Search", spent=0.02)],
        incidents=[OUTAGE],
        load=[LoadWeek("schedule:first", 5, 3, 1, 2)],
        gate=[GateWeek("shop", 7, 2, 0)],
        items=[ItemWeek(1, "Canary", "open", False, False, 9 * 86_400.0, THIS.start)],
        postmortems=[PostmortemWeek(4, "Cache full", False, THIS.start, 86_400.0)],
    )
    assert rules.summary(found) == (
        "Checkout spent 34 % of its budget this week, three times as much as last week, "
        "two thirds of it in incident 12.",
        "One incident happened, after none last week, and five pages called somebody, three of "
        "them out of hours; one shift had more than two.",
        "The gate halted two of nine releases, no action items were done, one is late by 9 days "
        "and one postmortem is overdue.",
    )


def test_a_quiet_week_says_so_and_has_nothing_to_decide() -> None:
    quiet = facts(slos=[replace(CHECKOUT, bad=0, spent=0.0, spent_before=0.0)])
    assert rules.summary(quiet) == (
        "No budget was spent this week.",
        "No incidents happened, and nobody was paged.",
        "No action items were done.",
    )
    assert rules.decide(quiet) == []
    assert rules.summary(facts())[0].startswith("Nothing was measured")


def test_without_an_incident_the_likeliest_cause_is_named() -> None:
    cause = CauseWeek("checkout", "Checkout", "deployment", "Checkout 4.2", 0.5, True)
    said = rules.summary(facts(slos=[CHECKOUT], causes=[cause]))[0]
    assert said.endswith("half of it put down to: Checkout 4.2.")


def test_questions_come_the_most_pressing_first() -> None:
    found = facts(
        slos=[
            replace(CHECKOUT, name="gone", title="Gone", left=-0.3),
            replace(CHECKOUT, name="fast", title="Fast", spent=0.4, left=0.2),
            replace(CHECKOUT, name="blind", title="Blind", spent=0.0, unseen=3_000),
        ],
        load=[LoadWeek("schedule:first", 5, 3, 1, 2)],
        items=[ItemWeek(1, "Canary", "open", False, False, 86_400.0, THIS.start)],
    )
    said = [q.text.split()[0] for q in rules.decide(found)]
    assert said == ["Gone", "Fast", "One", "One", "Blind"]
    assert "first had more than 2 pages" in rules.decide(found)[3].text


@given(st.floats(0, 2))
def test_a_share_is_never_said_to_be_all_when_it_is_not(share: float) -> None:
    assert (part(share) == "all") == (share >= 1)


@pytest.mark.parametrize(
    ("now", "before", "said"),
    [
        (0.3, 0.1, "three times as much as last week"),
        (0.2, 0.1, "twice as much as last week"),
        (0.24, 0.1, "more than twice as much as last week"),
        (0.29, 0.1, "three times as much as last week"),
        (0.13, 0.1, "more than last week"),
        (0.1, 0.1, "about as much as last week"),
        (0.05, 0.1, "half as much as last week"),
        (0.1, 0.0, "after none last week"),
        (5.0, 0.1, "more than ten times as much as last week"),
        (0.1, None, ""),
    ],
)
def test_weeks_are_compared_as_people_say_it(now: float, before: float | None, said: str) -> None:
    assert compared(now, before) == said


def test_shares_of_causes_that_are_shown_add_up_to_all_of_it() -> None:
    causes = [
        CauseWeek("checkout", "Checkout", "deployment", "Checkout 4.2", 0.826, True),
        CauseWeek("checkout", "Checkout", rules.USUAL, "Everything else", 0.174, False),
    ]
    its = sections.causes(facts(causes=causes))
    assert [row[3].text for row in its.rows] == ["82 %", "18 %"]
    assert its.lead == "Checkout cost most: 82 % to “Checkout 4.2”."


@given(st.lists(st.integers(1, 1000), min_size=2, max_size=5))
def test_what_is_shown_of_causes_never_adds_up_to_more_than_all(parts: list[int]) -> None:
    whole = sum(parts)
    causes = [CauseWeek("c", "C", "deployment", "x", p / whole, True) for p in parts[:-1]]
    causes.append(CauseWeek("c", "C", rules.USUAL, "rest", parts[-1] / whole, False))
    shown = [row[3].text for row in sections.causes(facts(causes=causes)).rows]
    if not any(mark in said for said in shown for mark in "<>"):
        assert sum(int(said.removesuffix(" %")) for said in shown) == 100


def test_windows_and_lengths_are_said_in_words() -> None:
    late = ItemWeek(1, "Canary", "open", False, False, 9 * 86_400.0, THIS.start)
    policy = PolicyWeek("shop", "The shop's budget", "depleted", -0.2, "1d")
    found = facts(slos=[CHECKOUT], incidents=[OUTAGE], items=[late], policies=[policy])
    said = render.markdown(made(found), [])
    for words in ("(30 days)", "10 minutes", "Late (9 days)", "20 % over (over 1 day)",
                  "The shop's budget is depleted."):  # fmt: skip
        assert words in said


def test_what_objectives_attained_lines_up() -> None:
    row = sections.objectives(facts(slos=[replace(CHECKOUT, attained=0.9996)])).rows[0]
    assert (row[2].text, row[2].sub) == ("99.960 %", "last week 99.950 %")


def test_the_mail_has_the_figures_of_what_needs_to_be_looked_at() -> None:
    hurt = replace(CHECKOUT, look=Look.SPENT, left=-0.12)
    well = replace(CHECKOUT, name="search", title="Search")
    mail = render.mail(made(facts(slos=[well, hurt])), [], "https://watch.example", "/reviews/x")
    assert list(mail["fields"].items())[:2] == [
        ("Objectives", "Two objectives, one with a budget that is spent or burning."),
        ("Checkout", "12 % over, 34 % spent this week, 11 % last week"),
    ]
    assert "Search" not in mail["fields"]


def made(found: Facts, title: str = "Shop") -> Review:
    return Review(
        "shop", title, THIS.name, THIS.days, "UTC", THIS.start, THIS.end, THIS.end, 1, ["shop"],
        rules.summary(found), rules.decide(found), sections.sections(found),
    )  # fmt: skip


def test_markdown_escapes_what_came_from_outside() -> None:
    evil = replace(OUTAGE, title="a|b <script> [x](http://evil)")
    text = render.markdown(made(facts(incidents=[evil])), [], "https://watch.example")
    assert "a\\|b \\<script\\> \\[x\\](http://evil)" in text
    assert "<script>" not in text


def test_a_review_is_the_same_after_it_was_kept_as_json() -> None:
    its = made(facts(slos=[CHECKOUT], incidents=[OUTAGE]))
    assert render.markdown(of_json(asdict(its)), []) == render.markdown(its, [])


def test_no_section_names_a_person() -> None:
    heads = {
        h for s in sections.sections(facts(slos=[CHECKOUT], incidents=[OUTAGE])) for h in s.head
    }
    assert not heads & {"Owner", "Author", "Person", "Who"}


# ---------------------------------------------------------------- kept, noted, sent


def kept(db: Database, team: str = "shop", week: Week | None = None, now: float = MONDAY) -> Review:
    with db.read() as conn:
        its = week or last_ended(now, BERLIN)
        return work.read(conn, owned(), team, its, now)[0]


def test_a_review_that_was_noted_upon_reads_as_it_was(db: Database) -> None:
    before = kept(db)
    with db.write() as conn:
        note = work.add_note(conn, before, NoteKind.DECISION, " Wait ", "ada", MONDAY + 60)
    after = kept(db, now=MONDAY + 3600)
    assert asdict(after) == {**asdict(after), "made_at": MONDAY}
    with db.write() as conn:
        work.change_note(conn, note.id, "Wait until Friday", None, "ben", MONDAY + 120)
        (now,) = store.notes(conn, "shop", before.week)
    assert (now.text, now.author, now.changed_by) == ("Wait until Friday", "ada", "ben")
    assert now.kind is NoteKind.DECISION


def test_a_week_that_still_runs_is_not_frozen_by_a_note_so_that_all_of_it_is_sent(
    db: Database,
) -> None:
    wednesday = MONDAY - 5 * 86_400
    running = kept(db, week=week_of(wednesday, BERLIN), now=wednesday)
    with db.write() as conn:
        work.add_note(conn, running, NoteKind.NOTE, "Early", "ada", wednesday)
    whole = kept(db, now=MONDAY)
    assert (whole.week, whole.running) == (running.week, False)
    with db.read() as conn:
        assert [n.text for n in store.notes(conn, "shop", whole.week)] == ["Early"]


@pytest.mark.parametrize("text", ["", "  ", "x" * 4_001])
def test_an_empty_or_endless_note_is_refused_and_keeps_nothing(db: Database, text: str) -> None:
    its = kept(db)
    with pytest.raises(UserError), db.write() as conn:
        work.add_note(conn, its, NoteKind.NOTE, text, "ada", MONDAY)
    with db.read() as conn:
        assert store.frozen(conn, "shop", its.week) is None


def test_unknown_teams_and_weeks_to_come_are_refused() -> None:
    with pytest.raises(NotFound):
        work.chosen(owned(), "shp", "", MONDAY)
    with pytest.raises(UserError, match="has not begun"):
        work.chosen(owned(), "shop", "2026-W40", MONDAY)


def test_a_section_of_another_room_stands_behind_our_own(db: Database) -> None:
    def toil(_: Connection, asked: Asked) -> Section | None:
        return Section("toil", "Toil", f"{len(asked.services)} service looked at.")

    def silent(_: Connection, asked: Asked) -> Section | None:
        return None

    with db.read() as conn:
        week = last_ended(MONDAY, BERLIN)
        its = work.make(conn, owned(), "shop", week, MONDAY, (silent, toil))
    assert [s.key for s in its.sections][-2:] == ["gaps", "toil"]
    assert "## Toil\n\n1 service looked at." in render.markdown(its, [])


def mails(db: Database) -> list[str]:
    with db.read() as conn:
        rows = conn.execute(outbox.delivery.select()).mappings()
        return [r["content"] for r in rows if r["key"].startswith("review-")]


def test_each_week_is_sent_once_at_its_local_hour_by_whichever_replica_comes_first(
    db: Database,
) -> None:
    specs, eight = owned(), MONDAY + 8 * 3600
    sent = []
    for now in (MONDAY - 3600, MONDAY, eight - 1, eight, eight + 1, eight + WEEK - 1, eight + WEEK):
        for _replica in range(2):
            sent.append((now, work.send_due(db, specs, SITE, now)))
    assert [at for at, n in sent if n] == [eight, eight + WEEK]
    assert ["2026-W02" in m for m in mails(db)] == [True, False]
    with db.read() as conn:
        assert store.frozen_weeks(conn) == {
            ("shop", "2026-W02"): "sent",
            ("shop", "2026-W03"): "sent",
        }


def test_two_replicas_that_saw_the_same_row_due_send_once(db: Database) -> None:
    specs, eight = owned(), MONDAY + 8 * 3600
    work.send_due(db, specs, SITE, MONDAY)
    with db.read() as conn:
        due = store.plans(conn)["shop-weekly"]
    assert [work._send_one(db, specs, SITE, due, eight, ()) for _ in range(2)] == [1, 0]
    assert len(mails(db)) == 1


def test_what_was_due_while_nobody_ran_is_sent_late_and_once(db: Database) -> None:
    specs = owned()
    work.send_due(db, specs, SITE, MONDAY)
    assert work.send_due(db, specs, SITE, MONDAY + 3 * 86_400) == 1
    assert work.send_due(db, specs, SITE, MONDAY + 4 * 86_400) == 0


def test_another_hour_is_planned_anew_and_a_definition_that_is_gone_is_forgotten(
    db: Database,
) -> None:
    specs = owned()
    work.send_due(db, specs, SITE, MONDAY)
    later = replace(specs.reviews["shop-weekly"], cron="0 12 * * 1")
    changed = replace(specs, reviews={later.name: later})
    with db.read() as conn:
        assert work.anything_due(conn, changed, MONDAY)
    assert work.send_due(db, changed, SITE, MONDAY + 8 * 3600) == 0
    assert work.send_due(db, changed, SITE, MONDAY + 12 * 3600) == 1
    work.send_due(db, replace(specs, reviews={}), SITE, MONDAY + 13 * 3600)
    with db.read() as conn:
        assert store.plans(conn) == {}
