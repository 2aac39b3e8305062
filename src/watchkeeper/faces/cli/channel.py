"""`wk channel` and `wk contact`: how people are reached, and proof that it works."""

from __future__ import annotations

import time
from typing import Any
from urllib.parse import quote, urlencode

import click

from watchkeeper.faces.cli import common
from watchkeeper.faces.cli.columns import print_columns

LOOK_EVERY = 0.5
"""Seconds between two looks for an outcome."""


@click.group()
def channel() -> None:
    """The ways to send of a running server."""


@channel.command("list")
@common.api_options
@common.json_option
def list_channels(url: str, token: str | None, as_json: bool) -> None:
    """List channels with what came of their last message."""
    found = common.Api(url, token).get("/api/v1/channels")
    if as_json:
        common.emit_json(found)
        return
    rows = [(c["name"], c["type"], c["contacts"], *_last(c["last"]), c["proved_at"]) for c in found]
    titles = ("Channel", "Type", "Contacts", "Last", "Outcome", "Last proof")
    print_columns(titles, rows, "no channels")


def _last(delivery: dict[str, Any] | None) -> tuple[str, str]:
    if delivery is None:
        return "", "never used"
    at = str(delivery["sent_at"] or delivery["due_at"])
    said = f": {delivery['outcome']}" if delivery["outcome"] else ""
    return at, f"{delivery['state']}{said}"


@channel.command()
@click.argument("name")
@click.argument("address")
@click.option(
    "--wait",
    type=click.FloatRange(0, 300),
    default=15.0,
    show_default=True,
    help="Seconds to wait for what comes of it; 0: do not.",
)
@common.api_options
@common.json_option
def test(name: str, address: str, wait: float, url: str, token: str | None, as_json: bool) -> None:
    """Send a test message by the channel NAME to ADDRESS. Exit status 1 when it is not sent."""
    api = common.Api(url, token)
    path = f"/api/v1/channels/{quote(name, safe='')}/test"
    key = api.call("POST", path, {"address": address})["key"]
    found = _outcome(api, name, key, wait)
    if as_json:
        common.emit_json(found or {"key": key, "state": "due"})
    elif found is None:
        click.echo(f"a test by {name} is on its way ({key})")
    else:
        click.echo(f"test by {name}: {_last(found)[1]}")
    if wait and (found is None or found["state"] != "sent"):
        raise click.exceptions.Exit(1)


def _outcome(api: common.Api, name: str, key: str, wait: float) -> dict[str, Any] | None:
    """The delivery under this key once it is sent or failed, or as it is when time is over."""
    until = time.monotonic() + wait
    row: dict[str, Any] | None = None
    while time.monotonic() < until:
        rows: list[dict[str, Any]] = api.get(
            f"/api/v1/deliveries?{urlencode({'channel': name, 'limit': 100})}"
        )
        row = next((r for r in rows if r["key"] == key), None)
        if row is not None and (row["state"] in ("sent", "failed") or row["outcome"]):
            return row
        time.sleep(LOOK_EVERY)
    return row


@channel.command("sent")
@click.option("--channel", "name", default="", help="Only of this channel.")
@click.option("--limit", type=click.IntRange(1, 500), default=50, show_default=True)
@common.api_options
@common.json_option
def sent(name: str, limit: int, url: str, token: str | None, as_json: bool) -> None:
    """The newest messages and what came of them."""
    asked = urlencode({"limit": str(limit), **({"channel": name} if name else {})})
    found = common.Api(url, token).get(f"/api/v1/deliveries?{asked}")
    if as_json:
        common.emit_json(found)
        return
    rows = [
        (d["sent_at"] or d["due_at"], d["channel"], d["user"] or d["address"], d["kind"],
         f"#{d['page']}" if d["page"] else "", _last(d)[1])
        for d in found
    ]  # fmt: skip
    print_columns(("At", "Channel", "To", "Kind", "Page", "Outcome"), rows, "no messages yet")


# ---------------------------------------------------------------- contacts


@click.group()
def contact() -> None:
    """How each person is reached, and the proof that it works."""


@contact.command("list")
@common.api_options
@common.json_option
def list_contacts(url: str, token: str | None, as_json: bool) -> None:
    """List contacts with their last proof."""
    found = common.Api(url, token).get("/api/v1/contacts")
    if as_json:
        common.emit_json(found)
        return
    rows = [
        (c["user"], c["channel"], c["address"], c["verified_at"] or "never",
         c["drilled_at"] or "never", _last(c["last"])[1])
        for c in found
    ]  # fmt: skip
    titles = ("Person", "Channel", "Address", "Code came back", "Drill answered", "Last message")
    print_columns(titles, rows, "no contacts")


@contact.command()
@click.argument("user")
@click.argument("channel_name", metavar="CHANNEL")
@click.argument("address")
@common.api_options
def code(user: str, channel_name: str, address: str, url: str, token: str | None) -> None:
    """Send a code to an address of USER; `wk contact verify` takes it back."""
    body = {"user": user, "channel": channel_name, "address": address}
    common.Api(url, token).call("POST", "/api/v1/contacts/code", body)
    click.echo(f"a code is on its way to {user} by {channel_name}; it holds for 15 minutes")


@contact.command()
@click.argument("user")
@click.argument("channel_name", metavar="CHANNEL")
@click.argument("address")
@click.argument("given", metavar="CODE")
@common.api_options
def verify(
    user: str, channel_name: str, address: str, given: str, url: str, token: str | None
) -> None:
    """The CODE that came back proves the address of USER."""
    body = {"user": user, "channel": channel_name, "address": address, "code": given}
    common.Api(url, token).call("POST", "/api/v1/contacts/verify", body)
    click.echo(f"the contact of {user} by {channel_name} is proved")
