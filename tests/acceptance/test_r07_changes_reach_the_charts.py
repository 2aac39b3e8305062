"""R7: what was changed is told by doors, programs and people, and is seen in every chart."""

from __future__ import annotations

import csv
import io
import json
import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

import httpx2
import pytest
from click.testing import CliRunner
from playwright.sync_api import Browser, Page, expect
from sqlalchemy import Connection

from tests.support import duty
from tests.support.alert_place import NOW, SLO, Place
from tests.support.browser import chromium, findings, serving
from watchkeeper.access.model import Scope
from watchkeeper.access.work import create_token
from watchkeeper.changes import marks, store
from watchkeeper.changes.model import ChangeKind, Outcome, Report, Told
from watchkeeper.changes.rules import folded
from watchkeeper.faces.changes import Changes
from watchkeeper.faces.cli.main import cli
from watchkeeper.kernel import text
from watchkeeper.kernel.clock import iso
from watchkeeper.store.writing import insert_rows

ONSET = duty.START + 1500 * 60
"""When half of the requests begin to fail, for 20 minutes."""


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as started:
        yield started


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    made = Place(tmp_path)
    with serving(made.app) as made.url:
        yield made
    made.db.close()


def token(place: Place, *scopes: Scope) -> str:
    with place.db.write() as conn:
        return create_token(conn, f"ci-{len(scopes)}", list(scopes), NOW, "test", None)


def record(place: Place, service: str, at: float, version: str, **more: Any) -> int:  # noqa: ANN401
    named = {"kind": ChangeKind.DEPLOYMENT, "outcome": Outcome.SUCCEEDED, **more}
    told = Told(services=(service,), version=version, started_at=at, **named)
    return Changes(place.services).record(told, "ci").change.id


def charted(page: Page) -> dict[str, list[dict[str, Any]]]:
    found: dict[str, list[dict[str, Any]]] = json.loads(
        page.locator("#chart-data").text_content() or ""
    )["changes"]
    return found


@pytest.mark.parametrize(("width", "theme"), [(1440, "light"), (1440, "dark"), (390, "light")])
def test_every_page_is_accessible_and_fits_its_width(
    place: Place, browser: Browser, width: int, theme: Literal["light", "dark"]
) -> None:
    number = record(place, "checkout", NOW - 600, "9.0", outcome=Outcome.IN_PROGRESS)
    record(place, "payments", NOW - 60, "1.4.2", environment="production")
    found: dict[str, list[str]] = {}
    with place.seen_by("ada", browser, width, theme) as page:
        for path in ("/changes", f"/changes/{number}", f"/slo/{SLO}"):
            page.goto(place.url + path)
            for summary in page.locator("details.marked > summary").all():
                summary.click()
            found[path] = findings(page)
            over = page.evaluate(
                "document.documentElement.scrollWidth - document.documentElement.clientWidth"
            )
            assert over <= 0, path
    assert found == {path: [] for path in found}


def test_a_deployment_told_by_github_is_in_the_list_and_in_the_charts_of_those_who_need_it(
    place: Place, browser: Browser
) -> None:
    made = {"id": 7, "ref": "v1.4.2", "sha": "f95f852b", "environment": "production",
            "created_at": iso(ONSET - 180)}  # fmt: skip
    body = {"deployment": made, "repository": {"full_name": "shop/payments"}}
    key = place.key("github")
    assert place.send(f"/in/{key}", body, {"X-GitHub-Event": "deployment"}) == 202
    status = {"state": "success", "created_at": iso(ONSET - 60)}
    over = {**body, "deployment_status": status}
    assert place.send(f"/in/{key}", over, {"X-GitHub-Event": "deployment_status"}) == 202
    with place.seen_by("vera", browser) as page:
        page.goto(place.url + "/changes")
        row = page.locator("tr", has_text="v1.4.2")
        expect(row).to_contain_text("Payments")
        expect(row).to_contain_text("Succeeded")
        page.goto(f"{place.url}/slo/{SLO}")  # of checkout, which depends on payments
        (mark,) = charted(page)["window"]
        assert (mark["label"], mark["at"], mark["kind"]) == (
            "Payments v1.4.2", ONSET - 180, "deployment"
        )  # fmt: skip
        assert charted(page)["minutes"] == []
        summary = page.locator("details.marked > summary")
        expect(summary).to_have_text("1 change in this window")
        summary.focus()
        page.keyboard.press("Enter")
        page.keyboard.press("Tab")  # the region that scrolls
        page.keyboard.press("Tab")
        page.keyboard.press("Enter")
        expect(page).to_have_url(re.compile(r"/changes/1$"))
        expect(page.locator("main")).to_contain_text("2 m")


