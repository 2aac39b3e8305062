"""Who may ask for what: every door, with and without a token, from our pages and from others."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx2
import pytest

from watchkeeper.access.model import Scope
from watchkeeper.access.work import create_token, revoke_token
from watchkeeper.engine.board import Board
from watchkeeper.faces.server import build_server
from watchkeeper.faces.services import Services
from watchkeeper.faces.signin import local_path
from watchkeeper.kernel.clock import VirtualClock
from watchkeeper.kernel.errors import NotFound, UserError
from watchkeeper.store import Database, timeline

NOW = 1_800_000_000.0
OPEN_PATHS = ["/healthz", "/readyz", "/signin", "/static/app.css", "/favicon.ico"]
CLOSED_PATHS = [
    "/",
    "/slo/x",
    "/services",
    "/sources",
    "/events",
    "/metrics",
    "/api/v1/slos",
    "/api/v1/slos/x",
    "/api/v1/slos/x/detail",
    "/api/v1/slos/x/corrections",
    "/api/v1/services",
    "/api/v1/journeys",
    "/api/v1/sources",
    "/api/v1/findings",
    "/api/v1/openapi.json",
    "/healthz/../metrics",
    "/static/../metrics",
    "/nowhere",
]


@dataclass
class House:
    """A server in this process, with its database and clock."""

    db: Database
    clock: VirtualClock
    anonymous: frozenset[Scope] = frozenset()

    def token(self, name: str, *scopes: Scope, expires_at: float | None = None) -> str:
        with self.db.write() as conn:
            return create_token(conn, name, scopes, NOW, "test", expires_at)

    def ask(self, method: str, path: str, **more: object) -> httpx2.Response:
        app = build_server(Services(self.db, Board(), self.clock), anonymous=self.anonymous)

        async def go() -> httpx2.Response:
            transport = httpx2.ASGITransport(app=app)
            async with httpx2.AsyncClient(transport=transport, base_url="http://wk.test") as client:
                return await client.request(method, path, **more)  # type: ignore[arg-type]

        return asyncio.run(go())

    def bearer(self, method: str, path: str, token: str, **more: object) -> httpx2.Response:
        return self.ask(method, path, headers={"Authorization": f"Bearer {token}"}, **more)


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    db = Database.open(str(tmp_path / "wk.db"))
    yield House(db, VirtualClock(NOW))
    db.close()


@pytest.mark.parametrize("path", OPEN_PATHS)
def test_health_and_sign_in_are_open_to_all(house: House, path: str) -> None:
    assert house.ask("GET", path).status_code not in (401, 403)


@pytest.mark.parametrize("path", CLOSED_PATHS)
def test_everything_else_needs_somebody(house: House, path: str) -> None:
    assert house.ask("GET", path).status_code == 401


def test_a_browser_is_led_to_the_sign_in_page_and_back(house: House) -> None:
    answer = house.ask("GET", "/slo/x?tab=1", headers={"Accept": "text/html"})
    assert answer.status_code == 303
    assert answer.headers["location"] == "/signin?next=%2Fslo%2Fx%3Ftab%3D1"


def test_a_token_opens_what_its_scopes_say_and_nothing_else(house: House) -> None:
    reader, pusher = house.token("reader", Scope.READ), house.token("pusher", Scope.PUSH)
    assert house.bearer("GET", "/api/v1/slos", reader).status_code == 200
    assert house.bearer("GET", "/api/v1/slos", pusher).status_code == 403
    assert house.bearer("POST", "/api/v1/push", reader, json={}).status_code == 403
    body = {"from": 1, "to": 2, "reason": "x"}
    path = "/api/v1/slos/x/corrections"
    assert house.bearer("POST", path, reader, json=body).status_code == 403
    assert house.bearer("DELETE", path + "/1", reader).status_code == 403


def test_a_revoked_or_expired_token_opens_nothing(house: House) -> None:
    short = house.token("short", Scope.READ, expires_at=NOW + 10)
    gone = house.token("gone", Scope.READ)
    assert house.bearer("GET", "/api/v1/slos", short).status_code == 200
    with house.db.write() as conn:
        revoke_token(conn, "gone", NOW, "test")
    house.clock.advance(11)
    assert house.bearer("GET", "/api/v1/slos", short).status_code == 401
    assert house.bearer("GET", "/api/v1/slos", gone).status_code == 401


def test_a_wrong_token_is_refused_without_saying_why(house: House) -> None:
    house.token("reader", Scope.READ)
    for wrong in ("wk_wrong", "", "x" * 5000):
        assert house.bearer("GET", "/api/v1/slos", wrong).status_code == 401


def test_secrets_are_kept_only_as_hashes(house: House, tmp_path: Path) -> None:
    secret = house.token("reader", Scope.READ)
    house.db.close()
    stored = b"".join(p.read_bytes() for p in tmp_path.iterdir() if p.is_file())
    assert secret.encode() not in stored
    assert b"reader" in stored


def test_names_are_unique_and_a_token_needs_a_scope(house: House) -> None:
    house.token("reader", Scope.READ)
    with pytest.raises(UserError, match="already"):
        house.token("reader", Scope.READ)
    with pytest.raises(UserError, match="scope"):
        house.token("none")
    with house.db.write() as conn, pytest.raises(NotFound):
        revoke_token(conn, "nobody", NOW, "test")


def sign_in(house: House, token: str, **headers: str) -> httpx2.Response:
    form = {"token": token, "next": "/services"}
    return house.ask(
        "POST", "/signin", data=form, headers={"Sec-Fetch-Site": "same-origin", **headers}
    )


def test_signing_in_opens_a_session_that_ends_with_its_shift_or_by_hand(house: House) -> None:
    answer = sign_in(house, house.token("me", Scope.READ))
    assert answer.headers["location"] == "/services"
    cookie = answer.headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=lax" in cookie
    session = {"Cookie": cookie.split(";")[0]}
    assert house.ask("GET", "/api/v1/slos", headers=session).status_code == 200
    house.clock.advance(12 * 3600)
    assert house.ask("GET", "/api/v1/slos", headers=session).status_code == 401
    again = {
        "Cookie": sign_in(house, house.token("too", Scope.READ)).headers["set-cookie"].split(";")[0]
    }
    house.ask("POST", "/signout", headers={**again, "Sec-Fetch-Site": "same-origin"})
    assert house.ask("GET", "/api/v1/slos", headers=again).status_code == 401


def test_revoking_a_token_ends_the_sessions_it_opened(house: House) -> None:
    answer = sign_in(house, house.token("me", Scope.READ))
    session = {"Cookie": answer.headers["set-cookie"].split(";")[0]}
    with house.db.write() as conn:
        revoke_token(conn, "me", NOW, "test")
    assert house.ask("GET", "/api/v1/slos", headers=session).status_code == 401


def test_a_session_cannot_be_used_from_another_site(house: House) -> None:
    secret = house.token("me", Scope.READ, Scope.WRITE)
    cookie = sign_in(house, secret).headers["set-cookie"].split(";")[0]
    path, body = "/api/v1/slos/x/corrections", {"from": 1, "to": 2, "reason": "x"}
    for headers in (
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Origin": "http://evil.test"},
        {},
    ):
        sent = {"Cookie": cookie, **headers}
        assert house.ask("POST", path, json=body, headers=sent).status_code == 403
    fine = {"Cookie": cookie, "Origin": "http://wk.test"}
    assert house.ask("POST", path, json=body, headers=fine).status_code == 404
    assert sign_in(house, secret, **{"Sec-Fetch-Site": "cross-site"}).status_code == 403


def test_an_anonymous_reader_reads_and_does_no_more(house: House) -> None:
    house.anonymous = frozenset({Scope.READ})
    assert house.ask("GET", "/api/v1/slos").status_code == 200
    own = {"Sec-Fetch-Site": "same-origin"}
    body = {"from": 1, "to": 2, "reason": "x"}
    refused = house.ask("POST", "/api/v1/slos/x/corrections", json=body, headers=own)
    assert refused.status_code == 403


def test_an_anonymous_writer_is_a_script_or_our_own_page_but_not_another_site(house: House) -> None:
    house.anonymous = frozenset({Scope.READ, Scope.WRITE})
    path, body = "/api/v1/slos/x/corrections", {"from": 1, "to": 2, "reason": "x"}
    for headers, status in (
        ({}, 404),
        ({"Sec-Fetch-Site": "same-origin"}, 404),
        ({"Sec-Fetch-Site": "cross-site"}, 403),
        ({"Origin": "http://evil.test"}, 403),
    ):
        assert house.ask("POST", path, json=body, headers=headers).status_code == status


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("/slo/x?y=1", "/slo/x?y=1"),
        ("https://evil.test/", "/"),
        ("//evil.test", "/"),
        ("/\\evil.test", "/"),
        ("javascript:alert(1)", "/"),
        ("", "/"),
    ],
)
def test_a_sign_in_leads_only_to_our_own_pages(given: str, kept: str) -> None:
    assert local_path(given) == kept


def test_a_failed_sign_in_shows_nothing_of_what_was_typed_unescaped(house: House) -> None:
    form = {"token": "x", "next": '/"><script>alert(1)</script>'}
    answer = house.ask("POST", "/signin", data=form, headers={"Sec-Fetch-Site": "same-origin"})
    assert answer.status_code == 403
    assert "<script>" not in answer.text


def test_every_answer_carries_the_headers_that_keep_browsers_safe(house: House) -> None:
    for path in ("/healthz", "/signin", "/api/v1/slos"):
        headers = house.ask("GET", path).headers
        assert "default-src 'self'" in headers["content-security-policy"]
        assert "unsafe-inline" not in headers["content-security-policy"].replace(
            "style-src-attr 'unsafe-inline'", ""
        )
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["x-frame-options"] == "DENY"


def test_making_and_revoking_tokens_is_on_the_timeline(house: House) -> None:
    house.token("me", Scope.READ)
    with house.db.write() as conn:
        revoke_token(conn, "me", NOW, "boss")
    with house.db.read() as conn:
        kinds = [(e.kind, e.actor) for e in timeline.read(conn, subject="token/me")]
    assert kinds == [("token.created", "test"), ("token.revoked", "boss")]
