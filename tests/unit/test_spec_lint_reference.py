"""The page about lint: every finding there is, each with an example that lint really gives."""

from __future__ import annotations

import ast
import re
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.documents import ROOT
from watchkeeper.spec import load
from watchkeeper.spec.convert import import_file

PAGE = (ROOT / "docs" / "reference" / "lint.md").read_text(encoding="utf-8")
SECTIONS = dict(re.findall(r"^### `([a-z-]+)`\n(.*?)(?=^##|\Z)", PAGE, re.MULTILINE | re.DOTALL))
WRONG = "\n".join(p.read_text() for p in sorted((ROOT / "tests/specs/wrong").glob("*.txt")))
LINE = re.compile(r"^\S+:\d+:\d+: (error|warning): .* \[([a-z-]+)\]$", re.MULTILINE)


def constants(node: ast.expr) -> Iterator[str]:
    """The texts that an expression may be: a constant, or the two of a choice."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        yield node.value
    elif isinstance(node, ast.IfExp):
        yield from constants(node.body)
        yield from constants(node.orelse)


def written_codes() -> set[str]:
    """Every code that the readers can give: what ``fault``, ``warn`` and ``Finding`` are told."""
    found: set[str] = set()
    for path in (ROOT / "src" / "watchkeeper" / "spec").glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not isinstance(node, ast.Call):
                continue
            called = node.func
            name = called.attr if isinstance(called, ast.Attribute) else getattr(called, "id", "")
            at = {"fault": 0, "warn": 0, "Finding": 2}.get(name)
            if at is not None and len(node.args) > at:
                found |= set(constants(node.args[at]))
    return found


def test_every_finding_has_a_section_and_every_section_a_finding() -> None:
    codes = written_codes()
    assert len(codes) > 70
    assert {c for _, c in LINE.findall(WRONG)} <= codes
    assert set(SECTIONS) == codes


WITHOUT_A_TEXT = ("no-specs", "unreadable", "other-kind")
"""What no YAML text gives: shown below to be what is given for a directory, a file, an import."""


@pytest.mark.parametrize("code", sorted(SECTIONS))
def test_each_section_says_the_fix_and_shows_what_lint_gives(code: str) -> None:
    section = SECTIONS[code]
    assert re.search(r"\*Fix:\* \S+", section)
    shown = re.findall(r"^\S+:\d+:\d+: .*$", section, re.MULTILINE)
    assert shown
    assert [LINE.match(line) is not None for line in shown] == [True] * len(shown)
    assert {m[2] for line in shown if (m := LINE.match(line))} == {code}
    if code not in WITHOUT_A_TEXT:
        assert [line for line in shown if line not in WRONG.splitlines()] == []


def test_a_code_that_may_be_error_or_warning_is_shown_as_both() -> None:
    given: dict[str, set[str]] = defaultdict(set)
    for severity, code in LINE.findall(WRONG):
        given[code].add(severity)
    told = {c: {s for s, _ in LINE.findall(section)} for c, section in SECTIONS.items()}
    assert {c: told[c] for c in given} == given


def test_the_findings_about_directories_files_and_imports_are_those_shown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("slos").mkdir()
    found = [*load("slos").findings]
    Path("slos/old.yaml").write_bytes("Café".encode("latin-1"))
    found += load("slos").findings
    slo = "apiVersion: openslo/v1\nkind: Service\nmetadata: {name: shop}\nspec: {}\n"
    found += import_file("pyrra", slo, "slo.yaml").findings
    assert [f.code for f in found] == list(WITHOUT_A_TEXT)
    for finding in found:
        assert str(finding) in SECTIONS[finding.code].splitlines()
