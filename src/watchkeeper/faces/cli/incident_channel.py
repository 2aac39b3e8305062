"""`wk incident do`, `attach`, `files`, `rooms`: the channel of an incident."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import urlencode

import click

from watchkeeper.faces.cli import common
from watchkeeper.faces.cli.columns import print_columns

LARGEST = 10 * 1024 * 1024
incident_id = click.argument("incident_id", metavar="INCIDENT", type=click.IntRange(1))


@click.command("do")
@incident_id
@click.argument("command", nargs=-1, required=True)
@common.api_options
@common.json_option
def do(
    incident_id: int, command: tuple[str, ...], url: str, token: str | None, as_json: bool
) -> None:
    """Do what COMMAND asks for, as in the channel: `wk incident do 3 /sev 1`."""
    body = {"text": " ".join(command)}
    said = common.Api(url, token).call("POST", f"/api/v1/incidents/{incident_id}/commands", body)
    if as_json:
        common.emit_json(said)
    else:
        click.echo(said["said"])


@click.command()
@incident_id
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--text", default="", help="What it shows.")
@common.api_options
@common.json_option
def attach(
    incident_id: int, file: Path, text: str, url: str, token: str | None, as_json: bool
) -> None:
    """Attach FILE: an image, PDF, ZIP, gzip, or text in UTF-8; at most 10 MiB."""
    # One byte more than is taken is enough to be refused by the server, which says why.
    with file.open("rb") as opened:
        content = opened.read(LARGEST + 1)
    query = urlencode({"name": file.name, "text": text})
    path = f"/api/v1/incidents/{incident_id}/files?{query}"
    made = common.Api(url, token).call("POST", path, content)
    if as_json:
        common.emit_json(made)
        return
    kept = made["data"]["file"]
    click.echo(
        f"{kept['name']}: file {kept['id']}, entry {made['number']}, sha256 {kept['sha256']}"
    )


@click.command()
@incident_id
@common.api_options
@common.json_option
def files(incident_id: int, url: str, token: str | None, as_json: bool) -> None:
    """What is attached, with digests."""
    found = common.Api(url, token).get(f"/api/v1/incidents/{incident_id}/files")
    if as_json:
        common.emit_json(found)
        return
    rows = [(f["id"], f["name"], f["type"], f["size"], f["entry"], f["sha256"])
            for f in found["files"]]  # fmt: skip
    print_columns(("File", "Name", "Type", "Bytes", "Entry", "SHA-256"), rows, "no files")


@click.command()
@incident_id
@common.api_options
@common.json_option
def rooms(incident_id: int, url: str, token: str | None, as_json: bool) -> None:
    """Where it goes on in other chats, and how far each is behind."""
    found = common.Api(url, token).get(f"/api/v1/incidents/{incident_id}/rooms")
    if as_json:
        common.emit_json(found)
        return
    rows = [(r["channel"], r["name"], r["behind"], r["trouble"] or "") for r in found["rooms"]]
    print_columns(("Channel", "Room", "Behind", "Trouble"), rows, "no rooms")


COMMANDS = (do, attach, files, rooms)
