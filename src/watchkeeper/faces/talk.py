"""What Slack says of rooms of incidents: messages, and its own command."""

from __future__ import annotations

from dataclasses import replace

from starlette.background import BackgroundTask
from starlette.responses import JSONResponse, PlainTextResponse, Response

from watchkeeper.engine.chatting import BEYOND
from watchkeeper.faces.duty import Duty
from watchkeeper.incidents.chat import slack_events
from watchkeeper.incidents.chat.hearing import Ears
from watchkeeper.incidents.chat.model import Heard
from watchkeeper.incidents.chat.opening import Chats
from watchkeeper.incidents.chat.slack_events import Slash
from watchkeeper.kernel.errors import UserError
from watchkeeper.spec.duty import ChannelDefinition


class Talk:
    """Hears Slack; its requests were found to be signed."""

    def __init__(self, duty: Duty) -> None:
        self.duty = duty
        self.ears = Ears(
            duty.db, duty.site, duty.clock, duty.specs, Chats(lambda: duty.specs().duty), BEYOND,
            self._changed,
        )  # fmt: skip

    def slack(self, channel: str, body: bytes) -> Response | None:
        """The answer to an event or a command; None when it is neither.

        It comes after the transaction: Slack sends again what was not answered, and that is known
        by the event's id.
        """
        definition = self.duty.specs().duty.channels.get(channel)
        if definition is None:
            return None
        heard = slack_events.heard(body)
        if heard is not None:
            return self._heard(definition, heard)
        asked = slack_events.slash(body)
        return None if asked is None else self._asked(definition, asked)

    def _heard(self, definition: ChannelDefinition, heard: Heard) -> Response:
        read = replace(heard, text=self._text(definition, heard.text))
        told = self.ears.hear(definition.name, read)
        after = BackgroundTask(self.ears.answer, definition.name, read, told) if told else None
        return PlainTextResponse("", background=after)

    def _asked(self, definition: ChannelDefinition, asked: Slash) -> Response:
        try:
            told = self.ears.command(
                definition.name, asked.room, asked.writer, asked.name,
                self._text(definition, asked.text) or "help",
            )  # fmt: skip
        except UserError as error:
            told = f"{error.message} {error.hint}".strip()
        text = f"```{told}```" if "\n" in told else told or "Done."
        return JSONResponse({"response_type": "ephemeral", "text": text})

    def _text(self, definition: ChannelDefinition, text: str) -> str:
        names = {m: self.ears.who(definition, m).actor for m in slack_events.mentioned(text)}
        return slack_events.as_markdown(text, lambda m: names.get(m, ""))

    def _changed(self) -> None:
        self.duty.board.post()
        self.duty.wake()
