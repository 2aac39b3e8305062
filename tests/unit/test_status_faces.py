"""Status pages over HTTP: who may read what, what never slips out, subscribing, caches, batches."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlencode, urlsplit
from xml.etree import ElementTree

import pytest
from click.testing import CliRunner

from tests.support.people import Answer, _ask
from tests.support.status_place import DAY, PAGES, StatusPlace, told_of
from watchkeeper.faces.cli.main import cli
from watchkeeper.faces.status import v2
from watchkeeper.faces.status.export import Exporter, export
from watchkeeper.incidents.keeping import By
from watchkeeper.incidents.status import store, subscribing, telling
from watchkeeper.incidents.status.model import Subscriber
from watchkeeper.kernel.errors import StoreError
from watchkeeper.notify.model import MessageKind
from watchkeeper.notify.outbox import delivery
from watchkeeper.spec.duty import ChannelDefinition, ChannelType
from watchkeeper.spec.findings import Place

PATHS = (
    "", "/history", "/history/2025-12", "/history.atom", "/history.rss",
    *(f"/api/v2/{p}" for p in v2.PATHS),
)  # fmt: skip
INSIDE = (
    "shard eu-3", "db-7", "4.2", "Bob", "roll back", "staff", "Staff", "partner", "Partner",
    "secret database", "SEV", "ann", "dee", "commander", "Commander", "/incidents/1", "SLO",
    "checkout-availability", "99.6",
)  # fmt: skip
"""What must not be read on the public page: names, people, the timeline, other pages, figures."""
BY = By("ann", "web")


class House(StatusPlace):
    """A place that is asked without a socket."""

    def ask(
        self, method: str, path: str, who: str = "", form: dict[str, str] | None = None,
        headers: dict[str, str] | None = None, address: str = "192.0.2.1",
    ) -> Answer:  # fmt: skip
        sent = {"host": "wk.test", "accept": "text/html", **(headers or {})}
        if who:
            sent["cookie"] = f"wk_session={self.cookie(who)}"
        body = b""
        if form is not None:
            body = urlencode(form).encode()
            sent.setdefault("sec-fetch-site", "same-origin")
            sent["content-type"] = "application/x-www-form-urlencoded"
        return asyncio.run(_ask(self.app, method, path, sent, body, address))

    def subscribe(self, address: str = "me@example.com", **more: str) -> Answer:
        return self.ask("POST", "/status/shop/subscribe", form={"address": address, **more})

    def mails(self, to: str = "me@example.com") -> list[dict[str, object]]:
        with self.db.read() as conn:
            rows = conn.execute(delivery.select().where(delivery.c.address == to)).mappings()
            return [json.loads(r["content"]) | {"state": r["state"]} for r in rows]

    def link(self, to: str = "me@example.com") -> str:
        """The path of the last link that an address was sent."""
        body = str(self.mails(to)[-1]["body"])
        return str(re.findall(r"https://watch.example(/status/\S+/s/\S+)", body)[-1])


@pytest.fixture
def house(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[House]:
    monkeypatch.setenv("WK_TEST_HOOKS", "secret of hooks")
    # An inbox takes the place of the mail server: what is sent stays in the outbox.
    channel = ChannelDefinition("mail", ChannelType.INBOX, {}, Place("here"))
    made = House(tmp_path, mail=channel)
    yield made
    made.db.close()


# ---------------------------------------------------------------- who may read what


@pytest.mark.parametrize("path", PATHS)
def test_a_public_page_is_open_and_one_inside_asks_who_one_is(house: House, path: str) -> None:
    told_of(house)
    assert house.ask("GET", f"/status/shop{path}").status == 200
    assert house.ask("GET", f"/status/staff{path}").status == 303
    for who in ("vera", "rosa", "ada"):
        assert house.ask("GET", f"/status/staff{path}", who).status == 200


@pytest.mark.parametrize("headers", [{}, {"accept": "application/json"}])
def test_a_stranger_cannot_tell_a_page_inside_from_one_that_is_not(
    house: House, headers: dict[str, str]
) -> None:
    for path in ("", "/history", "/api/v2/status.json", "/s/abc", "/incidents/abc"):
        one = house.ask("GET", f"/status/staff{path}", headers=headers)
        two = house.ask("GET", f"/status/nosuch{path}", headers=headers)
        assert (one.status, one.body.replace(b"staff", b"nosuch")) == (two.status, two.body)
        where = one.headers.get("location", "").replace("staff", "nosuch")
        assert where == two.headers.get("location", "")
    form = {"address": "me@example.com"}
    assert house.ask("POST", "/status/staff/subscribe", form=form).status in (303, 401)


def test_nothing_of_the_inside_is_on_a_public_page_or_what_hangs_on_it(house: House) -> None:
    told_of(house)
    story = house.status.view("shop").open[0]
    for path in (*PATHS, f"/incidents/{story.id}", "/incidents/nosuch", "/history/nosuch"):
        answer = house.ask("GET", f"/status/shop{path}")
        said = re.sub(r"static/\S+", "", answer.text)
        found = [word for word in INSIDE if re.search(rf"(?<!\w){re.escape(word)}(?!\w)", said)]
        assert found == [], path
    assert "Orders fail for some" in house.ask("GET", "/status/shop").text
    inside = house.ask("GET", "/status/staff", "vera").text
    assert "shard eu-3" in inside
    assert "inside only" in inside


def test_an_incident_of_another_page_is_not_found_here(house: House) -> None:
    told_of(house)
    story = house.status.view("shop").open[0]
    assert house.ask("GET", f"/status/partners/incidents/{story.id}").status == 404
    assert house.ask("GET", "/status/partners").text.count("Orders fail") == 0


def test_only_editors_see_and_remove_subscribers(house: House) -> None:
    house.subscribe()
    for who in ("vera", "rosa"):
        assert house.ask("GET", "/status/shop/subscribers", who).status == 403
        assert house.ask("GET", "/status/shop/subscribers.csv", who).status == 403
        shown = house.ask("GET", "/api/v1/deliveries", who, headers={"accept": "*/*"}).text
        assert "me@example.com" not in shown
        assert "…@example.com" in shown
    assert "me@example.com" in house.ask("GET", "/status/shop/subscribers", "emil").text
    assert "me@example.com" in house.ask("GET", "/status/shop/subscribers.csv", "emil").text
    gone = house.ask("POST", "/status/shop/subscribers/1/remove", "emil", form={})
    assert gone.status == 303
    assert house.status.subscribers("shop") == []


# ---------------------------------------------------------------- caches


def test_a_page_is_read_once_a_state_and_asked_for_again_for_nothing(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    number = told_of(house)
    first = house.ask("GET", "/status/shop")
    tag = first.headers["etag"]
    assert "max-age=30" in first.headers["cache-control"]
    again = house.ask("GET", "/status/shop", headers={"if-none-match": tag})
    assert (again.status, again.body) == (304, b"")

    def away() -> None:
        raise StoreError("nothing is to be read", "")

    with monkeypatch.context() as patch:
        patch.setattr(house.db, "read", away)
        for _ in range(5):
            assert house.ask("GET", "/status/shop").headers["etag"] == tag
    its = house.incidents
    its.update(number, "Nearly done.", by=BY, public=True)
    fresh = house.ask("GET", "/status/shop", headers={"if-none-match": tag})
    assert fresh.status == 200
    assert "Nearly done." in fresh.text
    assert house.ask("GET", "/status/staff", "vera").headers["cache-control"].startswith("private")


def test_while_the_database_is_away_it_says_as_of_when(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    told_of(house)
    before = house.ask("GET", "/status/shop").text

    def away() -> None:
        raise StoreError("the database is away", "start it")

    monkeypatch.setattr(house.status.db, "read", away)
    house.world.clock.advance(3600)
    after = house.ask("GET", "/status/shop")
    assert after.status == 200
    assert after.text == before
    assert "As of" in after.text
    other = house.ask("GET", "/status/partners")
    assert other.status == 503
    assert "database" not in other.text


def test_an_engine_that_is_behind_is_told_where_measurements_are_shown(house: House) -> None:
    house.world.clock.advance(900)
    assert "Measurements are behind" in house.ask("GET", "/status/staff", "vera").text
    assert "Measurements are behind" not in house.ask("GET", "/status/shop").text


# ---------------------------------------------------------------- subscribing


def test_an_address_is_told_only_after_it_agreed_and_until_it_leaves(house: House) -> None:
    number = told_of(house)
    assert house.subscribe().status == 202
    house.incidents.update(number, "Not yet.", BY, public=True)
    assert [m["title"] for m in house.mails()] == ["Shop status: confirm that you want to be told"]
    link = house.link()
    assert house.ask("GET", link).status == 200
    assert house.status.told("shop") == 0  # looking at a link agrees to nothing
    assert "You are subscribed" in house.ask("POST", link, form={}).text
    house.incidents.update(number, "Now you know.", BY, public=True)
    mail = house.mails()[-1]
    assert mail["title"] == "[Shop status] Investigating: Orders fail for some"
    assert str(mail["body"]).startswith("Now you know.\n\nAffected: Checkout.")
    headers = mail["headers"]
    assert isinstance(headers, dict)
    assert headers["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    leave = urlsplit(headers["List-Unsubscribe"].strip("<>")).path
    # As a mail provider does it: no cookie, no origin, from anywhere.
    done = house.ask("POST", leave, form={"List-Unsubscribe": "One-Click"},
                     headers={"sec-fetch-site": "cross-site"})  # fmt: skip
    assert "You are unsubscribed" in done.text
    house.incidents.update(number, "You hear no more.", BY, public=True)
    assert len(house.mails()) == 2
    assert house.ask("GET", leave).status == 404


def test_the_answer_is_the_same_whether_one_is_subscribed_or_not(house: House) -> None:
    first = house.subscribe()
    house.ask("POST", house.link(), form={})
    again = house.subscribe()
    assert (first.status, first.body) == (again.status, again.body)
    assert len(house.mails()) == 1


def test_a_link_is_good_for_its_page_its_time_and_nothing_else(house: House) -> None:
    house.subscribe()
    link = house.link()
    assert house.ask("POST", link.replace("/shop/", "/partners/"), form={}).status == 404
    assert house.ask("POST", link[:-2] + "xx", form={}).status == 404
    # The key of one-tap links of pages opens nothing here, nor the other way about.
    assert house.ask("POST", "/t/" + link.rpartition("/")[2], form={}).status == 404
    house.world.clock.advance(DAY + 1)
    assert house.ask("POST", link, form={}).status == 404
    assert house.status.told("shop") == 0


def test_one_may_be_told_of_some_components_and_change_ones_mind(house: House) -> None:
    number = told_of(house)
    house.subscribe(**{"component:cards": "1"})
    house.ask("POST", house.link(), form={})
    house.incidents.update(number, "Of checkout only.", BY, public=True)
    assert len(house.mails()) == 1
    house.incidents.update(number, "Cards too.", BY, public=True, components=("cards",))
    assert str(house.mails()[-1]["body"]).startswith("Cards too.")
    chosen = house.ask("POST", house.link(), form={"act": "choose", "component:accounts": "1"})
    assert "Saved" in chosen.text
    house.incidents.update(number, "Cards again.", BY, public=True, components=("cards",))
    assert len(house.mails()) == 2


def test_the_end_of_an_incident_is_told_once(house: House) -> None:
    number = told_of(house)
    house.subscribe()
    house.ask("POST", house.link(), form={})
    house.incidents.set_state(number, "resolved", "", BY)
    assert str(house.mails()[-1]["body"]).startswith("This incident is resolved.")
    assert len(house.mails()) == 2


def test_those_who_ask_too_often_are_put_off(house: House) -> None:
    answers = [house.subscribe(f"a{i}@example.com") for i in range(12)]
    assert [a.status for a in answers] == [202] * 10 + [429] * 2
    assert int(answers[-1].headers["retry-after"]) > 0
    other = house.ask("POST", "/status/shop/subscribe", form={"address": "b@example.com"},
                      address="198.51.100.7")  # fmt: skip
    assert other.status == 202
    # An address that did not answer is not asked again at once.
    house.world.clock.advance(900)
    house.subscribe("a1@example.com")
    assert len(house.mails("a1@example.com")) == 1


@pytest.mark.parametrize(
    "address",
    ["", "me", "me@", "@example.com", "a b@example.com", "me@example.com\nBcc: x@y.zz",
     "me@example.com,you@example.com", "<me@example.com>", "x" * 300 + "@example.com"],
)  # fmt: skip
def test_what_is_no_address_is_refused(house: House, address: str) -> None:
    assert house.subscribe(address).status == 400
    assert house.status.subscribers("shop") == []


def test_a_form_of_another_site_is_refused(house: House) -> None:
    answer = house.ask("POST", "/status/shop/subscribe", form={"address": "me@example.com"},
                       headers={"sec-fetch-site": "cross-site"})  # fmt: skip
    assert answer.status == 400
    assert house.mails() == []


def test_a_page_without_a_channel_takes_no_subscriptions(house: House) -> None:
    answer = house.ask("POST", "/status/partners/subscribe", form={"address": "me@example.com"})
    assert answer.status == 400
    assert "does not tell by" in answer.text


# ---------------------------------------------------------------- thousands


def test_thousands_are_told_in_short_transactions_each_once(house: House) -> None:
    number = told_of(house)
    people = [
        Subscriber(0, "shop", "email", f"p{i:04}@example.com", True, 0.0) for i in range(1050)
    ]
    with house.db.write() as conn:
        conn.execute(store.status_subscriber.insert(), [store._values(p) for p in people])
    house.status.wake, house.incidents.wake = (lambda: None), (lambda: None)
    house.incidents.update(number, "To everybody.", BY, public=True)
    sizes = []
    while True:
        with house.db.write() as conn:
            done = telling.tell(conn, house.world.specs, house.status.site, 0.0)
            sizes.append(done)
            # They are sent, and there is room for more.
            sent = delivery.update().where(delivery.c.kind == str(MessageKind.STATUS))
            conn.execute(sent.values(state="sent"))
        if not done:
            break
    assert sizes == [200, 200, 200, 200, 200, 50, 0]
    with house.db.read() as conn:
        found = conn.execute(delivery.select()).mappings().all()
    told = [r["address"] for r in found if r["kind"] == "status"]
    assert sorted(told) == [p.address for p in people]
    assert {r["priority"] for r in found if r["kind"] == "status"} == {9}


def test_the_next_batch_waits_until_there_is_room(house: House) -> None:
    number = told_of(house)
    with house.db.write() as conn:
        for i in range(300):
            made = Subscriber(0, "shop", "email", f"p{i}@example.com", True, 0.0)
            conn.execute(store.status_subscriber.insert().values(**store._values(made)))
    house.status.wake, house.incidents.wake = (lambda: None), (lambda: None)
    house.incidents.update(number, "To everybody.", BY, public=True)
    with house.db.write() as conn:
        assert telling.tell(conn, house.world.specs, house.status.site, 0.0) == 200
        assert not telling.anything_to_tell(conn)
        assert telling.tell(conn, house.world.specs, house.status.site, 0.0) == 0


# ---------------------------------------------------------------- feeds, API, files


def test_feeds_are_well_formed_whatever_people_write(house: House) -> None:
    number = told_of(house)
    house.incidents.update(number, "<b>5 < 6 & \x07 bell</b>", BY, public=True, headline="A & <B>")
    atom = ElementTree.fromstring(house.ask("GET", "/status/shop/history.atom").body)
    rss = ElementTree.fromstring(house.ask("GET", "/status/shop/history.rss").body)
    names = {"a": "http://www.w3.org/2005/Atom"}
    assert atom.findtext("a:entry/a:title", namespaces=names) == "A & <B>"
    items = rss.findall("channel/item")
    assert "A & <B>" in [i.findtext("title") for i in items]
    body = next(i.findtext("description") for i in items if i.findtext("title") == "A & <B>")
    assert body is not None
    assert "&lt;b&gt;5 &lt; 6 &amp;" in body


def test_the_api_has_the_shapes_of_statuspage(house: House) -> None:
    told_of(house)
    found = {p: json.loads(house.ask("GET", f"/status/shop/api/v2/{p}").body) for p in v2.PATHS}
    summary = found["summary.json"]
    assert list(summary) == ["page", "components", "incidents", "scheduled_maintenances", "status"]
    assert summary["status"] == {"indicator": "major", "description": "Partial System Outage"}
    assert set(summary["page"]) == {"id", "name", "url", "time_zone", "updated_at"}
    one = summary["incidents"][0]
    assert set(one) == {
        "id", "name", "status", "created_at", "updated_at", "monitoring_at", "resolved_at",
        "impact", "shortlink", "started_at", "page_id", "incident_updates", "components",
    }  # fmt: skip
    assert (one["impact"], one["status"]) == ("major", "identified")
    assert set(one["incident_updates"][0]) == {
        "id", "status", "body", "incident_id", "created_at", "updated_at", "display_at",
        "affected_components", "deliver_notifications", "custom_tweet", "tweet_id",
    }  # fmt: skip
    assert one["incident_updates"][1]["affected_components"] == [
        {"code": summary["components"][0]["id"], "name": "Checkout",
         "old_status": "operational", "new_status": "partial_outage"}
    ]  # fmt: skip
    assert [c["status"] for c in found["components.json"]["components"]] == [
        "partial_outage", "operational", "operational",
    ]  # fmt: skip
    assert len(found["incidents.json"]["incidents"]) == 2
    assert len(found["incidents/unresolved.json"]["incidents"]) == 1
    planned = found["scheduled-maintenances/upcoming.json"]["scheduled_maintenances"]
    assert {p["status"] for p in planned} == {"scheduled"}
    assert planned[0]["scheduled_for"] == "2026-01-11T02:00:00.000Z"
    assert found["scheduled-maintenances/active.json"]["scheduled_maintenances"] == []
    every = found["scheduled-maintenances.json"]["scheduled_maintenances"]
    assert len(every) > len(planned)
    answer = house.ask("GET", "/status/shop/api/v2/summary.json")
    assert answer.headers["access-control-allow-origin"] == "*"
    assert house.ask("GET", "/status/shop/api/v2/nosuch.json").status == 404


def test_the_files_of_an_export_lead_to_each_other_and_to_nothing_else(
    house: House, tmp_path: Path
) -> None:
    told_of(house)
    folder = tmp_path / "site"
    assert export(house.status, "shop", folder) >= 20
    pages = sorted(folder.rglob("*.html"))
    assert len(pages) >= 5
    for page in pages:
        content = page.read_text()
        for link in re.findall(r'(?:href|src|action)="([^"]+)"', content):
            if not link.startswith("#"):
                assert (page.parent / link).is_file(), f"{page}: {link}"
        assert "<form" not in content
        assert "<script" not in content
    assert not list(folder.rglob(".*"))


def test_the_server_exports_what_asks_for_it_when_something_changes(
    house: House, tmp_path: Path
) -> None:
    number = told_of(house)
    folder = tmp_path / "out"
    specs, page = house.world.specs, house.status.page("shop")
    pages = {**specs.response.status_pages, "shop": replace(page, export=str(folder))}
    changed = replace(specs, response=replace(specs.response, status_pages=pages))
    house.board.post(specs=changed)
    exporter, now = Exporter(house.status), house.world.clock.now()
    exporter.step(now)
    index = folder / "index.html"
    first = index.stat().st_mtime_ns
    exporter.step(now + 1)
    assert index.stat().st_mtime_ns == first
    house.incidents.update(number, "Nearly done.", BY, public=True)
    exporter.step(now + 2)
    assert "Nearly done." in index.read_text()


def test_an_export_works_without_a_server_by_command(house: House, tmp_path: Path) -> None:
    told_of(house)
    specs = tmp_path / "specs"
    specs.mkdir()
    (specs / "all.yaml").write_text(PAGES)
    words = ["status-page", "export", "shop", str(tmp_path / "site"), "--specs", str(specs),
             "--db", str(tmp_path / "wk.db")]  # fmt: skip
    done = CliRunner().invoke(cli, words, catch_exceptions=False)
    assert done.exit_code == 0, done.output
    assert "files in" in done.stdout
    assert "Shop status" in (tmp_path / "site" / "index.html").read_text()
    wrong = CliRunner().invoke(cli, ["status-page", "export", "nosuch", *words[3:]])
    assert wrong.exit_code != 0


def test_a_webhook_that_does_not_answer_the_challenge_is_not_told(house: House) -> None:
    answer = house.subscribe("http://127.0.0.1:9/hook", kind="webhook")
    assert answer.status == 400
    assert "did not answer with the challenge" in answer.text
    assert house.status.told("shop") == 0
    assert subscribing.KINDS == ("email", "webhook")
