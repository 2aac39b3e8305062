"""`wk status`: the state of every SLO, from a running server or straight from a database."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

import click

from watchkeeper.faces.cli import common


@click.command()
@click.argument("name", required=False)
@click.option("--state", type=click.Choice(["ok", "at_risk", "depleted", "no_data"]))
@click.option("--service", help="Only this service.")
@click.option("--team", help="Only this team's services.")
@common.api_options
@common.db_option
@common.specs_option
@common.json_option
def status(
    name: str | None,
    state: str | None,
    service: str | None,
    team: str | None,
    url: str,
    token: str | None,
    db: str | None,
    specs_dir: Path,
    as_json: bool,
) -> None:
    """Show the state of every SLO, or of NAME. Asks the server; with --db, reads the database.

    Exit status 1 when NAME is given and its budget is spent.
    """
    items = _from_db(db, specs_dir, name) if db else _from_server(common.Api(url, token), name)
    wanted = [
        item
        for item in items
        if (not state or item["state"] == state)
        and (not service or item["service"] == service)
        and (not team or item["team"] == team)
    ]
    if as_json:
        common.emit_json(wanted[0] if name else wanted)
    else:
        from watchkeeper.faces.cli.table import print_statuses

        print_statuses(wanted)
    if name and wanted and wanted[0]["state"] == "depleted":
        raise click.exceptions.Exit(1)


def _from_server(api: common.Api, name: str | None) -> list[dict[str, Any]]:
    if name:
        return [api.get(f"/api/v1/slos/{quote(name, safe='')}")]
    items: list[dict[str, Any]] = []
    while True:
        page = api.get("/api/v1/slos?" + urlencode({"limit": 1000, "offset": len(items)}))
        items.extend(page)
        if len(page) < 1000:
            return items


def _from_db(db: str, specs_dir: Path, name: str | None) -> list[dict[str, Any]]:
    from watchkeeper.kernel.errors import NotFound
    from watchkeeper.slo.contract import status_json
    from watchkeeper.slo.work import evaluate_fleet

    specs, _ = common.load_specs(specs_dir)
    with common.open_db(db, must_exist=True) as database, database.read() as conn:
        fleet = evaluate_fleet(conn, specs, time.time())
    if name and fleet.get(name) is None:
        raise NotFound(f"There is no SLO named {name!r}.", "`wk status` lists them all.")
    return [status_json(s) for s in fleet.statuses if not name or s.name == name]
