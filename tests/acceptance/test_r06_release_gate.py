"""R6: the budget decides what ships: a gate that pipelines ask, exceptions by a second person."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Literal

import httpx2
import pytest
from playwright.sync_api import Browser, expect

from tests.support.alert_place import CUT, NOW, Place, specs
from tests.support.browser import chromium, findings, serving
from watchkeeper.access.model import Scope
from watchkeeper.access.work import create_token
from watchkeeper.measure.model import Batch, Count
from watchkeeper.slo import work as slo_work
from watchkeeper.spec import load_text
from watchkeeper.spec.model import Specs

POLICY = """
apiVersion: watchkeeper/v1
kind: Service
metadata: {name: checkout}
spec: {}
---
apiVersion: watchkeeper/v1
kind: BudgetPolicy
metadata: {name: shop, displayName: The shop's budget}
spec: {services: [checkout], silverBullets: 2}
"""


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as started:
        yield started


def with_policy() -> Specs:
    loaded = load_text(POLICY)
    assert loaded.specs is not None, [str(f) for f in loaded.findings]
    return replace(specs(), budgets=loaded.specs.budgets)


class Shop(Place):
    """The usual place, with a budget policy; `outage` spends what is left."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.world.specs = with_policy()
        self.look()

    def look(self) -> None:
        with self.db.read() as conn:
            fleet = slo_work.evaluate_fleet(conn, self.world.specs, NOW)
        self.board.post(specs=self.world.specs, fleet=fleet, ticked_at=NOW)

    def outage(self) -> None:
        """5,000 more requests fail: more than the 2,880 of two days that may."""
        sli = self.world.specs.slos["checkout-availability"].sli
        assert sli is not None
        with self.db.write() as conn:
            late = [Count(sli.key, int(NOW // 60) - 1 - m, 0, 1000) for m in range(5)]
            slo_work.record_batch(conn, self.world.specs, Batch(late), NOW)
        self.look()

    def token(self, name: str, *scopes: Scope) -> str:
        with self.db.write() as conn:
            return create_token(conn, name, list(scopes), NOW, "test", None)

    def wk(self, token: str, *words: str) -> subprocess.CompletedProcess[str]:
        """The real command, in a process of its own."""
        command = [sys.executable, "-m", "watchkeeper.faces.cli.main", "gate", *words]
        command += ["--url", self.url, "--token", token]
        return subprocess.run(command, capture_output=True, text=True, timeout=60)


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Shop]:
    made = Shop(tmp_path)
    with serving(made.app) as made.url:
        yield made
    made.db.close()


def test_a_pipeline_is_let_pass_is_halted_and_passes_by_an_exception_of_two_people(
    shop: Shop, browser: Browser
) -> None:
    ci = shop.token("ci", Scope.PUSH, Scope.READ)
    passed = shop.wk(ci, "check", "checkout", "--change", "v1.4")
    assert (passed.returncode, passed.stdout[:5]) == (0, "ALLOW")
    shop.outage()
    halted = shop.wk(ci, "check", "checkout", "--change", "v1.5")
    assert (halted.returncode, halted.stdout[:4]) == (3, "HALT")
    assert "feature releases halt" in halted.stdout
    fix = shop.wk(ci, "check", "checkout", "--change-kind", "reliability", "--json")
    assert (fix.returncode, json.loads(fix.stdout)["decision"]) == (0, "allow")
    with shop.seen_by("rosa", browser) as rosa:
        rosa.goto(shop.url + "/budgets/shop")
        expect(rosa.get_by_label("May we release?")).to_contain_text("Feature releases halt")
        rosa.get_by_text("Ask for an exception", exact=True).click()
        rosa.get_by_label("What cannot wait, and why").fill("The tax rate changes at midnight")
        rosa.get_by_role("button", name="Ask", exact=True).click()
        expect(rosa.locator("#exceptions")).to_contain_text("Somebody else must give it")
        expect(rosa.get_by_role("button", name="Give it")).to_have_count(0)
    assert shop.wk(ci, "check", "checkout").returncode == 3
    with shop.seen_by("emil", browser) as emil:
        emil.goto(shop.url + "/budgets/shop")
        emil.get_by_role("button", name="Give it").click()
        expect(emil.locator("#exceptions")).to_contain_text("given by emil")
    by_exception = shop.wk(ci, "check", "checkout", "--change", "v1.5")
    assert by_exception.returncode == 0
    assert "The tax rate changes at midnight" in by_exception.stdout
    uid = by_exception.stderr.split()[-1]
    with shop.seen_by("vera", browser) as vera:
        vera.goto(f"{shop.url}/gate/{uid}")
        expect(vera.locator("main")).to_contain_text("the same ruling follows again")
        vera.goto(shop.url + "/slo/checkout-availability")
        card = vera.locator("section", has=vera.get_by_role("heading", name="Policy in force"))
        expect(card).to_contain_text("Feature releases halt")
        card.get_by_role("link", name="The shop's budget").click()
        expect(vera.get_by_role("button", name="Give it")).to_have_count(0)
        expect(vera.get_by_text("Ask for an exception", exact=True)).to_have_count(0)


def test_a_gate_that_cannot_be_asked_is_an_error_or_fails_as_was_chosen(shop: Shop) -> None:
    ci = shop.token("ci", Scope.PUSH)
    assert shop.wk(ci, "check", "chekout").returncode == 2
    assert shop.wk(ci, "check", "chekout", "--on-error", "allow").returncode == 2
    assert shop.wk("wk_wrong", "check", "checkout", "--on-error", "allow").returncode == 2
    real, shop.url = shop.url, "http://127.0.0.1:9"
    assert shop.wk(ci, "check", "checkout").returncode == 2
    opened = shop.wk(ci, "check", "checkout", "--on-error", "allow")
    assert (opened.returncode, "fails open" in opened.stdout) == (0, True)
    closed = shop.wk(ci, "check", "checkout", "--on-error", "halt")
    assert (closed.returncode, "fails closed" in closed.stdout) == (3, True)
    shop.url = real


def test_flagger_and_kubernetes_are_answered_in_their_own_shapes(shop: Shop) -> None:
    headers = {"Authorization": f"Bearer {shop.token('cluster', Scope.PUSH)}"}

    def post(path: str, body: object) -> httpx2.Response:
        return httpx2.post(f"{shop.url}/api/v1/gate/{path}", json=body, headers=headers)

    def review(**notes: str) -> dict[str, object]:
        notes = {f"watchkeeper.dev/{k.replace('_', '-')}": v for k, v in notes.items()}
        thing = {"kind": "Deployment", "metadata": {"name": "web", "annotations": notes}}
        request = {"uid": "705ab4f5", "namespace": "prod", "operation": "UPDATE", "object": thing}
        return {"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "request": request}

    canary = {"name": "web", "namespace": "prod", "phase": "Progressing",
              "metadata": {"service": "checkout"}}  # fmt: skip
    assert post("flagger", canary).status_code == 200
    shop.outage()
    assert post("flagger", canary).status_code == 409
    halted = post("admission", review(service="checkout")).json()
    assert halted["kind"] == "AdmissionReview"
    assert (halted["response"]["uid"], halted["response"]["allowed"]) == ("705ab4f5", False)
    assert "feature releases halt" in halted["response"]["status"]["message"]
    fix = post("admission", review(service="checkout", change_kind="security")).json()
    assert fix["response"]["allowed"] is True
    assert post("admission", review()).json()["response"] == {"uid": "705ab4f5", "allowed": True}
    assert post("admission", {"kind": "Pod"}).status_code == 400


def test_the_decisions_of_a_week_replay_to_the_same_result(shop: Shop) -> None:
    headers = {"Authorization": f"Bearer {shop.token('ci', Scope.PUSH, Scope.READ)}"}
    with httpx2.Client(base_url=shop.url, headers=headers) as client:
        for i in range(40):
            if i == 20:
                shop.outage()
            kind = ("feature", "reliability", "security")[i % 3]
            body = {"service": ("checkout", "payments")[i % 2], "change_kind": kind}
            assert client.post("/api/v1/gate/check", json=body).status_code == 200
        span = {"since": NOW - 7 * 86_400, "until": NOW + 1}
        found = client.get("/api/v1/gate/replay", params=span).json()
        assert found == {"decisions": 40, "broken": []}
        verdicts = client.get("/api/v1/gate/decisions", params={"decision": "halt"}).json()
    assert len(verdicts["decisions"]) == 3
    with shop.db.write() as conn:
        conn.exec_driver_sql("UPDATE gate_decision SET verdict = 'allow' WHERE id = 25")
        conn.exec_driver_sql("UPDATE gate_decision SET verdict = 'halt' WHERE id = 26")
    with httpx2.Client(base_url=shop.url, headers=headers) as client:
        found = client.get("/api/v1/gate/replay", params=span).json()
    assert len(found["broken"]) >= 1


@pytest.mark.parametrize(("width", "theme"), [(1440, "light"), (1440, "dark"), (390, "light")])
def test_pages_of_budgets_are_accessible_and_fit_their_width(
    shop: Shop, browser: Browser, width: int, theme: Literal["light", "dark"]
) -> None:
    ci = {"Authorization": f"Bearer {shop.token('ci', Scope.PUSH)}"}
    shop.outage()
    body = {"service": "checkout", "change": "v1.5"}
    uid = httpx2.post(f"{shop.url}/api/v1/gate/check", json=body, headers=ci).json()["id"]
    with shop.seen_by("ada", browser, width, theme) as page:
        page.goto(shop.url + "/budgets/shop")
        page.get_by_text("Ask for an exception", exact=True).click()
        page.get_by_label("What cannot wait, and why").fill("A law")
        page.get_by_role("button", name="Ask", exact=True).click()
        # The same page comes anew: only what is written there says that it is back.
        expect(page.locator("#exceptions")).to_contain_text("A law")
        for path in ("/budgets", "/budgets/shop", "/gate", f"/gate/{uid}"):
            page.goto(shop.url + path)
            assert findings(page) == [], path
            over = page.evaluate(
                "document.documentElement.scrollWidth - document.documentElement.clientWidth"
            )
            assert over <= 0, path
            assert page.evaluate(CUT) == [], path
