"""R5: the pages on alerts and their intake in a real Chromium, over the whole application."""

from __future__ import annotations

import csv
import io
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import httpx2
import pytest
from playwright.sync_api import Browser, Page, expect

from tests.support.alert_place import CUT, NOW, PATHS, PEOPLE, SLO, TYPES, Place, filled
from tests.support.browser import chromium, findings, serving
from tests.support.duty import SITE
from tests.support.processes import wait_until
from watchkeeper.alerting import store_intake, store_lists
from watchkeeper.alerting.model import AlertState
from watchkeeper.alerting.store_lists import Wanted
from watchkeeper.changes import store as changes
from watchkeeper.faces.web.integration_examples import guide
from watchkeeper.notify.model import TransportError
from watchkeeper.spec import load_text

DIFFERENT = ("/alerts", "/alerts/1", "/integrations/alertmanager", f"/whatif/{SLO}")


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


def live(page: Page) -> None:
    expect(page.locator("#live")).to_contain_text("Live, as of", timeout=10_000)


# ---------------------------------------------------------------- looks


@pytest.mark.parametrize(("width", "theme"), [(1440, "light"), (1440, "dark"), (390, "light")])
def test_every_page_is_accessible_and_fits_its_width(
    place: Place, browser: Browser, width: int, theme: Literal["light", "dark"]
) -> None:
    filled(place)
    found: dict[str, list[str]] = {}
    with place.seen_by("ada", browser, width, theme) as page:
        for path in PATHS:
            page.goto(place.url + path)
            expect(page.locator("h1")).to_have_count(1)
            wider = page.evaluate(
                "document.documentElement.scrollWidth - document.documentElement.clientWidth"
            )
            # What is looked for once is looked for again only where colours or sizes differ most.
            looked = (width, theme) == (1440, "light") or path in DIFFERENT
            found[path] = [f"{wider} px too wide"] if wider > 0 else []
            found[path] += findings(page) if looked else []
    assert {path: said for path, said in found.items() if said} == {}


def test_no_table_is_cut_off_at_any_width(place: Place, browser: Browser) -> None:
    filled(place)
    with place.seen_by("ada", browser) as page:
        for path in PATHS:
            page.goto(place.url + path)
            for width in (320, 768, 1010):
                page.set_viewport_size({"width": width, "height": 800})
                cut = page.evaluate(CUT)
                assert cut == [], f"{path} at {width}"


# ---------------------------------------------------------------- the list


def test_an_alert_that_comes_is_seen_without_reloading(place: Place, browser: Browser) -> None:
    with place.seen_by("vera", browser) as page:
        page.goto(place.url + "/alerts")
        live(page)
        expect(page.locator("h1")).to_have_text("Nobody is needed now")
        expect(page.locator("#alert-list")).to_contain_text("No alert is open.")
        page.evaluate("window.still = true")
        place.event("db-1/disk", "Disk 97 % full on db-1")
        expect(page.locator("#alert-list a.name")).to_have_text("Disk 97 % full on db-1")
        expect(page.locator("h1")).to_contain_text("1 page is open and nobody has it yet")
        assert page.evaluate("window.still") is True


def test_alerts_are_walked_acknowledged_resolved_and_silenced_by_keyboard(
    place: Place, browser: Browser
) -> None:
    place.event("disk", "Disk full")
    place.event("slow", "Slow answers", "payments")
    with place.seen_by("emil", browser) as page:
        page.goto(place.url + "/alerts")
        live(page)
        page.evaluate("window.still = true")
        page.focus("#alert-link-1")
        page.keyboard.press("a")
        expect(page.locator("#alert-1")).to_contain_text("Acknowledged")
        expect(page.locator("#alert-1")).to_contain_text("emil")
        assert place.world.page(1).acked_by == "emil"
        assert page.evaluate("document.activeElement.id") == "alert-link-1"
        page.keyboard.press("k")
        assert page.evaluate("document.activeElement.id") == "alert-link-2"
        page.keyboard.press("r")
        expect(page.locator("#alert-2")).to_have_count(0)
        assert place.alerts() == [("slow", AlertState.CLOSED), ("disk", AlertState.ACKNOWLEDGED)]
        assert page.evaluate("window.still") is True
        page.keyboard.press("j")
        page.focus("#alert-link-1")
        page.keyboard.press("s")
        page.wait_for_url("**/silences?alert=1*")
        assert "service=checkout" in page.input_value("#matchers")
        page.go_back()
        page.focus("#alert-link-1")
        page.keyboard.press("Enter")
        expect(page.locator("h1")).to_have_text("Disk full")
        page.keyboard.press("?")
        expect(page.get_by_role("dialog")).to_contain_text("acknowledge, resolve, silence")


