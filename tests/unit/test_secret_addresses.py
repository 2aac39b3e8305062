"""Addresses that are secrets: sent to, and never kept, logged, listed or given away."""

from __future__ import annotations

import asyncio
import csv
import io
import json
import logging
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx2
import pytest

from tests.support import providers
from tests.support.duty import HERE, SITE, START, World, policy, specs, to, user
from tests.support.duty_specs import codes, doc, specs_of
from watchkeeper.access.model import Scope
from watchkeeper.access.work import create_token
from watchkeeper.engine.board import Board
from watchkeeper.faces.addresses import meant, shown_in
from watchkeeper.faces.duty import Duty
from watchkeeper.faces.server import build_server
from watchkeeper.faces.services import Services
from watchkeeper.kernel.errors import NotFound
from watchkeeper.kernel.secrets import as_text, is_reference, resolve
from watchkeeper.notify.addresses import shown
from watchkeeper.notify.channels import open_channel
from watchkeeper.notify.model import Transport
from watchkeeper.spec.duty import ChannelDefinition, ChannelType, ContactDefinition, TargetKind
from watchkeeper.store import Database

KEY = "0123456789abcdef0123456789abcdef"
NAMED = "{env: WK_TEST_ROUTING_KEY}"


@pytest.fixture
def pagerduty(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[providers.Provider, World, Any]]:
    """A provider, and how a world is made whose ann is reached by its key."""
    monkeypatch.setenv("WK_TEST_ROUTING_KEY", KEY)
    with providers.running(providers.pagerduty) as provider:
        settings = {"url": provider.url, "allow_private": True, "timeout": "2s"}
        made = ChannelDefinition("push", ChannelType.PAGERDUTY, settings, HERE)

        def world(db: Database) -> World:
            base = specs()
            ann = user("ann", contacts=(ContactDefinition("push", NAMED),), page=())
            people = {**base.duty.users, "ann": ann}
            channels = {**base.duty.channels, "push": made}
            duty = replace(base.duty, users=people, channels=channels)
            its = World(db, replace(base, duty=duty))
            its.channels["push"] = open_channel(made)  # type: ignore[assignment]
            return its

        yield provider, world, made  # type: ignore[misc]


