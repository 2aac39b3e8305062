"""From an alert to an acknowledged page: who is called, when, by what, and when it stops."""

from __future__ import annotations

from tests.support.duty import START, World, policy, schedule, specs, to, user
from watchkeeper.notify.model import Message, MessageKind, TransportError
from watchkeeper.oncall.model import PageState
from watchkeeper.spec.duty import TargetKind
from watchkeeper.store import Database


def test_the_first_person_is_called_at_once_by_push_then_by_text_then_by_voice(
    db: Database,
) -> None:
    world = World(db)
    world.signal()

    world.run(299)

    assert world.log() == [(0, "push", "ann@push"), (120, "sms", "ann@sms")]


def test_the_second_person_is_called_when_the_first_does_not_answer(db: Database) -> None:
    world = World(db)
    world.signal()

    world.run(310)

    assert (300, "push", "cho@push") in world.log()
    assert (300, "call", "ann@call") in world.log()


def test_the_whole_policy_repeats_and_then_the_fallback_is_called_again_and_again(
    db: Database,
) -> None:
    world = World(db)
    world.signal()

    world.run(3 * 3600, every=60)

    pushes = [(at, who) for at, channel, who in world.log() if channel == "push"]
    first = [(0, "ann@push"), (300, "cho@push"), (600, "ann@push"), (900, "cho@push")]
    assert pushes[:4] == first
    assert {who for at, who in pushes if at == 1200} == {
        "ann@push", "ben@push", "cho@push", "dee@push"
    }  # fmt: skip
    late = [at for at, _ in pushes if at > 1200]
    assert max(b - a for a, b in zip([1200, *late], late, strict=False)) <= 900


def test_an_acknowledged_page_sends_no_more_calls(db: Database) -> None:
    world = World(db)
    world.signal()
    world.run(10)
    before = len(world.sent)

    world.ack()
    world.run(3000, every=30)

    assert world.sent[before:] == []
    assert world.page().state is PageState.ACKED


def test_an_acknowledgement_expires_and_the_escalation_starts_anew(db: Database) -> None:
    world = World(db)
    world.signal()
    world.run(10)
    world.ack()

    world.run(3601, every=10)

    assert world.page().state is PageState.OPEN
    assert world.log()[-1][1:] == ("push", "ann@push")


def test_when_all_alerts_close_the_page_is_resolved_and_those_called_are_told(
    db: Database,
) -> None:
    world = World(db)
    world.signal("a")
    world.signal("b")
    world.run(1)
    world.signal("a", action="resolve")
    world.run(1)
    assert world.page().state is PageState.OPEN

    world.signal("b", action="resolve")
    world.run(1)

    assert world.page().state is PageState.RESOLVED
    assert world.sent[-1].message.kind is MessageKind.RESOLVED
    assert world.sent[-1].address == "ann@push"


def test_alerts_of_one_service_share_a_page(db: Database) -> None:
    world = World(db)
    world.signal("a")
    world.run(5)
    world.signal("b")
    world.run(5)

    assert world.page().alerts == 2
    assert world.log() == [(0, "push", "ann@push")]


def test_the_callees_page_carries_its_callers_alerts(db: Database) -> None:
    world = World(db)
    world.signal("down", service="payments")
    world.signal("up", service="checkout")
    world.signal("other", service="search")

    world.run(1)

    with db.read() as conn:
        from watchkeeper.oncall import store

        pages = store.find(conn)
    assert {(p.service, p.alerts) for p in pages} == {("payments", 2), ("search", 1)}


def test_a_closed_alert_frees_its_key(db: Database) -> None:
    world = World(db)
    first = world.signal()
    again = world.signal()
    world.signal(action="resolve")
    assert again == first

    assert world.signal() != first


def test_a_failing_channel_hands_over_to_the_next_at_once_and_is_tried_again(
    db: Database,
) -> None:
    world = World(db)
    broken = [TransportError("busy")] * 3

    def fail(_: Message, address: str) -> TransportError | None:
        return broken.pop() if broken and address == "ann@push" else None

    world.channels["push"].fail = fail
    world.signal()

    world.run(60)

    channels = [channel for _, channel, _ in world.log()]
    assert channels[0] == "sms"
    assert "push" in channels
    assert not broken


