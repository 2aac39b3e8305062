"""`wk postmortem`: what a postmortem lacks, contradicts or should say otherwise."""

from __future__ import annotations

import sys
from dataclasses import asdict
from pathlib import Path

import click

from watchkeeper.faces.cli import common
from watchkeeper.faces.cli.postmortem_served import COMMANDS, read
from watchkeeper.kernel.errors import UserError


@click.group()
def postmortem() -> None:
    """Postmortems: check any in Markdown; write, review and find those of a running server."""


@postmortem.command()
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--strict", is_flag=True, help="Warnings count as well.")
@common.json_option
def check(files: tuple[Path, ...], strict: bool, as_json: bool) -> None:
    """Check FILES (or all .md files in directories), one line a finding.

    Sections, times, stated durations against the timeline, words that blame, five whys, action
    items. Exit status 1 when something is an error, 2 when a file cannot be read.
    """
    from watchkeeper.postmortems.checks import ERROR
    from watchkeeper.postmortems.checks import check as checked

    found = {str(path): checked(read(path)) for path in _every(files)}
    if as_json:
        common.emit_json({path: [asdict(f) for f in each] for path, each in found.items()})
    else:
        for path, each in found.items():
            for f in each:
                better = f"; {f.better}" if f.better else ""
                click.echo(f"{path}:{f.line}: {f.severity}: {f.message}{better} [{f.code}]")
    errors = sum(f.severity == ERROR for each in found.values() for f in each)
    rest = sum(map(len, found.values())) - errors
    if not as_json:
        click.echo(f"{errors} to mend, {rest} to think about.", err=True)
    if errors or (strict and rest):
        sys.exit(1)


def _every(given: tuple[Path, ...]) -> list[Path]:
    found = [p for path in given for p in (sorted(path.rglob("*.md")) if path.is_dir() else [path])]
    if not found:
        raise UserError("There is no .md file here.", "Name the file.")
    return found


for command in COMMANDS:
    postmortem.add_command(command)
