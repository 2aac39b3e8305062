"""`wk completion`: the script that makes a shell complete our commands."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class


@click.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@click.option("--command", "name", default="wk", show_default=True, help="wk or watchkeeper.")
def completion(shell: str, name: str) -> None:
    """Print the completion script of SHELL; e.g. `eval "$(wk completion bash)"`."""
    from watchkeeper.faces.cli.main import cli

    kind = get_completion_class(shell)
    if kind is None:
        raise click.UsageError(f"no completion for {shell}")
    click.echo(kind(cli, {}, name, f"_{name.upper()}_COMPLETE").source())
