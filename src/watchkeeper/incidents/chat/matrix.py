"""Matrix by the client-server API: rooms, people, topics, messages, pins, and listening.

A message's key is its transaction id, so that one that is sent again is one message. A room has an
alias of ours, so that one that may have been made is found again.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlencode

from watchkeeper.incidents.chat.markdown import as_html
from watchkeeper.incidents.chat.model import Guest, Heard
from watchkeeper.notify.guarded import Web
from watchkeeper.notify.model import TransportError
from watchkeeper.notify.settings import Settings
from watchkeeper.spec.duty import ChannelDefinition

API = "/_matrix/client/v3"
MOST_SYNC = 8 * 1024 * 1024
PINS = "m.room.pinned_events"
FILTER = {
    "presence": {"not_types": ["*"]},
    "account_data": {"not_types": ["*"]},
    "room": {
        "timeline": {"types": ["m.room.message"], "limit": 100},
        "state": {"not_types": ["*"]},
        "ephemeral": {"not_types": ["*"]},
        "account_data": {"not_types": ["*"]},
    },
}
"""All that is listened to are messages in rooms."""


@dataclass(frozen=True, slots=True)
class Synced:
    """What came since the last time. ``gaps``: rooms of which more came than was sent along, each
    with where to read backwards from."""

    since: str
    heard: Sequence[Heard]
    gaps: Mapping[str, str]


class MatrixChat:
    """One account on one homeserver."""

    def __init__(self, definition: ChannelDefinition, *, private: bool) -> None:
        self._settings = Settings(definition)
        self._web = self._settings.web()
        self._private = private
        self._me = ""

    def close(self) -> None:
        """Let go of connections."""
        self._web.close()

    # -- rooms
    def make(self, name: str, topic: str, key: str, *, doubt: bool) -> tuple[str, str]:
        """Make a room with an alias of its own; one that is there under it is ours already."""
        del doubt, topic  # the alias tells, in any case; a topic is set as any later one
        body = {
            "name": name,
            "preset": "private_chat" if self._private else "public_chat",
            "visibility": "private",
            "room_alias_name": key,
        }
        try:
            said = self._call("POST", "/createRoom", body)
            return str(said["room_id"]), name
        except TransportError as error:
            if "M_ROOM_IN_USE" not in error.message:
                raise
        server = self.me().partition(":")[2]
        said = self._call("GET", f"/directory/room/{_quoted(f'#{key}:{server}')}")
        return str(said["room_id"]), name

    def invite(self, room: str, guests: Sequence[Guest]) -> Sequence[tuple[Guest, str]]:
        """Ask people in; those who are there or whom the server refuses are passed over."""
        for guest in guests:
            try:
                self._call("POST", f"/rooms/{_quoted(room)}/invite", {"user_id": guest.external})
            except TransportError as error:
                if error.status not in (400, 403, 404):
                    raise
        return [(g, g.external) for g in guests]

    def topic(self, room: str, text: str) -> None:
        """Set the topic."""
        self._call("PUT", f"/rooms/{_quoted(room)}/state/m.room.topic/", {"topic": text})

    # -- messages
    def post(self, room: str, text: str, key: str, *, doubt: bool) -> str:
        """Write a message; the server knows one that it was sent before by its transaction."""
        del doubt
        return self._send(room, content_of(text), key)

    def edit(self, room: str, message: str, text: str, key: str) -> None:
        """Put another text in the place of a message."""
        new = content_of(text)
        self._send(
            room,
            {
                **new,
                "body": f"* {new['body']}",
                "m.new_content": new,
                "m.relates_to": {"rel_type": "m.replace", "event_id": message},
            },
            key,
        )

    def pin(self, room: str, message: str, *, pinned: bool) -> None:
        """Pin, or take the pin away: a list in the room's state."""
        path = f"/rooms/{_quoted(room)}/state/{PINS}/"
        try:
            before = self._call("GET", path).get("pinned", [])
        except TransportError as error:
            if error.status != 404:
                raise
            before = []
        after = [p for p in before if p != message] + ([message] if pinned else [])
        if after != before:
            self._call("PUT", path, {"pinned": after})

    def whisper(self, room: str, writer: str, text: str, key: str) -> None:
        """Answer somebody. Matrix has no message that one alone sees; this notifies one alone."""
        made = content_of(f"{writer}: {text}")
        self._send(room, {**made, "m.mentions": {"user_ids": [writer]}}, key)

    def _send(self, room: str, content: Mapping[str, Any], key: str) -> str:
        path = f"/rooms/{_quoted(room)}/send/m.room.message/{_quoted(key)}"
        return str(self._call("PUT", path, content)["event_id"])

    # -- people
    def known(self, writer: str) -> tuple[str, str]:
        """The name of an account; Matrix tells nobody's e-mail."""
        try:
            said = self._call("GET", f"/profile/{_quoted(writer)}/displayname")
        except TransportError as error:
            if error.status not in (403, 404):
                raise
            said = {}
        return str(said.get("displayname") or writer), ""

    def me(self) -> str:
        """Our own account."""
        self._me = self._me or str(self._call("GET", "/account/whoami")["user_id"])
        return self._me

    # -- listening
    def sync(self, since: str, wait: float, stop_after: float) -> Synced:
        """What was written since then. Without ``since`` only from where to listen.

        ``wait`` seconds the server may wait for something; ``stop_after`` seconds we wait for it.
        """
        query = {"filter": json.dumps(FILTER), "timeout": str(int(wait * 1000))}
        query |= {"since": since} if since else {}
        web = Web(self._settings.flag("allow_private"), stop_after, MOST_SYNC)
        try:
            said = self._call("GET", f"/sync?{urlencode(query)}", web=web)
        finally:
            web.close()
        joined = (said.get("rooms") or {}).get("join") or {}
        lines = {room: its.get("timeline") or {} for room, its in joined.items()}
        heard = [
            h for room, line in lines.items() for h in self._heard(room, line.get("events", ()))
        ]
        gaps = {
            room: str(line["prev_batch"]) for room, line in lines.items() if line.get("limited")
        }
        return Synced(str(said["next_batch"]), heard if since else (), gaps if since else {})

    def before(self, room: str, token: str, until: str) -> list[Heard]:
        """What was written in a room between two tokens, the oldest first."""
        query = {"dir": "b", "from": token, "to": until, "limit": "500",
                 "filter": json.dumps({"types": ["m.room.message"]})}  # fmt: skip
        said = self._call("GET", f"/rooms/{_quoted(room)}/messages?{urlencode(query)}")
        return self._heard(room, reversed(said.get("chunk", [])))

    def _heard(self, room: str, events: Any) -> list[Heard]:  # noqa: ANN401 - an iterable of JSON
        me = self.me()
        found = [heard(room, e) for e in events if e.get("sender") != me]
        return [h for h in found if h is not None]

    def _call(
        self, method: str, path: str, body: Mapping[str, Any] | None = None, web: Web | None = None
    ) -> Mapping[str, Any]:
        url = f"{self._settings.must('url').rstrip('/')}{API}{path}"
        headers = {"Authorization": f"Bearer {self._settings.must('token')}"}
        try:
            said = (web or self._web).call(method, url, json=body, headers=headers).json()
        except TransportError as error:
            raise _with_wait(error) from None
        if not isinstance(said, dict):
            raise TransportError("the homeserver answered something else", unknown=True)
        return said


