"""Local servers that speak the APIs of Slack and Matrix, and refuse what those would.

Each checks methods, authentication, scopes, content types, unknown fields, types, names and lengths
as the published documentation has them, and keeps rooms in memory.
"""

from __future__ import annotations

import itertools
import json
import re
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from tests.support.providers import Provider, RefusedError, running

SLACK_TOKEN, MATRIX_TOKEN = "xoxb-right", "syt_right"
SCOPES = frozenset(
    ("channels:manage", "channels:read", "channels:history", "groups:write", "groups:read",
     "groups:history", "chat:write", "pins:write", "users:read", "users:read.email", "commands")
)  # fmt: skip
"""Those of the manifest in the documentation."""
BOT = "U0BOT"


@dataclass
class SlackRoom:
    """A conversation."""

    id: str
    name: str
    private: bool
    topic: str = ""
    members: list[str] = field(default_factory=lambda: [BOT])
    messages: list[dict[str, Any]] = field(default_factory=list)
    pins: list[str] = field(default_factory=list)


@dataclass
class Workspace:
    """A Slack workspace."""

    provider: Provider
    people: dict[str, tuple[str, str]] = field(default_factory=dict)
    """By id: (name, e-mail)."""
    rooms: dict[str, SlackRoom] = field(default_factory=dict)
    calls: list[str] = field(default_factory=list)
    scopes: frozenset[str] = SCOPES
    limited: int = 0
    """So many calls that follow are answered with 429."""
    taken: set[str] = field(default_factory=set)
    whispers: list[tuple[str, str]] = field(default_factory=list)
    stamps: Iterator[int] = field(default_factory=lambda: itertools.count(1))

    @property
    def url(self) -> str:
        return self.provider.url

    def room(self) -> SlackRoom:
        (only,) = self.rooms.values()
        return only

    def texts(self) -> list[str]:
        return [m["text"] for m in self.room().messages]

    def call(self, method: str, form: Mapping[str, Any]) -> dict[str, Any]:
        self.calls.append(method)
        if self.limited:
            self.limited -= 1
            raise RefusedError(429, {"ok": False, "error": "ratelimited"}, Retry_After="3")
        handler = _SLACK.get(method)
        if handler is None:
            return {"ok": False, "error": "unknown_method"}
        needed, known, act = handler
        for scope in needed.split():
            if not set(scope.split("|")) & self.scopes:
                return {"ok": False, "error": "missing_scope", "needed": scope}
        for key, value in form.items():
            if key not in known or not isinstance(value, known[key]):
                self.provider.refused.append(f"{method}: {key}={value!r}")
                return {"ok": False, "error": "invalid_arguments"}
        try:
            return {"ok": True, **act(self, dict(form))}
        except RefusedError as no:
            return {"ok": False, "error": str(no)}

    def find(self, form: Mapping[str, Any]) -> SlackRoom:
        found = self.rooms.get(str(form.get("channel", "")))
        if found is None:
            raise RefusedError(200, "channel_not_found")
        if BOT not in found.members:
            raise RefusedError(200, "not_in_channel")
        return found


def _create(its: Workspace, form: dict[str, Any]) -> dict[str, Any]:
    name = form.get("name", "")
    if not name:
        raise RefusedError(200, "invalid_name_required")
    if len(name) > 80:
        raise RefusedError(200, "invalid_name_maxlength")
    if not re.fullmatch(r"[a-z0-9_-]+", name):
        raise RefusedError(200, "invalid_name_specials")
    if name in its.taken or any(r.name == name for r in its.rooms.values()):
        raise RefusedError(200, "name_taken")
    made = SlackRoom(f"C{len(its.rooms) + 1:08d}", name, bool(form.get("is_private")))
    its.rooms[made.id] = made
    return {"channel": {"id": made.id, "name": name, "creator": BOT}}


