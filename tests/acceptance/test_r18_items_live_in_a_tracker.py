"""R18, R32: action items live in GitHub, GitLab and Jira too, once each, and agree."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace

import pytest

from tests.support import trackers as servers
from tests.support.duty import HERE, SITE, START, specs
from tests.support.trackers import TOKEN, Board
from watchkeeper.postmortems import items_work, store_items
from watchkeeper.postmortems.model import ActionItem
from watchkeeper.postmortems.trackers import open_tracker
from watchkeeper.postmortems.trackers.model import Draft, Remote, Tracker
from watchkeeper.spec.model import Specs
from watchkeeper.spec.response import DAY, Response, TrackerDefinition, TrackerKind
from watchkeeper.store import Database

USERS = {"ann": "octo-ann", "ben": "octo-ben"}
SERVERS: dict[str, tuple[Callable[[], AbstractContextManager[Board]], dict[str, str]]] = {
    "github": (servers.github, {"repository": "shop/web"}),
    "gitlab": (servers.gitlab, {"project": "shop/web"}),
    "jira": (servers.jira, {"project": "SHOP"}),
}


@dataclass
class Case:
    """One tracker and our side of it."""

    kind: str
    board: Board
    db: Database
    specs: Specs
    now: float = START

    def sync(self, seconds: float = 0.0) -> int:
        """Let time pass, and talk to the tracker."""
        self.now += seconds
        return items_work.sync(self.db, self.specs, SITE, self.opened, self.now)

    def opened(self, name: str) -> Tracker:
        return open_tracker(self.specs.response.trackers[name])

    def add(self, text: str = "Alert on full disks", **more: object) -> ActionItem:
        with self.db.write() as conn:
            fields = {"owner": "ann", "due_at": START + 15 * DAY, **more}
            return items_work.add(conn, self.specs, text, "ann", self.now, **fields)  # type: ignore[arg-type]

    def item(self, item_id: int = 1) -> ActionItem:
        with self.db.read() as conn:
            return items_work.must(conn, item_id)

    def said(self) -> str:
        with self.db.read() as conn:
            found = store_items.link(conn, 1)
        assert found is not None
        return found.said

    def move(self, state: str) -> None:
        with self.db.write() as conn:
            items_work.move(conn, 1, state, "ann", self.now)

    # -- what people do there
    def there(self) -> dict[str, object]:
        """(title, done, due) as the tracker has them."""
        issue = self.board.issues[1]
        if self.kind == "jira":
            fields = issue["fields"]
            done = fields["status"]["statusCategory"]["key"] == "done"
            return {"title": fields["summary"], "done": done, "due": fields["duedate"]}
        due = issue.get("due_date")
        if self.kind == "github":
            due = issue["body"].partition("Due: ")[2][:10]
        return {"title": issue["title"], "done": issue["state"] == "closed", "due": due}

    def close_there(self) -> None:
        if self.kind == "jira":
            self.board.issues[1]["fields"]["status"] = servers.DONE
        else:
            self.board.issues[1]["state"] = "closed"

    def rename_there(self, text: str) -> None:
        if self.kind == "jira":
            self.board.issues[1]["fields"]["summary"] = text
        else:
            self.board.issues[1]["title"] = text


@pytest.fixture(params=sorted(SERVERS))
def case(request: pytest.FixtureRequest, db: Database) -> Iterator[Case]:
    serve, settings = SERVERS[request.param]
    with serve() as board:
        tracker = TrackerDefinition(
            "board",
            TrackerKind(request.param),
            {
                **settings,
                "url": board.url,
                "token": TOKEN,
                "users": USERS,
                "allow_private": True,
            },
            HERE,
        )
        its = replace(specs(), response=Response(trackers={"board": tracker}))
        yield Case(request.param, board, db, its)
        assert board.refused == []


def test_an_item_is_made_there_once_with_owner_and_due_date(case: Case) -> None:
    case.add()

    for _ in range(3):
        case.sync(400)

    assert case.board.created == 1
    assert case.there() == {"title": "Alert on full disks", "done": False, "due": "2026-01-20"}
    assert case.item().url.startswith("http")
    assert items_work.verify(case.db, case.opened) == []


def test_done_here_is_done_there_and_open_again_is_open_again(case: Case) -> None:
    case.add()
    case.sync()

    case.move("done")
    case.sync(1)
    assert case.there()["done"] is True

    case.move("open")
    case.sync(1)
    assert case.there()["done"] is False


def test_done_and_renamed_there_is_done_and_renamed_here(case: Case) -> None:
    case.add()
    case.sync()
    case.close_there()
    case.rename_there("Alert on disks that fill")

    case.sync(400)

    assert (case.item().state, case.item().text) == ("done", "Alert on disks that fill")
    assert case.item().owner == "ann"
    assert case.item().due_at == START + 15 * DAY


def test_what_changes_on_both_sides_is_merged_by_field(case: Case) -> None:
    case.add()
    case.sync()
    case.close_there()
    with case.db.write() as conn:
        fields = {"text": "Alert before disks are full", "due_at": START + 20 * DAY}
        items_work.change(conn, 1, fields, "ann", case.now, case.specs)

    case.sync(1)

    assert case.item().state == "done"
    assert case.there() == {
        "title": "Alert before disks are full", "done": True, "due": "2026-01-25"
    }  # fmt: skip


@pytest.mark.parametrize("mode", ["down", "gateway", "busy"])
def test_trouble_there_is_waited_out_and_makes_no_second_one(case: Case, mode: str) -> None:
    case.add()
    case.board.mode(mode)
    case.sync()
    assert case.said()
    case.board.mode("ok")

    for _ in range(6):
        case.sync(60)

    assert case.board.created == 1
    assert case.item().external
    assert case.said() == ""


def test_a_creation_whose_answer_is_lost_is_found_again_and_not_repeated(
    case: Case, monkeypatch: pytest.MonkeyPatch
) -> None:
    case.add()
    opened = case.opened

    def loses(name: str) -> Tracker:
        tracker = opened(name)
        create = tracker.create

        def then_dies(draft: Draft) -> Remote:
            create(draft)
            raise SystemExit("killed")

        monkeypatch.setattr(tracker, "create", then_dies)
        return tracker

    monkeypatch.setattr(case, "opened", loses)
    with pytest.raises(SystemExit):
        case.sync()
    monkeypatch.setattr(case, "opened", opened)

    assert case.sync(1) == 0  # the claim of who died still holds
    case.sync(120)

    assert case.board.created == 1
    assert case.item().external


def test_verify_names_what_is_missing_gone_or_different(case: Case) -> None:
    case.add()
    case.sync()
    case.add("Cache the price list")
    case.rename_there("Something else")

    found = [(m.item.id, m.what) for m in items_work.verify(case.db, case.opened)]
    assert found == [(1, "text differs"), (2, "does not exist there yet")]

    del case.board.issues[1]
    assert (1, "is gone there") in [
        (m.item.id, m.what) for m in items_work.verify(case.db, case.opened)
    ]
    case.board.refused.clear()


def test_a_wrong_token_is_said_and_nothing_is_lost(case: Case) -> None:
    wrong = replace(
        case.specs.response.trackers["board"],
        settings={**case.specs.response.trackers["board"].settings, "token": "no"},
    )
    right, case.specs = case.specs, replace(
        case.specs, response=Response(trackers={"board": wrong})
    )  # fmt: skip
    case.add()
    case.sync()
    assert "401" in case.said()
    case.board.refused.clear()

    case.specs = right
    case.sync(60)

    assert case.board.created == 1
