"""`wk change`: what was deployed, configured, flagged or maintained."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

import click

from watchkeeper.faces.cli import common
from watchkeeper.faces.cli.columns import print_columns

KINDS = click.Choice(
    ["deployment", "configuration", "flag", "infrastructure", "maintenance", "other"]
)
INTENTS = click.Choice(["feature", "reliability", "security", "unknown"])
OUTCOMES = click.Choice(["in_progress", "succeeded", "failed", "rolled_back"])
ENDED = click.Choice(["succeeded", "failed", "rolled_back"])
change_id = click.argument("change_id", metavar="CHANGE", type=click.IntRange(1))


@click.group()
def change() -> None:
    """Changes that a running server knows: deployments, configuration, flags, maintenance."""


@change.command()
@click.argument("services", nargs=-1, metavar="SERVICE...")
@click.option("--summary", default="", help="What was changed, in a sentence.")
@click.option("--kind", type=KINDS, default="deployment", show_default=True)
@click.option("--intent", type=INTENTS, default="unknown", show_default=True)
@click.option("--version", default="", help="What runs after it.")
@click.option("--previous", default="", help="What ran before.")
@click.option("--environment", default="", metavar="NAME", help="E.g. production.")
@click.option("--outcome", type=OUTCOMES, help="in_progress for one that has just begun.")
@click.option("--started", metavar="TIME", help="RFC 3339 (default: now).")
@click.option("--ended", metavar="TIME", help="RFC 3339.")
@click.option("--key", default="", help="The same key is the same change; safe to send again.")
@click.option("--link", "links", multiple=True, metavar="URL", help="May be given again.")
@common.api_options
@common.json_option
def record(
    services: tuple[str, ...],
    summary: str,
    kind: str,
    intent: str,
    version: str,
    previous: str,
    environment: str,
    outcome: str | None,
    started: str | None,
    ended: str | None,
    key: str,
    links: tuple[str, ...],
    url: str,
    token: str | None,
    as_json: bool,
) -> None:
    """Record a change of these services, or tell more of one with the same --key."""
    given: dict[str, object] = {
        "summary": summary, "services": list(services), "kind": kind, "intent": intent,
        "version": version, "previous_version": previous, "environment": environment,
        "outcome": outcome, "key": key, "links": [{"href": link} for link in links],
        "started_at": common.parse_time(started) if started else None,
        "ended_at": common.parse_time(ended) if ended else None,
    }  # fmt: skip
    made = common.Api(url, token).call("POST", "/api/v1/changes", given)
    if as_json:
        common.emit_json(made)
    else:
        click.echo(f"{made['id']} {made['outcome']}: {made['summary']}")


@change.command("list")
@click.option("--service", "services", multiple=True, help="May be given again.")
@click.option("--kind", "kinds", multiple=True, type=KINDS, help="May be given again.")
@click.option("--outcome", type=OUTCOMES)
@click.option("--environment", default="")
@click.option("--text", "q", default="", help="In summary, version or service.")
@click.option("--from", "start", metavar="TIME", help="Those that began at or after it.")
@click.option("--to", "end", metavar="TIME", help="Those that began before it.")
@click.option("--limit", type=click.IntRange(1, 1000), default=50, show_default=True)
@common.api_options
@common.json_option
def list_(
    services: tuple[str, ...],
    kinds: tuple[str, ...],
    outcome: str | None,
    environment: str,
    q: str,
    start: str | None,
    end: str | None,
    limit: int,
    url: str,
    token: str | None,
    as_json: bool,
) -> None:
    """List changes, those that began last first."""
    asked = [("service", s) for s in services] + [("kind", k) for k in kinds]
    asked += [(k, v) for k, v in (("environment", environment), ("q", q)) if v]
    asked += [("outcome", outcome)] if outcome else []
    asked += [(k, str(common.parse_time(v))) for k, v in (("from", start), ("to", end)) if v]
    asked.append(("limit", str(limit)))
    found = common.Api(url, token).get(f"/api/v1/changes?{urlencode(asked)}")
    if as_json:
        common.emit_json(found)
        return
    titles = ("Change", "Began", "Outcome", "Kind", "Services", "Version", "Summary")
    print_columns(titles, [_row(c) for c in found["changes"]], "no changes")


def _row(c: dict[str, Any]) -> tuple[object, ...]:
    services = ", ".join(c["services"])
    return (
        c["id"], c["started_at"], c["outcome"].replace("_", " "), c["kind"], services,
        c["version"], c["summary"],
    )  # fmt: skip


@change.command()
@change_id
@common.api_options
@common.json_option
def show(change_id: int, url: str, token: str | None, as_json: bool) -> None:
    """One change and what was told of it."""
    found = common.Api(url, token).get(f"/api/v1/changes/{change_id}")
    if as_json:
        common.emit_json(found)
        return
    click.secho(f"{found['id']} {found['summary']}", bold=True)
    click.echo(f"  {found['kind']}, {found['outcome'].replace('_', ' ')}")
    names = ("services", "environment", "version", "previous_version", "started_at", "ended_at")
    for name in names:
        said = ", ".join(found[name]) if isinstance(found[name], list) else found[name]
        if said:
            click.echo(f"  {name.replace('_', ' ')}: {said}")
    for link in found["links"]:
        click.echo(f"  {link['text']}: {link['href']}")
    for report in found["reports"]:
        click.echo(f"  {report['at']}  told by {report['by']}: {report['outcome'] or 'it was'}")


@change.command()
@change_id
@click.option("--outcome", type=ENDED, default="succeeded", show_default=True)
@common.api_options
def end(change_id: int, outcome: str, url: str, token: str | None) -> None:
    """Say that a change has ended now, and how."""
    path = f"/api/v1/changes/{change_id}/end"
    made = common.Api(url, token).call("POST", path, {"outcome": outcome})
    click.echo(f"{made['id']} {made['outcome'].replace('_', ' ')} at {made['ended_at']}")


@change.command()
@click.argument("services", nargs=-1, required=True, metavar="SERVICE...")
@click.option("--onset", metavar="TIME", help="When the trouble began (default: now).")
@common.api_options
@common.json_option
def culprits(
    services: tuple[str, ...], onset: str | None, url: str, token: str | None, as_json: bool
) -> None:
    """What to look at first when these services fail: last changes, failing dependencies."""
    asked = [("service", s) for s in services]
    asked += [("onset", str(common.parse_time(onset)))] if onset else []
    found = common.Api(url, token).get(f"/api/v1/changes/culprits?{urlencode(asked)}")
    if as_json:
        common.emit_json(found)
        return
    for number, each in enumerate(found["culprits"], 1):
        click.echo(f"{number}. {each['why']}")
    if not found["culprits"]:
        click.echo("Nothing near it is known to have changed, and no dependency burns.")
