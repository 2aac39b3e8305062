"""The case of the moment: is the burn rate that of the time asked for, and is it rounded?

Four hours of traffic up to the present minute; in the last hour 361 of each 25,000 requests fail,
a burn rate of 14.44 at 99.9 %. Two hours before there was not one error.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from benchmarks.cases import ours
from benchmarks.cases.series import METRIC
from benchmarks.cases.server import prometheus
from benchmarks.slo_generator import compute, write_shared, write_slo
from watchkeeper.slo.model import Look, SloStatus

THRESHOLD = 14.4
TRUE_NOW, TRUE_BEFORE = 14.44, 0.0
EARLIER = 2 * 3600


def samples(end: int) -> Iterator[str]:
    """The series, a sample in the last second of each minute."""
    good = bad = 0
    lines: tuple[list[str], list[str]] = ([], [])
    for minute in range(-240, 0):
        failed = 361 if minute >= -60 else 0
        good, bad = good + 25_000 - failed, bad + failed
        for into, code, value in ((lines[0], "200", good), (lines[1], "500", bad)):
            into.append(
                f'{METRIC}{{job="myservice",code="{code}"}} {value} {end + minute * 60 + 59}\n'
            )
    yield f"# TYPE {METRIC} unknown\n"
    yield from lines[0]
    yield from lines[1]
    yield "# EOF\n"


@dataclass(frozen=True, slots=True)
class Answer:
    """Burn rate over an hour now and two hours before, and whether now is an alert."""

    now: float
    before: float
    alert: bool


TRUTH = Answer(TRUE_NOW, TRUE_BEFORE, True)


def slo_generator(url: str, end: int) -> Answer:
    """slo-generator's answer, asked about both moments."""
    where = f'{METRIC}{{job="myservice"'
    indicator = {"filter_bad": f'{where},code=~"5.."}}', "filter_good": f'{where},code!~"5.."}}'}
    with tempfile.TemporaryDirectory() as name:
        slo, folder = Path(name) / "slo.yaml", Path(name)
        write_slo(slo, "case", indicator)
        shared = write_shared(folder / "config.yaml", url, [(3600, THRESHOLD)])
        (now,) = compute(slo, shared, end)
        (before,) = compute(slo, shared, end - EARLIER)
    return Answer(now.burn_rate, before.burn_rate, now.alert)


def watchkeeper(url: str, end: int) -> Answer:
    """Our answer, asked about both moments."""
    now, before = ours.measured(url, end), ours.measured(url, end - EARLIER)
    return Answer(_hour(now), _hour(before), now.look is Look.BURN)


def _hour(status: SloStatus) -> float:
    rate = status.burn_rate["1h"]
    assert rate is not None
    return rate


def answers() -> dict[str, Answer]:
    """Truth, slo-generator and Watchkeeper on the same Prometheus."""
    end = int(time.time()) // 60 * 60
    with prometheus(samples(end)) as url:
        theirs, own = slo_generator(url, end), watchkeeper(url, end)
    return {"truth": TRUTH, "slo-generator": theirs, "Watchkeeper": own}
