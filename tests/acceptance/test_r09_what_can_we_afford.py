"""R9: what can we afford? Over a real ledger and real changes: costs, how many more fit, what other
targets would have meant; the command says what the API says and the page shows it."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from urllib.error import HTTPError
from urllib.request import urlopen

import pytest
from click.testing import CliRunner
from playwright.sync_api import Browser, expect

from tests.support.afford_room import BAD, RELEASES, afford_room
from tests.support.browser import chromium, findings, page_in, serving
from tests.support.causes_room import NOW, CausesRoom
from watchkeeper.access.model import Scope
from watchkeeper.engine.board import Board
from watchkeeper.faces.cli.main import cli
from watchkeeper.faces.server import build_server
from watchkeeper.faces.services import Services
from watchkeeper.kernel.clock import VirtualClock

Told = dict[str, Any]
"""What the API says."""


@dataclass
class Served:
    """The room behind the real server."""

    room: CausesRoom
    url: str

    def get(self, path: str) -> Any:  # noqa: ANN401 (JSON)  # noqa: ANN401 (JSON)
        with urlopen(self.url + path, timeout=20) as answer:
            return json.loads(answer.read())


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with afford_room(tmp_path_factory.mktemp("afford")) as room:
        services = Services(room.db, Board(), VirtualClock(NOW))
        services.board.post(fleet=room.fleet(), specs=room.specs, ticked_at=NOW)
        with serving(build_server(services, None, frozenset({Scope.READ}))) as url:
            yield Served(room, url)


@pytest.fixture(scope="module")
def told(served: Served) -> Told:
    found: Told = served.get("/api/v1/afford?service=shop")
    return found


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as started:
        yield started


def wk(served: Served, monkeypatch: pytest.MonkeyPatch, *words: str) -> str:
    monkeypatch.setenv("WATCHKEEPER_URL", served.url)
    done = CliRunner().invoke(cli, ["afford", *words], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.stdout


def test_what_releases_cost_is_what_the_causes_put_down_to_them(served: Served, told: Told) -> None:
    account = served.get("/api/v1/slos/shop/causes?window=60d")
    blamed = {c["what"]: c["bad"] for c in account["causes"] if c["kind"] == "deployment"}
    costly = {c["what"].lower(): c["bad"] for c in told["changes"] if c["bad"]}

    assert costly == blamed
    assert len(costly) == len(BAD)
    parts = told["attributed"]
    assert parts["changes"] == sum(costly.values())
    assert sum(parts[k] for k in parts if k != "consumed") == parts["consumed"]
    assert parts["consumed"] == account["consumed"]
    known = {(c["by"], c["of"]): (c["n"], c["costly"], c["bad"]) for c in told["costs"]}
    assert known["kind", "deployment"] == (len(RELEASES), 3, parts["changes"])
    assert known["kind", "configuration"] == (1, 0, 0)
    assert known["intent", "feature"] == (10, 3, parts["changes"])


def test_the_answer_says_how_many_more_fit_and_never_who_made_a_change(told: Told) -> None:
    feature = next(c for c in told["costs"] if c["of"] == "feature")
    left, budget = told["budgets"][0]["left"], told["budgets"][0]["budget"]

    assert feature["fit"]["expected"] == int(left * budget * feature["n"] / feature["bad"])
    assert 0 < feature["fit"]["cautious"] < feature["fit"]["expected"]
    assert told["answer"] == (
        f"About {feature['fit']['expected']} more feature releases fit in what is left now; "
        f"cautiously {feature['fit']['cautious']}."
    )
    assert "rosa" not in json.dumps(told)


def test_a_ladder_of_targets_equals_a_recount_of_the_present_window(
    served: Served,
    told: Told,
) -> None:
    events = served.get("/api/v1/slos/shop")["events"]
    assert [t["target"] for t in told["targets"] if t["now"]] == ["0.99"]
    for rung in told["targets"]:
        allowed = events["total"] * (1 - float(rung["target"]))
        assert rung["bad"] == events["total"] - events["good"]
        assert rung["budget"] == pytest.approx(allowed)
    days = [t["depleted_days"] for t in told["targets"]]
    assert days == sorted(days)
    assert days[0] < days[-1]
    nine = told["next_nine"]
    assert nine["must_disappear"] == nine["bad"] - int(nine["budget"])
    assert nine["causes"][-1]["bad_left"] <= nine["budget"] < nine["causes"][0]["bad_left"]


def test_the_command_says_what_the_api_says(
    served: Served,
    told: Told,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert json.loads(wk(served, monkeypatch, "shop", "--json")) == told
    shown = wk(served, monkeypatch, "shop")
    assert told["answer"] in shown
    assert "* 99 %" in shown
    rows = list(csv.DictReader(io.StringIO(wk(served, monkeypatch, "shop", "--csv"))))
    assert [(r["of"], int(r["n"])) for r in rows] == [(c["of"], c["n"]) for c in told["costs"]]


def test_the_page_answers_first_and_shows_what_the_api_says(
    served: Served,
    browser: Browser,
    told: Told,
) -> None:
    with page_in(browser) as page:
        page.goto(f"{served.url}/slo/shop")
        page.get_by_role("link", name="What can we afford?").click()
        expect(page.get_by_label("The answer")).to_contain_text(told["answer"])
        page.get_by_role("link", name="All of them together").click()
        expect(page.get_by_label("The answer")).to_contain_text(told["recovery"]["says"])
        costs = page.get_by_role("region", name="What changes cost").locator("tbody tr")
        expect(costs).to_have_count(len(told["costs"]))
        targets = page.get_by_role("region", name="Targets").locator("tbody tr")
        days = [int(t) for t in targets.locator("td:nth-child(5)").all_inner_texts()]
        changes = page.get_by_role("region", name="Changes that cost something")
        expect(changes.locator("tbody tr")).to_have_count(len(BAD))
        with page.expect_download() as file:
            page.get_by_role("link", name="JSON").click()
        exported = json.loads(file.value.path().read_text())
        assert findings(page) == []
    assert days == [t["depleted_days"] for t in told["targets"]]
    assert exported == told


def test_the_page_of_a_policy_leads_there_and_is_usable_on_a_phone_in_the_dark(
    served: Served, browser: Browser
) -> None:
    with page_in(browser, width=390, theme="dark") as page:
        page.goto(f"{served.url}/budgets/shop-budget")
        page.get_by_role("link", name="What can we afford for shop").click()
        expect(page.get_by_role("heading", level=1)).to_have_text("What can we afford?")
        assert page.evaluate("document.documentElement.scrollWidth") <= 390
        assert findings(page) == []


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ("service=nothing", 404),
        ("service=shop&slo=nothing", 404),
        ("service=bank", 400),
        ("service=shop&days=0", 400),
        ("", 400),
    ],
)
def test_what_cannot_be_answered_is_refused_with_a_reason(
    served: Served, query: str, status: int
) -> None:
    with pytest.raises(HTTPError) as refused:
        served.get(f"/api/v1/afford?{query}")
    assert refused.value.code == status
