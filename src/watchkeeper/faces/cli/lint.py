"""`wk lint` and `wk schema`."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from watchkeeper.faces.cli import common


@click.command()
@click.argument("paths", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--strict", is_flag=True, help="Warnings fail too.")
@common.json_option
def lint(paths: tuple[Path, ...], strict: bool, as_json: bool) -> None:
    """Check specs in PATHS (directories or files); every problem at once.

    Each line is `file:line:col: error|warning: what; what was expected; how to fix [code]`.
    Exit status 2 when there are errors.
    """
    from watchkeeper.kernel.errors import UserError
    from watchkeeper.spec import load

    for path in paths:
        if not path.exists():
            raise UserError(f"There is no {path}.", "Give a directory or file of specs.")
    loaded = load(list(paths))
    if as_json:
        common.emit_json([_finding_json(f) for f in loaded.findings])
    else:
        for finding in loaded.findings:
            click.echo(str(finding))
        errors = len(loaded.errors)
        rest = len(loaded.findings) - errors
        count = len(loaded.specs.slos) if loaded.specs else 0
        ending = _counted(count, "objective") if loaded.specs else "not usable"
        found = f"{_counted(errors, 'error')}, {_counted(rest, 'warning')}"
        click.echo(f"{found}; {ending}.", err=True)
    if loaded.errors or (strict and loaded.findings):
        sys.exit(2)


def _counted(count: int, noun: str) -> str:
    return f"{count} {noun}" + ("" if count == 1 else "s")


def _finding_json(finding: object) -> dict[str, object]:
    from watchkeeper.spec.model import Finding

    if not isinstance(finding, Finding):  # pragma: no cover - for the type checker
        raise TypeError(finding)
    return {
        "file": finding.place.file,
        "line": finding.place.line,
        "column": finding.place.column,
        "severity": str(finding.severity),
        "code": finding.code,
        "message": finding.message,
        "expected": finding.expected,
        "fix": finding.fix,
    }


@click.command()
def schema() -> None:
    """Print the JSON Schema of everything you write; editors complete and check with it."""
    from watchkeeper.spec import schema as spec_schema

    common.emit_json(spec_schema())
