"""`wk ledger`: counts in and out, as lines that any tool can read."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TextIO

import click

from watchkeeper.faces.cli import common
from watchkeeper.kernel.errors import UserError

BATCH = 50_000


@click.group()
def ledger() -> None:
    """Import and export measured counts, one JSON object a line.

    A line: {"sli": "checkout-availability", "minute": "2026-11-23T14:02:00Z", "good": 998,
    "total": 1000, "group": {}}.
    """


@ledger.command("export")
@click.argument("slis", nargs=-1)
@click.option("--out", type=click.Path(path_type=Path), help="File (default: standard output).")
@common.db_option
def export(slis: tuple[str, ...], out: Path | None, db: str | None) -> None:
    """Write every counted minute of SLIS (default: all), oldest first; nothing is rounded."""
    from watchkeeper.kernel.clock import iso
    from watchkeeper.slo import ledger as rows
    from watchkeeper.slo.contract import whole

    stream: TextIO = out.open("w", encoding="utf-8") if out else sys.stdout
    written = 0
    with common.open_db(db, must_exist=True) as database, database.read() as conn:
        for row in rows.export_rows(conn, list(slis) or None):
            line = {
                "sli": row.sli,
                "minute": iso(row.minute * 60),
                "good": whole(row.good),
                "total": whole(row.total),
                "seen": row.seen,
                "group": dict(row.group),
            }
            stream.write(json.dumps(line) + "\n")
            written += 1
    if out:
        stream.close()
        click.echo(f"wrote {written} minutes to {out}")


@ledger.command("import")
@click.argument("file", type=click.Path(path_type=Path, allow_dash=True))
@common.db_option
def import_(file: Path, db: str | None) -> None:
    """Add the counts in FILE (- for standard input) to the ledger; all of them or none."""
    from watchkeeper.slo import ledger as rows

    stream = sys.stdin if str(file) == "-" else _open(file)
    counted = 0
    with common.open_db(db) as database, database.write() as conn:
        batch: list[Any] = []
        for row in _read(stream, str(file)):
            batch.append(row)
            counted += 1
            if len(batch) >= BATCH:
                rows.import_rows(conn, batch, time.time())
                batch.clear()
        if batch:
            rows.import_rows(conn, batch, time.time())
    click.echo(f"added {counted} minutes")


@ledger.command("import-log")
@click.argument("source")
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path))
@common.specs_option
@common.db_option
def import_log(source: str, files: tuple[Path, ...], specs_dir: Path, db: str | None) -> None:
    """Count old access logs in FILES (plain or .gz) for the SLIs of the data source SOURCE.

    All of them or none. Lines that a running server has counted already would count again: name
    files from before it started.
    """
    from watchkeeper.measure.accesslog import import_files
    from watchkeeper.slo.work import apply_specs, record_batch

    specs, _ = common.load_specs(specs_dir)
    definition = specs.sources.get(source)
    if definition is None or str(definition.type) != "accesslog":
        known = [n for n, s in specs.sources.items() if str(s.type) == "accesslog"]
        raise UserError(
            f"{source!r} is no access log source.", f"There is: {', '.join(known) or 'none'}."
        )
    found = {s.sli.key: s.sli for s in specs.slos.values() if s.sli and s.sli.source == source}
    for file in files:
        if not file.is_file():
            raise UserError(f"There is no file {file}.")
    now, blocks = time.time(), 0
    with common.open_db(db) as database, database.write() as conn:
        apply_specs(conn, specs, now)
        for batch in import_files(files, [found[k] for k in sorted(found)], definition):
            record_batch(conn, specs, batch, now)
            blocks += 1
            for note in batch.notes:
                click.echo(f"{note.kind}: {note.message} ({note.count})", err=True)
            if common.out_is_terminal():
                click.echo(f"\r\x1b[K{blocks} blocks", nl=False, err=True)
    click.echo(f"counted {len(files)} file(s) for {len(found)} SLIs")


def _open(file: Path) -> TextIO:
    if not file.is_file():
        raise UserError(f"There is no file {file}.")
    return file.open(encoding="utf-8")


def _read(stream: TextIO, name: str) -> Iterator[Any]:
    from watchkeeper.measure.model import Count

    for number, line in enumerate(stream, 1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
            yield Count(
                sli=str(row["sli"]),
                minute=int(common.parse_time(str(row["minute"])) // 60),
                good=float(row["good"]),
                total=float(row["total"]),
                seen=int(row.get("seen", 1)),
                group=tuple(sorted((str(k), str(v)) for k, v in row.get("group", {}).items())),
            )
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise UserError(
                f"{name}:{number}:1: not a ledger line: {error!r}",
                'Expected {"sli": …, "minute": …, "good": …, "total": …}; nothing was added.',
            ) from None
