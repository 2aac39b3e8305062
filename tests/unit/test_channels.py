"""Every channel against a server that takes only what the provider would take."""

from __future__ import annotations

import hashlib
import hmac
import socket
import ssl
from collections.abc import Iterator
from typing import Any

import pytest

from tests.support import providers
from tests.support.mailbox import Mailbox, smtp_server
from tests.support.providers import Provider
from watchkeeper.notify.channels import open_channel
from watchkeeper.notify.channels.slack import inbound as slack_in
from watchkeeper.notify.channels.twilio import inbound as twilio_in
from watchkeeper.notify.channels.webhook import signature
from watchkeeper.notify.guarded import checked_address
from watchkeeper.notify.model import Action, Message, MessageKind, Transport, TransportError
from watchkeeper.spec.duty import ChannelDefinition, ChannelType
from watchkeeper.spec.model import Place

NOW = 1_767_600_000.0


def message(kind: MessageKind = MessageKind.PAGE, **more: object) -> Message:
    named: dict[str, Any] = {
        "id": "page-12-1-0",
        "kind": kind,
        "title": "#12 checkout: 2 % of requests fail <now>",
        "body": "412 of 19,620 & rising",
        "at": NOW,
        "thread": "page-12",
        "url": "https://watch.example/pages/12",
        "voice": "Watchkeeper. Page 12. Checkout fails.",
        "actions": (
            Action("ack", "Acknowledge", "https://watch.example/t/abc", "POST", "abc"),
            Action("resolve", "Resolve", "https://watch.example/t/def", "POST", "def"),
        ),
        "fields": {"Service": "checkout"},
        **more,
    }
    return Message(**named)


LONG = message(
    title="t" * 5000, body="b" * 9000, lines=tuple("l" * 300 for _ in range(50)),
    fields={f"k{i}": "v" * 3000 for i in range(30)},
)  # fmt: skip


def channel(kind: ChannelType, provider: Provider | None = None, **settings: object) -> Transport:
    made: dict[str, object] = {"allow_private": True, "timeout": "1s", **settings}
    if provider is not None:
        made.setdefault("url", provider.url)
    return open_channel(ChannelDefinition("c", kind, made, Place("x.yaml")))


T = ChannelType
CASES: dict[str, tuple[ChannelType, Any, dict[str, object], str]] = {
    "ntfy": (T.NTFY, providers.ntfy, {"token": "tk_right"}, "ops-alerts"),
    "slack": (T.SLACK, providers.slack, {"token": "xoxb-right"}, "#ops"),
    "matrix": (T.MATRIX, providers.matrix, {"token": "syt_right"}, "!room:example.org"),
    "sms": (T.SMS, providers.twilio,
            {"account_sid": "AC1", "auth_token": "right", "from": "+15550100"}, "+15550101"),
    "voice": (T.VOICE, providers.twilio,
              {"account_sid": "AC1", "auth_token": "right", "from": "+15550100"}, "+15550101"),
    "pagerduty": (T.PAGERDUTY, providers.pagerduty, {}, "k" * 32),
    "opsgenie": (T.OPSGENIE, providers.opsgenie, {}, "right"),
    "grafana": (T.GRAFANA, providers.grafana, {"token": "right"}, "deployment"),
    "webhook": (T.WEBHOOK, providers.anything, {"secret": "s3cret"}, ""),
}  # fmt: skip


@pytest.fixture(params=CASES)
def case(request: pytest.FixtureRequest) -> Iterator[tuple[Transport, Provider, str]]:
    kind, check, settings, address = CASES[request.param]
    with providers.running(check) as provider:
        transport = channel(kind, provider, **settings)
        yield transport, provider, address or provider.url + "/hook"
        transport.close()


@pytest.mark.parametrize("kind", MessageKind)
def test_every_kind_of_message_is_taken(
    case: tuple[Transport, Provider, str], kind: MessageKind
) -> None:
    transport, provider, address = case

    transport.send(message(kind), address)

    assert (len(provider.taken), provider.refused) == (1, [])


def test_messages_that_are_too_long_are_cut_to_what_the_provider_takes(
    case: tuple[Transport, Provider, str],
) -> None:
    transport, provider, address = case

    transport.send(LONG, address)

    assert (len(provider.taken), provider.refused) == (1, [])


