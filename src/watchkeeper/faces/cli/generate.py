"""`wk generate`: Prometheus rules and Grafana dashboards from the same definitions."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import click

from watchkeeper.faces.cli import common


@click.group()
def generate() -> None:
    """Make Prometheus rules or Grafana dashboards that say what the pages say."""


@generate.command()
@click.argument("directory", type=click.Path(path_type=Path))
@click.option(
    "--out", type=click.Path(path_type=Path), help="Directory (default: standard output)."
)
@click.option("--shards", type=click.IntRange(1), help="Spread over this many rule servers.")
def prometheus(directory: Path, out: Path | None, shards: int | None) -> None:
    """Recording rules and multi-window multi-burn-rate alerts for the specs in DIRECTORY."""
    from watchkeeper.slo.generate import generate_prometheus

    specs, _ = common.load_specs(directory)
    _write(generate_prometheus(specs, shards=shards), out)


@generate.command()
@click.argument("directory", type=click.Path(path_type=Path))
@click.option(
    "--out", type=click.Path(path_type=Path), help="Directory (default: standard output)."
)
@click.option(
    "--source",
    type=click.Choice(["watchkeeper", "prometheus"]),
    default="watchkeeper",
    show_default=True,
    help="Whose metrics: our /metrics, or the generated rules.",
)
def grafana(directory: Path, out: Path | None, source: str) -> None:
    """Dashboards: the fleet, and one for each service."""
    from watchkeeper.slo.generate import generate_grafana

    specs, _ = common.load_specs(directory)
    _write(generate_grafana(specs, source=source), out)  # type: ignore[arg-type]


def _write(files: Mapping[str, str], out: Path | None) -> None:
    if out is None:
        for name in sorted(files):
            if len(files) > 1:
                click.echo(f"# --- {name}")
            click.echo(files[name])
        return
    out.mkdir(parents=True, exist_ok=True)
    for name in sorted(files):
        (out / name).write_text(files[name], encoding="utf-8")
        click.echo(f"wrote {out / name}")
