"""Wrong specs: each gives exactly the findings, with the places, that stand beside it."""

from __future__ import annotations

from pathlib import Path

import pytest

from watchkeeper.spec import load_text

WRONG = Path(__file__).parents[1] / "specs" / "wrong"
SPECS = sorted(WRONG.glob("*.yaml"))


def test_there_are_many_kinds_of_mistakes() -> None:
    assert len(SPECS) >= 45


@pytest.mark.parametrize("spec", SPECS, ids=lambda p: p.stem)
def test_a_wrong_spec_gives_exactly_these_findings(spec: Path) -> None:
    expected = spec.with_suffix(".txt").read_text(encoding="utf-8").splitlines()
    loaded = load_text(spec.read_text(encoding="utf-8"), spec.name)
    assert [str(finding) for finding in loaded.findings] == expected
