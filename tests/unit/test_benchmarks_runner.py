"""The benchmarks' runner: which it knows, what it refuses, what it prints."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from benchmarks import __main__ as runner
from benchmarks import incidents
from benchmarks.cases.run import shown
from benchmarks.cases.series import CASES, promtool_values
from watchkeeper.faces.web import serving


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


def test_the_list_of_benchmarks_says_what_each_measures() -> None:
    rows = (runner.ROOT / "benchmarks" / "README.md").read_text(encoding="utf-8").splitlines()
    told = [row.split("`")[1] for row in rows if row.startswith("| `")]
    assert sorted(told) == sorted(runner.BENCHMARKS)


def test_every_page_of_the_benchmark_of_incidents_is_there_and_gets_its_row(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(serving, "settle", lambda: None)  # other tests' garbage is to be collected
    found, made = incidents.measured(str(tmp_path / "wk.db"), lambda: 0.0, 4, 2, 1)

    assert made > 0
    assert not incidents.table(found, found, 2)
    head, _, *rows = capsys.readouterr().out.splitlines()
    assert len(rows) == len(incidents.PAGES)
    assert {row.count("|") for row in rows} == {head.count("|")}
    slow = [incidents.Taken([1000.0], 1)] * len(incidents.PAGES)
    assert incidents.table(found, slow, 2)
    assert "(goal 150)" in capsys.readouterr().out


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
