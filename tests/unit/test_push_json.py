"""JSON pushes: read strictly; what is wrong is named by its field, and nothing is recorded."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from watchkeeper.kernel.errors import UserError
from watchkeeper.measure.push.model import Push
from watchkeeper.measure.push.parsing import parse_json

NOW = 1_800_000_000.0
GOOD = {"stream": "checkout", "good": 99, "total": 100}


def read(document: object) -> list[tuple[str, float, float | None, float]]:
    pushes = parse_json(json.dumps(document).encode(), NOW)
    return [(p.stream, p.time, p.good, p.total) for p in pushes]


def test_one_push_or_a_list_of_them_is_read() -> None:
    assert read(GOOD) == [("checkout", NOW, 99, 100)]
    assert len(read([GOOD, GOOD])) == 2


@pytest.mark.parametrize(
    "time", ["2027-01-15T08:00:00Z", "2027-01-15T09:00:00+01:00", "2027-01-15T08:00:00", NOW]
)
def test_times_are_iso_or_epoch_seconds(time: object) -> None:
    assert read({**GOOD, "time": time})[0][1] == NOW


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"stream": ""}, "stream"),
        ({"stream": 5}, "stream"),
        ({"stream": None}, "stream"),
        ({"total": -1}, "total"),
        ({"total": "many"}, "total"),
        ({"total": True}, "total"),
        ({"total": 1e300}, "total"),
        ({"good": 101}, "good"),
        ({"good": -1}, "good"),
        ({"goood": 1}, "goood"),
        ({"time": "yesterday"}, "time"),
        ({"time": NOW + 700}, "time"),
        ({"time": NOW - 401 * 86400}, "time"),
        ({"time": NOW * 1000}, "time"),
        ({"attributes": []}, "attributes"),
        ({"attributes": {"a": {}}}, "attributes.a"),
    ],
)
def test_what_is_wrong_is_named_by_its_field(change: dict[str, object], named: str) -> None:
    with pytest.raises(UserError) as refused:
        read([GOOD, {**GOOD, **change}])
    assert refused.value.http_status == 400
    assert refused.value.message.startswith(f"[1].{named}")


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b"5",
        b'"x"',
        b"\xff\xfe",
        b'{"stream":"a","total":NaN}',
        b'{"stream":"a","total":1,"total":2}',
        b"[" * 100_000,
    ],
)
def test_a_body_that_is_no_push_is_refused(body: bytes) -> None:
    with pytest.raises(UserError):
        parse_json(body, NOW)


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3)
    ),
    max_leaves=6,
)


@settings(max_examples=200, deadline=None)
@given(
    document=st.dictionaries(
        st.sampled_from(["stream", "time", "good", "total", "attributes"]), values
    )
)
def test_whatever_is_sent_is_a_push_or_a_clear_refusal(document: object) -> None:
    pushes, refusal = attempt(document)
    assert (pushes is None) != (refusal == "")
    assert all(p.good is None or 0 <= p.good <= p.total for p in pushes or ())


def attempt(document: object) -> tuple[list[Push] | None, str]:
    """What was read, or why it was refused."""
    try:
        return parse_json(json.dumps(document).encode(), NOW), ""
    except UserError as error:
        return None, error.message
