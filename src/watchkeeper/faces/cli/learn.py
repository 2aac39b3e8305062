"""`wk learn`: what resembles, what recurred, what has held, how incidents go, who is told."""

from __future__ import annotations

import csv
import sys
from typing import Any
from urllib.parse import urlencode

import click

from watchkeeper.faces.cli import common
from watchkeeper.faces.cli.columns import print_columns
from watchkeeper.kernel import text
from watchkeeper.kernel.errors import UserError

TIMES = ("detect", "acknowledge", "mitigate", "resolve")
incident_id = click.argument("incident_id", metavar="INCIDENT", type=click.IntRange(1))


@click.group()
def learn() -> None:
    """What incidents teach: similar ones, recurrences, proof, figures, the weekly digest."""


@learn.command()
@click.argument("what", nargs=-1, required=True)
@click.option("--service", "services", multiple=True, help="May be given again.")
@common.api_options
@common.json_option
def similar(
    what: tuple[str, ...], services: tuple[str, ...], url: str, token: str | None, as_json: bool
) -> None:
    """Past incidents like the incident of this number, or like what users notice now."""
    if len(what) == 1 and what[0].isdigit():
        path = f"/api/v1/incidents/{what[0]}/similar"
    else:
        asked = [("title", " ".join(what)), *(("service", s) for s in services)]
        path = f"/api/v1/incidents/similar?{urlencode(asked)}"
    found = common.Api(url, token).get(path)
    if as_json:
        common.emit_json(found)
        return
    for r in found["similar"]:
        click.secho(f"{r['incident']} {r['title']}", bold=True)
        click.echo(f"  {r['likeness']:.0%} alike. {r['why']}.")
        causes = f"cause: {', '.join(r['causes'])}" if r["causes"] else ""
        read = f"postmortem {r['postmortem']}" if r["postmortem"] else ""
        if causes or read:
            click.echo(f"  {'; '.join(p for p in (causes, read) if p)}")
    if not found["similar"]:
        click.echo("Nothing like it has happened yet.", err=True)


@learn.command()
@incident_id
@click.option("--same", type=click.IntRange(1), metavar="INCIDENT", help="It is this one again.")
@click.option("--other", type=click.IntRange(1), metavar="INCIDENT", help="It is another one.")
@click.option("--why", default="", help="What is different; needed with --other.")
@common.api_options
@common.json_option
def recurs(
    incident_id: int,
    same: int | None,
    other: int | None,
    why: str,
    url: str,
    token: str | None,
    as_json: bool,
) -> None:
    """What an incident is again, and what came again of it; or say whether it is."""
    api = common.Api(url, token)
    path = f"/api/v1/incidents/{incident_id}/recurrences"
    if same and other:
        raise UserError("It cannot be both.", "Give --same or --other.")
    if same or other:
        api.call("POST", path, {"of": same or other, "same": bool(same), "why": why})
    found = api.get(path)
    if as_json:
        common.emit_json(found)
        return
    for r in found["of"]:
        how = {"sure": "is again", "maybe": "may be again", "denied": "is not"}[r["kinship"]]
        because = f": {r['because']}" if r["because"] else ""
        click.echo(f"{incident_id} {how} {r['incident']} {r['title']}{because}")
        for i in r["items"]:
            click.echo(f"  #{i['id']} {i['text']}: was {i['was']}")
    for r in found["since"]:
        if r["kinship"] == "sure":
            click.echo(f"{r['incident']} {r['title']} is {incident_id} again")


@learn.command()
@common.api_options
@common.json_option
def proof(url: str, token: str | None, as_json: bool) -> None:
    """Which action items kept their promise that an incident does not recur, and how long."""
    found = common.Api(url, token).get("/api/v1/learning/proofs")
    if as_json:
        common.emit_json(found)
        return
    titles = ("Item", "Whether it held", "Quiet for", "Chance", "Incident", "Text")
    print_columns(titles, [_proof(p) for p in found["proofs"]], "nothing was promised")


def _proof(p: dict[str, Any]) -> tuple[object, ...]:
    quiet = "" if p["quiet_seconds"] is None else text.duration(p["quiet_seconds"])
    chance = "" if p["chance"] is None else f"{p['chance']:.1%}"
    again = f" in {p['recurred_in']}" if p["recurred_in"] else ""
    return f"#{p['item']}", p["verdict"] + again, quiet, chance, p["incident"], p["text"]


@learn.command()
@click.option("--days", type=click.IntRange(1, 3660), default=365, show_default=True)
@click.option("--service", default="")
@click.option("--severity", default="")
@click.option("--csv", "as_csv", is_flag=True, help="All groups, times in seconds.")
@common.api_options
@common.json_option
def figures(
    days: int, service: str, severity: str, as_csv: bool, url: str, token: str | None,
    as_json: bool,
) -> None:  # fmt: skip
    """Times to detect, acknowledge, mitigate and resolve; counts; closure of action items."""
    asked = urlencode({"days": days, "service": service, "severity": severity})
    found = common.Api(url, token).get(f"/api/v1/learning/figures?{asked}")
    if as_json:
        common.emit_json(found)
        return
    groups = [("all", found["all"])] + [
        (by, g)
        for by in ("severity", "cause", "service", "month")
        for g in found[f"by_{by}"]
    ]  # fmt: skip
    if as_csv:
        out = csv.writer(sys.stdout)
        spread = [f"{t}_{w}" for t in TIMES for w in ("n", "median_s", "mean_s")]
        out.writerow(("by", "name", "incidents", *spread))
        for by, g in groups:
            spread = [g["times"][t][w] for t in TIMES for w in ("n", "median", "mean")]
            out.writerow((by, g["name"], g["count"], *spread))
        return
    titles = ("By", "Name", "Incidents", *(f"To {t}" for t in TIMES))
    rows = [(by, g["name"], g["count"], *(_time(g["times"][t]) for t in TIMES))
            for by, g in groups]  # fmt: skip
    print_columns(titles, rows, "no incidents")
    items = found["items"]
    said = (f"Action items: {items['made']} made, {items['done']} done, {items['late']} late, "
            f"{items['in_time']} of {items['due']} in time.")  # fmt: skip
    click.echo(said, err=True)


def _time(its: dict[str, Any]) -> str:
    if not its["n"]:
        return "–"
    return f"{text.duration(its['median'])} (mean {text.duration(its['mean'])}, n {its['n']})"


@learn.command()
@click.option("--user", default="", help="Send it to this user.")
@click.option("--channel", default="", help="Or to an address of this channel.")
@click.option("--address", default="")
@click.option("--team", default="", help="Only of services that this team owns.")
@click.option("--end", type=click.IntRange(1), help="End the one of this number.")
@common.api_options
@common.json_option
def digest(
    user: str, channel: str, address: str, team: str, end: int | None, url: str,
    token: str | None, as_json: bool,
) -> None:  # fmt: skip
    """Who is sent the weekly digest of lessons; add or end one."""
    api = common.Api(url, token)
    if end:
        api.call("DELETE", f"/api/v1/learning/digests/{end}")
    if user or channel:
        body = {"user": user, "channel": channel, "address": address, "team": team}
        api.call("POST", "/api/v1/learning/digests", body)
    found = api.get("/api/v1/learning/digests")
    if as_json:
        common.emit_json(found)
        return
    rows = [
        (d["id"], d["user"] or f"{d['channel']} {d['address']}", d["team"] or "all services",
         d["next_at"][:16])
        for d in found["digests"]
    ]  # fmt: skip
    print_columns(("Digest", "To", "Of", "Next"), rows, "nobody is sent the digest")
