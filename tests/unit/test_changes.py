"""Changes: what reports say together, whose they are, and how they are kept and found."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from random import Random
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from watchkeeper.changes import rules, store, work
from watchkeeper.changes.model import Change, ChangeKind, Intent, Outcome, Report, Told
from watchkeeper.changes.store import Wanted
from watchkeeper.changes.work import OURS, Door
from watchkeeper.kernel.errors import NotFound, UserError
from watchkeeper.spec.model import Place, ServiceDefinition, Specs
from watchkeeper.store import Database, timeline

NOW = 1_795_442_560.0
HOUR = 3600.0


def service(name: str, display: str = "", **more: Any) -> ServiceDefinition:  # noqa: ANN401
    return ServiceDefinition(name, display, Place("services.yaml"), **more)


SPECS = Specs(
    sources={}, slos={}, teams={}, journeys={}, alert_policies={},
    services={
        s.name: s
        for s in (
            service("checkout", "Check-out", depends_on=("payments",)),
            service("payments", links={"code": "https://git.example.org/shop/pay-svc.git"}),
            service("search"),
        )
    },
)  # fmt: skip

# A busy machine may need long for the first example.
patient = settings(suppress_health_check=[HealthCheck.too_slow], deadline=None)
texts = st.sampled_from(["", "1.4.1", "1.4.2", "production"])
moments = st.none() | st.integers(0, 50).map(lambda n: NOW + n)
reported = st.builds(
    Told,
    summary=texts,
    kind=st.sampled_from(ChangeKind),
    intent=st.sampled_from(Intent),
    services=st.lists(st.sampled_from(["a", "b", "c"]), max_size=2, unique=True).map(tuple),
    version=texts,
    environment=texts,
    started_at=moments,
    ended_at=moments,
    outcome=st.none() | st.sampled_from(Outcome),
    at=st.integers(0, 50).map(lambda n: NOW + n),
)


def reports(told: Sequence[Told]) -> list[Report]:
    return [Report(rules.digest(t), t, "ci", t.at or 0.0) for t in told]


class TestWhatReportsSayTogether:
    @patient
    @given(st.lists(reported, min_size=1, max_size=6), st.randoms(use_true_random=False))
    def test_neither_their_order_nor_repetition_matters(
        self, told: list[Told], random: Random
    ) -> None:
        once = reports(told)
        again = [*once, random.choice(once)]
        random.shuffle(again)
        assert rules.folded("k", again) == rules.folded("k", once)

    @patient
    @given(st.lists(reported, min_size=1, max_size=6))
    def test_a_change_spans_all_times_that_were_told_and_never_ends_before_it_starts(
        self, told: list[Told]
    ) -> None:
        change = rules.folded("k", reports(told))
        times = [t for r in told for t in (r.started_at, r.ended_at) if t is not None]
        moments = [*times, *(t.at or 0.0 for t in told)]
        assert min(moments) <= change.started_at <= min(times, default=max(moments))
        ends = [t.ended_at for t in told if t.ended_at is not None]
        if ends:
            assert change.ended_at == max(ends)
        assert change.ended_at is None or change.started_at <= change.ended_at
        assert set(change.services) == {s for t in told for s in t.services}

    def test_a_start_and_a_finish_are_one_change_with_both_times(self) -> None:
        start = Told("Deploy", started_at=NOW, outcome=Outcome.IN_PROGRESS, at=NOW, version="2")
        finish = Told(ended_at=NOW + 60, outcome=Outcome.FAILED, at=NOW + 60)
        for order in ([start, finish], [finish, start]):
            change = rules.folded("k", reports(order))
            assert (change.started_at, change.ended_at) == (NOW, NOW + 60)
            assert (change.outcome, change.summary, change.version) == ("failed", "Deploy", "2")

    def test_the_later_word_counts_when_two_contradict_each_other(self) -> None:
        first = Told("Deploy", outcome=Outcome.FAILED, at=NOW, kind=ChangeKind.DEPLOYMENT)
        retried = Told("Deploy", outcome=Outcome.SUCCEEDED, at=NOW + 60)
        change = rules.folded("k", reports([retried, first]))
        assert (change.outcome, change.kind) == (Outcome.SUCCEEDED, ChangeKind.DEPLOYMENT)

    def test_one_that_was_in_progress_ended_when_it_was_first_told_to_be_over(self) -> None:
        start = Told("Deploy", outcome=Outcome.IN_PROGRESS, at=NOW)
        over = [Told(outcome=Outcome.SUCCEEDED, at=NOW + n) for n in (60, 90)]
        change = rules.folded("k", reports([*over, start]))
        assert (change.started_at, change.ended_at) == (NOW, NOW + 60)

    def test_one_that_was_done_and_is_rolled_back_later_lasted_until_then(self) -> None:
        done = Told("Deploy", outcome=Outcome.SUCCEEDED, at=NOW)
        undone = Told(outcome=Outcome.ROLLED_BACK, at=NOW + 60)
        change = rules.folded("k", reports([undone, done]))
        assert (change.started_at, change.ended_at) == (NOW, NOW + 60)

    def test_one_of_which_no_outcome_was_told_is_over(self) -> None:
        assert rules.folded("k", reports([Told("It is done", at=NOW)])).outcome == "succeeded"

    def test_one_in_progress_is_held_to_go_on_for_a_day(self) -> None:
        change = rules.folded("k", reports([Told("x", at=NOW, outcome=Outcome.IN_PROGRESS)]))
        assert rules.until(change) == NOW + 86400
        assert rules.until(replace(change, outcome=Outcome.SUCCEEDED)) == NOW


class TestWhoseItIs:
    @pytest.mark.parametrize(
        ("said", "ours"),
        [
            ("checkout", "checkout"), ("CHECKOUT", "checkout"), ("Check-out", "checkout"),
            ("shop/checkout", "checkout"), ("shop/pay-svc", "payments"),
            ("https://git.example.org/shop/pay-svc", "payments"),
            ("unheard-of", "unheard-of"), ("pay-svc", "pay-svc"),
        ],
    )  # fmt: skip
    def test_a_service_is_known_by_its_names_and_by_its_repository(
        self, said: str, ours: str
    ) -> None:
        assert rules.known_as((said,), SPECS, None) == (ours,)

    def test_the_service_of_the_door_stands_in_for_names_that_nobody_knows(self) -> None:
        assert rules.known_as(("unheard-of",), SPECS, "search") == ("search",)
        assert rules.known_as(("unheard-of", "checkout"), SPECS, "search") == ("checkout",)

    @pytest.mark.parametrize(
        ("environment", "away"),
        [("production", False), ("", False), ("staging", True), ("eu-staging-2", True),
         ("prod-test", False), ("PR_review", True), ("latest", False)],
    )  # fmt: skip
    def test_environments_without_users_are_known_by_their_usual_names(
        self, environment: str, away: bool
    ) -> None:
        change = rules.folded("k", reports([Told("x", at=NOW, environment=environment)]))
        assert rules.away_from_users(change) is away


class TestWhatCannotBe:
    @pytest.mark.parametrize(
        ("told", "says"),
        [
            (Told(), "needs a summary"),
            (Told("x", key="k" * 401), "more than 400"),
            (Told("x", started_at=NOW + 400 * 86400), "too far"),
            (Told("x", started_at=NOW, ended_at=NOW - 1), "before it starts"),
        ],
    )
    def test_is_refused_with_what_is_wrong(self, told: Told, says: str) -> None:
        with pytest.raises(UserError, match=says):
            rules.checked(told, NOW)

    def test_what_is_too_long_is_cut(self) -> None:
        kept = rules.checked(Told("x" * 5000, version="v" * 999, labels={"k": "v" * 9999}), NOW)
        assert (len(kept.summary), len(kept.version), len(kept.labels["k"])) == (1000, 200, 1000)


def record(db: Database, told: Told, door: Door = OURS, now: float = NOW) -> work.Kept:
    with db.write() as conn:
        return work.record(conn, told, door, "ci", SPECS, now)


def deploy(service: str, began: float, version: str = "1.0", **more: Any) -> Told:  # noqa: ANN401
    return Told(
        services=(service,), version=version, started_at=began, kind=ChangeKind.DEPLOYMENT, **more
    )


class TestKeeping:
    def test_a_report_that_comes_again_changes_nothing(self, db: Database) -> None:
        told = deploy("checkout", NOW - 60, key="d1")
        first, second = record(db, told), record(db, told, now=NOW + 5)
        assert (first.created, second.created) == (True, False)
        assert second.change == first.change
        with db.read() as conn:
            assert len(store.reports(conn, first.change.id)) == 1
            assert [e.kind for e in timeline.read(conn)] == ["change.recorded"]

    def test_a_report_without_a_key_is_known_by_what_it_says(self, db: Database) -> None:
        told = deploy("checkout", NOW - 60)
        assert record(db, told).change.id == record(db, told).change.id
        assert record(db, replace(told, version="1.1")).created

    def test_a_report_that_says_no_time_and_no_key_is_each_time_a_change_of_its_own(
        self, db: Database
    ) -> None:
        assert record(db, Told("Restarted")).created
        assert record(db, Told("Restarted")).created

    def test_two_doors_with_the_same_key_mean_two_changes(self, db: Database) -> None:
        told = deploy("checkout", NOW, key="17")
        assert record(db, told, Door("github")).created
        assert record(db, told, Door("gitlab")).created

    def test_start_and_finish_are_merged_whichever_comes_first(self, db: Database) -> None:
        start = deploy("checkout", NOW - 90, key="d", outcome=Outcome.IN_PROGRESS, at=NOW - 90)
        finish = Told("", ended_at=NOW, outcome=Outcome.SUCCEEDED, key="d", at=NOW, version="1.0")
        record(db, finish)
        kept = record(db, start).change
        assert (kept.started_at, kept.ended_at, kept.outcome) == (NOW - 90, NOW, "succeeded")
        with db.read() as conn:
            assert store.get(conn, kept.id) == kept
            assert work.changes_between(conn, ["checkout"], NOW - 100, NOW - 80) == [kept]

    def test_ending_says_when_and_how_and_by_whom_in_the_timeline(self, db: Database) -> None:
        kept = record(db, deploy("checkout", NOW - 60, outcome=Outcome.IN_PROGRESS)).change
        with db.write() as conn:
            ended = work.end(conn, kept.id, Outcome.ROLLED_BACK, "ann", SPECS, NOW)
        assert (ended.outcome, ended.ended_at) == (Outcome.ROLLED_BACK, NOW)
        with db.read() as conn:
            last = timeline.read(conn, subject=f"change/{kept.id}")[-1]
        assert (last.kind, last.actor) == ("change.rolled_back", "ann")

    def test_a_change_that_is_not_there_cannot_end(self, db: Database) -> None:
        with db.write() as conn, pytest.raises(NotFound, match="no change 99"):
            work.end(conn, 99, Outcome.FAILED, "ann", SPECS, NOW)

    def test_of_a_change_that_is_told_of_without_end_some_reports_are_kept(
        self, db: Database
    ) -> None:
        for n in range(rules.MOST_REPORTS + 5):
            kept = record(db, deploy("checkout", NOW, key="d", at=NOW + n, summary=f"{n} done"),
                          now=NOW + n)  # fmt: skip
        with db.read() as conn:
            left = store.reports(conn, kept.change.id)
        assert len(left) == rules.MOST_REPORTS
        assert left[0].told.summary == "0 done"
        assert kept.change.summary == f"{rules.MOST_REPORTS + 4} done"

    def test_old_changes_are_forgotten(self, db: Database) -> None:
        record(db, deploy("checkout", NOW - work.KEEP - 1))
        young = record(db, deploy("checkout", NOW)).change
        with db.write() as conn:
            assert work.tidy(conn, NOW) == 1
            assert store.find(conn, Wanted()) == [young]
            assert store.services(conn) == ["checkout"]


class TestFinding:
    def test_pages_hold_every_change_once_though_many_began_at_once(self, db: Database) -> None:
        for n in range(25):
            record(db, deploy("checkout", NOW + n // 10, f"1.{n}"))
        seen: list[Change] = []
        with db.read() as conn:
            after = None
            while page := store.find(conn, Wanted(), after, 4):
                seen += page
                after = page[-1].started_at, page[-1].id
        assert len({c.id for c in seen}) == 25
        assert seen == sorted(seen, key=lambda c: (-c.started_at, -c.id))

    def test_they_are_filtered_by_service_kind_environment_outcome_text_and_time(
        self, db: Database
    ) -> None:
        one = record(db, deploy("checkout", NOW - HOUR, environment="production")).change
        record(db, Told("Pool grown", services=("search",), kind=ChangeKind.INFRASTRUCTURE,
                        started_at=NOW, outcome=Outcome.FAILED))  # fmt: skip
        wanteds = [
            Wanted(services=["checkout", "unheard-of"]), Wanted(kinds=["deployment"]),
            Wanted(environment="production"), Wanted(outcome="succeeded"), Wanted(text="CHECK"),
            Wanted(end=NOW), Wanted(start=NOW - 2 * HOUR, end=NOW - HOUR + 1),
        ]  # fmt: skip
        with db.read() as conn:
            for wanted in wanteds:
                assert store.find(conn, wanted) == [one], wanted
                assert store.count(conn, wanted) == 1
            assert store.find(conn, Wanted(text="100%_")) == []

    def test_a_change_belongs_to_every_interval_that_it_reaches_into(self, db: Database) -> None:
        long = replace(deploy("checkout", NOW), ended_at=NOW + HOUR)
        kept = record(db, long).change
        with db.read() as conn:
            for start, end, there in [
                (-60, 0, False), (-60, 1, True), (600, 700, True), (3599, 9999, True),
                (3600, 9999, False),
            ]:  # fmt: skip
                found = work.changes_between(conn, ["checkout"], NOW + start, NOW + end)
                assert found == ([kept] if there else []), (start, end)
            assert work.changes_between(conn, [], NOW, NOW + 1) == []

    def test_the_latest_before_an_instant(self, db: Database) -> None:
        for n in range(3):
            record(db, deploy("checkout", NOW + n, f"1.{n}"))
        with db.read() as conn:
            found = work.latest(conn, ["checkout"], NOW + 2, 1)
        assert [c.version for c in found] == ["1.1"]

    def test_counts_by_step_add_up_to_all_that_were_under_way(self, db: Database) -> None:
        record(db, replace(deploy("checkout", NOW - 30), ended_at=NOW + 5, services=("checkout",)))
        for n in range(6):
            record(db, deploy("checkout", NOW + 10 * n, f"1.{n}"))
        with db.read() as conn:
            found = store.count_by_step(conn, ["checkout", "search"], NOW, NOW + 60, 20.0)
        assert found == {(0, "deployment"): 3, (1, "deployment"): 2, (2, "deployment"): 2}