def test_a_marker_is_drawn_where_its_change_was(place: Place, browser: Browser) -> None:
    def ink(page: Page) -> int:
        """Dark dots in the row of markers of the chart of minutes."""
        return int(
            page.evaluate("""() => {
            const c = document.querySelector("#c-events canvas"), g = c.getContext("2d");
            const w = c.width, h = c.height, d = g.getImageData(0, h - 60, w, 30).data;
            let n = 0; for (let i = 3; i < d.length; i += 4) n += d[i] > 200; return n }""")
        )

    with place.seen_by("vera", browser) as page:
        page.goto(f"{place.url}/slo/{SLO}")
        expect(page.locator("#c-events canvas")).to_be_visible()
        before = ink(page)
        record(place, "checkout", NOW - 3600, "9.0")
        page.reload()
        expect(page.locator("#c-events canvas")).to_be_visible()
        page.wait_for_function("document.fonts.status === 'loaded'")
        assert ink(page) > before + 50


def test_the_command_line_records_lists_shows_and_ends(place: Place) -> None:
    secret = token(place, Scope.READ, Scope.PUSH)

    def wk(*words: str) -> str:
        where = ["--url", place.url, "--token", secret]
        done = CliRunner().invoke(cli, ["change", *words, *where], catch_exceptions=False)
        assert done.exit_code == 0, done.output
        return done.output

    begun = ("record", "checkout", "--version", "9.0", "--key", "d-1")
    assert wk(*begun, "--outcome", "in_progress") == "1 in_progress: checkout 9.0\n"
    assert wk(*begun, "--outcome", "in_progress").startswith("1 ")
    assert "in progress" in wk("list", "--service", "checkout")
    assert wk("end", "1", "--outcome", "rolled_back").startswith("1 rolled back at ")
    shown = wk("show", "1")
    assert "rolled back" in shown
    assert "told by ci-2" in shown
    assert wk("list", "--kind", "flag") == "no changes\n"
    assert wk("culprits", "checkout").startswith("1. Checkout 9.0 went out")


def test_the_api_is_idempotent_pages_and_refuses_what_makes_no_sense(place: Place) -> None:
    secret = token(place, Scope.READ, Scope.PUSH)
    headers = {"Authorization": f"Bearer {secret}"}
    with httpx2.Client(base_url=place.url + "/api/v1", headers=headers) as api:
        body = {"services": ["Payments"], "version": "1.4.2", "key": "b-7", "kind": "deployment"}
        first, again = api.post("/changes", json=body), api.post("/changes", json=body)
        assert (first.status_code, again.status_code) == (201, 200)
        assert first.json()["services"] == ["payments"]
        assert {**first.json(), "created": False} == again.json()
        for n in range(4):
            api.post("/changes", json={"services": ["checkout"], "version": f"9.{n}"})
        seen: list[str] = []
        after: str | None = ""
        while after is not None:
            found = api.get("/changes", params={"limit": 2, "after": after}).json()
            seen += [c["version"] for c in found["changes"]]
            after = found["next"]
        assert seen == ["9.3", "9.2", "9.1", "9.0", "1.4.2"]
        wrong: list[dict[str, object]] = [
            {}, {"version": "1", "kind": "odd"}, {"versoin": "1"}, {"version": 3},
            {"version": "1", "started_at": "soon"}, {"version": "1", "links": [{"href": "js:"}]},
            {"version": "1", "started_at": 10, "ended_at": 5},
        ]  # fmt: skip
        for each in wrong:
            answer = api.post("/changes", json=each)
            assert answer.status_code == 400, each
            assert answer.json()["error"]
        assert api.get("/changes", params={"after": "x"}).status_code == 400
        assert api.get("/changes/99").status_code == 404
        assert api.post("/changes/99/end", json={"outcome": "failed"}).status_code == 404
        assert len(api.get("/changes").json()["changes"]) == 5
    reader = {"Authorization": f"Bearer {token(place, Scope.READ)}"}
    refused = httpx2.post(f"{place.url}/api/v1/changes", json=body, headers=reader)
    assert refused.status_code == 403


