"""R21: who may do what, asked of every route of the real application.

The table below is written by hand, apart from the one that the server uses. A route that is not in
it fails the first test: whoever adds a route says here for whom it is.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from tests.support.causes_room import cause_doors
from tests.support.doors import gate_doors, learning_doors, response_doors
from tests.support.people import House, routes_of
from tests.support.status_place import STATUS_FREE, status_doors
from watchkeeper.access.model import Role, Scope
from watchkeeper.access.work import create_token
from watchkeeper.faces.doors import DOORS, Free, needed
from watchkeeper.oncall import store as oncall_store
from watchkeeper.oncall.model import PageState
from watchkeeper.store import Database

NOBODY = "nobody"
VIEWERS = {"vera", "rosa", "emil", "ada", "tess", "theo", "otto"}
ANY = {NOBODY} | VIEWERS
RESPONDERS = {"rosa", "emil", "ada"}
EDITORS = {"emil", "ada"}
OF_SHOP = {"tess", "theo"}  # responder and editor of the team shop, viewers elsewhere
ADMINS = {"ada"}

# otto is editor of another team: he is in no group but that of the viewers.
OPEN_TO: Mapping[str, set[str]] = {
    # open
    "GET /healthz": ANY,
    "GET /readyz": ANY,
    "GET /favicon.ico": ANY,
    "GET /static/{path:path}": ANY,
    "GET /signin": ANY,
    "POST /signin": ANY,
    "GET /setup": ANY,
    "POST /setup": ANY,
    # with a key in the address
    "GET /t/{signed}": ANY,
    "POST /t/{signed}": ANY,
    "POST /hook/slack/{channel}": ANY,
    "POST /hook/sms/{channel}": ANY,
    "POST /hook/status/{channel}": ANY,
    "POST /hook/voice/{signed}": ANY,
    "GET /ical/{kind}/{name}.ics": ANY,
    # reading
    "GET /": VIEWERS,
    "GET /services": VIEWERS,
    "GET /sources": VIEWERS,
    "GET /events": VIEWERS,
    "GET /metrics": VIEWERS,
    "GET /export.csv": VIEWERS,
    "GET /export.json": VIEWERS,
    "GET /slo/{name:path}": VIEWERS,
    "GET /whatif/{name:path}": VIEWERS,
    "GET /parts/whatif/{name:path}": VIEWERS,
    "GET /parts/whatif-result/{name:path}": VIEWERS,
    "GET /parts/alerts": VIEWERS,
    "GET /parts/alerts/{id}": VIEWERS,
    "GET /parts/alert-list": VIEWERS,
    "GET /parts/list": VIEWERS,
    "GET /parts/notices": VIEWERS,
    "GET /parts/now": VIEWERS,
    "GET /parts/pages/{id}": VIEWERS,
    "GET /parts/services": VIEWERS,
    "GET /parts/slo/{name:path}": VIEWERS,
    "GET /parts/sources": VIEWERS,
    "GET /alerts": VIEWERS,
    "GET /alerts.csv": VIEWERS,
    "GET /integrations": VIEWERS,
    "GET /integrations.csv": VIEWERS,
    "GET /integrations/{name:path}": VIEWERS,
    "GET /parts/integrations": VIEWERS,
    "GET /parts/integrations/{name:path}": VIEWERS,
    "GET /silences": VIEWERS,
    "GET /silences.csv": VIEWERS,
    "GET /parts/silences": VIEWERS,
    "GET /parts/silences/matching": VIEWERS,
    "GET /heartbeats": VIEWERS,
    "GET /heartbeats.csv": VIEWERS,
    "GET /parts/heartbeats": VIEWERS,
    "GET /alerts.json": VIEWERS,
    "GET /alerts/{id}": VIEWERS,
    "GET /pages": VIEWERS,
    "GET /pages.csv": VIEWERS,
    "GET /pages/{id}": VIEWERS,
    "GET /oncall": VIEWERS,
    "GET /parts/oncall": VIEWERS,
    "GET /oncall/shifts.csv": VIEWERS,
    "GET /oncall/mine": VIEWERS,
    "GET /oncall/schedules/{name:path}": VIEWERS,
    "GET /oncall/policies": VIEWERS,
    "GET /oncall/policies.csv": VIEWERS,
    "GET /oncall/policies/{name:path}": VIEWERS,
    "GET /drills": VIEWERS,
    "GET /drills.csv": VIEWERS,
    "GET /load.csv": VIEWERS,
    "GET /load.json": VIEWERS,
    "GET /load": VIEWERS,
    "GET /reach": VIEWERS,
    "GET /reach/contacts.csv": VIEWERS,
    "GET /reach/messages.csv": VIEWERS,
    "GET /account": VIEWERS,
    "GET /api/v1/openapi.json": VIEWERS,
    "GET /api/v1/me": VIEWERS,
    "GET /api/v1/slos": VIEWERS,
    "GET /api/v1/slos/{name:path}": VIEWERS,
    "GET /api/v1/slos/{name:path}/detail": VIEWERS,
    "GET /api/v1/slos/{name:path}/corrections": VIEWERS,
    "GET /api/v1/services": VIEWERS,
    "GET /api/v1/journeys": VIEWERS,
    "GET /api/v1/sources": VIEWERS,
    "GET /api/v1/findings": VIEWERS,
    "GET /api/v1/alerts": VIEWERS,
    "GET /api/v1/alerts/{alert_id}": VIEWERS,
    "GET /api/v1/silences": VIEWERS,
    "GET /api/v1/silences/matching": VIEWERS,
    "GET /api/v1/integrations": VIEWERS,
    "GET /api/v1/heartbeats": VIEWERS,
    "GET /api/v1/pages": VIEWERS,
    "GET /api/v1/pages/{page_id}": VIEWERS,
    "GET /api/v1/load": VIEWERS,
    "GET /api/v1/audit/engine": VIEWERS,
    "GET /api/v1/drills": VIEWERS,
    "GET /api/v1/schedules": VIEWERS,
    "GET /api/v1/schedules/{name}/shifts": VIEWERS,
    "GET /api/v1/schedules/{name}/shares": VIEWERS,
    "GET /api/v1/schedules/{name}/changes": VIEWERS,
    "GET /api/v1/deliveries": VIEWERS,
    "GET /api/v1/drills/proofs": VIEWERS,
    "GET /api/v1/escalation-policies": VIEWERS,
    "GET /api/v1/shifts": VIEWERS,
    "GET /api/v1/feeds": VIEWERS,
    "GET /api/v1/channels": VIEWERS,
    "GET /api/v1/contacts": VIEWERS,
    "POST /api/v1/backtest": VIEWERS,
    "GET /api/v1/actions": VIEWERS,
    "GET /api/v1/actions/{item_id}": VIEWERS,
    "GET /actions": VIEWERS,
    "GET /actions.csv": VIEWERS,
    "GET /actions/{id}": VIEWERS,
    "GET /parts/actions": VIEWERS,
    "POST /actions": RESPONDERS,
    "POST /actions/{id}": RESPONDERS,
    "POST /api/v1/actions": RESPONDERS,
    "GET /api/v1/actions/verify": RESPONDERS,
    "PATCH /api/v1/actions/{item_id}": RESPONDERS,
    "GET /changes": VIEWERS,
    "GET /changes.csv": VIEWERS,
    "GET /changes.json": VIEWERS,
    "GET /changes/{id}": VIEWERS,
    "GET /parts/changes": VIEWERS,
    "POST /changes/{id}/end": RESPONDERS,
    "GET /api/v1/changes": VIEWERS,
    "GET /api/v1/changes/culprits": VIEWERS,
    "GET /api/v1/changes/{change_id}": VIEWERS,
    "POST /api/v1/changes": EDITORS,
    "POST /api/v1/changes/{change_id}/end": EDITORS,
    "GET /postmortems": VIEWERS,
    "POST /postmortems": RESPONDERS,
    "GET /postmortems/feed": VIEWERS,
    "GET /postmortems/{id}.md": VIEWERS,
    "GET /postmortems/{id}": VIEWERS,
    "GET /postmortems/{id}/edit": RESPONDERS,
    "POST /postmortems/{id}/edit": RESPONDERS,
    "POST /postmortems/{id}/checked": RESPONDERS,
    "GET /postmortems/{id}/versions": VIEWERS,
    "POST /postmortems/{id}/{act}": RESPONDERS,
    "GET /api/v1/postmortems": VIEWERS,
    "POST /api/v1/postmortems": RESPONDERS,
    "GET /api/v1/postmortems/{postmortem_id}": VIEWERS,
    "PUT /api/v1/postmortems/{postmortem_id}/text": RESPONDERS,
    "PATCH /api/v1/postmortems/{postmortem_id}": RESPONDERS,
    "POST /api/v1/postmortems/{postmortem_id}/acts": RESPONDERS,
    "GET /api/v1/postmortems/{postmortem_id}/versions": VIEWERS,
    "GET /api/v1/postmortems/{postmortem_id}/diff/{one}/{two}": VIEWERS,
    "POST /postmortems/{id}/whys": RESPONDERS,
    "GET /api/v1/postmortems/search": VIEWERS,
    "GET /parts/similar": RESPONDERS,
    "GET /api/v1/incidents/similar": VIEWERS,
    "GET /api/v1/incidents/{incident_id}/similar": VIEWERS,
    "GET /api/v1/incidents/{incident_id}/recurrences": VIEWERS,
    "POST /api/v1/incidents/{incident_id}/recurrences": RESPONDERS,
    "GET /incidents": VIEWERS,
    "POST /incidents": RESPONDERS,
    "GET /incidents.csv": VIEWERS,
    "GET /incidents.json": VIEWERS,
    "GET /incidents/declare": RESPONDERS,
    "GET /incidents/{id}.json": VIEWERS,
    "GET /incidents/{id}.md": VIEWERS,
    "GET /incidents/{id}": VIEWERS,
    "POST /incidents/{id}/{act}": RESPONDERS,
    "GET /parts/incidents": VIEWERS,
    "GET /parts/incidents/{id}": VIEWERS,
    "GET /api/v1/incidents": VIEWERS,
    "POST /api/v1/incidents": RESPONDERS,
    "GET /api/v1/incidents/verify": VIEWERS,
    "GET /api/v1/incidents/severities": VIEWERS,
    "GET /api/v1/incidents/suggestion": VIEWERS,
    "GET /api/v1/incidents/{incident_id}/impact": VIEWERS,
    "PUT /api/v1/incidents/{incident_id}/impact": RESPONDERS,
    "GET /api/v1/incidents/{incident_id}": VIEWERS,
    "PATCH /api/v1/incidents/{incident_id}": RESPONDERS,
    "GET /api/v1/incidents/{incident_id}/timeline": VIEWERS,
    "POST /api/v1/incidents/{incident_id}/severity": RESPONDERS,
    "POST /api/v1/incidents/{incident_id}/state": RESPONDERS,
    "POST /api/v1/incidents/{incident_id}/updates": RESPONDERS,
    "POST /api/v1/incidents/{incident_id}/entries": RESPONDERS,
    "PATCH /api/v1/incidents/{incident_id}/entries/{number}": RESPONDERS,
    "POST /api/v1/incidents/{incident_id}/links": RESPONDERS,
    "PUT /api/v1/incidents/{incident_id}/roles/{role}": RESPONDERS,
    "GET /api/v1/incidents/{incident_id}/templates": VIEWERS,
    **status_doors(ANY, VIEWERS, EDITORS),
    **gate_doors(VIEWERS, RESPONDERS, EDITORS),
    **learning_doors(VIEWERS, RESPONDERS, EDITORS),
    **cause_doors(VIEWERS, RESPONDERS | OF_SHOP),
    **response_doors(VIEWERS, RESPONDERS),
    # oneself
    "POST /signout": VIEWERS,
    "POST /account/password": VIEWERS,
    "POST /account/signout-everywhere": VIEWERS,
    # responding; what the team shop owns is open to its own people too
    "GET /inbox": RESPONDERS,
    "POST /reach/{act}": RESPONDERS,
    "POST /pages/{id}/{act}": RESPONDERS | OF_SHOP,
    "POST /api/v1/pages/{page_id}/ack": RESPONDERS | OF_SHOP,
    "POST /api/v1/pages/{page_id}/resolve": RESPONDERS | OF_SHOP,
    "POST /api/v1/pages/{page_id}/snooze": RESPONDERS | OF_SHOP,
    "POST /api/v1/pages/{page_id}/reassign": RESPONDERS | OF_SHOP,
    "POST /api/v1/pages/{page_id}/responders": RESPONDERS | OF_SHOP,
    "POST /api/v1/pages/{page_id}/notes": RESPONDERS | OF_SHOP,
    "POST /alerts/{id}/close": RESPONDERS,
    "POST /api/v1/alerts/{alert_id}/close": RESPONDERS,
    "POST /api/v1/contacts/code": RESPONDERS,
    "POST /api/v1/contacts/verify": RESPONDERS,
    # editing
    "POST /silences": EDITORS,
    "POST /silences/{id}/end": EDITORS,
    "POST /integrations/{name:path}/test": EDITORS,
    "POST /api/v1/integrations/{name:path}/test": EDITORS,
    "POST /api/v1/silences": EDITORS,
    "DELETE /api/v1/silences/{silence_id}": EDITORS,
    "POST /slo/{name:path}/corrections": EDITORS | {"theo"},
    "POST /slo/{name:path}/corrections/{id}/remove": EDITORS | {"theo"},
    "POST /api/v1/slos/{name:path}/corrections": EDITORS | {"theo"},
    "DELETE /api/v1/slos/{name:path}/corrections/{correction_id}": EDITORS | {"theo"},
    "POST /api/v1/schedules/{name}/changes": EDITORS | {"theo"},
    "DELETE /api/v1/schedules/changes/{change_id}": EDITORS,
    "POST /oncall/schedules/{name:path}/changes": EDITORS | {"theo"},
    "POST /oncall/schedules/{name:path}/handoff": RESPONDERS | OF_SHOP,
    "POST /oncall/mine/changes": RESPONDERS,
    "POST /oncall/mine/test": RESPONDERS,
    "POST /oncall/changes/{id}/remove": EDITORS,
    "POST /drills": EDITORS,
    "POST /api/v1/drills": EDITORS,
    "POST /api/v1/channels/{name}/test": EDITORS,
    # measurements
    "POST /api/v1/alerts": EDITORS,
    "POST /api/v1/push": EDITORS,
    "POST /v1/metrics": EDITORS,
    "POST /api/v1/otlp/v1/metrics": EDITORS,
    # people
    "GET /audit": ADMINS,
    "GET /audit.csv": ADMINS,
    "GET /audit.json": ADMINS,
    "GET /api/v1/audit": ADMINS,
    "GET /api/v1/audit.csv": ADMINS,
    "POST /integrations/{name:path}/keys": ADMINS,
    "POST /integrations/{name:path}/keys/revoke": ADMINS,
    "POST /heartbeats/{name:path}/keys": ADMINS,
    "POST /heartbeats/{name:path}/keys/revoke": ADMINS,
    "POST /api/v1/integrations/{name:path}/keys": ADMINS,
    "DELETE /api/v1/integrations/{name:path}/keys/{key}": ADMINS,
    "GET /api/v1/users": ADMINS,
    "POST /api/v1/users": ADMINS,
    "GET /api/v1/users/{name}": ADMINS,
    "PATCH /api/v1/users/{name}": ADMINS,
    "POST /api/v1/users/{name}/password": ADMINS,
    # what is declared nowhere
    "GET /{rest:path}": ADMINS,
}

NAMES = {
    "budgets": "none",
    "integrations": "none",
    "heartbeats": "none",
    "mitigations": "none",
    "whatif": "api",
    "whatif-result": "api",
    "slo": "api",
    "slos": "api",
    "schedules": "first",
    "policies": "shop",
    "users": "vera",
    "channels": "push",
    "status": "none-such",
    "status-pages": "none-such",
}
"""What {name} stands for, by the word before it."""


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    db = Database.open(str(tmp_path_factory.mktemp("house") / "wk.db"))
    made = House(db)
    made.add("vera", Role.VIEWER)
    made.add("rosa", Role.RESPONDER)
    made.add("emil", Role.EDITOR)
    made.add("ada", Role.ADMIN)
    made.add("tess", Role.VIEWER, shop=Role.RESPONDER)
    made.add("theo", Role.VIEWER, shop=Role.EDITOR)
    made.add("otto", Role.VIEWER, other=Role.EDITOR)
    yield made
    db.close()


def path_of(pattern: str, page: int) -> str:
    """A pattern with something real in the place of each parameter."""
    words = pattern.split("/")
    for i, word in enumerate(words):
        if word in ("{id}", "{page_id}") and "pages" in words[i - 1]:
            words[i] = str(page)
        elif word in ("{name}", "{name:path}"):
            words[i] = NAMES[words[i - 1]]
        elif word == "{act}":
            words[i] = "ack" if "pages" in words else "verify"
        elif word.startswith("{"):
            words[i] = "none-such"
    return "/".join(words)


def is_let_in(house: House, who: str, method: str, path: str) -> bool:
    headers = {"Sec-Fetch-Site": "same-origin"}
    if who != NOBODY:
        headers["Cookie"] = house.session(who)
    answer = house.ask(method, path, headers)
    by_the_guard = answer.status == 401 and answer.text != "not signed by Slack"
    refused = by_the_guard or "This needs the permission" in answer.text
    assert answer.status < 500 or path == "/readyz", f"{who} {method} {path}: {answer.text}"
    assert not refused or answer.status in (401, 403)
    return not refused


def test_every_route_of_the_application_is_in_the_table(house: House) -> None:
    routes = routes_of(house.app)
    assert len(routes) > 70
    assert routes - set(OPEN_TO) == set(), "say in OPEN_TO for whom these are"
    assert set(OPEN_TO) - routes == set(), "these routes are gone"


@pytest.mark.parametrize("route", sorted(OPEN_TO))
def test_a_route_is_open_to_exactly_those_for_whom_it_is(house: House, route: str) -> None:
    method, pattern = route.split()
    path = path_of(pattern, house.page("shop"))
    let_in = {who for who in sorted(ANY) if is_let_in(house, who, method, path)}
    assert let_in == OPEN_TO[route]


@pytest.mark.parametrize("route", sorted(r for r in OPEN_TO if r.startswith("GET")))
def test_head_is_open_to_no_more_people_than_get(house: House, route: str) -> None:
    path = path_of(route.split()[1], 1)
    assert needed("HEAD", path) == needed("GET", path)


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/"),
        ("PUT", "/slo/api"),
        ("DELETE", "/pages/1"),
        ("TRACE", "/healthz"),
        ("GET", "/api/v1/secrets"),
        ("GET", "//audit"),
        ("GET", "/audit/"),
        ("GET", "/AUDIT"),
        ("GET", "/static/../audit"),
        ("POST", "/api/v1/users/vera/password/"),
    ],
)
def test_what_is_declared_nowhere_is_open_to_admins_only(
    house: House, method: str, path: str
) -> None:
    for who in ("vera", "rosa", "emil", "theo"):
        if path.startswith("/static/"):
            # A path that goes up is a file that is not there; it never becomes the page above.
            assert house.ask(method, path).status in (400, 404)
        else:
            assert not is_let_in(house, who, method, path)


def test_only_these_doors_ask_for_no_principal() -> None:
    free = {door.pattern for door in DOORS if isinstance(door.needs, Free)}
    assert free == {
        "/healthz",
        "/readyz",
        "/favicon.ico",
        "/static/{path:path}",
        "/signin",
        "/setup",
        "/t/{signed:path}",
        "/hook/{rest:path}",
        "/in/{rest:path}",
        "/hb/{rest:path}",
        "/v2/enqueue",
        "/v2/enqueue/{rest:path}",
        "/v2/change/enqueue",
        "/v2/alerts",
        "/v2/alerts/{rest:path}",
        "/api/v2/alerts",
        "/ical/{rest:path}",
        *STATUS_FREE,
    }


def test_a_page_that_no_team_owns_is_answered_only_by_those_who_may_everywhere(
    house: House,
) -> None:
    path = f"/api/v1/pages/{house.page('lone')}/ack"
    let_in = {who for who in sorted(ANY) if is_let_in(house, who, "POST", path)}
    assert let_in == RESPONDERS


def test_a_refused_answer_changes_nothing_and_an_allowed_one_does(house: House) -> None:
    page = house.page("shop")
    path = f"/api/v1/pages/{page}/ack"
    for who in (NOBODY, "vera", "otto"):
        assert not is_let_in(house, who, "POST", path)
        assert state_of(house, page) is PageState.OPEN
    assert is_let_in(house, "tess", "POST", path)
    assert state_of(house, page) is PageState.ACKED


def state_of(house: House, page: int) -> PageState:
    with house.db.read() as conn:
        found = oncall_store.get(conn, page)
    assert found is not None
    return found.state


def test_a_forged_tap_acts_for_nobody_even_with_an_admin_signed_in(house: House) -> None:
    page = house.page("shop")
    headers = {"Cookie": house.session("ada"), "Sec-Fetch-Site": "same-origin"}
    assert house.ask("POST", "/t/MTphY2s6OTk5OTk5OTk5OTphZGE.AAAA", headers).status == 404
    assert state_of(house, page) is PageState.OPEN


@pytest.mark.parametrize("user", ["vera", "rosa", "emil", "ada", "tess", "otto"])
def test_a_token_of_a_person_opens_no_more_than_the_person(house: House, user: str) -> None:
    page = house.page("shop")
    allowed = sorted(owned_scopes(house, user))
    with house.db.write() as conn:
        secret = create_token(conn, f"{user}-all", allowed, house.clock.now(), "test", user=user)
    for route in ("GET /", "POST /drills", "GET /audit", f"POST /api/v1/pages/{page}/ack"):
        method, path = route.split()
        by_token = house.ask(method, path, {"Authorization": f"Bearer {secret}"})
        allowed_by_token = "This needs the permission" not in by_token.text
        assert by_token.status != 401
        assert allowed_by_token == is_let_in(house, user, method, path), route


def owned_scopes(house: House, user: str) -> set[Scope]:
    asked = house.ask("GET", "/api/v1/me", {"Cookie": house.session(user)}).body
    found = json.loads(asked)
    teams = {s for scopes in found["team_scopes"].values() for s in scopes}
    return {Scope(s) for s in {*found["scopes"], *teams}}


def test_a_new_role_holds_at_the_next_request_for_sessions_and_tokens(tmp_path: Path) -> None:
    db = Database.open(str(tmp_path / "wk.db"))
    house = House(db)
    house.add("boss", Role.ADMIN)
    house.add("emil", Role.EDITOR)
    session = {"Cookie": house.session("emil"), "Sec-Fetch-Site": "same-origin"}
    with db.write() as conn:
        secret = create_token(conn, "ci", [Scope.WRITE], house.clock.now(), "test", user="emil")
    token = {"Authorization": f"Bearer {secret}"}
    assert house.ask("POST", "/drills", session).status != 403
    assert house.ask("POST", "/api/v1/drills", token).status != 403
    lower = {"Cookie": house.session("boss"), "Sec-Fetch-Site": "same-origin"}
    changed = house.ask("PATCH", "/api/v1/users/emil", lower, body=b'{"role":"viewer"}')
    assert changed.status == 200, changed.text
    assert house.ask("POST", "/drills", session).status == 403
    assert house.ask("POST", "/api/v1/drills", token).status == 403
    db.close()
