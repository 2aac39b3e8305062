"""R2: targets with what they allow, in events and in time, over every window and method."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest
from click.testing import CliRunner

from tests.support.slo import calendar, rolling, slo, specs
from tests.support.slo_room import counts, room
from watchkeeper.faces.cli.main import cli
from watchkeeper.slo.contract import status_json
from watchkeeper.spec.model import Method, Occurrences, RatioTimeSlices, TimeSlices, Window


def minute(text: str) -> int:
    return round(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()) // 60


def test_calc_says_that_three_nines_allow_43_8_minutes_in_an_average_month() -> None:
    said = CliRunner().invoke(cli, ["calc", "99.9%", "--window", "1M"])
    data = CliRunner().invoke(cli, ["calc", "99.9", "--events", "3000000", "--json"])

    assert said.exit_code == data.exit_code == 0, said.output + data.output
    assert "43.83 min" in said.output
    found = json.loads(data.output)
    assert found["window"]["seconds"] == pytest.approx(43.829 * 60, abs=0.1)
    assert found["window"]["events"] == 3000


@pytest.mark.parametrize(
    ("window", "allowed_minutes"),
    [
        (rolling("30d"), 43.2),
        (rolling("28d"), 40.32),
        (rolling("7d"), 10.08),
        (calendar("1M"), 0.001 * 22.5 * 1440),
        (calendar("1w", "2026-11-02"), 0.001 * 0.5 * 1440),
    ],
    ids=["30 days", "28 days", "7 days", "month so far", "Monday at noon"],
)
def test_a_budget_in_minutes_is_the_share_of_the_window_that_may_be_lost(
    tmp_path: Path, window: Window, allowed_minutes: float
) -> None:
    end = minute("2026-11-23 12:00")
    start = end - 40 * 1440
    with room(tmp_path, specs(slo(window=window))) as it:
        it.record(counts("checkout-sli", dict.fromkeys(range(start, end), (0, 10))), end * 60.0)
        budget = it.status("checkout", end * 60.0).budget

    assert budget.minutes_total == pytest.approx(allowed_minutes, rel=1e-12)
    assert budget.minutes_remaining == budget.minutes_total


@pytest.mark.parametrize(
    ("method", "good", "total"),
    [
        (Occurrences(), 990 + 5 + 1000, 2010),
        (TimeSlices(5, Decimal("0.99")), 2, 3),
        (RatioTimeSlices(5), 0.5 + 0.99 + 1, 3),
    ],
    ids=["occurrences", "time slices", "ratio time slices"],
)
def test_one_quiet_bad_slice_weighs_as_its_method_says(
    tmp_path: Path, method: Method, good: float, total: float
) -> None:
    end = minute("2026-11-23 12:00")
    events = {
        end - 15: (10, 1000),  # 99 %: a good slice
        end - 9: (5, 10),
        end - 3: (0, 1000),
        end - 20: (0, 0),  # seen, but no evidence
    }
    with room(tmp_path, specs(slo(method=method))) as it:
        it.record(counts("checkout-sli", events), end * 60.0)
        found = it.status("checkout", end * 60.0).events

    assert found.total == total
    assert found.good == pytest.approx(good, abs=1e-12)


def test_a_latency_percentile_per_slice_is_a_slice_target(tmp_path: Path) -> None:
    """P99 <= 300 ms in a slice exactly when 99 of 100 requests took at most 300 ms."""
    end = minute("2026-11-23 12:00")
    p99 = TimeSlices(1, Decimal("0.99"))
    with room(tmp_path, specs(slo(target="0.5", method=p99))) as it:
        it.record(counts("checkout-sli", {end - 2: (1, 100), end - 1: (2, 100)}), end * 60.0)
        found = it.status("checkout", end * 60.0)

    assert (found.events.good, found.events.total) == (1, 2)
    assert found.budget.remaining == 0


def test_the_published_form_carries_the_target_and_the_budget_in_events_and_minutes(
    tmp_path: Path,
) -> None:
    end = minute("2026-11-23 12:00")
    events = dict.fromkeys(range(end - 1000, end), (0, 1000)) | {end - 500: (250, 1000)}
    with room(tmp_path, specs(slo())) as it:
        it.record(counts("checkout-sli", events), end * 60.0)
        found = status_json(it.status("checkout", end * 60.0))

    assert found["target"] == 0.999
    assert found["window"] == "30d"
    assert found["events"] == {
        "good": 999_750,
        "total": 1_000_000,
        "bad": 250,
        "seen_minutes": 1000,
    }
    budget = found["budget"]
    assert (budget["total"], budget["consumed"], budget["remaining"]) == (1000, 250, 750)
    assert budget["remaining_ratio"] == 0.75
    assert budget["minutes_total"] == pytest.approx(43.2)
    assert budget["minutes_consumed"] == pytest.approx(10.8)