@pytest.mark.parametrize(
    ("mode", "permanent", "unknown"),
    [("down", False, False), ("busy", False, False), ("gateway", False, True),
     ("cut", False, True), ("slow", False, True)],
)  # fmt: skip
def test_a_failure_says_whether_it_may_have_arrived(
    case: tuple[Transport, Provider, str], mode: str, permanent: bool, unknown: bool
) -> None:
    transport, provider, address = case
    provider.mode = mode

    with pytest.raises(TransportError) as raised:
        transport.send(message(), address)

    assert (raised.value.permanent, raised.value.unknown) == (permanent, unknown)
    assert raised.value.retry_after == (7.0 if mode == "busy" else None)


def test_a_server_that_is_not_there_took_nothing(case: tuple[Transport, Provider, str]) -> None:
    _, provider, address = case
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    kind, _, settings, _ = next(c for c in CASES.values() if c[1] == provider.check)
    nowhere = f"http://127.0.0.1:{port}"
    transport = channel(kind, None, **{**settings, "url": nowhere})

    with pytest.raises(TransportError) as raised:
        transport.send(message(), address if kind is not T.WEBHOOK else nowhere)

    assert (raised.value.permanent, raised.value.unknown) == (False, False)


@pytest.mark.parametrize(
    ("name", "wrong"),
    [("ntfy", {"token": "tk_wrong"}), ("slack", {"token": "xoxb-wrong"}),
     ("matrix", {"token": "syt_wrong"}), ("sms", {"auth_token": "wrong"})],
)  # fmt: skip
def test_a_wrong_token_is_permanent_and_never_repeated_in_the_error(
    name: str, wrong: dict[str, str]
) -> None:
    kind, check, settings, address = CASES[name]
    with providers.running(check) as provider:
        transport = channel(kind, provider, **{**settings, **wrong})
        with pytest.raises(TransportError) as raised:
            transport.send(message(), address)

    assert raised.value.permanent
    assert next(iter(wrong.values())) not in str(raised.value)


def test_a_repeated_matrix_message_is_one_event() -> None:
    kind, check, settings, address = CASES["matrix"]
    with providers.running(check) as provider:
        transport = channel(kind, provider, **settings)
        first, second = (transport.send(message(), address) for _ in range(2))

    assert first.provider_id == second.provider_id
    assert len(provider.taken) == 1


def test_a_webhook_is_signed_over_its_time_and_body() -> None:
    kind, check, settings, _ = CASES["webhook"]
    with providers.running(check) as provider:
        channel(kind, provider, **settings).send(message(), provider.url + "/hook?x=1")
    path, headers, body = provider.taken[0]

    stamp, given = (p.split("=", 1)[1] for p in headers["x-watchkeeper-signature"].split(","))
    made = hmac.new(b"s3cret", f"{stamp}.".encode() + body, hashlib.sha256).hexdigest()
    assert (path, stamp, given) == ("/hook?x=1", str(int(NOW)), made)
    assert headers["idempotency-key"] == "page-12-1-0"
    assert signature(body, "other", NOW) != headers["x-watchkeeper-signature"]


@pytest.mark.parametrize(
    "host",
    ["127.0.0.1", "localhost", "10.0.0.1", "169.254.169.254", "::1", "0.0.0.0", "::ffff:10.0.0.1"],
)
def test_private_addresses_are_refused_unless_allowed(host: str) -> None:
    with pytest.raises(TransportError) as raised:
        checked_address(host, 80, allow_private=False)

    assert raised.value.permanent
    assert checked_address(host, 80, allow_private=True)


def test_a_redirect_is_not_followed() -> None:
    def elsewhere(*_: object) -> object:
        raise providers.RefusedError(302, {}, Location="http://169.254.169.254/")

    with providers.running(elsewhere) as provider, pytest.raises(TransportError) as raised:
        channel(T.WEBHOOK).send(message(), provider.url)
    assert raised.value.permanent


def test_apprise_carries_what_has_no_channel_of_its_own() -> None:
    def form(its: Provider, _m: str, _p: str, _h: object, body: bytes) -> object:
        its.taken.append(body)
        return {}

    with providers.running(form) as provider:
        address = provider.url.replace("http://", "json://")
        channel(T.APPRISE).send(message(), address)
        with pytest.raises(TransportError):
            channel(T.APPRISE).send(message(), "no such thing")
    assert b"checkout" in provider.taken[0]


# ---------------------------------------------------------------- e-mail


@pytest.fixture
def mailbox() -> Iterator[tuple[Mailbox, int]]:
    with smtp_server() as found:
        yield found


def mail(port: int, **more: object) -> Transport:
    settings = {"host": "127.0.0.1", "port": port, "tls": "none", "from": "Watch <w@example.org>"}
    return channel(T.EMAIL, None, **{**settings, **more})


