"""`wk import` and `wk export`: specs from and to other forms."""

from __future__ import annotations

from collections import Counter
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
    from watchkeeper.spec.convert import import_files

    targets = _targets(files, out)
    taken = [path for path in targets.values() if path.exists()]
    if taken and not force:
        raise UserError(f"{taken[0]} is there already.", "Choose another --out, or use --force.")
    texts = {str(file): file.read_text(encoding="utf-8") for file in targets}
    made = import_files(kind, texts, _beside(out, set(targets.values())))
    for finding in (f for result in made.values() for f in result.findings):
        click.echo(str(finding), err=True)
    if any(result.text is None for result in made.values()):
        raise UserError("Nothing was written.", "Mend the errors above and try again.")
    out.mkdir(parents=True, exist_ok=True)
    for file, path in targets.items():
        path.write_text(made[str(file)].text or "", encoding="utf-8")
        click.echo(f"wrote {path}")


def _targets(files: tuple[Path, ...], out: Path) -> dict[Path, Path]:
    """Where each file goes: by its name; two of one name are told apart by their directories."""
    missing = [file for file in files if not file.is_file()]
    if missing:
        raise UserError(f"There is no file {missing[0]}.", "Give files, not directories.")
    stems = Counter(file.stem for file in dict.fromkeys(files))
    targets: dict[Path, Path] = {}
    for file in files:
        inside = f"{file.resolve().parent.name}-{file.stem}"
        targets[file] = out / f"{file.stem if stems[file.stem] == 1 else inside}.yaml"
    if len(set(targets.values())) < len(targets):
        again = next(p for p, n in Counter(targets.values()).items() if n > 1)
        both = " and ".join(str(f) for f, path in targets.items() if path == again)
        raise UserError(f"{both} would both become {again}.", "Import them into two directories.")
    return targets


def _beside(out: Path, written: set[Path]) -> list[str]:
    """What is in the directory already and stays."""
    found = sorted(out.rglob("*.y*ml")) if out.is_dir() else []
    return [path.read_text(encoding="utf-8") for path in found if path not in written]


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
