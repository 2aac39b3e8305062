"""The pages over HTTP, without a browser."""

from __future__ import annotations

import re
from collections.abc import Sequence

import pytest
from starlette.testclient import TestClient

from tests.support.browser import web_app
from tests.support.fleet import FakeServices, fleet, services, status
from watchkeeper.access.model import Scope
from watchkeeper.faces.web.contract import WebServices
from watchkeeper.kernel.errors import StoreError
from watchkeeper.slo.model import Fleet, SloDetail
from watchkeeper.spec.model import Finding, Place, Severity, Specs

OURS = {"Origin": "http://testserver"}
FIELDS = {"from": "2026-11-22T10:00", "to": "2026-11-22T11:30", "reason": "Load test"}


def client(
    made: WebServices | None = None,
    scopes: Sequence[Scope] = (Scope.READ, Scope.WRITE),
    name: str = "amara",
) -> TestClient:
    return TestClient(web_app(made or services(), scopes, name), follow_redirects=False)


def names(html: str) -> list[str]:
    return re.findall(r'<a class="name" href="/slo/([^"]+)"', html)


# ---------------------------------------------------------------- every page


@pytest.mark.parametrize(
    "path", ["/", "/services", "/sources", "/slo/checkout-availability", "/nothing/here"]
)
def test_no_page_has_a_script_or_style_inline_or_from_another_host(path: str) -> None:
    html = client().get(path).text
    assert html.startswith("<!doctype html>")
    for tag in re.findall(r"<script[^>]*>", html):
        assert 'src="/static/' in tag or 'type="application/json"' in tag
    assert "<style" not in html
    assert not re.search(r'\son\w+="', html)
    loaded = re.findall(r'(?:src|<link[^>]*href)="([^"]+)"', html)
    assert loaded
    assert all(url.startswith("/static/") for url in loaded)


def test_names_from_outside_cannot_become_markup() -> None:
    evil = "<img src=x onerror=alert(1)>\"'&"
    shown = Fleet([status(evil, display_name=evil, warnings=(evil,))], 1.0, 1)
    made = FakeServices(shown, fleet(1)[1], demo=evil, hindrance=evil)
    for path in (
        "/",
        "/services",
        "/slo/" + "%3Cimg%20src%3Dx%20onerror%3Dalert%281%29%3E%22%27%26",
    ):
        answer = client(made).get(path)
        assert answer.status_code == 200
        assert "<img" not in answer.text
    assert "<img" not in client(made).get("/", params={"q": evil}).text


def test_data_for_charts_cannot_end_its_script_element() -> None:
    name = "</script><b>"
    made = FakeServices(Fleet([status(name)], 1.0, 1), fleet(1)[1])
    html = client(made).get("/slo/%3C%2Fscript%3E%3Cb%3E").text
    assert "</script><b>" not in html


def test_the_reading_of_pages_is_never_cached_but_hashed_files_are_for_a_year() -> None:
    browser = client()
    html = browser.get("/").text
    (css,) = re.findall(r'href="(/static/app\.css\?v=[0-9a-f]+)"', html)
    assert browser.get("/").headers["cache-control"] == "no-store"
    assert "immutable" in browser.get(css).headers["cache-control"]
    assert browser.get("/static/app.css").headers["cache-control"] == "no-cache"


def test_an_unknown_address_is_answered_with_a_page_and_404() -> None:
    answer = client().get("/nope")
    assert answer.status_code == 404
    assert "There is no page &#39;/nope&#39; here." in answer.text
    assert client().get("/slo/nope").status_code == 404


def test_a_database_that_cannot_be_used_is_said_with_503_and_a_hint() -> None:
    class Broken(FakeServices):
        def detail(self, name: str) -> SloDetail:
            raise StoreError("The database is locked.", "Is another copy running?")

    made = Broken(*fleet(4))
    answer = client(made).get("/slo/checkout-availability")
    assert answer.status_code == 503
    assert "The database is locked." in answer.text
    assert "Is another copy running?" in answer.text
    part = client(made).get("/parts/slo/checkout-availability", headers={"HX-Request": "true"})
    assert part.status_code == 503
    assert "<html" not in part.text


def test_a_broken_change_is_shown_with_its_place_while_the_last_good_one_serves() -> None:
    place = Place("slos/shop.yaml", 7, 3)
    finding = Finding(place, Severity.ERROR, "unknown-key", "unknown key 'targt'")
    html = client(services(problems=(finding,))).get("/").text
    assert "A changed definition was not taken over." in html
    assert "slos/shop.yaml:7:3: error: unknown key &#39;targt&#39;" in html
    assert len(names(html)) == 40


def test_trouble_and_the_demo_are_said_over_every_page() -> None:
    made = services(demo="History is replayed.", hindrance="The disk is full.")
    for path in ("/", "/services", "/sources", "/slo/checkout-availability"):
        html = client(made).get(path).text
        assert "History is replayed." in html
        assert "The disk is full." in html


def test_a_new_user_is_told_what_to_do() -> None:
    made = FakeServices(Fleet((), 0.0, 0), Specs({}, {}, {}, {}, {}, {}))
    html = client(made).get("/").text
    assert "No objectives yet" in html
    assert "wk lint" in html


def test_definitions_without_a_first_evaluation_say_so() -> None:
    made = FakeServices(Fleet((), 0.0, 0), fleet(4)[1])
    assert "Nothing is evaluated yet." in client(made).get("/").text


