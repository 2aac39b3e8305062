"""`wk postmortem` with a running server: write together, review, publish, find."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import click

from watchkeeper.faces.cli import common
from watchkeeper.faces.cli.columns import print_columns
from watchkeeper.kernel.errors import UserError

number = click.argument("number", metavar="POSTMORTEM", type=click.IntRange(1))
STATES = click.Choice(["draft", "in review", "published"])
BASE = "postmortems"


@click.command("list")
@click.option("--state", "states", multiple=True, type=STATES, help="May be given again.")
@click.option("--owner", default="")
@click.option("--limit", type=click.IntRange(1, 1000), default=100, show_default=True)
@common.api_options
@common.json_option
def list_(
    states: tuple[str, ...],
    owner: str,
    limit: int,
    url: str,
    token: str | None,
    as_json: bool,
) -> None:
    """List postmortems, newest first."""
    asked = [("state", s) for s in states] + [("limit", str(limit))]
    asked += [("owner", owner)] if owner else []
    found = common.Api(url, token).get(f"/api/v1/{BASE}?{urlencode(asked)}")
    if as_json:
        common.emit_json(found)
        return
    titles = ("Postmortem", "State", "Due", "Owner", "Incident", "Title")
    rows = [
        (p["id"], p["state"], f"{(p['due_at'] or '')[:16]}{' late' if p['late'] else ''}",
         p["owner"], p["incident"] or "", p["title"])
        for p in found["postmortems"]
    ]  # fmt: skip
    print_columns(titles, rows, "no postmortems")


@click.command()
@click.argument("words", nargs=-1, required=True)
@click.option("--state", "states", multiple=True, type=STATES, help="May be given again.")
@click.option("--limit", type=click.IntRange(1, 200), default=20, show_default=True)
@common.api_options
@common.json_option
def search(
    words: tuple[str, ...],
    states: tuple[str, ...],
    limit: int,
    url: str,
    token: str | None,
    as_json: bool,
) -> None:
    """Find postmortems in which all WORDS are, the best first.

    The last word may be only begun; '"connection pool"' must be there as it is.
    """
    asked = [("state", s) for s in states] + [("limit", str(limit)), ("q", " ".join(words))]
    found = common.Api(url, token).get(f"/api/v1/{BASE}/search?{urlencode(asked)}")
    if as_json:
        common.emit_json(found)
        return
    for p in found["postmortems"]:
        click.secho(f"{p['id']} {p['title']}", bold=True)
        click.echo(f"  {p['severity']} {p['state']} {(p['published_at'] or '')[:10]}".rstrip())
        click.echo(f"  {p['excerpt']}")
    click.echo(f"{found['total']} found.", err=True)


@click.command("open")
@click.argument("incident", type=click.IntRange(1))
@common.api_options
@common.json_option
def open_(incident: int, url: str, token: str | None, as_json: bool) -> None:
    """Open the postmortem of INCIDENT now, with a draft from its timeline."""
    _said(common.Api(url, token).call("POST", f"/api/v1/{BASE}", {"incident": incident}), as_json)


@click.command("import")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--title", default="", help="Default: its first heading.")
@click.option("--published", metavar="TIME", help="It was published then (RFC 3339).")
@common.api_options
@common.json_option
def import_(
    file: Path, title: str, published: str | None, url: str, token: str | None, as_json: bool
) -> None:
    """Bring a postmortem that was written elsewhere: FILE is Markdown."""
    body: dict[str, object] = {"title": title, "text": read(file)}
    if published:
        body["published_at"] = common.parse_time(published)
    _said(common.Api(url, token).call("POST", f"/api/v1/{BASE}", body), as_json)


@click.command()
@number
@common.api_options
@common.json_option
def show(number: int, url: str, token: str | None, as_json: bool) -> None:
    """Print the text of a postmortem; what the checks find goes to standard error."""
    found = common.Api(url, token).get(f"/api/v1/{BASE}/{number}")
    if as_json:
        common.emit_json(found)
        return
    click.echo(found["text"], nl=False)
    for f in found["findings"]:
        click.echo(f"{f['line']}: {f['severity']}: {f['message']}", err=True)
    click.echo(f"version {found['version']}, {found['state']}, owner {found['owner']}", err=True)


@click.command()
@number
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--base", type=click.IntRange(1), required=True,
              help="The version that FILE was begun from.")  # fmt: skip
@common.api_options
@common.json_option
def save(number: int, file: Path, base: int, url: str, token: str | None, as_json: bool) -> None:
    """Save FILE as the text. What others saved meanwhile is merged in.

    Where both changed the same lines nothing is saved: FILE then holds both between marks, and the
    exit status is 1.
    """
    body = {"text": read(file), "base": base}
    done = common.Api(url, token).call("PUT", f"/api/v1/{BASE}/{number}/text", body)
    if as_json:
        common.emit_json(done)
    if done["conflicts"]:
        file.write_text(done["text"], encoding="utf-8")
        said = f"{done['conflicts']} places to decide in {file}; then --base {done['version']}."
        click.echo(said, err=True)
        sys.exit(1)
    if not as_json:
        click.echo(f"version {done['version']}{', merged' if done['merged'] else ''}")


@click.command()
@number
@click.argument("verb", type=click.Choice(["review", "approve", "publish", "reopen"]))
@click.option("--why", default="", help="Needed to reopen, and to publish what has errors.")
@common.api_options
@common.json_option
def act(number: int, verb: str, why: str, url: str, token: str | None, as_json: bool) -> None:
    """Ask for a review, approve, publish, or make it a draft again."""
    body = {"act": verb, "why": why}
    _said(common.Api(url, token).call("POST", f"/api/v1/{BASE}/{number}/acts", body), as_json)


@click.command()
@number
@click.argument("owner")
@common.api_options
@common.json_option
def hand(number: int, owner: str, url: str, token: str | None, as_json: bool) -> None:
    """Give it to another OWNER."""
    body = {"owner": owner}
    _said(common.Api(url, token).call("PATCH", f"/api/v1/{BASE}/{number}", body), as_json)


@click.command()
@number
@click.option("--take-back", type=click.IntRange(1), help="Make this version the newest again.")
@common.api_options
@common.json_option
def versions(
    number: int, take_back: int | None, url: str, token: str | None, as_json: bool
) -> None:
    """Every text that was saved, newest first."""
    api = common.Api(url, token)
    if take_back:
        api.call("PATCH", f"/api/v1/{BASE}/{number}", {"take_back": take_back})
    found = api.get(f"/api/v1/{BASE}/{number}/versions")
    if as_json:
        common.emit_json(found)
        return
    rows = [(v["number"], v["at"], v["author"], v["base"] or "") for v in found["versions"]]
    print_columns(("Version", "Saved", "By", "From"), rows, "no versions")


@click.command()
@number
@click.argument("one", type=click.IntRange(1))
@click.argument("two", type=click.IntRange(1))
@common.api_options
def diff(number: int, one: int, two: int, url: str, token: str | None) -> None:
    """What changed from version ONE to TWO."""
    found = common.Api(url, token).get(f"/api/v1/{BASE}/{number}/diff/{one}/{two}")
    for line in found["lines"]:
        click.echo(line)


COMMANDS = (list_, search, open_, import_, show, save, act, hand, versions, diff)


def read(path: Path) -> str:
    """A file's text. Raises UserError."""
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        said = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        raise UserError(f"{path} cannot be read: {said}.", "Name another file.") from None


def _said(made: dict[str, Any], as_json: bool) -> None:
    if as_json:
        common.emit_json(made)
        return
    due = f", due {made['due_at']}" if made["due_at"] and not made["published_at"] else ""
    click.echo(f"postmortem {made['id']}: {made['state']}, owner {made['owner']}{due}")
