"""Aligned columns for people: plain text, so that it can be piped and searched."""

from __future__ import annotations

from collections.abc import Sequence

import click


def print_columns(titles: Sequence[str], rows: Sequence[Sequence[object]], empty: str) -> None:
    """Print a table; without rows say so on standard error, where scripts do not read it."""
    if not rows:
        click.echo(empty, err=True)
        return
    cells = [[_cell(value) for value in row] for row in rows]
    widths = [max(len(line[i]) for line in (titles, *cells)) for i in range(len(titles))]
    for i, line in enumerate((titles, *cells)):
        padded = [text.ljust(width) for text, width in zip(line, widths, strict=True)]
        written = "  ".join(padded).rstrip()
        click.secho(written, bold=True) if i == 0 else click.echo(written)


def _cell(value: object) -> str:
    if value is None or value == "":
        return "–"
    return " ".join(str(value).split())


def listed(values: Sequence[object]) -> str:
    """Names with commas; '' for none."""
    return ", ".join(str(value) for value in values)
