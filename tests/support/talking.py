"""A small world whose incidents go on in Slack and Matrix, stepped by hand."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any
from urllib.parse import urlencode

import httpx2

from tests.support.chats import MATRIX_TOKEN, SLACK_TOKEN, Homeserver, Workspace
from tests.support.duty import HERE, SITE, START, specs, user
from tests.support.synapse import Synapse
from watchkeeper.access.model import Role
from watchkeeper.access.people import NewAccount, add_account
from watchkeeper.engine.board import Board
from watchkeeper.engine.chatting import BEYOND
from watchkeeper.engine.rooms import RoomsLoop
from watchkeeper.faces.channel import Channel
from watchkeeper.faces.duty import Duty
from watchkeeper.faces.incidents import Incidents
from watchkeeper.faces.server import build_server
from watchkeeper.faces.services import Services
from watchkeeper.incidents import store
from watchkeeper.incidents.chat import store_rooms
from watchkeeper.incidents.chat.hearing import Ears
from watchkeeper.incidents.chat.mirroring import Mirrors
from watchkeeper.incidents.chat.model import Room
from watchkeeper.incidents.chat.opening import Chats
from watchkeeper.incidents.keeping import By
from watchkeeper.incidents.model import Entry
from watchkeeper.kernel.clock import VirtualClock
from watchkeeper.spec.duty import (
    ChannelDefinition,
    ChannelType,
    ContactDefinition,
    MirrorDefinition,
)
from watchkeeper.spec.model import Specs
from watchkeeper.store import Database

SECRET = "signing secret of the tests"
ANN = By("ann", "web")


class World:
    """Incidents, the chats that they go on in, and people who write there."""

    def __init__(
        self,
        db: Database,
        slack: Workspace | None = None,
        matrix: Homeserver | Synapse | None = None,
        token: str = MATRIX_TOKEN,
    ) -> None:
        self.db, self.slack, self.matrix, self.token = db, slack, matrix, token
        self.clock = VirtualClock(START)
        self.board = Board()
        self.board.post(specs=self._specs(), ticked_at=START)
        self.duty = Duty(db, self.board, self.clock, SITE)
        self.incidents = Incidents(db, self.board, self.clock, SITE)
        self.channel = Channel(self.duty)
        self.app = build_server(Services(db, self.board, self.clock), duty=self.duty)
        self.loop = self.replica()
        for name, role in (("ann", Role.RESPONDER), ("ben", Role.VIEWER)):
            add_account(db, NewAccount(name, "correct horse battery staple", role), START, "test")

    def _specs(self) -> Specs:
        people = {n: self._user(n) for n in ("ann", "ben", "cho", "dee")}
        channels = {"mail": ChannelDefinition("mail", ChannelType.EMAIL, {}, HERE)}
        mirrors = {}
        common = {"allow_private": True, "timeout": "2s"}
        if self.slack is not None:
            settings = {"url": self.slack.url, "token": SLACK_TOKEN, "signing_secret": SECRET}
            channels["slack"] = ChannelDefinition(
                "slack", ChannelType.SLACK, {**settings, **common}, HERE
            )
            mirrors["s"] = MirrorDefinition("s", "slack", HERE, severities=("SEV1", "SEV2"))
            self.slack.people = {f"U00{n.upper()}": (n, f"{n}@example.org") for n in people}
        if self.matrix is not None:
            settings = {"url": self.matrix.url, "token": self.token}
            channels["matrix"] = ChannelDefinition(
                "matrix", ChannelType.MATRIX, {**settings, **common}, HERE
            )
            mirrors["m"] = MirrorDefinition("m", "matrix", HERE)
        made = specs(users=people)
        duty = replace(made.duty, channels={**made.duty.channels, **channels}, mirrors=mirrors)
        return replace(made, duty=duty)

    @staticmethod
    def _user(name: str) -> Any:  # noqa: ANN401 - a UserDefinition
        ways = (
            ContactDefinition("mail", f"{name}@example.org"),
            ContactDefinition("matrix", f"@{name}:test.local"),
        )
        return user(name, contacts=ways, page=())

    def replica(self) -> RoomsLoop:
        """Another process, as it were, on the same database."""
        found = Chats(lambda: self.board.posting.specs.duty)

        def now(work: Any) -> None:  # noqa: ANN401 - a callable
            work()

        its = Mirrors(
            self.db, SITE, self.clock, lambda: self.board.posting.specs, found, lambda: 0.0, now
        )
        ears = Ears(self.db, SITE, self.clock, lambda: self.board.posting.specs, found, BEYOND)
        return RoomsLoop(its, ears)

    def step(self) -> None:
        """What a replica does until nothing is left for now."""
        if self.matrix is not None:
            self.loop.listen_once("matrix", 0.0)
        while self.loop.mirrors.step():
            pass

    def declare(self, title: str = "Checkout fails!", severity: str = "SEV2") -> int:
        return self.incidents.declare(title, severity, ANN, services=("checkout",)).id

    def entries(self, number: int) -> list[Entry]:
        with self.db.read() as conn:
            return store.entries(conn, number)

    def texts(self, number: int) -> list[str]:
        return [e.text for e in self.entries(number)]

    def room(self, number: int) -> Room:
        with self.db.read() as conn:
            (found,) = store_rooms.of_incident(conn, number)
        return found

    # -- what Slack sends
    def event(self, event: Mapping[str, Any], event_id: str, retry: int = 0) -> httpx2.Response:
        """An event as Slack delivers it."""
        body = {
            "token": "x", "team_id": "T1", "api_app_id": "A1", "type": "event_callback",
            "event": {"type": "message", **event}, "event_id": event_id, "event_time": 1,
            "authorizations": [{"user_id": "U0BOT", "is_bot": True}],
        }  # fmt: skip
        headers = {"content-type": "application/json"}
        if retry:
            headers |= {"x-slack-retry-num": str(retry), "x-slack-retry-reason": "http_timeout"}
        return self.signed(json.dumps(body).encode(), headers)

    def said(self, writer: str, text: str, ts: str, **more: Any) -> httpx2.Response:  # noqa: ANN401
        """Somebody wrote a message in the only Slack room."""
        assert self.slack is not None
        room = self.slack.room()
        message = {"channel": room.id, "channel_type": "group", "user": writer, "text": text,
                   "ts": ts, "client_msg_id": f"m-{ts}", **more}  # fmt: skip
        room.messages.append(dict(message))
        return self.event(message, f"Ev{ts}")

    def slash(self, writer: str, text: str) -> str:
        """Somebody used our command."""
        assert self.slack is not None
        form = {"command": "/wk", "text": text, "user_id": writer, "user_name": "x",
                "channel_id": self.slack.room().id, "trigger_id": "1"}  # fmt: skip
        kind = {"content-type": "application/x-www-form-urlencoded"}
        answer = self.signed(urlencode(form).encode(), kind).json()
        assert answer["response_type"] == "ephemeral"
        return str(answer["text"])

    def signed(
        self, body: bytes, headers: Mapping[str, str], secret: str = SECRET
    ) -> httpx2.Response:
        stamp = str(int(self.clock.now()))
        made = hmac.new(secret.encode(), b"v0:" + stamp.encode() + b":" + body, hashlib.sha256)
        sent = {**headers, "x-slack-request-timestamp": stamp,
                "x-slack-signature": f"v0={made.hexdigest()}"}  # fmt: skip

        async def go() -> httpx2.Response:
            transport = httpx2.ASGITransport(app=self.app)
            async with httpx2.AsyncClient(transport=transport, base_url="http://wk") as client:
                return await client.post("/hook/slack/slack", content=body, headers=sent)

        return asyncio.run(go())