def test_a_change_that_is_refused_says_so_on_the_page(place: Place, browser: Browser) -> None:
    place.event("disk", "Disk full")
    with place.seen_by("rosa", browser) as page:
        page.goto(place.url + "/pages/1")
        live(page)
        with httpx2.Client(cookies={"wk_session": place.cookie("emil")}) as other:
            form = {"Sec-Fetch-Site": "same-origin"}
            page.route("**/parts/pages/1", lambda route: route.abort())
            assert other.post(f"{place.url}/pages/1/resolve", headers=form).status_code == 303
        page.get_by_role("button", name="Acknowledge").click()
        expect(page.locator("#said")).to_contain_text("resolved")


def test_filters_are_in_the_address_and_files_hold_what_is_shown(
    place: Place, browser: Browser
) -> None:
    place.event("db-1/disk", "Disk 97 % full", "payments")
    place.event("slow", "=slow", "checkout")
    with place.seen_by("vera", browser) as page:
        page.goto(place.url + "/alerts")
        live(page)
        page.keyboard.press("/")
        page.keyboard.type("DISK")
        page.wait_for_url("**/alerts?q=DISK")
        page.select_option("#f-service", "payments")
        page.wait_for_url("**/alerts?q=DISK&service=payments")
        names = page.locator("#alert-list a.name")
        expect(names).to_have_text(["Disk 97 % full"])
        page.reload()
        expect(names).to_have_text(["Disk 97 % full"])
        assert page.input_value("#q") == "DISK"
        address = page.get_by_role("link", name="CSV").last.get_attribute("href")
        rows = list(csv.DictReader(io.StringIO(page.request.get(f"{place.url}{address}").text())))
        assert [(r["summary"], r["key"], r["source"]) for r in rows] == [
            ("Disk 97 % full", "db-1/disk", "generic")
        ]
        everything = page.request.get(place.url + "/alerts.csv").text()
        assert "'=slow" in everything, "a spreadsheet would run it"
        as_json = page.request.get(place.url + "/alerts.json?service=checkout").json()
        assert [a["summary"] for a in as_json] == ["=slow"]
        page.goto(place.url + "/alerts?state=closed&severity=critical&source=generic")
        expect(page.locator("#alert-list")).to_contain_text("No alert matches.")


def test_a_long_list_is_turned_page_by_page_without_a_gap(place: Place, browser: Browser) -> None:
    for i in range(60):
        place.world.signal(f"k{i}", summary=f"Alert {i}")
    with place.seen_by("vera", browser, scripts=False) as page:
        page.goto(place.url + "/alerts")
        seen = page.locator("#alert-list a.name").all_inner_texts()
        with page.expect_navigation():
            page.get_by_role("link", name="Older").click()
        seen += page.locator("#alert-list a.name").all_inner_texts()
        assert seen == [f"Alert {i}" for i in range(59, -1, -1)]
        page.get_by_role("link", name="Newest").click()
        expect(page.locator("#alert-list a.name").first).to_have_text("Alert 59")


# ---------------------------------------------------------------- the story