def test_a_permanent_failure_is_not_tried_again(db: Database) -> None:
    world = World(db)
    tried = []

    def fail(_: Message, address: str) -> TransportError:
        tried.append(address)
        return TransportError("no such topic", permanent=True)

    world.channels["push"].fail = fail
    world.signal()

    world.run(60)

    assert tried == ["ann@push"]
    assert [who for _, _, who in world.log()] == ["ann@sms"]


def test_an_unknown_outcome_is_sent_again_and_marked(db: Database) -> None:
    world = World(db)
    answers = [TransportError("cut after reading", unknown=True)]
    world.channels["push"].fail = lambda _m, _a: answers.pop() if answers else None
    world.signal()

    world.run(30)

    pushes = [s.message for s in world.sent if s.channel == "push"]
    assert [m.maybe_duplicate for m in pushes] == [False, True]
    assert pushes[0].id == pushes[1].id


def test_an_edit_of_the_policy_does_not_change_a_running_escalation(db: Database) -> None:
    world = World(db)
    world.signal()
    world.run(10)
    world.specs = specs(
        escalation_policies={"default": policy((to(TargetKind.USER, "dee"), 9999.0))}
    )

    world.run(300)

    assert (300, "push", "cho@push") in world.log()


def test_a_schedule_with_a_gap_goes_on_to_the_next_step_at_once(db: Database) -> None:
    empty = schedule("first", "-")
    world = World(db, specs(schedules={"first": empty, "second": schedule("second", "cho", "dee")}))
    world.signal()

    world.run(2)

    assert world.log()[0][1:] == ("push", "cho@push")


def test_a_page_that_can_call_nobody_stays_open_with_a_next_step(db: Database) -> None:
    world = World(db, specs(users={"ann": user("ann", contacts=())}))
    world.signal()

    world.run(600, every=20)

    page = world.page()
    assert page.state is PageState.OPEN
    assert page.due_at is not None
    assert page.due_at <= START + 600 + 60


def test_many_pages_for_one_person_are_bundled(db: Database) -> None:
    world = World(db)
    for n in range(200):
        world.signal(f"k{n}", service=f"service-{n}")

    world.run(60)

    pushes = [s for s in world.sent if s.channel == "push"]
    assert pushes[0].at == START
    assert len(pushes) <= 8
    said = " ".join(s.message.title for s in pushes)
    assert "pages:" in said
    assert all(world.page(n).first_call_at is not None for n in range(1, 201))


def test_a_ticket_wakes_nobody_and_is_told_when_people_work(db: Database) -> None:
    world = World(db)
    night = START + 14 * 3600  # Monday 22:00 UTC; Tuesday is Ben's turn
    world.clock.seconds = night
    world.signal(severity="warning")

    world.run(10 * 3600, every=600)
    assert world.sent == []

    world.run(2 * 3600, every=600)

    assert {(s.at, s.address) for s in world.sent} == {
        (night + 11 * 3600, f"ben@{c}") for c in ("push", "sms", "call")
    }


def test_a_ticket_does_not_escalate_but_is_told_again_next_day(db: Database) -> None:
    world = World(db)
    world.clock.seconds = START + 2 * 3600
    world.signal(severity="warning")

    world.run(30 * 3600, every=600)

    days = sorted({(s.at - START) // 3600 for s in world.sent})
    assert days == [2, 26]
    assert {s.address for s in world.sent} <= {
        f"{n}@{c}" for n in ("ann", "ben") for c in ("push", "sms", "call")
    }


def test_a_message_says_each_thing_once_and_the_time_as_a_clock_shows_it(db: Database) -> None:
    world = World(db)
    world.signal(details={"explanation": "burn over 1 hour is 21×, at least 14.4×"})
    world.run(1)

    (sent,) = world.sent
    assert sent.message.title == "#1 checkout fails"
    assert sent.message.body == "Burn over 1 hour is 21×, at least 14.4×.\nSince 08:00 UTC."


def test_a_message_lists_the_alerts_that_its_title_does_not_tell_of(db: Database) -> None:
    world = World(db)
    world.signal("a", summary="disk full")
    world.signal("b", summary="slow")
    world.signal("c", summary="slower")
    world.run(1)
    world.signal("a", action="resolve")
    world.signal("b", action="resolve")
    world.signal("c", action="resolve")
    world.run(125)

    first, over = world.sent[0].message, world.sent[-1].message
    assert first.title == "#1 checkout: disk full (+2 more)"
    assert first.lines == ("checkout: slow", "checkout: slower")
    assert (over.title, over.body) == ("#1 is over: disk full", "It was open for 1 s.")
