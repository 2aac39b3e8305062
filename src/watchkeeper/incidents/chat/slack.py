"""Slack by its Web API: rooms, people, topics, messages, pins.

What may have arrived is looked for before it is sent again: a room by its name and maker, a message
by the metadata that goes along with each.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from watchkeeper.incidents.chat.markdown import as_mrkdwn
from watchkeeper.incidents.chat.model import Guest
from watchkeeper.notify.channels.slack import TEMPORARY
from watchkeeper.notify.model import TransportError
from watchkeeper.notify.settings import Settings
from watchkeeper.spec.duty import ChannelDefinition

EVENT = "watchkeeper_incident"
MOST_NAMES = 20
"""How many names are tried for a room when the first ones are taken."""
MOST_PAGES = 5
MOST_TEXT = 39_000
FINE = frozenset({"already_in_channel", "cant_invite_self", "already_pinned", "no_pin",
                  "not_pinned", "message_not_found", "no_item_specified"})  # fmt: skip
"""Refusals that say that nothing is left to do."""


class SlackChat:
    """One workspace, by a bot's token."""

    def __init__(self, definition: ChannelDefinition, *, private: bool) -> None:
        self._settings = Settings(definition)
        self._web = self._settings.web()
        self._private = private
        self._me = ""

    def close(self) -> None:
        """Let go of connections."""
        self._web.close()

    def make(self, name: str, topic: str, key: str, *, doubt: bool) -> tuple[str, str]:
        """Make a channel; a name that is taken gets a number."""
        del topic, key
        if doubt and (found := self._made(name)):
            return found
        for number in range(1, MOST_NAMES + 1):
            wanted = name if number == 1 else f"{name}-{number}"
            said = self._call(
                "conversations.create", {"name": wanted, "is_private": self._private},
                fine=("name_taken",),
            )  # fmt: skip
            if said.get("ok"):
                channel = said["channel"]
                return str(channel["id"]), str(channel.get("name", wanted))
        raise TransportError(f"Slack refused: {name} and {MOST_NAMES - 1} others are taken")

    def _made(self, name: str) -> tuple[str, str] | None:
        """A channel of this name, or of it with a number, that we made and nobody used yet."""
        me = self._self()
        for each in self._listed():
            its = str(each.get("name", ""))
            rest = its.removeprefix(name)
            ours = each.get("creator") == me and not each.get("is_archived")
            unused = not (each.get("topic") or {}).get("value")
            if ours and unused and its.startswith(name) and rest.lstrip("-").isdigit() | (not rest):
                return str(each["id"]), its
        return None

    def _listed(self) -> Iterator[Mapping[str, Any]]:
        cursor = ""
        for _ in range(MOST_PAGES):
            form = {"types": "public_channel,private_channel", "exclude_archived": "true",
                    "limit": "1000", "cursor": cursor}  # fmt: skip
            said = self._form("conversations.list", form)
            yield from said.get("channels", [])
            cursor = (said.get("response_metadata") or {}).get("next_cursor", "")
            if not cursor:
                return

    def invite(self, room: str, guests: Sequence[Guest]) -> Sequence[tuple[Guest, str]]:
        """Ask people in, by their ids or the e-mail of their accounts."""
        found = [(g, g.external or self._by_email(g.email)) for g in guests]
        for _, external in found:
            if external:  # one by one: a list with one who cannot be asked is refused as a whole
                self._call(
                    "conversations.invite", {"channel": room, "users": external},
                    fine=(*FINE, "user_not_found", "cant_invite", "user_is_restricted"),
                )  # fmt: skip
        return found

    def _by_email(self, email: str) -> str:
        said = self._form("users.lookupByEmail", {"email": email}, fine=("users_not_found",))
        return str(said["user"]["id"]) if said.get("ok") else ""

    def topic(self, room: str, text: str) -> None:
        """Set the topic."""
        self._call("conversations.setTopic", {"channel": room, "topic": text})

    def post(self, room: str, text: str, key: str, *, doubt: bool) -> str:
        """Write a message; one that may have arrived is looked for first."""
        if doubt and (found := self._posted(room, key)):
            return found
        body = {
            "channel": room,
            "text": as_mrkdwn(text)[:MOST_TEXT],
            "mrkdwn": True,
            "unfurl_links": False,
            "unfurl_media": False,
            "metadata": {"event_type": EVENT, "event_payload": {"id": key}},
        }
        return str(self._call("chat.postMessage", body)["ts"])

    def _posted(self, room: str, key: str) -> str:
        form = {"channel": room, "limit": "100", "include_all_metadata": "true"}
        for message in self._form("conversations.history", form).get("messages", []):
            payload = (message.get("metadata") or {}).get("event_payload") or {}
            if payload.get("id") == key:
                return str(message["ts"])
        return ""

    def edit(self, room: str, message: str, text: str, key: str) -> None:
        """Change a message; the metadata stays with it."""
        body = {
            "channel": room,
            "ts": message,
            "text": as_mrkdwn(text)[:MOST_TEXT],
            "metadata": {"event_type": EVENT, "event_payload": {"id": key}},
        }
        self._call("chat.update", body, fine=FINE)

    def pin(self, room: str, message: str, *, pinned: bool) -> None:
        """Pin, or take the pin away."""
        method = "pins.add" if pinned else "pins.remove"
        self._call(method, {"channel": room, "timestamp": message}, fine=FINE)

    def whisper(self, room: str, writer: str, text: str, key: str) -> None:
        """Tell one person only."""
        del key
        said = as_mrkdwn(text)[:MOST_TEXT]
        self._call("chat.postEphemeral", {"channel": room, "user": writer, "text": said})

    def known(self, writer: str) -> tuple[str, str]:
        """The name and e-mail of an account."""
        said = self._form("users.info", {"user": writer}, fine=("user_not_found",))
        user = said.get("user") or {}
        profile = user.get("profile") or {}
        name = profile.get("display_name") or user.get("real_name") or user.get("name") or writer
        return str(name), str(profile.get("email") or "")

    def _self(self) -> str:
        self._me = self._me or str(self._form("auth.test", {}).get("user_id", ""))
        return self._me

    def _call(
        self, method: str, body: Mapping[str, Any], fine: Sequence[str] | frozenset[str] = ()
    ) -> Mapping[str, Any]:
        return self._read(self._web.call("POST", self._url(method), json=body,
                                         headers=self._headers()).json(), fine)  # fmt: skip

    def _form(
        self, method: str, form: Mapping[str, str], fine: Sequence[str] = ()
    ) -> Mapping[str, Any]:
        # These take no JSON.
        return self._read(self._web.call("POST", self._url(method), data=form,
                                         headers=self._headers()).json(), fine)  # fmt: skip

    def _url(self, method: str) -> str:
        return f"{self._settings.url('https://slack.com/api')}/{method}"

    def _headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self._settings.must('token')}"}

    @staticmethod
    def _read(said: Any, fine: Sequence[str] | frozenset[str]) -> Mapping[str, Any]:  # noqa: ANN401
        if not isinstance(said, dict):
            raise TransportError("Slack answered something else", unknown=True)
        error = str(said.get("error", "unknown"))
        if said.get("ok") or error in fine:
            return said
        needed = f" {said['needed']}" if "needed" in said else ""
        raise TransportError(f"Slack refused: {error}{needed}", permanent=error not in TEMPORARY)
