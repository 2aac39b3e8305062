"""Components of a status page may stand in groups: on the page, and in Statuspage's documents."""

from __future__ import annotations

import re

from tests.support import duty
from tests.support.duty import SITE
from tests.support.status_place import PAGES
from watchkeeper.faces.status import site, v2
from watchkeeper.faces.status.links import served
from watchkeeper.incidents import work as incidents
from watchkeeper.incidents.keeping import By
from watchkeeper.incidents.status import work
from watchkeeper.incidents.status.model import View
from watchkeeper.slo.model import Fleet
from watchkeeper.spec import load_text
from watchkeeper.store import Database

GROUPED = PAGES.replace("title: Checkout, desc", "title: Checkout, group: Buying, desc").replace(
    "title: Accounts,", "title: Accounts, group: Buying,"
)


def view(db: Database) -> View:
    specs = load_text(GROUPED).specs
    assert specs is not None
    with db.write() as conn:
        made = incidents.declare(conn, specs, SITE, "Shard 3", "SEV1", By("ann", "web"), duty.START,
                                 services=("checkout",))  # fmt: skip
        incidents.update(conn, specs, SITE, made.id, "Orders fail.", By("ann", "web"),
                         duty.START + 20, public=True)  # fmt: skip
    with db.read() as conn:
        shop = specs.response.status_pages["shop"]
        return work.view(conn, specs, Fleet((), duty.START, 0), SITE, shop, duty.START + 60)


def test_a_group_is_a_heading_over_its_components_wherever_they_were_written(db: Database) -> None:
    html = site.home(view(db), served("shop")).decode()
    headings = re.findall(r"<(h[34])[^>]*>([^<]+)</h[34]>", html.split('id="parts-h"')[1])
    assert headings[:4] == [
        ("h3", "Buying"), ("h4", "Checkout"), ("h4", "Accounts"), ("h3", "Card payments"),
    ]  # fmt: skip


def test_programs_read_groups_as_statuspage_tells_them(db: Database) -> None:
    its = view(db)
    components = v2.documents(its)["components.json"]["components"]
    (group,) = [c for c in components if c["group"]]
    members = [c["id"] for c in components if c["group_id"] == group["id"]]

    assert group["name"] == "Buying"
    assert group["components"] == members
    assert len(members) == 2
    assert group["status"] == "major_outage"
    assert len({c["id"] for c in components}) == 4


def test_a_group_that_is_no_text_is_pointed_out() -> None:
    wrong = GROUPED.replace("group: Buying, desc", "group: [Buying], desc")
    (finding,) = load_text(wrong, "status.yaml").errors
    assert "group" in str(finding)
    assert str(finding).startswith("status.yaml:")