def test_an_alert_tells_its_whole_story(place: Place, browser: Browser) -> None:
    place.event("bank", "The bank does not answer", "payments")
    place.world.channels["push"].fail = lambda *_: TransportError("cut off", unknown=True)
    secret = place.key("opsgenie")
    event = {
        "message": "Checkout answers 500",
        "alias": "checkout/500",
        "priority": "P1",
        "source": "lb-1",
        "details": {"service": "checkout", "rate": "0.31", "key": secret},
    }
    own = {"Authorization": f"GenieKey {secret}"}
    assert place.send("/v2/alerts", event, own) == 202
    wait_until(lambda: place.kept(2), 10, "the message is kept")
    place.step(400)
    place.world.channels["push"].fail = lambda *_: None
    place.step(60)
    place.world.ack(1, "ann")
    place.step()
    with place.seen_by("emil", browser) as page:
        page.goto(place.url + "/alerts/2")
        body = page.locator("main")
        for said in ("Checkout answers 500", "checkout/500", "lb-1", "0.31", "Alert opened"):
            expect(body).to_contain_text(said)
        expect(page.locator("#raw-payload")).to_contain_text('"alias": "checkout/500"')
        assert secret not in page.locator("#raw-payload").inner_text(), "the key is shown"
        story = page.locator(".story")
        for said in ("Called", "by push", "perhaps a duplicate", "Acknowledged by ann"):
            expect(story).to_contain_text(said)
        assert story.locator("time").count() >= 6
        times = story.locator("time").all_inner_texts()
        assert times == sorted(times, reverse=True)
        beside = page.locator("section:has(#storm)")
        expect(beside).to_contain_text("Payments, which it depends on")
        beside.get_by_role("link", name="The bank does not answer").click()
        expect(page.locator("section:has(#storm)")).to_contain_text("Checkout, which depends on it")
        page.locator(".answer .plainlink").click()
        expect(page.locator("h1")).to_contain_text("The bank does not answer")
        page.get_by_role("button", name="Resolve").click()
        expect(page.locator(".answer")).to_contain_text("Resolved")


# ---------------------------------------------------------------- integrations


def test_what_is_to_be_pasted_works_for_every_integration(place: Place, browser: Browser) -> None:
    curl = shutil.which("curl")
    assert curl, "curl is missing"
    with place.seen_by("ada", browser) as page:
        for name in TYPES:
            page.goto(f"{place.url}/integrations/{name}")
            page.fill("input[name=name]", "eu cluster")
            page.get_by_role("button", name="Make a key").click()
            secret = page.locator("#secret").inner_text()
            made = guide(place.world.specs.duty.integrations[name], SITE.base_url, secret)
            ran = 0
            for i, example in enumerate(made.examples, 1):
                text = page.locator(f"#example-{i}").inner_text()
                assert text == example.text
                assert secret in text
                if example.runs:
                    command = text.replace(SITE.base_url, place.url)
                    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True)
                    assert done.returncode == 0, f"{name}, {example.title}: {done.stderr}"
                    ran += 1
            assert ran >= 2, name
            page.goto(f"{place.url}/integrations/{name}")
            assert secret not in page.content(), "a key is shown again"
    with place.db.read() as conn:
        opened = {a.integration for a in store_lists.find(conn, Wanted(), None, 100)}
        told = {c.reported_by for c in changes.find(conn, changes.Wanted(), limit=100)}
    of_changes = {"github", "gitlab", "argocd", "changes"}
    assert opened == set(TYPES) - of_changes
    assert told >= of_changes


def test_a_refusal_is_counted_with_its_reason_and_a_revoked_key_opens_nothing(
    place: Place, browser: Browser
) -> None:
    secret = place.key("pagerduty")
    wrong = {"routing_key": secret, "event_action": "explode"}
    assert place.send("/v2/enqueue", wrong) == 400

    def counted() -> bool:
        with place.db.read() as conn:
            return "pagerduty" in store_intake.counts(conn)

    wait_until(counted, 10, "what came in is written")
    with place.seen_by("ada", browser) as page:
        page.goto(place.url + "/integrations")
        row = page.locator("tr", has_text="PagerDuty events")
        expect(row).to_contain_text("Last one refused")
        expect(row).to_contain_text("event_action must be one of")
        page.get_by_role("link", name="pagerduty").click()
        expect(page.locator(".lead")).to_contain_text("Refused")
        page.get_by_role("button", name="Revoke").click()
        expect(page.locator("#keys")).to_contain_text("revoked")
    # A key's integration is remembered for a second.
    wait_until(lambda: place.send("/v2/enqueue", wrong) == 401, 5, "the key opens nothing")


def test_a_test_alert_calls_nobody_unless_asked(place: Place, browser: Browser) -> None:
    with place.seen_by("emil", browser) as page:
        page.goto(place.url + "/integrations/grafana")
        page.get_by_role("button", name="Send a test alert").click()
        expect(page.locator("h1")).to_have_text("Test alert through grafana, sent by emil")
        expect(page.locator(".answer")).to_contain_text("Nobody is called")
        place.step(60)
        assert place.world.sent == []
        page.goto(place.url + "/integrations/grafana")
        page.get_by_label("call people for it").check()
        page.get_by_role("button", name="Send a test alert").click()
        expect(page.locator(".answer")).to_contain_text("On page #1")
        place.step(60)
        assert {s.address for s in place.world.sent} & {"ann@push", "ben@push"}


