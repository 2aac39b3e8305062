"""R7: where the budget went, by cause, over a real ledger and real changes: on the page, by the API
and by the command they add up to exactly what was consumed, and a person can correct them."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest
from click.testing import CliRunner
from playwright.sync_api import Browser, expect

from tests.support.browser import chromium, findings, page_in, serving
from tests.support.causes_room import (
    DAY,
    NOW,
    NOW_MINUTE,
    CausesRoom,
    causes_room,
    objective,
    quiet,
)
from watchkeeper.access.model import Scope
from watchkeeper.engine.board import Board
from watchkeeper.faces.cli.main import cli
from watchkeeper.faces.server import build_server
from watchkeeper.faces.services import Services
from watchkeeper.kernel.clock import VirtualClock
from watchkeeper.store import timeline

RELEASE, BANK, SPIKE, RIDDLE = (NOW_MINUTE - d * DAY for d in (6, 4, 3, 1))


@dataclass
class Served:
    """The room behind the real server."""

    room: CausesRoom
    services: Services
    url: str

    def show(self) -> None:
        """Evaluate and publish, as a tick does."""
        self.services.board.post(fleet=self.room.fleet(), specs=self.room.specs, ticked_at=NOW)

    def ask(self, method: str, path: str, body: object = None) -> Any:  # noqa: ANN401 (JSON)
        data = None if body is None else json.dumps(body).encode()
        request = Request(
            self.url + path, data, {"Content-Type": "application/json"}, method=method
        )
        with urlopen(request, timeout=20) as answer:
            return json.loads(answer.read() or "null")


def story(room: CausesRoom) -> None:
    """Nine days: a bad release, a dependency that fails, a spike of demand, and a riddle."""
    start = NOW_MINUTE - 9 * DAY
    shop = quiet(start, NOW_MINUTE, 200, 40)
    payments = quiet(NOW_MINUTE - 5 * DAY, NOW_MINUTE, 100, 40)
    shop |= dict.fromkeys(range(RELEASE, RELEASE + 45), (70, 200))
    shop |= dict.fromkeys(range(BANK + 2, BANK + 25), (60, 200))
    payments |= dict.fromkeys(range(BANK, BANK + 25), (60, 100))
    for i in range(50):
        total = 200 + 14 * i
        shop[SPIKE + i] = (total * i // 180, total)
    shop |= dict.fromkeys(range(RIDDLE, RIDDLE + 12), (40, 200))
    room.record("shop", shop)
    room.record("payments", payments)
    room.change("shop", RELEASE - 4, "2.1")
    room.change("stock", RELEASE - 1, "7.0")  # innocent, though later
    room.change("shop", RELEASE + 44, "2.0")
    for zone in "abc":
        minutes = quiet(RELEASE - 200, RELEASE + 60, 66, 40)
        minutes |= dict.fromkeys(range(RELEASE, RELEASE + 45), (23, 66))
        room.record("shop-by-zone", minutes, (("zone", zone),))


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    more = [objective("shop-by-zone", "shop", group_by=("zone",))]
    with causes_room(tmp_path_factory.mktemp("causes"), more) as room:
        story(room)
        services = Services(room.db, Board(), VirtualClock(NOW))
        app = build_server(services, None, frozenset({Scope.READ, Scope.WRITE}))
        with serving(app) as url:
            made = Served(room, services, url)
            made.show()
            yield made


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as started:
        yield started


def test_the_bad_release_is_named_over_a_later_innocent_one_with_all_that_happened_since(
    served: Served,
) -> None:
    told = served.ask("GET", "/api/v1/slos/shop/causes")

    named = {(c["kind"], c["what"]) for c in told["causes"] if c["start"]}
    assert ("deployment", "shop 2.1") in named
    assert ("dependency", "payments failed") in named
    assert ("unknown", "Not known") in named
    assert any(kind == "traffic_spike" for kind, _ in named)
    release = next(c for c in told["causes"] if c["what"] == "shop 2.1")
    assert release["evidence"][0] == "It got worse 4 m after this was rolled out."
    assert [o["what"] for o in release["also"] if o["score"] < 0.5] == ["stock 7.0"]


def test_causes_add_up_to_what_the_status_says_was_consumed(served: Served) -> None:
    status = served.ask("GET", "/api/v1/slos/shop")
    told = served.ask("GET", "/api/v1/slos/shop/causes")
    week = served.ask("GET", "/api/v1/slos/shop/causes?window=7d")

    assert told["consumed"] == status["budget"]["consumed"]
    assert sum(c["bad"] for c in told["causes"]) == told["consumed"]
    assert sum(told["by_kind"].values()) == told["consumed"]
    assert sum(c["bad"] for c in week["causes"]) == week["consumed"] < told["consumed"]


def test_the_page_says_what_the_api_says(served: Served, browser: Browser) -> None:
    told = served.ask("GET", "/api/v1/slos/shop/causes")
    with page_in(browser) as page:
        page.goto(f"{served.url}/slo/shop/causes")
        rows = page.locator("article.cause")
        expect(rows).to_have_count(len(told["causes"]))
        bad = [re.sub(r"\D", "", text) for text in page.locator(".figures span").all_inner_texts()]
        shown = list(zip(rows.locator("h2").all_inner_texts(), map(int, bad), strict=True))
        with page.expect_download() as csv_file:
            page.get_by_role("link", name="CSV").click()
        exported = list(csv.DictReader(io.StringIO(csv_file.value.path().read_text())))
    assert shown == [(c["what"], c["bad"]) for c in told["causes"]]
    assert sum(n for _, n in shown) == told["consumed"]
    assert [int(row["bad"]) for row in exported] == [c["bad"] for c in told["causes"]]


def test_a_person_corrects_a_cause_on_the_page_and_takes_it_back(
    served: Served, browser: Browser
) -> None:
    with page_in(browser) as page:
        page.goto(f"{served.url}/slo/shop")
        why = page.locator("#causes li").filter(has_text="Not known")
        why.get_by_text("What is known").click()
        why.get_by_role("link").click()
        riddle = page.locator(f"#e{RIDDLE}")
        riddle.get_by_text("Correct it, or agree").click()
        riddle.get_by_label("It was").select_option("infrastructure")
        riddle.get_by_label("Namely").fill("A full disk")
        riddle.get_by_label("How it is known").fill("The disk's graph")
        riddle.get_by_role("button", name="Say so").click()
        expect(riddle.get_by_role("heading")).to_have_text("A full disk")
        expect(riddle).to_contain_text("The disk's graph")
        expect(page.locator("main")).to_contain_text("How right this has been")
        told = served.ask("GET", "/api/v1/slos/shop/causes")
        riddle.get_by_role("button", name="Take this back").click()
        expect(riddle.get_by_role("heading")).to_have_text("Not known")

    said = next(c for c in told["causes"] if c["said"])
    assert (said["kind"], said["what"]) == ("infrastructure", "A full disk")
    assert sum(c["bad"] for c in told["causes"]) == told["consumed"]
    with served.room.db.read() as conn:
        kinds = [e.kind for e in timeline.read(conn, subject="slo/shop")]
    assert [k for k in kinds if k.startswith("cause.")] == ["cause.said", "cause.unsaid"]


def test_the_command_shows_says_and_takes_back(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WATCHKEEPER_URL", served.url)

    def wk(*words: str) -> str:
        done = CliRunner().invoke(cli, ["causes", *words], catch_exceptions=False)
        assert done.exit_code == 0, done.output
        return done.stdout

    shown = wk("shop", "--why")
    made = wk("say", "shop", "dependency", "--at", str(RELEASE * 60 + 60), "--what", "The bank")
    corrected = json.loads(wk("shop", "--json"))
    accuracy = wk("accuracy")
    wk("unsay", "shop", made.split()[0])
    after = list(csv.DictReader(io.StringIO(wk("show", "shop", "--window", "7d", "--csv"))))

    assert re.search(r"deployment +shop 2\.1", shown)
    assert "It got worse 4 m after" in shown
    assert {"The bank"} == {c["what"] for c in corrected["causes"] if c["said"]}
    assert accuracy.splitlines()[0].split() == [
        "Kind", "Said", "True", "Right", "Precision", "Recall",
    ]  # fmt: skip
    assert "shop 2.1" in {row["what"] for row in after}


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("/api/v1/slos/shop/causes", {"at": RELEASE * 60, "kind": "somebody"}, 400),
        ("/api/v1/slos/shop/causes", {"at": (NOW_MINUTE - 600) * 60, "kind": "unknown"}, 404),
        ("/api/v1/slos/nothing/causes", {"at": RELEASE * 60, "kind": "unknown"}, 404),
    ],
)
def test_what_cannot_be_said_is_refused(
    served: Served, path: str, body: object, status: int
) -> None:
    with pytest.raises(HTTPError) as refused:
        served.ask("POST", path, body)
    assert refused.value.code == status
    assert set(json.loads(refused.value.read())) == {"error", "hint"}


def test_windows_that_cannot_be_are_refused(served: Served) -> None:
    for window in ("soon", "0d", "9000d"):
        with pytest.raises(HTTPError) as refused:
            served.ask("GET", f"/api/v1/slos/shop/causes?window={window}")
        assert refused.value.code == 400


@pytest.mark.parametrize(("width", "theme"), [(1440, "light"), (1440, "dark"), (390, "light")])
def test_the_pages_are_accessible_and_fit_their_width(
    served: Served, browser: Browser, width: int, theme: Literal["light", "dark"]
) -> None:
    found: dict[str, list[str]] = {}
    with page_in(browser, width, theme=theme) as page:
        for path in ("/slo/shop", "/slo/shop/causes"):
            page.goto(served.url + path)
            page.locator("main summary").first.click()
            found[path] = findings(page)
            over = page.evaluate(
                "document.documentElement.scrollWidth - document.documentElement.clientWidth"
            )
            assert over <= 0, path
    assert found == {path: [] for path in found}