def test_secrets_of_a_source_are_on_no_page() -> None:
    for path in ("/sources", "/slo/checkout-availability"):
        assert "not-for-pages" not in client().get(path).text


def test_the_theme_of_the_cookie_is_there_with_the_first_byte() -> None:
    browser = client()
    assert "data-theme" not in browser.get("/").text.split(">", 2)[1]
    browser.cookies.set("wk_theme", "dark")
    assert '<html lang="en" data-theme="dark">' in browser.get("/").text
    browser.cookies.set("wk_theme", '"><script>')
    assert '<html lang="en">' in browser.get("/").text


# ---------------------------------------------------------------- overview


def test_search_filters_and_order_are_in_the_address() -> None:
    html = client().get("/?q=latency&team=payments&sort=name").text
    shown = names(html)
    assert shown
    assert all("latency" in name for name in shown)
    assert 'value="latency"' in html
    assert '<option value="payments" selected>' in html


def test_five_thousand_objectives_come_in_pages_of_fifty() -> None:
    made = services(5000)
    first, second = client(made).get("/").text, client(made).get("/?page=2").text
    assert len(names(first)) == len(names(second)) == 50
    assert not set(names(first)) & set(names(second))
    assert "1–50 of 5\u2009000" in first
    assert len(first) < 200_000


def test_a_search_by_form_puts_its_address_into_the_browser() -> None:
    answer = client().get("/parts/list?q=cart&sort=budget", headers={"HX-Source": "form#filters"})
    assert answer.headers["hx-replace-url"] == "/?q=cart"
    assert "<html" not in answer.text


def test_a_refresh_leaves_the_address_alone() -> None:
    answer = client().get("/parts/list?q=cart", headers={"HX-Source": "div#list"})
    assert "hx-replace-url" not in answer.headers


def test_nothing_found_is_said_with_a_way_back() -> None:
    html = client().get("/?q=zzz").text
    assert "No objective matches." in html
    assert names(html) == []


def test_exports_follow_the_filter() -> None:
    browser = client()
    assert len(browser.get("/export.json?team=payments").json()) < 40
    answer = browser.get("/export.csv?state=spent")
    assert answer.headers["content-type"].startswith("text/csv")
    assert "slos.csv" in answer.headers["content-disposition"]
    assert browser.get("/export.exe").status_code == 404


# ---------------------------------------------------------------- corrections


def test_a_correction_is_added_in_the_readers_name_and_taken_back() -> None:
    made = services()
    browser = client(made)
    answer = browser.post("/slo/cart-availability-31/corrections", data=FIELDS, headers=OURS)
    assert answer.status_code == 303
    assert answer.headers["location"] == "/slo/cart-availability-31#corrections"
    (added,) = made.corrections["cart-availability-31"]
    assert (added.author, added.reason, added.end - added.start) == ("amara", "Load test", 90)
    removal = "/slo/cart-availability-31/corrections/c0/remove"
    assert browser.post(removal, headers=OURS).status_code == 303
    assert made.corrections["cart-availability-31"] == []


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "http://evil.example"},
        {"Sec-Fetch-Site": "cross-site"},
        {},
    ],
)
def test_a_form_from_another_site_changes_nothing(headers: dict[str, str]) -> None:
    made = services()
    browser = client(made)
    for path in ("corrections", "corrections/c0/remove"):
        url = f"/slo/checkout-availability/{path}"
        assert browser.post(url, data=FIELDS, headers=headers).status_code == 403
    assert made.corrections == {}


def test_a_wrong_correction_is_explained_and_what_was_typed_is_kept() -> None:
    wrong = {**FIELDS, "to": "2026-11-22T09:00"}
    answer = client().post("/slo/checkout-availability/corrections", data=wrong, headers=OURS)
    assert answer.status_code == 400
    assert "A correction must end after it starts." in answer.text
    assert 'value="Load test"' in answer.text
    answer = client().post(
        "/slo/checkout-availability/corrections", data={**FIELDS, "from": "noon"}, headers=OURS
    )
    assert "&#39;from&#39; is no time: &#39;noon&#39;." in answer.text


def test_who_may_only_read_sees_no_forms() -> None:
    made = services()
    client(made).post("/slo/checkout-availability/corrections", data=FIELDS, headers=OURS)
    reader = client(made, scopes=(Scope.READ,))
    for path in ("/slo/checkout-availability", "/parts/slo/checkout-availability"):
        html = reader.get(path).text
        assert "Load test" in html
        assert "/corrections" not in html.replace('id="corrections"', "")


def test_a_form_that_is_too_long_is_refused() -> None:
    long = {**FIELDS, "reason": "x" * 20_000}
    answer = client().post("/slo/checkout-availability/corrections", data=long, headers=OURS)
    assert answer.status_code == 400
    assert "too long" in answer.text


def test_names_with_slashes_and_brackets_have_their_pages() -> None:
    name = "api/v1 latency[path=/a,code=200]"
    made = FakeServices(Fleet([status(name)], 1.0, 1), fleet(1)[1])
    (link,) = names(client(made).get("/").text)
    assert client(made).get(f"/slo/{link}").status_code == 200
    assert client(made).get(f"/parts/slo/{link}").status_code == 200
    posted = client(made).post(f"/slo/{link}/corrections", data=FIELDS, headers=OURS)
    assert posted.status_code == 303
    assert list(made.corrections) == [name]