def _list(its: Workspace, form: dict[str, Any]) -> dict[str, Any]:
    if not set(form.get("types", "public_channel").split(",")) <= {
        "public_channel", "private_channel", "mpim", "im"
    }:  # fmt: skip
        raise RefusedError(200, "invalid_types")
    found = [
        {"id": r.id, "name": r.name, "creator": BOT, "is_archived": False,
         "topic": {"value": r.topic}}
        for r in its.rooms.values()
    ]  # fmt: skip
    return {"channels": found, "response_metadata": {"next_cursor": ""}}


def _invite(its: Workspace, form: dict[str, Any]) -> dict[str, Any]:
    room = its.find(form)
    for user in form.get("users", "").split(","):
        if user == BOT:
            raise RefusedError(200, "cant_invite_self")
        if user not in its.people:
            raise RefusedError(200, "user_not_found")
        if user in room.members:
            raise RefusedError(200, "already_in_channel")
        room.members.append(user)
    return {"channel": {"id": room.id}}


def _topic(its: Workspace, form: dict[str, Any]) -> dict[str, Any]:
    if len(form.get("topic", "")) > 250:
        raise RefusedError(200, "too_long")
    its.find(form).topic = form["topic"]
    return {}


def _message(its: Workspace, form: dict[str, Any]) -> dict[str, Any]:
    text = form.get("text", "")
    if not text:
        raise RefusedError(200, "no_text")
    if len(text) > 40_000:
        raise RefusedError(200, "msg_too_long")
    metadata = form.get("metadata", {})
    if metadata and not (metadata.get("event_type") and "event_payload" in metadata):
        raise RefusedError(200, "invalid_metadata_format")
    return {"text": text, "metadata": metadata}


def _post(its: Workspace, form: dict[str, Any]) -> dict[str, Any]:
    room = its.find(form)
    ts = f"1767600000.{next(its.stamps):06d}"
    room.messages.append({**_message(its, form), "ts": ts, "user": BOT})
    return {"channel": room.id, "ts": ts}


def _update(its: Workspace, form: dict[str, Any]) -> dict[str, Any]:
    found = next((m for m in its.find(form).messages if m["ts"] == form.get("ts")), None)
    if found is None:
        raise RefusedError(200, "message_not_found")
    if found["user"] != BOT:
        raise RefusedError(200, "cant_update_message")
    found.update(_message(its, form))
    return {"ts": found["ts"]}


def _ephemeral(its: Workspace, form: dict[str, Any]) -> dict[str, Any]:
    if form.get("user") not in its.find(form).members:
        raise RefusedError(200, "user_not_in_channel")
    its.whispers.append((form["user"], _message(its, form)["text"]))
    return {"message_ts": "1.1"}


def _pin(its: Workspace, form: dict[str, Any]) -> dict[str, Any]:
    room, ts = its.find(form), form.get("timestamp")
    if not any(m["ts"] == ts for m in room.messages):
        raise RefusedError(200, "message_not_found")
    if ts in room.pins:
        raise RefusedError(200, "already_pinned")
    room.pins.append(str(ts))
    return {}


def _unpin(its: Workspace, form: dict[str, Any]) -> dict[str, Any]:
    room, ts = its.find(form), form.get("timestamp")
    if ts not in room.pins:
        raise RefusedError(200, "no_pin")
    room.pins.remove(str(ts))
    return {}


def _history(its: Workspace, form: dict[str, Any]) -> dict[str, Any]:
    shown = list(reversed(its.find(form).messages))[: int(form.get("limit", "100"))]
    if form.get("include_all_metadata") != "true":
        shown = [{k: v for k, v in m.items() if k != "metadata"} for m in shown]
    return {"messages": shown, "has_more": False}


def _by_email(its: Workspace, form: dict[str, Any]) -> dict[str, Any]:
    for user, (name, email) in its.people.items():
        if email == form.get("email"):
            return {"user": {"id": user, "name": name}}
    raise RefusedError(200, "users_not_found")