def content_of(text: str) -> dict[str, Any]:
    """A message: the Markdown as it is, and as HTML. A notice: no bot answers it."""
    return {
        "msgtype": "m.notice",
        "body": text,
        "format": "org.matrix.custom.html",
        "formatted_body": as_html(text),
    }


def heard(room: str, event: Mapping[str, Any]) -> Heard | None:
    """What a person wrote; None for anything else, and for what other bots say."""
    content = event.get("content") or {}
    if event.get("type") != "m.room.message" or content.get("msgtype") not in ("m.text", "m.emote"):
        return None
    relates = content.get("m.relates_to") or {}
    amends = str(relates.get("event_id", "")) if relates.get("rel_type") == "m.replace" else ""
    said = (content.get("m.new_content") or {}) if amends else content
    text = said.get("body")
    event_id, sender = event.get("event_id"), event.get("sender")
    if not (isinstance(text, str) and text.strip() and event_id and sender):
        return None
    at = event.get("origin_server_ts")
    when = at / 1000 if isinstance(at, int) else None
    return Heard(str(event_id), room, str(event_id), str(sender), text, when, amends)


def _with_wait(error: TransportError) -> TransportError:
    """Older homeservers say only in the body how long to wait."""
    asked = re.search(r'"retry_after_ms": *(\d{1,9})', error.message)
    if error.status == 429 and error.retry_after is None and asked:
        error.retry_after = int(asked[1]) / 1000
    return error


def _quoted(part: str) -> str:
    return quote(part, safe="")
