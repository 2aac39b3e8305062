"""Answers that come back by the channels: Slack's buttons, text replies, voice keys, receipts.

Each request proves where it comes from by itself: Slack and Twilio sign theirs, a voice key comes
with the signed link of the call it answers.
"""

from __future__ import annotations

from collections.abc import Sequence
from urllib.parse import parse_qsl
from xml.sax.saxutils import escape

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import BaseRoute, Route

from watchkeeper.faces.duty import Duty
from watchkeeper.faces.talk import Talk
from watchkeeper.kernel.errors import UserError, WatchkeeperError
from watchkeeper.notify.channels.slack import inbound as slack
from watchkeeper.notify.channels.twilio import inbound as twilio
from watchkeeper.notify.model import TransportError
from watchkeeper.notify.settings import Settings
from watchkeeper.oncall.links import Tap

MOST_BODY = 65_536


def hook_routes(duty: Duty) -> Sequence[BaseRoute]:
    """`/hook/…`."""
    its = Hooks(duty)
    return [
        Route("/hook/slack/{channel}", its.slack, methods=["POST"]),
        Route("/hook/sms/{channel}", its.sms, methods=["POST"]),
        Route("/hook/status/{channel}", its.status, methods=["POST"]),
        Route("/hook/voice/{signed}", its.voice, methods=["POST"]),
    ]


class Hooks:
    """The handlers, over the use cases of on-call."""

    def __init__(self, duty: Duty) -> None:
        self.duty = duty
        self.talk = Talk(duty)

    async def slack(self, request: Request) -> Response:
        """A button, or Slack's question whether we are there."""
        body = await _body(request)
        return await run_in_threadpool(self._slack, request, body)

    def _slack(self, request: Request, body: bytes) -> Response:
        secret = self._secret(request.path_params["channel"], "signing_secret")
        stamp = request.headers.get("x-slack-request-timestamp", "")
        given = request.headers.get("x-slack-signature", "")
        if not slack.genuine(body, stamp, given, secret, self.duty.clock.now()):
            return PlainTextResponse("not signed by Slack", 401)
        asked = slack.challenge(body)
        if asked:
            return PlainTextResponse(asked)
        answered = self.talk.slack(request.path_params["channel"], body)
        if answered is not None:
            return answered
        pressed = slack.pressed(body)
        if pressed is None:
            return PlainTextResponse("")
        try:
            tap = self.duty.tap(pressed.value)
            # The link is the message's; who pressed is whom Slack names.
            who = self.duty.person_at(pressed.member) or pressed.user or tap.user
            self.duty.do_tap(Tap(tap.page_id, tap.action, who, tap.expires))
        except WatchkeeperError as error:
            return PlainTextResponse(error.message)
        return PlainTextResponse("")

    async def sms(self, request: Request) -> Response:
        """A text that answers a text."""
        form = dict(parse_qsl((await _body(request)).decode("utf-8", "replace"), True))
        return await run_in_threadpool(self._sms, request, form)

    def _sms(self, request: Request, form: dict[str, str]) -> Response:
        channel = request.path_params["channel"]
        if not self._signed_by_twilio(request, channel, form):
            return PlainTextResponse("not signed by Twilio", 403)
        number, answer = form.get("From", ""), twilio.reply(form.get("Body", ""))
        if answer is None:
            return _message("Reply ACK or RESOLVE, and the number of the page.")
        try:
            page_id, user = self.duty.last_page_of(number, answer.page)
            self.duty.do_tap(Tap(page_id, answer.action, user, 0))
        except UserError as error:
            return _message(f"{error.message} {error.hint}")
        done = "You have it" if answer.action == "ack" else "Resolved"
        return _message(f"{done}: page {page_id}.")

    async def status(self, request: Request) -> Response:
        """What became of a text or a call."""
        form = dict(parse_qsl((await _body(request)).decode("utf-8", "replace"), True))
        return await run_in_threadpool(self._status, request, form)

    def _status(self, request: Request, form: dict[str, str]) -> Response:
        if not self._signed_by_twilio(request, request.path_params["channel"], form):
            return PlainTextResponse("not signed by Twilio", 403)
        sid = form.get("MessageSid") or form.get("CallSid") or ""
        said = form.get("MessageStatus") or form.get("CallStatus") or ""
        self.duty.note_status(sid, said, said in twilio.FAILED)
        return PlainTextResponse("")

    async def voice(self, request: Request) -> Response:
        """A key that was pressed in a call."""
        form = dict(parse_qsl((await _body(request)).decode("utf-8", "replace"), True))
        return await run_in_threadpool(self._voice, request, form)

    def _voice(self, request: Request, form: dict[str, str]) -> Response:
        action = twilio.key(form.get("Digits", ""))
        if not action:
            return _say("That key means nothing. You will be called again.")
        try:
            tap = self.duty.tap(request.path_params["signed"])
            self.duty.do_tap(Tap(tap.page_id, action, tap.user, tap.expires))
        except WatchkeeperError as error:
            return _say(error.message)
        return _say("Acknowledged. Thank you." if action == "ack" else "Resolved. Thank you.")

    def _signed_by_twilio(self, request: Request, channel: str, form: dict[str, str]) -> bool:
        token = self._secret(channel, "auth_token")
        # Twilio signs the address that it was given, which a proxy may have changed since.
        url = self.duty.site.base_url + request.url.path
        given = request.headers.get("x-twilio-signature", "")
        return twilio.genuine(url, form, given, token)

    def _secret(self, channel: str, key: str) -> str:
        definition = self.duty.specs().duty.channels.get(channel)
        try:
            return Settings(definition).get(key) if definition else ""
        except TransportError:
            return ""


async def _body(request: Request) -> bytes:
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > MOST_BODY:
            raise UserError("That is too long.", f"At most {MOST_BODY} bytes are read.")
    return body


def _message(text: str) -> Response:
    return _xml(f"<Response><Message>{escape(text)}</Message></Response>")


def _say(text: str) -> Response:
    return _xml(f"<Response><Say>{escape(text)}</Say></Response>")


def _xml(text: str) -> Response:
    return Response(f'<?xml version="1.0" encoding="UTF-8"?>{text}', media_type="text/xml")