def _info(its: Workspace, form: dict[str, Any]) -> dict[str, Any]:
    if form.get("user") not in its.people:
        raise RefusedError(200, "user_not_found")
    name, email = its.people[form["user"]]
    return {"user": {"id": form["user"], "name": name, "real_name": name.title(),
                     "profile": {"display_name": "", "email": email}}}  # fmt: skip


_TEXT = {"channel": str, "text": str, "mrkdwn": bool, "metadata": dict}
_SLACK: Mapping[str, tuple[str, Mapping[str, type], Any]] = {
    "auth.test": ("", {}, lambda its, form: {"user_id": BOT, "team_id": "T1"}),
    "conversations.create": (
        "channels:manage|groups:write",
        {"name": str, "is_private": bool},
        _create,
    ),
    "conversations.list": (
        "channels:read groups:read",
        {"types": str, "exclude_archived": str, "limit": str, "cursor": str},
        _list,
    ),
    "conversations.invite": (
        "channels:manage|groups:write",
        {"channel": str, "users": str},
        _invite,
    ),
    "conversations.setTopic": (
        "channels:manage|groups:write",
        {"channel": str, "topic": str},
        _topic,
    ),
    "conversations.history": (
        "channels:history groups:history",
        {"channel": str, "limit": str, "include_all_metadata": str},
        _history,
    ),
    "chat.postMessage": (
        "chat:write",
        {**_TEXT, "unfurl_links": bool, "unfurl_media": bool},
        _post,
    ),
    "chat.update": ("chat:write", {**_TEXT, "ts": str}, _update),
    "chat.postEphemeral": ("chat:write", {**_TEXT, "user": str}, _ephemeral),
    "pins.add": ("pins:write", {"channel": str, "timestamp": str}, _pin),
    "pins.remove": ("pins:write", {"channel": str, "timestamp": str}, _unpin),
    "users.lookupByEmail": ("users:read.email", {"email": str}, _by_email),
    "users.info": ("users:read", {"user": str}, _info),
}
FORM_ONLY = ("users.lookupByEmail", "users.info", "conversations.list", "conversations.history")
"""Methods that read take no JSON."""


@contextmanager
def slack() -> Iterator[Workspace]:
    """A workspace, on loopback, until the block ends."""

    def check(_: Provider, method: str, path: str, headers: dict[str, str], body: bytes) -> object:
        name = path.lstrip("/")
        if headers.get("authorization") != f"Bearer {SLACK_TOKEN}":
            return {"ok": False, "error": "invalid_auth"}
        kind = headers.get("content-type", "").partition(";")[0]
        if method != "POST":
            raise RefusedError(405, {"ok": False, "error": "method_not_allowed"})
        if kind == "application/json" and name not in FORM_ONLY:
            return its.call(name, json.loads(body))
        form = parse_qs(body.decode(), keep_blank_values=True)
        return its.call(name, {k: v[0] for k, v in form.items()})

    with running(check) as provider:
        its = Workspace(provider)
        yield its


@dataclass
class MatrixRoom:
    """A room: its state and events, in order."""

    id: str
    name: str = ""
    alias: str = ""
    state: dict[str, dict[str, Any]] = field(default_factory=dict)
    invited: list[str] = field(default_factory=list)
    events: list[dict[str, Any]] = field(default_factory=list)


