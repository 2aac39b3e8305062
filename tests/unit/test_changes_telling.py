"""Others are told of changes: Grafana by annotations, webhooks that ask for it."""

from __future__ import annotations

import json
from dataclasses import replace

from sqlalchemy import select

from tests.support import providers
from tests.unit.test_changes import NOW, SPECS, deploy
from watchkeeper.changes import work
from watchkeeper.changes.model import Outcome
from watchkeeper.notify import outbox
from watchkeeper.notify.channels import open_channel
from watchkeeper.notify.rules import message_of
from watchkeeper.spec import load_text
from watchkeeper.spec.duty import ChannelDefinition, ChannelType
from watchkeeper.spec.model import Place, Specs
from watchkeeper.store import Database

HERE = Place("channels.yaml")


def told(*channels: ChannelDefinition) -> Specs:
    duty = replace(SPECS.duty, channels={c.name: c for c in channels})
    return replace(SPECS, duty=duty)


def channel(kind: ChannelType, **settings: object) -> ChannelDefinition:
    return ChannelDefinition(str(kind), kind, {"allow_private": True, **settings}, HERE)


def queued(db: Database) -> list[tuple[str, str, dict[str, object]]]:
    """(channel, address, document) of what waits to be sent."""
    c = outbox.delivery.c
    with db.read() as conn:
        rows = conn.execute(select(c.channel, c.address, c.content).order_by(c.id)).all()
    return [(r[0], r[1], json.loads(r[2])["document"]) for r in rows]


def test_grafana_takes_one_annotation_of_a_change_when_it_is_over(db: Database) -> None:
    with providers.running(providers.grafana) as provider:
        made = channel(ChannelType.GRAFANA, url=provider.url, token="right")
        specs = told(made)
        begun = deploy("checkout", NOW - 90, "9.0", key="d", outcome=Outcome.IN_PROGRESS)
        with db.write() as conn:
            kept = work.record(conn, begun, work.OURS, "ci", specs, NOW - 90).change
        assert queued(db) == []
        with db.write() as conn:
            work.end(conn, kept.id, Outcome.FAILED, "ann", specs, NOW)
        with db.write() as conn:
            (row,) = outbox.ready(conn, NOW, 10)
        transport = open_channel(made)
        transport.send(message_of(outbox.Claim(row), NOW), row.address)
        transport.close()
    (annotation,) = provider.taken
    assert (annotation["time"], annotation["timeEnd"]) == ((NOW - 90) * 1000, NOW * 1000)
    assert annotation["text"].startswith("checkout 9.0\ndeployment, failed")
    assert annotation["tags"] == ["watchkeeper", "deployment", "checkout", "failed"]


def test_a_webhook_that_asks_for_changes_is_posted_each_outcome_once(db: Database) -> None:
    where = "https://warehouse.example/changes"
    specs = told(channel(ChannelType.WEBHOOK, changes=where), channel(ChannelType.NTFY))
    begun = deploy("checkout", NOW - 90, "9.0", key="d", outcome=Outcome.IN_PROGRESS)
    over = replace(begun, outcome=Outcome.SUCCEEDED, at=NOW)
    with db.write() as conn:
        for each in (begun, begun, over, replace(over, summary="Said again")):
            work.record(conn, each, work.OURS, "ci", specs, NOW)
    found = queued(db)
    assert [(c, a) for c, a, _ in found] == [("webhook", where)] * 2
    outcomes = [d["change"]["outcome"] for _, _, d in found]  # type: ignore[index]
    assert outcomes == ["in_progress", "succeeded"]


def test_a_wrong_address_for_changes_is_pointed_out() -> None:
    text = """
apiVersion: watchkeeper/v1
kind: Channel
metadata: {name: w}
spec: {type: webhook, settings: {changes: warehouse}}
"""
    (finding,) = load_text(text).errors
    assert "'changes' is 'warehouse'" in str(finding)
