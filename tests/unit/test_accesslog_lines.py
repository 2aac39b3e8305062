"""Reading lines: the fast reader and the plain one say the same of every line."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from watchkeeper.kernel.errors import UserError
from watchkeeper.measure.accesslog import blocks
from watchkeeper.measure.accesslog.asking import needs_path, question, thresholds
from watchkeeper.measure.accesslog.blocks import Wishes, read_block
from watchkeeper.measure.accesslog.hits import COMBINED, Format, compile_format, minute_of_local
from watchkeeper.measure.accesslog.tally import Judge, Tally
from watchkeeper.spec.model import CountsSli, LogQuery, SliDefinition

TIMED = COMBINED + " $request_time"
SLIS = (
    SliDefinition("all", "log", CountsSli(LogQuery(), bad=LogQuery(status=("5xx", "429")))),
    SliDefinition(
        "shop",
        "log",
        CountsSli(
            LogQuery(paths=("/a/*", "/b/**"), methods=("GET",)),
            good=LogQuery(not_status=("400-499",)),
        ),
    ),
    SliDefinition(
        "by", "log", CountsSli(LogQuery(), bad=LogQuery(status=("5xx",))), ("method", "path")
    ),
)
FAST = SliDefinition("fast", "log", CountsSli(LogQuery(), good=LogQuery(faster_than=0.3)))

addresses = st.sampled_from(["1.2.3.4", "2001:db8::1:2", "-", "a[b", "x" * 90, ""])
users = st.sampled_from(["-", "frank", 'o"neil', "two words", "[admin]"])
times = st.sampled_from(
    [
        "17/May/2015:10:05:03 +0000",
        "17/May/2015:10:05:59 +0000",
        "17/May/2015:10:06:00 +0000",
        "17/May/2015:12:06:00 +0200",
        "31/Dec/2024:23:59:60 -0330",
        "29/Feb/2023:00:00:00 +0000",
        "17/Mai/2015:10:05:03 +0000",
        "17/May/2015:10:05:x3 +0000",
        "17/May/2015 10:05:03 +0000",
        "",
    ]
)
requests = st.sampled_from(
    [
        "GET /a/1 HTTP/1.1",
        "GET /a/1?x=1 HTTP/1.1",
        "GET /a/1?x=2 HTTP/1.1",
        "GET /b/long/enough/for/several/words/of/eight HTTP/2.0",
        "GET /b/long/enough/for/several/words/of/eighT HTTP/2.0",
        "POST /a/1 HTTP/1.1",
        "PROPFIND /a/b HTTP/1.1",
        "GET  HTTP/1.1",
        "GET / HTTP/3",
        "GET /a b c HTTP/1.1",
        "-",
        "",
        r"GET /a/\"quoted\" HTTP/1.1",
        r"GET /a/\x22 HTTP/1.1",
        "\\",
        r"GET /ends\\ HTTP/1.1\\",
        "GET /a/ü HTTP/1.1",
        "\x16\x03\x01",
        "GET /" + "p" * 300 + " HTTP/1.1",
    ]
)
statuses = st.sampled_from(["200", "404", "503", "429", "20", "2000", "abc", "-", ""])
tails = st.sampled_from(
    [
        ' 12 "-" "curl"',
        "",
        ' 12 "-" "unclosed',
        ' 12 "-" "[x] \\"y\\" [17/May/2015:10:05:03 +0000] "',
        " -\r",
    ]
)
durations = st.sampled_from(
    [
        "",
        " 0.300",
        " 0.301",
        " 12.345",
        " 12345.678",
        " 1234567.890",
        " -",
        " 0.3",
        " .300",
        " x.300",
        " 1x.300",
    ]
)
odd = st.sampled_from([b"", b"\r", b" ", b"[", b'"', b"\x00\xff" * 9, b"[" * 200, b'"' * 50])


@st.composite
def lines(draw: st.DrawFn) -> bytes:
    if draw(st.integers(0, 9)) == 0:
        return draw(odd)
    line = f'{draw(addresses)} - {draw(users)} [{draw(times)}] "{draw(requests)}" {draw(statuses)}'
    made = (line + draw(tails) + draw(durations)).encode()
    return made[: draw(st.integers(0, len(made)))] if draw(st.integers(0, 9)) == 0 else made


def read(block: bytes, form: Format, slis: tuple[SliDefinition, ...], fast: bool) -> Tally:
    tally = Tally(Judge([question(sli) for sli in slis]))
    wishes = Wishes(needs_path(slis), thresholds(slis))
    if fast:
        read_block(block, form, wishes, tally, "log", 1)
    else:
        blocks._read_plainly(block.split(b"\n")[:-1], form, wishes, tally, "log", 1)
    return tally


@settings(max_examples=150, deadline=None)
@given(
    some=st.lists(lines(), min_size=1, max_size=40),
    timed=st.booleans(),
    bounded=st.booleans(),
)
def test_the_fast_reader_and_the_plain_one_agree_on_every_line(
    some: list[bytes], timed: bool, bounded: bool
) -> None:
    form = compile_format({"format": TIMED if timed else "combined"})
    slis = (*SLIS, FAST) if bounded else SLIS
    block = b"".join(line.replace(b"\n", b"") + b"\n" for line in some)
    block *= 1 + 4096 // len(block)  # long enough for the fast reader
    fast, plain = read(block, form, slis, True), read(block, form, slis, False)
    assert fast.sums == plain.sums
    assert fast.minutes == plain.minutes
    assert (fast.lines, fast.unparsable, fast.untimed) == (
        plain.lines,
        plain.unparsable,
        plain.untimed,
    )


def test_an_unclosed_quote_swallows_no_other_line() -> None:
    good = b'1.1.1.1 - - [17/May/2015:10:05:03 +0000] "GET / HTTP/1.1" 200 5 "-" "x"\n'
    bad = b'1.1.1.1 - - [17/May/2015:10:05:03 +0000] "GET / HTTP/1.1" 200 5 "-" "x\n'
    tally = read((good * 3 + bad + good * 3) * 30, compile_format({}), SLIS, True)
    assert sum(v[1] for v in tally.sums["all", ()].values()) == 7 * 30
    assert tally.unparsable == 0


def test_a_line_that_is_no_request_is_counted_and_the_first_is_shown_with_its_place() -> None:
    good = b'1.1.1.1 - - [17/May/2015:10:05:03 +0000] "GET / HTTP/1.1" 200 5\n'
    tally = read(good * 60 + b"nonsense\n" + good * 60 + b"more\n", compile_format({}), SLIS, True)
    assert tally.unparsable == 2
    assert tally.first_unparsable == "log:61: 'nonsense'"


@pytest.mark.parametrize(
    ("text", "minute"),
    [
        (b"17/May/2015:10:05:03 +0000", 23864285),
        (b"17/May/2015:10:05:03 +0200", 23864165),
        (b"17/May/2015:10:05:03 -0330", 23864495),
        (b"30/Feb/2015:10:05:03 +0000", None),
        (b"17/May/2015:10:05:03+0000", None),
    ],
)
def test_local_times_are_read_with_their_zone(text: bytes, minute: int | None) -> None:
    assert minute_of_local(text) == minute


def test_json_lines_are_read_by_usual_or_given_names() -> None:
    parse = compile_format({"format": "json", "duration_unit": "ms"}).parse
    hit = parse(b'{"time":"2015-05-17T10:05:03Z","status":503,"uri":"/a?x","duration":250}')
    assert hit is not None
    assert (hit.minute, hit.status, hit.path, hit.duration) == (23864285, 503, "/a", 0.25)
    fields = {"time": "t", "status": "res.code"}
    named = compile_format({"format": "json", "fields": fields}).parse
    hit = named(b'{"t": 1431857103, "res": {"code": "200"}}')
    assert hit is not None
    assert (hit.minute, hit.status) == (23864285, 200)
    assert parse(b"{not json") is None
    assert parse(b"[1]") is None


def test_a_format_of_ones_own_is_read_by_its_variables() -> None:
    form = compile_format(
        {"format": '$host $msec "$request" $status rt=$request_time ua="$http_user_agent"'}
    )
    hit = form.parse(b'shop.example 1431857103.123 "GET /a/\\"b HTTP/1.1" 200 rt=0.250 ua="x y"')
    assert hit is not None
    assert (hit.host, hit.status, hit.duration, hit.method) == ("shop.example", 200, 0.25, "GET")
    assert form.parse(b"something else") is None


@pytest.mark.parametrize("format", ["combinde", "$remote_addr $request", "$time_local $request"])
def test_a_format_that_cannot_be_counted_is_refused(format: str) -> None:
    with pytest.raises(UserError):
        compile_format({"format": format})


def test_a_duration_of_exactly_the_threshold_is_fast_enough() -> None:
    line = b'1.1.1.1 - - [17/May/2015:10:05:03 +0000] "GET / HTTP/1.1" 200 5 "-" "x" '
    block = (line + b"0.300\n" + line + b"0.301\n") * 40
    tally = read(block, compile_format({"format": TIMED}), (FAST,), True)
    assert tally.sums["fast", ()] == {23864285: [40, 80]}
