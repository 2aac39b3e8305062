"""`wk review`: the week of a team, beside the week before."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from urllib.parse import quote

import click

from watchkeeper.faces.cli import common
from watchkeeper.faces.cli.columns import print_columns
from watchkeeper.kernel.errors import UserError

week_option = click.option(
    "--week", default="last", show_default=True, metavar="WEEK", help="2026-W47, this or last."
)
team_argument = click.argument("team", default="all")


@click.group()
def review() -> None:
    """The week of a team and its services, beside the week before."""


def _path(team: str, week: str, rest: str = "") -> str:
    return f"/api/v1/reviews/{quote(team, safe='')}/{quote(week, safe='')}{rest}"


@review.command("list")
@click.option("--weeks", type=click.IntRange(1, 60), default=4, show_default=True)
@common.api_options
@common.json_option
def list_(weeks: int, url: str, token: str | None, as_json: bool) -> None:
    """Teams, their last weeks, and which of them are kept as they were."""
    found = common.Api(url, token).get(f"/api/v1/reviews?weeks={weeks}")
    if as_json:
        common.emit_json(found)
        return
    rows = [
        (t["team"], w["week"], w["start"][:10], w["frozen"] or "open")
        for t in found["teams"]
        for w in t["weeks"]
    ]
    print_columns(("Team", "Week", "From", "Kept"), rows, "no team is defined")


@review.command()
@team_argument
@week_option
@click.option(
    "--format", "form", type=click.Choice(("text", "md", "html", "pdf", "json")),
    default="text", show_default=True, help="html is a document that stands alone.",
)  # fmt: skip
@click.option(
    "--out", type=click.Path(dir_okay=False, writable=True, path_type=Path), help="Write it here."
)
@common.api_options
def show(team: str, week: str, form: str, out: Path | None, url: str, token: str | None) -> None:
    """A review. TEAM is all when left out: everything, whoever owns it."""
    api = common.Api(url, token)
    if form == "pdf" and out is None and common.out_is_terminal():
        raise UserError("A terminal does not show PDF.", "Give --out review.pdf.")
    if out is not None and form == "text":
        raise UserError("Text is for terminals.", "Give --format md, html, pdf or json.")
    if form != "text" and (form != "json" or out is not None):
        content = api.content("GET", _path(team, week, f"?format={form}"))
        if out is None:
            click.echo(content, nl=False)
        else:
            out.write_bytes(content)
        return
    found = api.get(_path(team, week))
    if form == "json":
        common.emit_json(found)
        return
    _print(found)


def _print(found: dict[str, Any]) -> None:
    click.secho(f"{found['title']}, {found['days']} ({found['week']}, {found['zone']})", bold=True)
    for sentence in found["summary"]:
        click.echo(sentence)
    click.secho("\nWhat should we decide?", bold=True)
    for i, question in enumerate(found["decide"], 1):
        click.echo(f"{i}. {question['text']}")
    if not found["decide"]:
        click.echo("Nothing must be decided.")
    if found["notes"]:
        click.secho("\nNotes and decisions", bold=True)
    for note in found["notes"]:
        word = "decided: " if note["kind"] == "decision" else ""
        click.echo(f"#{note['id']} {word}{note['text']} ({note['author']}, {note['at'][:16]})")
    for section in found["sections"]:
        click.secho(f"\n{section['title']}", bold=True)
        click.echo(section["lead"])
        rows = [[_cell(c) for c in row] for row in section["rows"]]
        if rows:
            print_columns([h.rstrip("#") for h in section["head"]], rows, "")
        if section["more"]:
            click.echo(f"and {section['more']} more")


def _cell(cell: dict[str, str]) -> str:
    return f"{cell['text']} ({cell['sub']})" if cell["sub"] else cell["text"]


@review.command()
@team_argument
@week_option
@common.api_options
@common.json_option
def send(team: str, week: str, url: str, token: str | None, as_json: bool) -> None:
    """Send a review now to whom the team's Review names."""
    found = common.Api(url, token).call("POST", _path(team, week, "/send"))
    if as_json:
        common.emit_json(found)
        return
    click.echo(f"sent to {found['told']}")


@review.command()
@team_argument
@click.argument("text")
@week_option
@click.option("--decided", is_flag=True, help="It was decided, not only said.")
@click.option("--change", type=click.IntRange(1), metavar="NOTE", help="Write this note anew.")
@common.api_options
@common.json_option
def note(
    team: str, text: str, week: str, decided: bool, change: int | None, url: str,
    token: str | None, as_json: bool,
) -> None:  # fmt: skip
    """Write down what was said or decided; the review then reads as it was."""
    api = common.Api(url, token)
    body = {"text": text, "kind": "decision" if decided else "note"}
    if change:
        found = api.call("PATCH", f"/api/v1/reviews/notes/{change}", body)
    else:
        found = api.call("POST", _path(team, week, "/notes"), body)
    if as_json:
        common.emit_json(found)
        return
    click.echo(f"note {found['id']} of {found['team']}, {found['week']}")