# ---------------------------------------------------------------- silences, heartbeats


def test_a_silence_says_what_it_holds_for_while_it_is_written_and_snoozes_its_pages(
    place: Place, browser: Browser
) -> None:
    place.event("disk", "Disk full", "checkout")
    place.event("slow", "Slow answers", "search")
    place.step(60)
    with place.seen_by("emil", browser) as page:
        page.goto(place.url + "/silences")
        live(page)
        page.get_by_text("Make a silence").click()
        page.fill("#matchers", "service=~check.*")
        expect(page.locator("#matching")).to_contain_text("1 open alert matches now.")
        expect(page.locator("#matching")).to_contain_text("Disk full")
        page.fill("#matchers", "service=~(")
        expect(page.locator("#matching")).to_contain_text("is no regex")
        page.fill("#matchers", "service=~check.*\nseverity=critical")
        expect(page.locator("#matching")).to_contain_text("snooze their page")
        page.fill("input[name=reason]", "disks are swapped")
        page.get_by_role("button", name="Silence", exact=True).click()
        page.wait_for_url("**/silences")
        expect(page.locator("#silences")).to_contain_text("1 in force, 0 coming")
        expect(page.locator("#silences")).to_contain_text("service=~check.*")
        assert place.world.page(1).snoozed_until == NOW + 60 + 7200
        before = len(place.world.sent)
        place.event("disk-2", "Another disk is full", "checkout")
        place.step(120)
        assert [s for s in place.world.sent[before:] if "disk" in s.message.title] == []
        page.get_by_role("button", name="End now").click()
        expect(page.locator("#silences")).to_contain_text("0 in force, 0 coming")
        page.get_by_role("heading", name="Over").click()
        expect(page.locator("#silences")).to_contain_text("disks are swapped")
        expect(page.locator("#silences")).to_contain_text("11 Jan 02:00 to 04:00 UTC")
        page.goto(place.url + "/alerts")
        expect(page.locator("#alert-list")).not_to_contain_text("Silenced")


def test_a_silence_without_a_reason_or_for_everything_is_refused(
    place: Place, browser: Browser
) -> None:
    with place.seen_by("emil", browser, scripts=False) as page:
        page.goto(place.url + "/silences?alert=")
        page.get_by_text("Make a silence").click()
        page.fill("#matchers", "service=~.*")
        page.fill("input[name=reason]", "peace")
        page.get_by_role("button", name="Silence", exact=True).click()
        expect(page.get_by_role("alert")).to_contain_text("would match every alert")
        assert page.input_value("#matchers") == "service=~.*"
        assert page.input_value("input[name=reason]") == "peace"


def test_a_heartbeat_shows_its_ping_its_exit_code_and_when_it_is_due(
    place: Place, browser: Browser
) -> None:
    with place.seen_by("ada", browser) as page:
        page.goto(place.url + "/heartbeats")
        live(page)
        row = page.locator("tr", has_text="backup")
        expect(row).to_contain_text("Never heard")
        page.fill("input[name=name]", "db-1")
        page.get_by_role("button", name="Make a key").click()
        address = page.locator("#secret").inner_text()
        live(page)
        assert place.send(address.removeprefix(SITE.base_url) + "/3", b"no space left") == 200
        expect(row).to_contain_text("Failed")
        expect(row.locator("td").last).to_have_text("3")
        expect(row).to_contain_text("no space left")
        assert place.send(address.removeprefix(SITE.base_url) + "/0", b"") == 200
        expect(row).to_contain_text("On time")
        expect(row.locator("td").last).to_have_text("0")
        expect(row).to_contain_text("by 8 Jan 03:00")
        rows = csv.DictReader(io.StringIO(page.request.get(place.url + "/heartbeats.csv").text()))
        assert [(r["heartbeat"], r["exit_code"]) for r in rows] == [("backup", "0")]


# ---------------------------------------------------------------- what if


