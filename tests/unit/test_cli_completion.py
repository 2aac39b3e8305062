"""The completion script, loaded by a real bash."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

WK = Path(sys.executable).with_name("wk")


@pytest.mark.parametrize(
    ("line", "offered"),
    [
        ("wk sta", ["status", "status-page"]),
        ("wk gate ch", ["check"]),
        ("wk status --ur", ["--url"]),
    ],
)
def test_bash_completes_commands_their_parts_and_options(line: str, offered: list[str]) -> None:
    words = line.split()
    script = (
        f'eval "$("{WK}" completion bash)"\n'
        f"COMP_WORDS=({line}) COMP_CWORD={len(words) - 1}\n"
        f'_wk_completion "{WK}"\n'
        'printf "%s\\n" "${COMPREPLY[@]}"'
    )
    done = subprocess.run(["bash", "-c", script], capture_output=True, text=True, timeout=60)
    assert done.stdout.split() == offered, done.stderr
