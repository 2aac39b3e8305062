"""People answer by what reached them: a button in Slack, a text, a key in a call, a tap in a push.

The messages go through the real chain; what comes back is posted to the server as Slack, Twilio and
ntfy do, with their signatures.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import json
from collections.abc import Mapping
from urllib.parse import quote, urlencode

import httpx2
import pytest

from tests.support.duty import HERE, SITE, World, specs, user
from tests.support.intake import PAYLOADS
from watchkeeper.engine.board import Board
from watchkeeper.faces.duty import Duty
from watchkeeper.faces.server import build_server
from watchkeeper.faces.services import Services
from watchkeeper.notify.channels.twilio import twiml
from watchkeeper.oncall.model import Page, PageState
from watchkeeper.spec.duty import ChannelDefinition, ChannelType, ContactDefinition, NotifyRule
from watchkeeper.store import Database

NUMBER = "+15550101"
CHANNELS = {
    "push": ChannelDefinition("push", ChannelType.NTFY, {}, HERE),
    "sms": ChannelDefinition("sms", ChannelType.SMS, {"auth_token": "twilio's"}, HERE),
    "call": ChannelDefinition("call", ChannelType.VOICE, {"auth_token": "twilio's"}, HERE),
    "room": ChannelDefinition("room", ChannelType.SLACK, {"signing_secret": "slack's"}, HERE),
}


class Place:
    """A page that is open because ann was called, and the server's doors for answers."""

    def __init__(self, db: Database, first: str) -> None:
        addresses = {"sms": NUMBER, "call": NUMBER, "push": "ann", "room": "U0ANN"}
        contacts = tuple(ContactDefinition(c, a) for c, a in addresses.items())
        ann = user("ann", contacts=contacts, page=(NotifyRule(0, first), NotifyRule(300, "call")))
        everyone = {**{n: user(n) for n in ("ben", "cho", "dee")}, "ann": ann}
        self.world = World(db, specs(users=everyone, channels=CHANNELS))
        board = Board()
        board.post(specs=self.world.specs, ticked_at=self.world.clock.now())
        duty = Duty(db, board, self.world.clock, SITE)
        self.app = build_server(Services(db, board, self.world.clock), duty=duty)
        self.world.signal()
        self.world.run(1)

    @property
    def page(self) -> Page:
        return self.world.page()

    def signed(self, action: str = "ack") -> str:
        """The signed value of the button that ann's message had."""
        return next(a.value for a in self.world.sent[0].message.actions if a.name == action)

    def post(self, path: str, body: bytes, headers: Mapping[str, str]) -> httpx2.Response:
        async def ask() -> httpx2.Response:
            transport = httpx2.ASGITransport(self.app)
            async with httpx2.AsyncClient(transport=transport, base_url="http://watch") as client:
                return await client.post(path, content=body, headers=dict(headers))

        return asyncio.run(ask())

    def slack(self, body: bytes, secret: str = "slack's") -> httpx2.Response:
        """A request as Slack signs it."""
        stamp = str(int(self.world.clock.now()))
        base = b"v0:" + stamp.encode() + b":" + body
        made = "v0=" + hmac.new(secret.encode(), base, hashlib.sha256).hexdigest()
        headers = {"x-slack-request-timestamp": stamp, "x-slack-signature": made}
        return self.post("/hook/slack/room", body, headers)

    def twilio(self, path: str, token: str = "twilio's", **form: str) -> httpx2.Response:
        """A request as Twilio signs it."""
        base = SITE.base_url + path + "".join(k + form[k] for k in sorted(form))
        digest = hmac.new(token.encode(), base.encode(), hashlib.sha1).digest()
        headers = {"x-twilio-signature": base64.b64encode(digest).decode()}
        return self.post(path, urlencode(form).encode(), headers)


@pytest.fixture
def place(db: Database) -> Place:
    return Place(db, "sms")


def pressed(value: str, member: str = "W111") -> bytes:
    """Slack's own message about a button, with our value in it."""
    body = json.loads((PAYLOADS / "slack/block_actions.body.json").read_bytes())
    body["actions"][0]["value"] = value
    body["user"]["id"] = member
    return b"payload=" + quote(json.dumps(body)).encode()