def test_another_policy_is_tried_on_the_objectives_own_history(
    place: Place, browser: Browser
) -> None:
    with place.seen_by("vera", browser) as page:
        page.goto(f"{place.url}/slo/{SLO}")
        live(page)
        page.get_by_text("What if it alerted otherwise?").click()
        expect(page.locator("#whatif-result")).to_contain_text("the present policy would have")
        page.select_option("#whatif select[name=policy]", "burn")
        row = page.locator(".wif-table tr", has_text="What if")
        expect(row.locator("td").first).to_have_text("1")
        expect(page.locator(".wif-lane", has_text="What if").locator(".is-burn")).to_have_count(1)
        for i in range(4):
            page.fill(f"input[name=factor{i}]", "90")
        expect(row.locator("td").first).to_have_text("0")
        page.fill("input[name=factor0]", "0.1.2")
        expect(page.locator("#whatif-result")).to_contain_text("is no number")
        page.fill("input[name=factor0]", "14.4")
        expect(row.locator("td").first).to_have_text("1")
        page.locator("#whatif-yaml summary").click()
        policy = load_text(page.locator("#whatif-text").inner_text())
        assert policy.specs is not None, policy.findings
        assert [getattr(r, "factor", 0) for r in policy.specs.alert_policies["what-if"].rules] == [
            14.4, 90, 90, 90,
        ]  # fmt: skip
        burn = [
            {"long": long, "short": short, "factor": factor, "urgency": urgency}
            for long, short, factor, urgency in (
                ("1h", "5m", 14.4, "page"), ("6h", "30m", 90, "page"),
                ("1d", "2h", 90, "ticket"), ("3d", "6h", 90, "ticket"),
            )
        ]  # fmt: skip
        asked = {"slo": SLO, "try": [{"name": "it", "burn": burn}]}
        said = page.request.post(
            place.url + "/api/v1/backtest",
            data=asked,
            headers={"Sec-Fetch-Site": "same-origin"},
        ).json()["policies"][0]
        cells = row.locator("td").all_inner_texts()
        assert (cells[0], cells[2]) == (str(said["pages"]), str(said["tickets"]))
        link = page.get_by_role("link", name="Link to this").get_attribute("href")
        page.goto(f"{place.url}{link}")
        assert page.input_value("input[name=factor1]") == "90"
        assert page.locator(".wif-table tr", has_text="What if").locator(
            "td"
        ).all_inner_texts() == (cells)
        file = page.request.get(f"{place.url}{link}&format=csv").text()
        assert [r["policy"] for r in csv.DictReader(io.StringIO(file))].count("what if") == 1


# ---------------------------------------------------------------- who may


def test_buttons_are_shown_to_those_who_may_press_them(place: Place, browser: Browser) -> None:
    place.event("disk", "Disk full")
    shown: dict[str, list[bool]] = {}
    for name in PEOPLE:
        with place.seen_by(name, browser) as page:
            seen = []
            page.goto(place.url + "/alerts/1")
            seen.append(page.get_by_role("button", name="Resolve").count() > 0)
            seen.append(page.get_by_role("link", name="Silence…").count() > 0)
            page.goto(place.url + "/integrations/generic")
            seen.append(page.get_by_role("button", name="Send a test alert").count() > 0)
            seen.append(page.get_by_role("button", name="Make a key").count() > 0)
            shown[name] = seen
    assert shown == {
        "vera": [False, False, False, False],
        "rosa": [True, False, False, False],
        "emil": [True, True, True, False],
        "ada": [True, True, True, True],
    }


def test_forms_of_other_sites_change_nothing(place: Place) -> None:
    place.event("disk", "Disk full")
    forms = {
        "/alerts/1/close": {},
        "/pages/1/ack": {},
        "/silences": {"matchers": "service=checkout", "for": "1h", "reason": "x"},
        "/silences/none/end": {},
        "/integrations/generic/keys": {"name": "theirs"},
        "/integrations/generic/keys/revoke": {"name": "test"},
        "/integrations/generic/test": {},
        "/heartbeats/backup/keys": {"name": "theirs"},
        "/heartbeats/backup/keys/revoke": {"name": "theirs"},
    }
    with httpx2.Client(base_url=place.url, cookies={"wk_session": place.cookie("ada")}) as ada:
        for path, form in forms.items():
            said = ada.post(path, data=form, headers={"Sec-Fetch-Site": "cross-site"})
            assert said.status_code == 403, path
    assert place.alerts() == [("disk", AlertState.OPEN)]
    assert place.world.page(1).acked_by == ""