def test_the_provider_gets_the_key_and_nothing_of_ours_keeps_it(
    pagerduty: Any,  # noqa: ANN401
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    provider, world, _ = pagerduty
    caplog.set_level(logging.DEBUG)
    db = Database.open(str(tmp_path / "wk.db"))
    its = world(db)
    provider.mode = "down"  # so that an error is recorded as well
    its.signal()
    its.run(1)
    provider.mode = "ok"
    its.run(120)
    said = asked(its, "/api/v1/pages/1", "/api/v1/deliveries", "/api/v1/contacts",
                 "/api/v1/drills/proofs", "/pages/1", "/reach",
                 "/reach/contacts.csv", "/reach/messages.csv", "/oncall/policies.csv")  # fmt: skip
    db.close()

    assert [body["routing_key"] for body in provider.taken[:1]] == [KEY]
    kept = b"".join(p.read_bytes() for p in tmp_path.iterdir())
    assert NAMED.encode() in kept
    assert KEY.encode() not in kept
    assert KEY not in caplog.text
    assert NAMED in json.loads(said[1])[-1]["address"]
    assert all(KEY not in text for text in said)


def test_a_key_that_was_written_in_the_clear_is_shown_nowhere(tmp_path: Path) -> None:
    base = specs()
    way = ChannelDefinition("push", ChannelType.PAGERDUTY, {}, HERE)
    ann = user("ann", contacts=(ContactDefinition("push", KEY),), page=())
    first = (to(TargetKind.CHANNEL, "push", KEY), 300.0)
    people = {**base.duty.users, "ann": ann}
    duty = replace(
        base.duty,
        users=people,
        channels={**base.duty.channels, "push": way},
        escalation_policies={"default": policy(first, (to(TargetKind.USER, "ann"), 300.0))},
    )
    db = Database.open(str(tmp_path / "wk.db"))
    its = World(db, replace(base, duty=duty))
    its.signal()
    its.run(400)
    assert KEY in {s.address for s in its.sent}

    said = asked(its, "/api/v1/pages/1", "/api/v1/deliveries", "/api/v1/contacts",
                 "/api/v1/channels", "/api/v1/drills/proofs", "/api/v1/escalation-policies",
                 "/pages/1", "/alerts/1", "/alerts", "/oncall", "/reach", "/reach/contacts.csv",
                 "/reach/messages.csv", "/oncall/policies.csv")  # fmt: skip
    db.close()

    assert "…cdef" in said[1]
    contacts, messages, policies = (list(csv.DictReader(io.StringIO(t))) for t in said[-3:])
    assert [
        (c["user"], c["channel"], c["address"][-5:]) for c in contacts if c["user"] == "ann"
    ] == [("ann", "push", "…cdef")]
    assert messages[0]["state"] == "sent"
    assert [(p["step"], p["after_seconds"], p["calls"]) for p in policies] == [
        ("1", "0.0", "Channel push"), ("2", "300.0", "User Ann"),
    ]  # fmt: skip
    assert [text for text in said if KEY in text] == []


def asked(its: World, *paths: str) -> list[str]:
    """What the server answers to somebody who may do all."""
    board = Board()
    board.post(specs=its.specs, ticked_at=START)
    services = Services(its.db, board, its.clock)
    app = build_server(services, duty=Duty(its.db, board, its.clock, SITE))
    with its.db.write() as conn:
        secret = create_token(conn, "t", list(Scope), START, "test", None)

    async def go() -> list[str]:
        headers = {"Authorization": f"Bearer {secret}"}
        transport = httpx2.ASGITransport(app=app)
        async with httpx2.AsyncClient(transport=transport, base_url="http://wk") as client:
            answers = [await client.get(path, headers=headers) for path in paths]
        assert [a.status_code for a in answers] == [200] * len(paths)
        return [a.text for a in answers]

    return asyncio.run(go())


def test_a_reference_to_nothing_fails_with_its_name_and_the_next_way_is_tried(
    pagerduty: Any,  # noqa: ANN401
    db: Database,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    _, world, _ = pagerduty
    monkeypatch.delenv("WK_TEST_ROUTING_KEY")
    its = world(db)
    its.signal()
    its.run(1)

    duty = Duty(db, Board(), its.clock, SITE)
    assert "WK_TEST_ROUTING_KEY is not set" in duty.deliveries()[-1].outcome


def test_an_error_that_names_the_secret_is_cleaned_of_it(monkeypatch: pytest.MonkeyPatch) -> None:
    from watchkeeper.notify.addresses import Resolving
    from watchkeeper.notify.model import Message, MessageKind, Receipt, TransportError

    class Telling:
        def send(self, message: Message, address: str) -> Receipt:
            raise TransportError(f"no such key {address}", f"mend {address}", permanent=True)

        def close(self) -> None:
            """Nothing."""

    monkeypatch.setenv("WK_TEST_ROUTING_KEY", KEY)
    telling: Transport = Telling()
    with pytest.raises(TransportError) as raised:
        Resolving(telling).send(Message("1", MessageKind.TEST, "t", "b", START), NAMED)

    assert raised.value.permanent
    assert (raised.value.message, raised.value.hint) == (f"no such key {NAMED}", f"mend {NAMED}")


@pytest.mark.parametrize(
    ("kind", "address", "expected"),
    [
        ("pagerduty", KEY, "…cdef"),
        ("pagerduty", "short", "…"),
        ("opsgenie", "a-b-c-d-e-f-1234", "…1234"),
        ("apprise", "tgram://123:secret/42", "tgram://…"),
        ("webhook", "https://hooks.example/T0/B0/secret", "https://hooks.example/…"),
        ("webhook", "https://u:p@hooks.example/x", "https://hooks.example/…"),
        ("pagerduty", NAMED, NAMED),
        ("email", "ann@example.org", "ann@example.org"),
    ],
)
def test_an_address_is_shown_without_what_is_secret_in_it(
    kind: str, address: str, expected: str
) -> None:
    assert shown(ChannelType(kind), address) == expected


def test_what_was_shown_may_be_given_back_and_means_the_address() -> None:
    base = specs()
    way = ChannelDefinition("push", ChannelType.OPSGENIE, {}, HERE)
    ann = user("ann", contacts=(ContactDefinition("push", KEY),))
    duty = replace(base.duty, users={"ann": ann}, channels={**base.duty.channels, "push": way})
    its = replace(base, duty=duty)

    assert meant(its, "push", shown_in(its, "push", KEY)) == KEY
    assert meant(its, "push", KEY) == KEY
    assert meant(its, "push", "another") == "another"


@pytest.mark.parametrize("given", ["{env: PATH}", "{file: /etc/hostname}"])
def test_nobody_can_have_a_variable_or_file_of_the_server_sent_to_them(
    db: Database, given: str
) -> None:
    its = World(db)
    board = Board()
    board.post(specs=its.specs, ticked_at=START)
    duty = Duty(db, board, its.clock, SITE)
    its.signal()
    its.run(1)

    with pytest.raises(NotFound, match="No definition has the address"):
        duty.test_channel("push", given, "mallory")
    with pytest.raises(NotFound, match="No definition has the address"):
        duty.reassign(1, "mallory", [f"channel:push@{given}"], "")
    with pytest.raises(NotFound, match="No definition has the address"):
        duty.add_responders(1, "mallory", [f"channel:push@{given}"])


def test_an_answer_from_a_phone_that_is_kept_as_a_reference_is_understood(
    db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WK_TEST_PHONE", "+4915112345678")
    phone = as_text({"env": "WK_TEST_PHONE"})
    ann = user("ann", contacts=(ContactDefinition("sms", phone),), page=())
    base = specs()
    its = World(db, replace(base, duty=replace(base.duty, users={**base.duty.users, "ann": ann})))
    board = Board()
    board.post(specs=its.specs, ticked_at=START)
    its.signal()
    its.run(1)
    duty = Duty(db, board, its.clock, SITE)

    assert duty.last_page_of("+4915112345678", None) == (1, "ann")
    with pytest.raises(NotFound):
        duty.last_page_of(phone, None)


def test_a_reference_is_read_from_yaml_and_a_key_in_the_clear_is_warned_of() -> None:
    channel = doc("Channel", {"type": "pagerduty"}, "pd")

    def person(address: object) -> str:
        return doc("User", {"contacts": [{"channel": "pd", "address": address}]}, "ann")

    found = specs_of(channel, person({"file": "/run/secrets/pd"})).duty.users["ann"]
    assert found.contacts[0].address == "{file: /run/secrets/pd}"
    assert codes(channel, person({"env": "PD"})) == []
    assert codes(channel, person(KEY)) == ["secret-in-spec"]
    for wrong in ({"env": "A", "file": "b"}, {"vault": "x"}, {"env": ""}, {"env": 3}, {}):
        assert codes(channel, person(wrong))[0] == "bad-reference", wrong
    target = {"channel": "pd", "address": {"env": "PD"}}
    policy = doc("EscalationPolicy", {"steps": [{"notify": [target]}]}, "p")
    made = specs_of(channel, policy).duty.escalation_policies["p"]
    assert made.steps[0].targets[0].address == "{env: PD}"


def test_a_kept_reference_resolves_and_other_texts_stay_what_they_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "key").write_text(KEY + "\n")
    monkeypatch.setenv("WK_TEST_ROUTING_KEY", "x")
    assert resolve(as_text({"file": str(tmp_path / "key")}), "it") == KEY
    assert resolve(NAMED, "it") == "x"
    for text in ("+4930123456", "ann's phone", "{env: }", "{env: A} ", "a{env: A}", "{vault: A}"):
        assert not is_reference(text)
        assert resolve(text, "it") == text
