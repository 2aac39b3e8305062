"""`wk status-page`: what pages say, who subscribed, and a page as files."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import quote, urlencode

import click

from watchkeeper.faces.cli import common
from watchkeeper.faces.cli.columns import print_columns

name = click.argument("name")


@click.group("status-page")
def status_page() -> None:
    """Status pages: what users and the company are told."""


@status_page.command("list")
@common.api_options
@common.json_option
def list_(url: str, token: str | None, as_json: bool) -> None:
    """List the pages and what they say now."""
    found = common.Api(url, token).get("/api/v1/status-pages")
    if as_json:
        common.emit_json(found)
        return
    rows = [
        (p["name"], "everybody" if p["public"] else "signed in", p["state"], p["open_incidents"],
         p["subscribers"], p["url"])
        for p in found["pages"]
    ]  # fmt: skip
    titles = ("Page", "Readable by", "State", "Open incidents", "Subscribers", "Address")
    print_columns(titles, rows, "no status pages")


@status_page.command()
@name
@common.api_options
@common.json_option
def show(name: str, url: str, token: str | None, as_json: bool) -> None:
    """What one page says now."""
    found = common.Api(url, token).get(f"/api/v1/status-pages/{quote(name, safe='')}")
    if as_json:
        common.emit_json(found)
        return
    summary = found["summary"]
    click.secho(f"{found['title']}: {summary['status']['description']}", bold=True)
    for component in summary["components"]:
        click.echo(f"  {component['name']}: {component['status'].replace('_', ' ')}")
    for incident in summary["incidents"]:
        click.echo(f"{incident['status']}: {incident['name']}")
        for update in incident["incident_updates"][:1]:
            click.echo(f"  {update['display_at']} {update['body']}")
    for work in summary["scheduled_maintenances"]:
        click.echo(f"{work['status'].replace('_', ' ')}: {work['name']}, {work['scheduled_for']}")


@status_page.command()
@name
@click.argument("directory", type=click.Path(path_type=Path, file_okay=False))
@common.specs_option
@common.db_option
@click.option("--base-url", envvar="WATCHKEEPER_URL", default="http://127.0.0.1:8080",
              show_default=True, help="Where it is if it has no url of its own.")  # fmt: skip
def export(name: str, directory: Path, specs_dir: Path, db: str | None, base_url: str) -> None:
    """Write the page NAME as files into DIRECTORY, for any web server; needs no server of ours.

    Pages, feeds and JSON; the addresses of incidents are the same as on the server.
    """
    from watchkeeper.app import site_of
    from watchkeeper.engine.board import Board
    from watchkeeper.faces.status.export import export as write
    from watchkeeper.faces.status.pages import StatusPages
    from watchkeeper.kernel.clock import SystemClock
    from watchkeeper.slo.work import evaluate_fleet

    specs, _ = common.load_specs(specs_dir)
    with common.open_db(db, must_exist=True) as database:
        clock, board = SystemClock(), Board()
        with database.read() as conn:
            fleet = evaluate_fleet(conn, specs, clock.now())
        board.post(specs=specs, fleet=fleet, ticked_at=clock.now())
        status = StatusPages(database, board, clock, site_of(database, base_url))
        count = write(status, name, directory)
    click.echo(f"{count} files in {directory}")


@status_page.command()
@name
@click.option("--text", "q", default="", help="In the address.")
@common.api_options
@common.json_option
def subscribers(name: str, q: str, url: str, token: str | None, as_json: bool) -> None:
    """List who subscribed, also those who have not confirmed."""
    api, after, found = common.Api(url, token), 0, []
    while True:
        asked = urlencode({"q": q, "after": after, "limit": 1000})
        answer = api.get(f"/api/v1/status-pages/{quote(name, safe='')}/subscribers?{asked}")
        found += answer["subscribers"]
        if answer["next"] is None:
            break
        after = answer["next"]
    if as_json:
        common.emit_json({"subscribers": found})
        return
    rows = [
        (s["id"], s["kind"], s["address"], "told" if s["confirmed"] else "not confirmed",
         s["created_at"], ", ".join(s["components"]) or "all")
        for s in found
    ]  # fmt: skip
    titles = ("Id", "By", "Address", "State", "Since", "Components")
    print_columns(titles, rows, "no subscribers")


@status_page.command()
@name
@click.argument("address")
@click.option("--webhook", is_flag=True, help="ADDRESS is a URL; it is challenged at once.")
@click.option("--component", "components", multiple=True, help="Only of this. May be given again.")
@common.api_options
def subscribe(
    name: str, address: str, webhook: bool, components: tuple[str, ...], url: str,
    token: str | None,
) -> None:  # fmt: skip
    """Ask ADDRESS whether it wants to be told; a mailbox gets a mail to confirm."""
    body = {"kind": "webhook" if webhook else "email", "address": address,
            "components": components}  # fmt: skip
    path = f"/api/v1/status-pages/{quote(name, safe='')}/subscribers"
    found = common.Api(url, token).call("POST", path, body)
    click.echo(f"secret: {found['secret']}" if found["secret"] else "asked; it must confirm")


@status_page.command()
@name
@click.argument("subscriber", type=click.IntRange(1))
@common.api_options
def unsubscribe(name: str, subscriber: int, url: str, token: str | None) -> None:
    """Forget the subscriber with this number."""
    path = f"/api/v1/status-pages/{quote(name, safe='')}/subscribers/{subscriber}"
    common.Api(url, token).call("DELETE", path)
    click.echo(f"subscriber {subscriber} is forgotten")