@dataclass
class Homeserver:
    """A homeserver with one account of ours and as many others as speak."""

    provider: Provider
    me: str = "@watch:test.local"
    rooms: dict[str, MatrixRoom] = field(default_factory=dict)
    transactions: dict[tuple[str, str], str] = field(default_factory=dict)
    log: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    """All events in order: (room, event); a sync token is a place in it."""
    limited: int = 0
    hold_at: int = 0
    """The answer to the message that is so-manieth of all is held back until `go` is set."""
    held: threading.Event = field(default_factory=threading.Event)
    go: threading.Event = field(default_factory=threading.Event)
    repeated: int = 0
    """Sends that came again under a known transaction."""
    changed: threading.Condition = field(default_factory=threading.Condition)

    @property
    def url(self) -> str:
        return self.provider.url

    def room(self) -> MatrixRoom:
        (only,) = self.rooms.values()
        return only

    def texts(self) -> list[str]:
        return [e["content"]["body"] for e in self.room().events if e["sender"] == self.me]

    def say(self, sender: str, text: str, **more: Any) -> str:  # noqa: ANN401 - event content
        """Somebody writes into the only room."""
        content = {"msgtype": "m.text", "body": text, **more}
        return self.add(self.room(), sender, content)

    def add(self, room: MatrixRoom, sender: str, content: dict[str, Any]) -> str:
        with self.changed:
            event_id = f"$e{len(self.log) + 1}"
            event = {
                "type": "m.room.message",
                "event_id": event_id,
                "sender": sender,
                "origin_server_ts": 1_767_600_000_000 + len(self.log),
                "content": content,
            }
            room.events.append(event)
            self.log.append((room.id, event))
            self.changed.notify_all()
        return event_id

    def call(self, method: str, path: str, query: Mapping[str, str], body: Any) -> object:  # noqa: ANN401
        if self.limited:
            self.limited -= 1
            raise RefusedError(
                429, {"errcode": "M_LIMIT_EXCEEDED", "error": "Too Many Requests",
                      "retry_after_ms": 1500}
            )  # fmt: skip
        parts = [unquote(p) for p in path.removeprefix("/_matrix/client/v3/").split("/")]
        match method, parts:
            case "GET", ["account", "whoami"]:
                return {"user_id": self.me}
            case "POST", ["createRoom"]:
                return self._create(body)
            case "GET", ["directory", "room", alias]:
                for room in self.rooms.values():
                    if room.alias == alias:
                        return {"room_id": room.id, "servers": ["test.local"]}
                raise RefusedError(404, {"errcode": "M_NOT_FOUND"})
            case "GET", ["profile", user, "displayname"]:
                return {"displayname": user[1:].partition(":")[0].title()}
            case "GET", ["sync"]:
                return self._sync(query)
            case _, ["rooms", room_id, *rest]:
                if room_id not in self.rooms:
                    raise RefusedError(403, {"errcode": "M_FORBIDDEN"})
                return self._in(self.rooms[room_id], method, rest, query, body)
            case _:
                raise RefusedError(404, {"errcode": "M_UNRECOGNIZED"})

    def _create(self, body: Any) -> object:  # noqa: ANN401
        _known(body, {"name": str, "preset": str, "visibility": str,
                      "room_alias_name": str})  # fmt: skip
        if body["preset"] not in ("private_chat", "public_chat", "trusted_private_chat"):
            raise RefusedError(400, {"errcode": "M_BAD_JSON"})
        alias = f"#{body['room_alias_name']}:test.local"
        if any(r.alias == alias for r in self.rooms.values()):
            raise RefusedError(
                400, {"errcode": "M_ROOM_IN_USE", "error": "Room alias already taken"}
            )
        made = MatrixRoom(f"!r{len(self.rooms) + 1}:test.local", body["name"], alias)
        self.rooms[made.id] = made
        return {"room_id": made.id}

    def _in(
        self,
        room: MatrixRoom,
        method: str,
        rest: list[str],
        query: Mapping[str, str],
        body: Any,  # noqa: ANN401 - JSON
    ) -> object:
        match method, rest:
            case "POST", ["invite"]:
                user = body["user_id"]
                if not re.fullmatch(r"@[^:]+:.+", user):
                    raise RefusedError(400, {"errcode": "M_INVALID_PARAM"})
                if user in room.invited:
                    raise RefusedError(
                        403, {"errcode": "M_FORBIDDEN", "error": "already in the room"}
                    )
                room.invited.append(user)
                return {}
            case "PUT", ["state", kind, ""]:
                room.state[kind] = body
                return {"event_id": "$state"}
            case "GET", ["state", kind, ""]:
                if kind not in room.state:
                    raise RefusedError(404, {"errcode": "M_NOT_FOUND"})
                return room.state[kind]
            case "PUT", ["send", "m.room.message", transaction]:
                return {"event_id": self._send(room, transaction, body)}
            case "GET", ["messages"]:
                return self._messages(room, query)
            case _:
                raise RefusedError(404, {"errcode": "M_UNRECOGNIZED"})

    def _send(self, room: MatrixRoom, transaction: str, body: Any) -> str:  # noqa: ANN401
        if not isinstance(body.get("body"), str) or body.get("msgtype") not in (
            "m.text",
            "m.notice",
        ):
            raise RefusedError(400, {"errcode": "M_BAD_JSON"})
        if len(json.dumps(body).encode()) > 60_000:
            raise RefusedError(413, {"errcode": "M_TOO_LARGE"})
        if (room.id, transaction) in self.transactions:
            self.repeated += 1
            return self.transactions[room.id, transaction]
        made = self.add(room, self.me, body)
        self.transactions[room.id, transaction] = made
        if len(room.events) == self.hold_at:
            self.held.set()
            self.go.wait(30)
        return made

    def _sync(self, query: Mapping[str, str]) -> object:
        asked = json.loads(query.get("filter", "{}"))
        limit = asked.get("room", {}).get("timeline", {}).get("limit", 10)
        since = int(query["since"].removeprefix("s")) if "since" in query else None
        wait = int(query.get("timeout", "0")) / 1000
        with self.changed:
            if since is not None:
                self.changed.wait_for(lambda: len(self.log) > since, min(wait, 5.0))
            end = len(self.log)
            news = self.log[since or 0 : end]
        joined: dict[str, Any] = {}
        for room_id in dict.fromkeys(r for r, _ in news):
            events = [e for r, e in news if r == room_id]
            places = [i for i, (r, _) in enumerate(self.log[:end]) if r == room_id]
            joined[room_id] = {"timeline": {
                "events": events[-limit:], "limited": len(events) > limit,
                "prev_batch": f"s{places[-len(events[-limit:])]}",
            }}  # fmt: skip
        return {"next_batch": f"s{end}", "rooms": {"join": joined}}

    def _messages(self, room: MatrixRoom, query: Mapping[str, str]) -> object:
        if query.get("dir") != "b":
            raise RefusedError(400, {"errcode": "M_MISSING_PARAM"})
        start, end = int(query["from"][1:]), int(query["to"][1:])
        found = [e for r, e in self.log[end:start] if r == room.id]
        return {
            "chunk": list(reversed(found))[: int(query.get("limit", "10"))],
            "start": query["from"],
        }


def _known(body: Any, known: Mapping[str, type]) -> None:  # noqa: ANN401
    for key, value in body.items():
        if key not in known or not isinstance(value, known[key]):
            raise RefusedError(400, {"errcode": "M_BAD_JSON", "error": key})


@contextmanager
def matrix() -> Iterator[Homeserver]:
    """A homeserver, on loopback, until the block ends."""

    def check(_: Provider, method: str, path: str, headers: dict[str, str], body: bytes) -> object:
        if headers.get("authorization") != f"Bearer {MATRIX_TOKEN}":
            raise RefusedError(401, {"errcode": "M_UNKNOWN_TOKEN"})
        parts = urlsplit(path)
        query = {k: v[0] for k, v in parse_qs(parts.query).items()}
        sent = json.loads(body) if body else None
        if method in ("POST", "PUT") and not isinstance(sent, dict):
            raise RefusedError(400, {"errcode": "M_NOT_JSON"})
        return its.call(method, parts.path, query, sent)

    with running(check) as provider:
        its = Homeserver(provider)
        yield its
