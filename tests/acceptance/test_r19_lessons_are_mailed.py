"""R19: a weekly digest is mailed through a real SMTP server to who wants it, once, by team."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.support.duty import HERE, SITE, START, World, specs
from tests.support.mailbox import smtp_server
from tests.unit.test_postmortem_work import FILLED
from watchkeeper.kernel.errors import UserError
from watchkeeper.notify.channels import open_channel
from watchkeeper.postmortems import digest, digest_work, work
from watchkeeper.spec.duty import ChannelDefinition, ChannelType
from watchkeeper.spec.model import TeamDefinition
from watchkeeper.spec.response import DAY
from watchkeeper.store import Database


def test_on_monday_the_lessons_of_the_week_are_mailed_once(db: Database) -> None:
    with smtp_server() as (box, port):
        settings = {"host": "127.0.0.1", "port": port, "tls": "none", "from": "wk@example.com",
                    "allow_private": True}  # fmt: skip
        mail = ChannelDefinition("post", ChannelType.EMAIL, settings, HERE)
        known = specs()
        services = dict(known.services)
        services["checkout"] = replace(services["checkout"], owner="shop")
        known = replace(
            known,
            services=services,
            teams={n: TeamDefinition(n, n, HERE) for n in ("shop", "search")},
            duty=replace(known.duty, channels={**known.duty.channels, "post": mail}),
        )
        world = World(db, known)
        world.channels["post"] = open_channel(mail)  # type: ignore[assignment]
        with db.write() as conn:
            for team in ("shop", "search"):
                digest_work.subscribe(conn, known, "ann", START, channel="post",
                                      address=f"{team}@example.com", team=team)  # fmt: skip
            with pytest.raises(UserError, match="sent already"):
                digest_work.subscribe(conn, known, "ann", START, channel="post",
                                      address="shop@example.com", team="shop")  # fmt: skip
            work.bring(
                conn, "Checkout fails", FILLED, "ann", START + DAY, published_at=START + DAY,
                services=("checkout",), severity="SEV1",
            )  # fmt: skip
        for _ in range(15 * 24):
            world.clock.advance(3600)
            with db.write() as conn:
                digest_work.send_due(conn, known, SITE, world.clock.now())
            world.run()
        (only,) = box.to("shop@example.com")
        assert only["Subject"] == "Lessons of the week for shop: 1 postmortem published"
        body = only.get_body(("plain",))
        assert body is not None
        assert "Checkout fails (SEV1, checkout): Half of the payments failed" in body.get_content()
        assert box.to("search@example.com") == []  # a week with nothing to tell is not told


def test_it_is_sent_on_mondays_and_years_are_counted_in_their_week() -> None:
    monday = START  # Monday 2026-01-05 08:00 UTC
    assert digest.next_monday(monday - 1) == monday
    assert digest.next_monday(monday) == monday + 7 * DAY
    assert digest.years_ago(START, START + 364 * DAY, START + 371 * DAY) == 1
    assert digest.years_ago(START, START + 371 * DAY, START + 378 * DAY) == 0
    assert digest.years_ago(START, START + 728 * DAY, START + 735 * DAY) == 2
