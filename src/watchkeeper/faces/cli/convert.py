"""`wk import` and `wk export`: specs from and to other forms."""

from __future__ import annotations

from pathlib import Path

import click

from watchkeeper.kernel.errors import UserError


@click.command("import")
@click.argument("kind", type=click.Choice(["sloth", "pyrra", "openslo"]))
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option(
    "--out", required=True, type=click.Path(path_type=Path), help="Directory to write to."
)
@click.option("--force", is_flag=True, help="Overwrite files that are there.")
def import_(kind: str, files: tuple[Path, ...], out: Path, force: bool) -> None:
    """Read FILES of another tool and write them as OpenSLO YAML into --out.

    Nothing is written unless every file can be read. What needs a look is printed.
    """
    from watchkeeper.spec.convert import import_file

    written: dict[Path, str] = {}
    failed = False
    for file in files:
        if not file.is_file():
            raise UserError(f"There is no file {file}.", "Give files, not directories.")
        result = import_file(kind, file.read_text(encoding="utf-8"), str(file))
        for finding in result.findings:
            click.echo(str(finding), err=True)
        failed = failed or result.text is None
        if result.text is not None:
            written[out / f"{file.stem}.yaml"] = result.text
    if failed:
        raise UserError("Nothing was written.", "Mend the errors above and try again.")
    taken = [path for path in written if path.exists()]
    if taken and not force:
        raise UserError(f"{taken[0]} is there already.", "Choose another --out, or use --force.")
    out.mkdir(parents=True, exist_ok=True)
    for path, text in written.items():
        path.write_text(text, encoding="utf-8")
        click.echo(f"wrote {path}")


@click.group()
def export() -> None:
    """Write specs in another form."""


@export.command("openslo")
@click.argument("paths", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option(
    "--out", type=click.Path(path_type=Path), help="File to write (default: standard output)."
)
def export_openslo(paths: tuple[Path, ...], out: Path | None) -> None:
    """Write all specs in PATHS as OpenSLO v1 (our own kinds become the OpenSLO they stand for)."""
    from watchkeeper.spec.convert import to_openslo

    text = to_openslo(list(paths))
    if out is None:
        click.echo(text, nl=False)
        return
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(text, encoding="utf-8")
    click.echo(f"wrote {out}")