def test_a_button_in_slack_acknowledges_as_whoever_pressed_it(place: Place) -> None:
    assert place.slack(pressed(place.signed()), "another's").status_code == 401
    assert place.page.state is PageState.OPEN

    assert place.slack(pressed(place.signed())).status_code == 200

    assert (place.page.state, place.page.acked_by) == (PageState.ACKED, "primary-owner")


def test_a_button_is_pressed_by_the_user_whose_member_id_slack_names(place: Place) -> None:
    value = place.signed()

    assert place.slack(pressed(value, member="U0ANN")).status_code == 200

    assert (place.page.state, place.page.acked_by) == (PageState.ACKED, "ann")


def test_whatever_else_slack_sends_is_taken_and_does_nothing(place: Place) -> None:
    for path in sorted((PAYLOADS / "slack").iterdir()):
        answer = place.slack(path.read_bytes())
        assert answer.status_code == 200, (path.name, answer.text)
    assert place.slack(b"payload=" + b"[" * 9000).status_code == 200
    assert place.slack(b'{"type":"url_verification","challenge":"c"}').text == "c"
    assert place.page.state is PageState.OPEN


@pytest.mark.parametrize("stamp", ["", "x", "-1", "1e9", "9" * 5000, "\xb2"])
def test_a_time_that_is_none_is_refused_and_breaks_nothing(place: Place, stamp: str) -> None:
    headers = {"x-slack-request-timestamp": stamp.encode("latin-1"), "x-slack-signature": b"v0=x"}

    assert place.post("/hook/slack/room", b"{}", headers).status_code == 401  # type: ignore[arg-type]


def test_a_text_acknowledges_and_another_resolves(place: Place) -> None:
    sms = "/hook/sms/sms"
    assert place.twilio(sms, "wrong", From=NUMBER, Body="ack").status_code == 403
    assert "Reply ACK or RESOLVE" in place.twilio(sms, From=NUMBER, Body="what?").text
    assert "no page" in place.twilio(sms, From="+15550999", Body="ack").text
    assert "no page" in place.twilio(sms, From=NUMBER, Body="ack 77").text
    assert place.page.state is PageState.OPEN

    assert "You have it: page 1." in place.twilio(sms, From=NUMBER, Body="Ack").text
    assert (place.page.state, place.page.acked_by) == (PageState.ACKED, "ann")
    assert "Resolved: page 1." in place.twilio(sms, From=NUMBER, Body="resolve 1").text
    assert (place.page.state, place.page.resolved_by) == (PageState.RESOLVED, "ann")


def test_a_key_in_a_call_acknowledges(db: Database) -> None:
    place = Place(db, "call")
    (sent,) = place.world.sent
    said = twiml(sent.message)
    path = said.partition(f'action="{SITE.base_url}')[2].partition('"')[0]
    assert path.startswith("/hook/voice/")

    assert "means nothing" in place.post(path, b"Digits=9", {}).text
    forged = place.post(path[:-4] + "AAAA", b"Digits=1", {})
    assert "not valid" in forged.text
    assert place.page.state is PageState.OPEN

    assert "Acknowledged" in place.post(path, b"Digits=1", {}).text
    assert (place.page.state, place.page.acked_by) == (PageState.ACKED, "ann")
    assert "Resolved" in place.post(path, b"Digits=2", {}).text


def test_a_button_of_a_push_acknowledges_by_one_request(db: Database) -> None:
    place = Place(db, "push")
    action = next(a for a in place.world.sent[0].message.actions if a.name == "ack")

    # ntfy's app posts the address with nothing else: no session, no origin.
    answer = place.post(action.url.removeprefix(SITE.base_url), b"", {})

    assert answer.status_code == 200
    assert (place.page.state, place.page.acked_by) == (PageState.ACKED, "ann")


def test_a_receipt_that_says_undelivered_starts_the_next_way_once(place: Place) -> None:
    status = "/hook/status/sms"
    assert place.twilio(status, "x", MessageSid="id-1", MessageStatus="failed").status_code == 403
    place.twilio(status, MessageSid="id-1", MessageStatus="delivered")
    place.twilio(status, MessageSid="nobody's", MessageStatus="failed")
    place.world.run(2)
    assert [s.channel for s in place.world.sent] == ["sms"]

    for _ in range(2):  # Twilio may tell it twice
        place.twilio(status, MessageSid="id-1", MessageStatus="undelivered")
    place.world.run(2)

    assert [s.channel for s in place.world.sent] == ["sms", "call"]
    assert place.world.sent[1].at - place.world.sent[0].at < 10
