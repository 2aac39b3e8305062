"""SMS and voice by the Twilio API (and what speaks it)."""

from __future__ import annotations

from xml.sax.saxutils import escape, quoteattr

from watchkeeper.notify.model import Action, Message, Receipt
from watchkeeper.notify.render import short
from watchkeeper.notify.settings import Settings
from watchkeeper.spec.duty import ChannelDefinition, ChannelType

MOST_SMS = 1600
MOST_TWIML = 4000


class TwilioTransport:
    """Texts and calls; the address is a number in E.164."""

    def __init__(self, definition: ChannelDefinition) -> None:
        self._voice = definition.type is ChannelType.VOICE
        self._settings = Settings(definition)
        self._web = self._settings.web()

    def send(self, message: Message, address: str) -> Receipt:
        """Send one text, or call once."""
        settings = self._settings
        account = settings.must("account_sid")
        what = "Calls" if self._voice else "Messages"
        base = settings.url("https://api.twilio.com")
        url = f"{base}/2010-04-01/Accounts/{account}/{what}.json"
        form = {"To": address, "From": settings.must("from")}
        back = _status_url(message, settings.name)
        if back:
            form["StatusCallback"] = back
        if self._voice:
            form["Twiml"] = twiml(message)
        else:
            form["Body"] = text(message)
        answer = self._web.call("POST", url, data=form, auth=(account, settings.must("auth_token")))
        said = answer.json()
        return Receipt(str(said.get("sid", "")), str(said.get("status", "")))

    def close(self) -> None:
        """Let go of connections."""
        self._web.close()


def text(message: Message) -> str:
    """The text: what is wrong, how to answer, the link."""
    parts = [short(message, 600)]
    number = page_number(message)
    if number and message.actions:
        parts.append(f"Reply ACK {number} or RESOLVE {number}.")
    if message.actions:
        parts.append(message.actions[0].url)
    return "\n".join(parts)[:MOST_SMS]


def page_number(message: Message) -> str:
    """The number of the page that a reply names."""
    return message.thread.removeprefix("page-") if message.thread.startswith("page-") else ""


def twiml(message: Message) -> str:
    """What is said, and which key does what: 1 acknowledges, 2 resolves."""
    said = escape((message.voice or message.title)[:600])
    action = next((a for a in message.actions if a.name == "ack"), None)
    if action is None:
        return f"<Response><Say>{said}</Say><Say>{said}</Say></Response>"
    target = quoteattr(_gather_url(action))
    keys = "Press 1 to acknowledge, 2 to resolve."
    made = (
        f'<Response><Gather numDigits="1" timeout="15" action={target} method="POST">'
        f"<Say>{said}</Say><Say>{keys}</Say><Say>{said}</Say><Say>{keys}</Say></Gather>"
        "<Say>Nothing was pressed. You will be called again.</Say></Response>"
    )
    return made[:MOST_TWIML]


def _status_url(message: Message, channel: str) -> str:
    """Where Twilio tells what became of it; '' for messages without links to us."""
    base, found, _ = message.url.partition("/pages/")
    return f"{base}/hook/status/{channel}" if found else ""


def _gather_url(action: Action) -> str:
    """Where Twilio posts the key: our hook, with the signed link in the path."""
    return action.url.replace("/t/", "/hook/voice/", 1)
