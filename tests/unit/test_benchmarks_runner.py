"""The benchmarks' runner: which it knows, what it refuses, what it prints."""

from __future__ import annotations

import math

import pytest

from benchmarks import __main__ as runner
from benchmarks.cases.run import shown
from benchmarks.cases.series import CASES, promtool_values


def test_a_benchmark_that_is_not_there_is_refused_with_the_names_of_those_that_are(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(SystemExit) as refused:
        runner.main(["casse"])
    assert refused.value.code == 2
    assert "no benchmark casse; there are cases, fleet" in capsys.readouterr().err


def test_every_benchmark_has_a_module_or_package() -> None:
    folder = runner.ROOT / "benchmarks"
    missing = [
        name
        for name in runner.BENCHMARKS
        if not (folder / f"{name}.py").exists() and not (folder / name / "__main__.py").exists()
    ]
    assert missing == []


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (4.0799, "408 %"),
        (0.0408, "4.08 %"),
        (670.26, "67,026 %"),
        (0, "0 %"),
        (None, "no sample"),
        (math.nan, "NaN"),
    ],
)
def test_shares_are_printed_as_a_person_reads_them(value: float | None, text: str) -> None:
    assert shown(value) == text


def test_samples_are_written_for_promtool_so_that_they_read_back_the_same() -> None:
    case = CASES[3]()
    for values in case.series.values():
        back: list[float | None] = []
        for part in promtool_values(values).split():
            if part.startswith("_x"):
                back += [None] * int(part[2:])
                continue
            start, _, rest = part.partition("+")
            step, _, times = rest.partition("x")
            back += [float(start) + i * float(step) for i in range(int(times) + 1)]
        assert back == values
