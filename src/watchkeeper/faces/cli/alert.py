"""`wk alert`, `wk silence`, `wk integration`."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

import click

from watchkeeper.faces.cli import common
from watchkeeper.kernel.errors import UserError

SEVERITIES = click.Choice(["critical", "error", "warning", "info"])


@click.group()
def alert() -> None:
    """Find, send and close alerts of a running server."""


@alert.command("list")
@click.option(
    "--state",
    "states",
    multiple=True,
    type=click.Choice(["open", "acknowledged", "closed"]),
    default=("open", "acknowledged"),
    show_default=True,
    help="May be given again.",
)
@click.option("--service", default="")
@click.option("--integration", default="")
@click.option("--urgency", type=click.Choice(["page", "ticket", "info"]))
@click.option("--severity", type=SEVERITIES)
@click.option("--text", default="", help="In the summary, the service or the key.")
@click.option("--limit", type=click.IntRange(1, 1000), default=100, show_default=True)
@common.api_options
@common.json_option
def list_(
    states: tuple[str, ...],
    service: str,
    integration: str,
    urgency: str | None,
    severity: str | None,
    text: str,
    limit: int,
    url: str,
    token: str | None,
    as_json: bool,
) -> None:
    """List alerts, newest first."""
    asked: list[tuple[str, str]] = [("state", s) for s in states]
    asked += [("service", service), ("integration", integration), ("q", text)]
    asked += [("urgency", urgency or ""), ("severity", severity or ""), ("limit", str(limit))]
    query = urlencode([(k, v) for k, v in asked if v])
    found = common.Api(url, token).get(f"/api/v1/alerts?{query}")["alerts"]
    if as_json:
        common.emit_json(found)
        return
    for a in found:
        click.echo(_line(a))
    if not found:
        click.echo("no alerts", err=True)


def _line(a: dict[str, Any]) -> str:
    times = f" ×{a['count']}" if a["count"] > 1 else ""
    page = f"  page {a['page_id']}" if a["page_id"] else ""
    quiet = f"  ({a['quiet']})" if a["quiet"] else ""
    where = f"  {a['service']}" if a["service"] else ""
    head = f"{a['id']:>6}  {a['state']:<12}  {a['urgency']:<6}"
    return f"{head}{where}  {a['summary']}{times}{page}{quiet}"


@alert.command()
@click.argument("alert_id", type=click.IntRange(1))
@common.api_options
@common.json_option
def show(alert_id: int, url: str, token: str | None, as_json: bool) -> None:
    """One alert with its story."""
    found = common.Api(url, token).get(f"/api/v1/alerts/{alert_id}")
    if as_json:
        common.emit_json(found)
        return
    click.echo(_line(found))
    for name in ("severity", "integration", "key", "source", "component", "opened_at", "closed_at"):
        if found[name]:
            click.echo(f"        {name}: {found[name]}")
    for name, value in sorted(found["labels"].items()):
        click.echo(f"        {name}={value}")
    for link in found["links"]:
        click.echo(f"        {link['text']}: {link['url']}")
    for event in found["story"]:
        click.echo(f"        {event['at']}  {event['kind']}  by {event['actor']}")


@alert.command()
@click.argument("summary")
@click.option("--key", default="", help="Dedup key; alerts of one key are one while it is open.")
@click.option(
    "--action",
    type=click.Choice(["trigger", "acknowledge", "resolve"]),
    default="trigger",
    show_default=True,
)
@click.option("--severity", type=SEVERITIES, default="critical", show_default=True)
@click.option("--service", default="")
@click.option("--label", "labels", multiple=True, metavar="NAME=VALUE", help="May be given again.")
@click.option("--link", default="", help="Where to read more.")
@common.api_options
@common.json_option
def send(
    summary: str,
    key: str,
    action: str,
    severity: str,
    service: str,
    labels: tuple[str, ...],
    link: str,
    url: str,
    token: str | None,
    as_json: bool,
) -> None:
    """Send an alert that says SUMMARY. Needs a token of scope push or write."""
    wrong = [text for text in labels if "=" not in text]
    if wrong:
        raise UserError(f"{wrong[0]!r} is no label.", "Write --label name=value.")
    body = {
        "summary": summary,
        "key": key,
        "action": action,
        "severity": severity,
        "service": service,
        "labels": dict(text.split("=", 1) for text in labels),
        "url": link,
    }
    made = common.Api(url, token).call("POST", "/api/v1/alerts", body)
    if as_json:
        common.emit_json(made)
    elif made["id"] is None:
        click.echo("nothing to change" if action != "trigger" else "dropped by a triage rule")
    else:
        click.echo(f"alert {made['id']} {made['state']}, key {made['key']}")


@alert.command()
@click.argument("alert_ids", nargs=-1, required=True, type=click.IntRange(1))
@click.option("--reason", default="closed by hand", show_default=True)
@common.api_options
def close(alert_ids: tuple[int, ...], reason: str, url: str, token: str | None) -> None:
    """Close alerts; their keys are free again."""
    for number in alert_ids:
        path = f"/api/v1/alerts/{number}/close"
        common.Api(url, token).call("POST", path, {"reason": reason})
        click.echo(f"alert {number} closed")


# ---------------------------------------------------------------- silences


@click.group()
def silence() -> None:
    """Keep people from being called for some alerts, for a time. The alerts are kept."""


@silence.command("list")
@click.option("--all", "all_of_them", is_flag=True, help="Also those that are over.")
@common.api_options
@common.json_option
def list_silences(all_of_them: bool, url: str, token: str | None, as_json: bool) -> None:
    """List silences."""
    found = common.Api(url, token).get(f"/api/v1/silences?all={str(all_of_them).lower()}")
    if as_json:
        common.emit_json(found)
        return
    for s in found:
        what = " ".join(s["matchers"])
        click.echo(f"{s['id']}  {s['start']} to {s['end']}  {what}  {s['author']}: {s['reason']}")


@silence.command()
@click.argument("matchers", nargs=-1, required=True)
@click.option("--for", "length", metavar="DURATION", help="E.g. 30m, 2h, 1d.")
@click.option("--until", metavar="TIME", help="RFC 3339, instead of --for.")
@click.option("--from", "start", metavar="TIME", help="RFC 3339 (default: now).")
@click.option("--reason", required=True)
@common.api_options
def add(
    matchers: tuple[str, ...],
    length: str | None,
    until: str | None,
    start: str | None,
    reason: str,
    url: str,
    token: str | None,
) -> None:
    """Silence alerts that match all MATCHERS, e.g. service=checkout 'summary=~.*disk.*'."""
    from watchkeeper.kernel.duration import parse_duration

    if (length is None) == (until is None):
        raise UserError("Until when?", "Give one of --for and --until.")
    begin = common.parse_time(start) if start else time.time()
    try:
        end = (
            begin + parse_duration(length).average_seconds
            if length
            else common.parse_time(str(until))
        )
    except ValueError as error:
        raise UserError(f"{error}.", "Write --for 2h.") from None
    body = {"matchers": list(matchers), "end": end, "reason": reason}
    if start:
        body["start"] = begin
    made = common.Api(url, token).call("POST", "/api/v1/silences", body)
    click.echo(f"{made['id']} until {made['end']}")


@silence.command()
@click.argument("matchers", nargs=-1, required=True)
@common.api_options
@common.json_option
def matching(matchers: tuple[str, ...], url: str, token: str | None, as_json: bool) -> None:
    """Which open alerts a silence with all MATCHERS would hold for. Changes nothing."""
    query = urlencode([("matcher", m) for m in matchers])
    found = common.Api(url, token).get(f"/api/v1/silences/matching?{query}")
    if as_json:
        common.emit_json(found)
        return
    for a in found["alerts"]:
        click.echo(f"{a['id']:>6}  {a['summary']}")
    click.echo(f"{found['count']} open, on {len(found['pages'])} page(s) of nothing else", err=True)


@silence.command()
@click.argument("silence_id")
@common.api_options
def end(silence_id: str, url: str, token: str | None) -> None:
    """End a silence now."""
    common.Api(url, token).call("DELETE", f"/api/v1/silences/{quote(silence_id, safe='')}")
    click.echo(f"{silence_id} ended")


# ---------------------------------------------------------------- integrations


@click.group()
def integration() -> None:
    """Doors for other systems' alerts, and their keys. Works on the database and the specs."""


