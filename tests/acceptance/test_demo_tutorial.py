"""The tutorials work as they are written: each command is run, each printed result compared."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.documents import ROOT, Block, blocks

PAGES = sorted((ROOT / "docs" / "tutorial").glob("*.md"))


def run(block: Block, folder: Path) -> str:
    """Run one shell block in this directory; its output."""
    programs = Path(sys.executable).parent
    env = {**os.environ, "PATH": f"{programs}:{os.environ['PATH']}", "COLUMNS": "120"}
    result = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", block.text],
        cwd=folder,
        env=env,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert result.returncode == 0, f"{block}: {result.stdout}{result.stderr}"
    return result.stdout


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.stem)
def test_every_command_of_a_tutorial_prints_what_the_tutorial_says(
    page: Path, tmp_path: Path
) -> None:
    said = ""
    ran = compared = 0
    for block in blocks(page):
        if block.language == "bash":
            said = run(block, tmp_path)
            ran += 1
        elif block.language == "text":
            assert said == block.text, str(block)
            compared += 1
    assert ran >= 4
    assert compared >= 3
