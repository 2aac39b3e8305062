"""What an overview's address asks for."""

from __future__ import annotations

from dataclasses import replace
from urllib.parse import parse_qsl

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.fleet import fleet, status
from watchkeeper.faces.web.ask import BANDS, PAGE_SIZE, SORTS, Ask, band_of, chosen
from watchkeeper.faces.web.overview import list_view, page_of
from watchkeeper.slo.model import Look

FLEET, SPECS = fleet(180)

ASKS = st.builds(
    Ask,
    q=st.sampled_from(["", "checkout", "PAYMENTS latency", "région & co", "a=b?c#d"]),
    team=st.sampled_from(["", "payments", "nobody"]),
    tier=st.sampled_from(["", "1", "3", "none"]),
    service=st.sampled_from(["", "cart", "search"]),
    state=st.sampled_from(["", *map(str, Look)]),
    band=st.one_of(st.none(), st.integers(0, BANDS - 1)),
    sort=st.sampled_from(list(SORTS)),
    page=st.integers(1, 5),
)


@settings(deadline=None, max_examples=100)
@given(ASKS)
def test_an_address_read_back_asks_for_the_same(ask: Ask) -> None:
    assert Ask.read(dict(parse_qsl(ask.query().removeprefix("?")))) == ask


@settings(deadline=None, max_examples=60)
@given(st.dictionaries(st.sampled_from(list(Ask.__slots__)), st.text(max_size=12)))
def test_no_address_is_an_error(params: dict[str, str]) -> None:
    ask = Ask.read(params)
    assert ask.sort in SORTS
    assert ask.page >= 1
    assert len(chosen(FLEET.statuses, SPECS, ask)) <= len(FLEET.statuses)


@settings(deadline=None, max_examples=60)
@given(ASKS)
def test_every_filter_only_takes_away_and_sorting_neither_adds_nor_loses(ask: Ask) -> None:
    found = chosen(FLEET.statuses, SPECS, ask)
    same = chosen(FLEET.statuses, SPECS, replace(ask, sort="name"))
    assert sorted(s.name for s in found) == sorted(s.name for s in same)
    for status_ in found:
        assert not ask.team or status_.team == ask.team
        assert not ask.service or status_.service == ask.service
        assert not ask.state or status_.look == ask.state
        assert ask.band is None or band_of(status_) == ask.band


@settings(deadline=None, max_examples=40)
@given(st.sampled_from(list(SORTS)))
def test_the_pages_together_show_every_objective_once(sort: str) -> None:
    found = chosen(FLEET.statuses, SPECS, Ask(sort=sort))
    shown: list[str] = []
    for page in range(1, 1 + -(-len(found) // PAGE_SIZE)):
        view = list_view(FLEET, SPECS, Ask(sort=sort, page=page), found, {})
        shown.extend(row.url for row in view.rows)
        assert (view.next is None) == (page * PAGE_SIZE >= len(found))
    assert len(shown) == len(set(shown)) == len(FLEET.statuses)


def test_a_page_past_the_end_is_the_last_one() -> None:
    found = chosen(FLEET.statuses, SPECS, Ask())
    ask, shown = page_of(found, Ask(page=99))
    assert ask.page == 4
    assert len(shown) == 180 - 3 * PAGE_SIZE


def test_least_budget_comes_first_and_no_evidence_last() -> None:
    found = chosen(FLEET.statuses, SPECS, Ask())
    left = [s.budget.remaining_ratio for s in found]
    known = [v for v in left if v is not None]
    assert known == sorted(known)
    assert all(v is None for v in left[len(known) :])
    assert len(known) < len(left)


def test_fastest_burn_comes_first_when_asked_for() -> None:
    burns = [s.burn_rate["1h"] for s in chosen(FLEET.statuses, SPECS, Ask(sort="burn"))]
    known = [b for b in burns if b is not None]
    assert known == sorted(known, reverse=True)
    assert burns[: len(known)] == known


def test_search_finds_by_name_service_owner_and_label_in_any_order_of_words() -> None:
    def names(q: str) -> set[str]:
        return {s.name for s in chosen(FLEET.statuses, SPECS, Ask(q=q))}

    assert "checkout-latency" in names("LATENCY check")
    assert names("Payment gateway")  # the display name of a service
    by_owner = names("discovery")
    assert by_owner >= {s.name for s in FLEET.statuses if s.team == "discovery"}
    assert names("pay zzz") == set()
    labelled = next(s for s in FLEET.statuses if s.labels)
    label, value = next(iter(labelled.labels.items()))
    assert labelled.name in names(f"{label}={value}")
    assert names("nothing of the kind") == set()


@pytest.mark.parametrize(
    ("left", "band"),
    [(-0.3, 0), (0.0, 0), (0.001, 1), (0.05, 1), (0.0501, 2), (0.95, 19), (1.0, 20), (None, None)],
)
def test_bands_hold_five_percent_each_and_the_spent_stand_alone(
    left: float | None, band: int | None
) -> None:
    assert band_of(status(left=left)) == band