@integration.command("list")
@common.specs_option
@common.db_option
@common.json_option
def list_integrations(specs_dir: Path, db: str | None, as_json: bool) -> None:
    """List integrations and heartbeats with the names of their keys, never the keys."""
    from watchkeeper.alerting.keys import HEARTBEAT
    from watchkeeper.alerting.store_doors import keys

    specs, _ = common.load_specs(specs_dir)
    with common.open_db(db, must_exist=True) as database, database.read() as conn:
        found = keys(conn)
    kinds = {i.name: str(i.type) for i in specs.duty.integrations.values()}
    kinds |= {HEARTBEAT + name: "heartbeat" for name in specs.duty.heartbeats}
    rows = [
        {
            "name": name,
            "type": kind,
            "keys": [k.name for k in found if k.integration == name and k.revoked_at is None],
        }
        for name, kind in kinds.items()
    ]
    if as_json:
        common.emit_json(rows)
        return
    for row in rows:
        click.echo(f"{row['name']}  {row['type']}  keys: {', '.join(row['keys']) or 'none'}")


@integration.command()
@click.argument("name")
@click.option("--name", "key_name", default="first", show_default=True, help="Where it is used.")
@click.option("--revoke", is_flag=True, help="Close this key instead of making one.")
@common.specs_option
@common.db_option
def key(name: str, key_name: str, revoke: bool, specs_dir: Path, db: str | None) -> None:
    """Make a key of the integration NAME (or heartbeat/NAME) and print it, once."""
    from watchkeeper.alerting.keys import create_key, revoke_key

    specs, _ = common.load_specs(specs_dir)
    now, actor = time.time(), common.actor()
    with common.open_db(db) as database, database.write() as conn:
        if revoke:
            revoke_key(conn, name, key_name, now, actor)
            click.echo(f"revoked {key_name} of {name}")
        else:
            click.echo(create_key(conn, name, key_name, specs, now, actor))


@integration.command("test")
@click.argument("name")
@click.option("--call", is_flag=True, help="Call whoever it would call, instead of nobody.")
@common.api_options
def send_test(name: str, call: bool, url: str, token: str | None) -> None:
    """Send a test alert through the integration NAME of a running server."""
    path = f"/api/v1/integrations/{quote(name, safe='')}/test"
    made = common.Api(url, token).call("POST", path, {"calls": call})
    click.echo("dropped by a triage rule" if made["id"] is None else f"alert {made['id']} opened")