def test_who_reported_is_kept_on_the_change_and_counted_nowhere(
    place: Place, browser: Browser
) -> None:
    number = record(place, "checkout", NOW - 60, "9.0", reporter="ann")
    with place.seen_by("vera", browser) as page:
        page.goto(f"{place.url}/changes/{number}")
        expect(page.locator("main")).to_contain_text("by ann by ci")
        page.goto(place.url + "/changes")
        expect(page.locator("main")).not_to_contain_text("ann")
    assert "ann" not in place.get("/changes.csv").text


def test_filters_exports_and_an_end_by_a_click(place: Place, browser: Browser) -> None:
    number = record(place, "checkout", NOW - 60, "9.0", outcome=Outcome.IN_PROGRESS)
    record(place, "payments", NOW - 90, "", kind=ChangeKind.FLAG, summary="=New basket")
    record(place, "payments", NOW - 40 * 86400, "0.1")
    with place.seen_by("rosa", browser) as page:
        page.goto(place.url + "/changes")
        expect(page.locator("#changes h2")).to_have_text("2 changes in the last 7 days")
        page.select_option("#f-kind", "flag")
        expect(page.locator("#changes tbody tr")).to_have_count(1)
        page.select_option("#f-kind", "")
        page.select_option("#f-span", "all")
        expect(page.locator("#changes tbody tr")).to_have_count(3)
        page.goto(f"{place.url}/changes/{number}")
        page.get_by_role("button", name="Failed").click()
        expect(page.locator("h1 + p")).to_contain_text("Failed")
        expect(page.get_by_role("button", name="Failed")).to_have_count(0)
    rows = list(csv.DictReader(io.StringIO(place.get("/changes.csv?span=all").text)))
    assert [r["outcome"] for r in rows] == ["failed", "succeeded", "succeeded"]
    assert rows[1]["summary"] == "'=New basket"
    exported = json.loads(place.get("/changes.json?service=payments").text)
    assert [c["summary"] for c in exported] == ["=New basket"]


def test_the_release_of_a_dependency_is_named_before_a_later_innocent_one(place: Place) -> None:
    guilty = record(place, "payments", ONSET - 180, "1.4.2")
    record(place, "checkout", ONSET - 3 * 3600, "9.0")
    asked = f"/api/v1/changes/culprits?service=checkout&onset={ONSET}"
    found = place.get(asked).json()["culprits"]
    assert found[0]["change"]["id"] == guilty
    assert found[0]["why"].startswith("Payments 1.4.2 went out 3 m before the trouble began")


def test_ten_thousand_changes_are_few_marks_and_do_not_slow_the_page(place: Place) -> None:
    before = _slo_seconds(place)
    with place.db.write() as conn:
        _many(conn, 10_000)
    after = _slo_seconds(place)
    data = json.loads(
        re.findall(r'id="chart-data">(.*?)</script>', place.get(f"/slo/{SLO}").text, re.DOTALL)[0]
    )
    window = data["changes"]["window"]
    assert len(window) <= marks.STEPS
    assert sum(m["many"] for m in window) == 10_000
    page = place.get(f"/slo/{SLO}").text
    assert f"{text.number(10_000)} changes in this window" in page
    assert page.count('href="/changes/') < 2 * marks.LISTED + 5
    assert after < before + 0.15, f"{before:.3f} s without, {after:.3f} s with 10,000 changes"


def _slo_seconds(place: Place) -> float:
    def once() -> float:
        # Of the processor, in this process, which serves the page too: others may keep it busy.
        began = time.process_time()
        place.get(f"/slo/{SLO}")
        return time.process_time() - began

    once()
    return min(once() for _ in range(5))


def _many(conn: Connection, many: int) -> None:
    """Changes of two services at even times over the last month, as `store.save` keeps them."""
    rows, of = [], []
    for n in range(many):
        at = NOW - 29 * 86400 + n * 29 * 86400 / many
        told = Told(version=f"1.{n}", services=(("checkout", "payments")[n % 2],), started_at=at)
        change = folded(f":{n}", [Report(str(n), told, "ci", at)])
        rows.append({"id": n + 1, **store.values_of(change)})
        of.append({"service": told.services[0], "started_at": at, "change_id": n + 1,
                   "over_at": at, "kind": "other"})  # fmt: skip
    insert_rows(conn, store.change, rows)
    insert_rows(conn, store.change_service, of)
