"""What an incident cost: equal to a recount of its events."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.alert_place import NOW, SLO, Place
from tests.support.duty import SITE
from watchkeeper.faces.incidents import Incidents
from watchkeeper.incidents import impact
from watchkeeper.incidents.keeping import By
from watchkeeper.incidents.model import Incident, IncidentState
from watchkeeper.kernel.errors import UserError
from watchkeeper.measure.model import Batch, Count
from watchkeeper.slo import work as slo_work
from watchkeeper.spec.findings import Place as Where
from watchkeeper.spec.model import ServiceDefinition

ANN = By("ann", "web")
START = 1_767_600_000.0


def incident(**fields: Any) -> Incident:  # noqa: ANN401 - any field
    made = Incident(
        id=1, title="x", severity="SEV1", state=IncidentState.TRIGGERED, declared_at=START,
        declared_by="ann", version=0,
    )  # fmt: skip
    return replace(made, **fields)


def service(users: int, revenue: int) -> ServiceDefinition:
    return ServiceDefinition(
        "shop", "Shop", Where("a"), users_per_minute=Decimal(users),
        revenue_per_minute=Decimal(revenue), currency="EUR",
    )  # fmt: skip


MINUTES = st.lists(
    st.tuples(st.integers(0, 50), st.integers(0, 50)).map(lambda t: (min(t), max(t))),
    min_size=1,
    max_size=30,
)


@settings(deadline=None, max_examples=60)
@given(MINUTES, MINUTES)
def test_what_is_said_equals_a_recount(
    one: list[tuple[int, int]], two: list[tuple[int, int]]
) -> None:
    length = min(len(one), len(two))
    one, two = one[:length], two[:length]
    counts = {
        name: np.array([(good, total, 1) for good, total in rows], dtype=float)
        for name, rows in (("a", one), ("b", two))
    }
    held = incident(began_at=START, mitigated_at=START + length * 60)
    found = impact.assess(
        held, counts, {"a": "shop", "b": "shop"}, {"a": 200.0}, {"shop": service(30, 7)}, START
    )
    assert found.bad == {n: sum(t - g for g, t in rows) for n, rows in (("a", one), ("b", two))}
    assert found.total == {n: sum(t for _, t in rows) for n, rows in (("a", one), ("b", two))}
    assert found.budget == {"a": found.bad["a"] / 200}
    lost = 0.0
    for (g1, t1), (g2, t2) in zip(one, two, strict=True):
        lost += max((t1 - g1) / t1 if t1 else 0, (t2 - g2) / t2 if t2 else 0)
    assert found.users == pytest.approx(lost * 30)
    assert found.revenue["EUR"] == pytest.approx(lost * 7)


def test_users_are_hurt_from_the_beginning_until_the_mitigation() -> None:
    held = incident(began_at=START + 30, mitigated_at=START + 90, resolved_at=START + 900)
    assert impact.interval(held, START + 9999) == (START // 60, START // 60 + 2)
    open_one = incident(detected_at=START)
    assert impact.interval(open_one, START + 120) == (START // 60, START // 60 + 2)
    long = incident(began_at=START - 90 * 86_400)
    first, last = impact.interval(long, START)
    assert last - first == impact.MOST_MINUTES


@pytest.mark.parametrize(
    ("shares", "severity"),
    [
        ({"pay": 0.97}, "SEV1"),
        ({"pay": 0.2, "browse": 0.99}, "SEV2"),
        ({"browse": 0.95}, "SEV2"),
        ({"browse": 0.3}, "SEV3"),
        ({"pay": 0.001}, None),
        ({}, None),
    ],
)
def test_a_severity_is_suggested_by_what_fails(
    shares: dict[str, float], severity: str | None
) -> None:
    found = impact.suggest(shares, ["pay"], ["SEV1", "SEV2", "SEV3"])
    assert (found.severity if found else None) == severity
    if found is not None:
        assert "of the requests of" in found.why


def test_it_is_measured_in_the_ledger_and_a_person_may_know_better(tmp_path: Path) -> None:
    place = Place(tmp_path)
    its = Incidents(place.db, place.board, place.world.clock, SITE)
    # Half of 100 requests a minute failed for 20 minutes, from minute 1500 of the history on.
    began = NOW - (2 * 1440 - 1500) * 60
    made = its.declare("Half fails", "SEV2", ANN, slos=(SLO,), began_at=began)
    its.set_times(made.id, {"mitigated_at": NOW}, "the log", ANN)
    found = its.impact(made.id)
    assert (found.bad[SLO], found.total[SLO]) == (1000.0, (2 * 1440 - 1500) * 100.0)
    assert impact.sentence(found).startswith("1 k of 138 k requests failed (0.72 %)")
    assert found.budget[SLO] > 0
    with pytest.raises(UserError, match="needs a reason"):
        its.override(made.id, "users", "4,000", "", ANN)
    its.override(made.id, "users", "4,000", "the shop counted", ANN)
    said = its.impact(made.id)
    assert said.overrides["users"] == {"value": "4,000", "why": "the shop counted", "by": "ann"}
    assert "about 4,000 users" in impact.sentence(said)
    its.override(made.id, "users", "", "", ANN)
    assert its.impact(made.id).overrides == {}
    place.db.close()


def test_what_one_that_is_over_cost_does_not_change_with_what_comes_later(tmp_path: Path) -> None:
    place = Place(tmp_path)
    its = Incidents(place.db, place.board, place.world.clock, SITE)
    made = its.declare("Half fails", "SEV2", ANN, slos=(SLO,), began_at=NOW - 1380 * 60)
    its.set_times(made.id, {"mitigated_at": NOW}, "the log", ANN)
    then = its.impact(made.id)
    sli = place.world.specs.slos[SLO].sli
    assert sli is not None
    later = [Count(sli.key, int(NOW // 60) + m, 5_000, 5_000) for m in range(60)]
    with place.db.write() as conn:
        slo_work.record_batch(conn, place.world.specs, Batch(later), NOW + 3600)
        fleet = slo_work.evaluate_fleet(conn, place.world.specs, NOW + 3600)
    place.world.clock.advance(3600)
    place.board.post(specs=place.world.specs, fleet=fleet, ticked_at=NOW + 3600)
    assert its.impact(made.id) == then
    place.db.close()