def test_a_mail_has_text_html_links_and_its_thread(mailbox: tuple[Mailbox, int]) -> None:
    box, port = mailbox

    receipt = mail(port, username="u", password="right").send(message(), "ann@example.org")

    import email
    from email import policy

    raw = box.mails[0].content
    assert isinstance(raw, bytes)
    got = email.message_from_bytes(raw, policy=policy.default)
    assert got["Subject"] == message().title
    assert got["Message-ID"] == receipt.provider_id == "<page-12-1-0@example.org>"
    assert got["References"] == "<page-12@example.org>"
    text, html = got.get_body(("plain",)), got.get_body(("html",))
    assert text is not None
    assert html is not None
    assert "https://watch.example/t/abc" in text.get_content()
    assert "&lt;now&gt;" in html.get_content()
    assert "<now>" not in html.get_content()


def test_nothing_from_outside_adds_a_header(mailbox: tuple[Mailbox, int]) -> None:
    box, port = mailbox

    mail(port).send(message(title="x\r\nBcc: all@example.org"), "ann@example.org")

    raw = box.mails[0].content
    assert isinstance(raw, bytes)
    assert b"\nBcc:" not in raw.split(b"\r\n\r\n")[0]


@pytest.mark.parametrize(
    ("refuse", "address", "permanent"),
    [("451 try later", "ann@example.org", False), ("554 spam", "ann@example.org", True),
     ("", "unknown@example.org", True)],
)  # fmt: skip
def test_a_refusal_of_the_mail_server_is_permanent_when_it_says_so(
    mailbox: tuple[Mailbox, int], refuse: str, address: str, permanent: bool
) -> None:
    mailbox[0].refuse = refuse

    with pytest.raises(TransportError) as raised:
        mail(mailbox[1]).send(message(), address)

    assert raised.value.permanent is permanent


def test_starttls_is_demanded_where_it_is_set(mailbox: tuple[Mailbox, int]) -> None:
    with pytest.raises(TransportError) as raised:
        mail(mailbox[1], tls="starttls").send(message(), "ann@example.org")

    assert "STARTTLS" in str(raised.value)
    assert mailbox[0].mails == []
    assert ssl.HAS_TLSv1_2


def test_a_wrong_password_is_permanent(mailbox: tuple[Mailbox, int]) -> None:
    with pytest.raises(TransportError) as raised:
        mail(mailbox[1], username="u", password="wrong", timeout="9s").send(
            message(), "ann@example.org"
        )

    assert raised.value.permanent
    assert "wrong" not in str(raised.value)


# ---------------------------------------------------------------- what comes back


def test_a_slack_button_is_believed_only_when_slack_signed_it_lately() -> None:
    said = b'"user":{"id":"U1","username":"ann"},"actions":[{"value":"abc"}]}'
    body = b'payload={"type":"block_actions",' + said
    stamp = str(int(NOW))
    made = hmac.new(b"k", b"v0:" + stamp.encode() + b":" + body, hashlib.sha256).hexdigest()

    assert slack_in.genuine(body, stamp, f"v0={made}", "k", NOW + 10)
    assert not slack_in.genuine(body, stamp, f"v0={made}", "k", NOW + 301)
    assert not slack_in.genuine(body + b" ", stamp, f"v0={made}", "k", NOW)
    assert not slack_in.genuine(body, stamp, f"v0={made}", "", NOW)
    assert slack_in.pressed(body) == slack_in.Pressed("abc", "ann", "", "U1")
    assert slack_in.challenge(b'{"type":"url_verification","challenge":"c"}') == "c"


@pytest.mark.parametrize(
    ("text", "expected"),
    [("ack 12", ("ack", 12)), ("ACK", ("ack", None)), ("1", ("ack", None)),
     (" resolve #7 ", ("resolve", 7)), ("2 9", ("resolve", 9)), ("hello", None), ("", None)],
)  # fmt: skip
def test_a_text_reply_is_understood(text: str, expected: tuple[str, int | None] | None) -> None:
    found = twilio_in.reply(text)
    assert (None if found is None else (found.action, found.page)) == expected


def test_a_request_of_twilio_is_believed_only_with_its_signature() -> None:
    import base64

    form = {"From": "+1", "Body": "ack"}
    base = b"https://watch.example/hook/sms/textBodyackFrom+1"
    made = base64.b64encode(hmac.new(b"t", base, hashlib.sha1).digest()).decode()

    url = "https://watch.example/hook/sms/text"
    assert twilio_in.genuine(url, form, made, "t")
    assert not twilio_in.genuine(url, {**form, "Body": "resolve"}, made, "t")
    assert not twilio_in.genuine(url, form, made, "")
