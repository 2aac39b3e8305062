"""The house keeps its own rules: lock, file sizes, rooms, set-up scripts."""

from __future__ import annotations

import ast
import os
import re
import shutil
import stat
import subprocess
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
CODE = ("src", "tests", "benchmarks", "demo", "scripts")
LOCK = (ROOT / "requirements.lock").read_text(encoding="utf-8")


def python_files(*folders: str) -> list[Path]:
    found = [p for folder in folders for p in (ROOT / folder).rglob("*.py")]
    assert found
    return sorted(found)


def canonical(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def test_the_lock_names_no_host() -> None:
    assert "://" not in LOCK
    assert "--index" not in LOCK
    assert "--extra-index" not in LOCK
    assert "--find-links" not in LOCK


def test_every_locked_package_is_pinned_with_a_hash() -> None:
    entries = re.split(r"\n(?=[a-zA-Z0-9])", LOCK.strip())
    assert len(entries) > 40
    for entry in entries:
        assert re.match(r"[A-Za-z0-9_.\[\]-]+==\S+", entry), entry
        assert "--hash=sha256:" in entry, entry


def test_every_dependency_that_is_asked_for_is_locked() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    asked = project["project"]["dependencies"] + project["dependency-groups"]["dev"]
    asked += project["build-system"]["requires"]
    names = {canonical(re.split(r"[\[<>=!~; ]", line)[0]) for line in asked}
    locked = {canonical(m) for m in re.findall(r"^([A-Za-z0-9_.-]+)(?:\[.*\])?==", LOCK, re.M)}
    assert names - locked == set()


@pytest.mark.parametrize("folder", CODE)
def test_no_file_is_longer_than_500_lines(folder: str) -> None:
    long = {
        str(path.relative_to(ROOT)): lines
        for path in (ROOT / folder).rglob("*")
        if path.suffix in {".py", ".sh", ".html", ".css", ".js"} and "vendor" not in path.parts
        if (lines := len(path.read_text(encoding="utf-8").splitlines())) > 500
    }
    assert long == {}


def test_most_functions_are_short() -> None:
    lengths = [
        (node.end_lineno or node.lineno) - node.lineno + 1
        for path in python_files("src")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    ]
    short = sum(1 for length in lengths if length <= 30)
    assert short / len(lengths) >= 0.9, f"{short} of {len(lengths)} have 30 lines or fewer"


def test_every_room_says_what_it_is_for() -> None:
    rooms = [p for p in (ROOT / "src" / "watchkeeper").iterdir() if (p / "__init__.py").exists()]
    assert len(rooms) >= 8
    silent = []
    for room in rooms:
        docstring = ast.get_docstring(ast.parse((room / "__init__.py").read_text("utf-8"))) or ""
        if len(docstring.split()) < 15:
            silent.append(room.name)
    assert silent == []


def test_every_room_has_a_place_in_the_import_order() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    contracts = project["tool"]["importlinter"]["contracts"]
    layers = next(c["layers"] for c in contracts if c["type"] == "layers")
    ordered = {name.strip() for layer in layers for name in re.split(r"[|:]", layer)}
    package = ROOT / "src" / "watchkeeper"
    rooms = {f"watchkeeper.{p.parent.name}" for p in package.glob("*/__init__.py")}
    assert rooms - ordered == set()


def test_every_test_has_a_sentence_for_a_name() -> None:
    terse = [
        f"{path.relative_to(ROOT)}::{node.name}"
        for path in python_files("tests")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")
        if node.name.count("_") < 3
    ]
    assert terse == []


def test_no_test_is_skipped_because_a_part_is_missing() -> None:
    skips = re.compile(r"importorskip|mark\.skip(if)?\b|pytest\.skip\(")
    found = [
        str(path.relative_to(ROOT))
        for path in python_files("tests")
        if path != Path(__file__) and skips.search(path.read_text(encoding="utf-8"))
    ]
    assert found == []


def scripts() -> list[Path]:
    return [*sorted((ROOT / "scripts").glob("*.sh")), ROOT / ".ci" / "run"]


@pytest.mark.parametrize("script", scripts(), ids=lambda p: p.name)
def test_shell_scripts_are_executable_and_parse(script: Path) -> None:
    assert script.stat().st_mode & stat.S_IXUSR
    subprocess.run(["bash", "-n", str(script)], check=True)


def bin_with(folder: Path, programs: dict[str, str]) -> dict[str, str]:
    """An environment whose PATH has the basic tools and these programs of our own making."""
    folder.mkdir()
    for tool in ("bash", "dirname", "sort", "cat"):
        (folder / tool).symlink_to(shutil.which(tool) or f"/usr/bin/{tool}")
    for name, body in programs.items():
        (folder / name).write_text(f"#!/bin/sh\n{body}\n")
        (folder / name).chmod(0o755)
    return {**os.environ, "PATH": str(folder)}


def run_parts(env: dict[str, str]) -> subprocess.CompletedProcess[str]:
    command = ["bash", str(ROOT / "scripts" / "parts.sh"), "bench"]
    return subprocess.run(command, env=env, capture_output=True, text=True, timeout=30)


def test_a_user_who_is_not_root_is_told_exactly_which_programs_to_install(tmp_path: Path) -> None:
    env = bin_with(tmp_path / "bin", {"id": "echo 1000", "apt-get": "exit 99"})
    result = run_parts(env)
    assert result.returncode == 2
    assert "chromium" in result.stderr
    assert "apt-get install --no-install-recommends" in result.stderr


def test_a_machine_without_apt_is_told_which_programs_are_missing(tmp_path: Path) -> None:
    result = run_parts(bin_with(tmp_path / "bin", {"id": "echo 0"}))
    assert result.returncode == 2
    assert "chromium" in result.stderr
    assert "package manager" in result.stderr


def run_setup(folder: Path, programs: dict[str, str]) -> subprocess.CompletedProcess[str]:
    env = bin_with(folder / "bin", {"flock": "exit 0", **programs})
    (folder / "bin" / "rm").symlink_to(shutil.which("rm") or "/usr/bin/rm")
    env.pop("PYTHON", None)
    command = ["bash", str(ROOT / "scripts" / "setup.sh"), str(folder / "venv")]
    return subprocess.run(command, env=env, capture_output=True, text=True, timeout=30)


def test_a_user_without_a_recent_python_is_told_what_to_do(tmp_path: Path) -> None:
    names = ("python3", "python3.11", "python3.12", "python3.13")
    result = run_setup(tmp_path, dict.fromkeys(names, "exit 1"))
    assert result.returncode == 2
    assert "no Python 3.11 or newer was found" in result.stderr
    assert "PYTHON=/path/to/python3 make setup" in result.stderr


def test_a_user_whose_python_cannot_make_environments_is_told_what_to_install(
    tmp_path: Path,
) -> None:
    python = '[ "$2" != venv ]'  # as on Debian without python3-venv
    result = run_setup(tmp_path, {"python3": python, "id": "echo 1000"})
    assert result.returncode == 2
    assert "apt-get install python3-venv" in result.stderr
    assert not (tmp_path / "venv").exists()


def test_continuous_integration_runs_make_test_and_nothing_that_asks() -> None:
    text = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    assert text.startswith("#!/usr/bin/env bash\n")
    assert "make test </dev/null" in text


def test_make_without_a_goal_says_what_can_be_made() -> None:
    result = subprocess.run(["make", "-s"], cwd=ROOT, capture_output=True, text=True, check=True)
    for goal in ("setup", "demo", "test", "check", "bench", "docs", "lock"):
        assert f"make {goal}" in result.stdout
