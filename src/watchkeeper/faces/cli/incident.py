"""`wk incident`: declare, lead, tell, end."""

from __future__ import annotations

import sys
from typing import Any
from urllib.parse import quote, urlencode

import click

from watchkeeper.faces.cli import common
from watchkeeper.faces.cli.columns import print_columns
from watchkeeper.faces.cli.incident_channel import COMMANDS
from watchkeeper.kernel.errors import UserError

STATES = click.Choice(["triggered", "investigating", "identified", "mitigated", "resolved"])
KINDS = click.Choice(["message", "note", "decision", "action", "detected", "change"])
PHASES = click.Choice(["investigating", "identified", "monitoring", "resolved"])
IMPACTS = click.Choice([
    "operational", "under_maintenance", "degraded_performance", "partial_outage", "major_outage"
])  # fmt: skip
TIMES = ("began", "detected", "acknowledged", "mitigated", "resolved")
OPEN = ("triggered", "investigating", "identified", "mitigated")
incident_id = click.argument("incident_id", metavar="INCIDENT", type=click.IntRange(1))


@click.group()
def incident() -> None:
    """Incidents of a running server: declared, led, told, mitigated, ended."""


@incident.command()
@click.argument("title")
@click.option("--severity", default="SEV2", show_default=True, help="`wk incident severities`.")
@click.option("--page", "pages", type=click.IntRange(1), multiple=True,
              help="A page that belongs to it. May be given again.")  # fmt: skip
@click.option("--service", "services", multiple=True, help="May be given again.")
@click.option("--slo", "slos", multiple=True, help="May be given again.")
@click.option("--journey", "journeys", multiple=True, help="May be given again.")
@click.option("--summary", default="")
@click.option("--began", metavar="TIME", help="When it began (RFC 3339).")
@click.option("--drill", is_flag=True, help="An exercise: it says so everywhere.")
@common.api_options
@common.json_option
def declare(
    title: str,
    severity: str,
    pages: tuple[int, ...],
    services: tuple[str, ...],
    slos: tuple[str, ...],
    journeys: tuple[str, ...],
    summary: str,
    began: str | None,
    drill: bool,
    url: str,
    token: str | None,
    as_json: bool,
) -> None:
    """Declare an incident: TITLE says what users notice."""
    body: dict[str, object] = {
        "title": title, "severity": severity, "pages": pages, "services": services, "slos": slos,
        "journeys": journeys, "summary": summary, "drill": drill,
    }  # fmt: skip
    if began:
        body["began_at"] = common.parse_time(began)
    made = common.Api(url, token).call("POST", "/api/v1/incidents", body)
    _said(made, as_json)


@incident.command("list")
@click.option("--state", "states", multiple=True, type=STATES, default=OPEN,
              help="May be given again (default: all but resolved).")  # fmt: skip
@click.option("--all", "every", is_flag=True, help="Those that are over as well.")
@click.option("--severity", "severities", multiple=True, help="May be given again.")
@click.option("--service", default="")
@click.option("--text", "q", default="", help="In title or summary.")
@click.option("--limit", type=click.IntRange(1, 1000), default=100, show_default=True)
@common.api_options
@common.json_option
def list_(
    states: tuple[str, ...],
    every: bool,
    severities: tuple[str, ...],
    service: str,
    q: str,
    limit: int,
    url: str,
    token: str | None,
    as_json: bool,
) -> None:
    """List incidents, newest first."""
    asked = [("limit", str(limit))] + [("state", s) for s in ([] if every else states)]
    asked += [("severity", s) for s in severities]
    asked += [(k, v) for k, v in (("service", service), ("q", q)) if v]
    found = common.Api(url, token).get(f"/api/v1/incidents?{urlencode(asked)}")
    if as_json:
        common.emit_json(found)
        return
    titles = ("Incident", "Severity", "State", "Since", "Commander", "Next update", "Title")
    print_columns(titles, [_row(i) for i in found["incidents"]], "no incidents")


def _row(i: dict[str, Any]) -> tuple[object, ...]:
    commander = next((r["user"] for r in i["roles"] if r["role"] == "commander"), "")
    return (
        i["id"], i["severity"], i["state"], i["declared_at"], commander,
        i["update_due_at"] or "", i["title"],
    )  # fmt: skip


@incident.command()
@incident_id
@common.api_options
@common.json_option
def show(incident_id: int, url: str, token: str | None, as_json: bool) -> None:
    """One incident: who leads it, what is due, what happened."""
    found = common.Api(url, token).get(f"/api/v1/incidents/{incident_id}")
    if as_json:
        common.emit_json(found)
        return
    click.secho(f"{found['id']}  {found['title']}", bold=True)
    click.echo(f"  {found['severity']}, {found['state']}: {found['meaning']}")
    if found["update_due_at"]:
        click.echo(f"  next update due {found['update_due_at']}")
    for role in found["roles"]:
        offered = f", offered to {role['offered_to']}" if role["offered_to"] else ""
        click.echo(f"  {role['role']}: {role['user'] or 'nobody'}{offered}")
    for role in found["empty_roles"]:
        click.echo(f"  {role}: nobody")
    for name in ("services", "journeys", "slos", "causes"):
        if found[name]:
            click.echo(f"  {name}: {', '.join(found[name])}")
    for entry in found["timeline"]:
        click.echo(_line(entry))


def _line(e: dict[str, Any]) -> str:
    amends = f" (amends {e['amends']})" if e["amends"] else ""
    text = e["text"] or ", ".join(f"{k}: {v}" for k, v in e["data"].items())
    return f"  {e['number']:>4}  {e['at']}  {e['kind']:<10} {e['actor']}: {text}{amends}"


@incident.command()
@incident_id
@click.argument("severity")
@click.option("--why", default="")
@common.api_options
@common.json_option
def severity(
    incident_id: int, severity: str, why: str, url: str, token: str | None, as_json: bool
) -> None:
    """Change the severity: SEV1, SEV2, SEV3, or just 1, 2, 3."""
    body = {"severity": severity, "why": why}
    _said(_post(url, token, incident_id, "severity", body), as_json)


@incident.command()
@incident_id
@click.argument("state", type=STATES)
@click.option("--why", default="", help="Needed to go back.")
@common.api_options
@common.json_option
def state(
    incident_id: int, state: str, why: str, url: str, token: str | None, as_json: bool
) -> None:
    """Change the state."""
    _said(_post(url, token, incident_id, "state", {"state": state, "why": why}), as_json)


@incident.command()
@incident_id
@click.argument("text")
@click.option("--public", is_flag=True, help="Shown on public status pages.")
@click.option("--phase", type=PHASES, help="Default: that of the state.")
@click.option("--component", "components", multiple=True, help="Of a status page.")
@click.option("--headline", default="", help="Its title on public status pages from now on.")
@click.option("--impact", type=IMPACTS, help="How the components are; default: by severity.")
@common.api_options
@common.json_option
def update(
    incident_id: int,
    text: str,
    public: bool,
    phase: str | None,
    components: tuple[str, ...],
    headline: str,
    impact: str | None,
    url: str,
    token: str | None,
    as_json: bool,
) -> None:
    """Post a status update; says when the next one is due."""
    body = {"text": text, "public": public, "phase": phase or "", "components": components,
            "headline": headline, "impact": impact or ""}  # fmt: skip
    _said(_post(url, token, incident_id, "updates", body), as_json)


@incident.command()
@incident_id
@click.argument("text")
@click.option("--kind", type=KINDS, default="note", show_default=True)
@click.option("--at", metavar="TIME", help="When it happened (RFC 3339, default: now).")
@common.api_options
@common.json_option
def note(
    incident_id: int,
    text: str,
    kind: str,
    at: str | None,
    url: str,
    token: str | None,
    as_json: bool,
) -> None:
    """Write into the timeline."""
    body: dict[str, object] = {"text": text, "kind": kind}
    if at:
        body["at"] = common.parse_time(at)
    made = _post(url, token, incident_id, "entries", body)
    if as_json:
        common.emit_json(made)
    else:
        click.echo(_line(made).strip())


@incident.command()
@incident_id
@click.argument("number", type=click.IntRange(1))
@click.option("--text", help="What it should say.")
@click.option("--at", metavar="TIME", help="When it happened (RFC 3339).")
@click.option("--pin/--unpin", "pinned", default=None)
@click.option("--why", default="")
@common.api_options
@common.json_option
def amend(
    incident_id: int,
    number: int,
    text: str | None,
    at: str | None,
    pinned: bool | None,
    why: str,
    url: str,
    token: str | None,
    as_json: bool,
) -> None:
    """Correct entry NUMBER, or pin it; what was written stays."""
    given = {
        "text": text, "at": common.parse_time(at) if at else None, "pinned": pinned, "why": why
    }  # fmt: skip
    body = {k: v for k, v in given.items() if v is not None}
    path = f"/api/v1/incidents/{incident_id}/entries/{number}"
    made = common.Api(url, token).call("PATCH", path, body)
    if as_json:
        common.emit_json(made)
    else:
        click.echo(_line(made).strip())


@incident.command()
@incident_id
@click.argument("role")
@click.argument("user", default="")
@click.option("--offer", is_flag=True, help="The other must accept.")
@click.option("--accept", is_flag=True, help="Take what was offered to you.")
@common.api_options
@common.json_option
def role(
    incident_id: int,
    role: str,
    user: str,
    offer: bool,
    accept: bool,
    url: str,
    token: str | None,
    as_json: bool,
) -> None:
    """Give ROLE (commander, comms, ops, …) to USER; without a user it becomes empty."""
    if offer and accept:
        raise UserError("Both --offer and --accept are given.", "Give one.")
    body: dict[str, object] = {"user": user}
    if accept:
        body = {"accept": True}
    elif offer:
        body = {"offer_to": user}
    path = f"/api/v1/incidents/{incident_id}/roles/{quote(role, safe='')}"
    held = common.Api(url, token).call("PUT", path, body)
    if as_json:
        common.emit_json(held)
        return
    offered = f", offered to {held['offered_to']}" if held["offered_to"] else ""
    click.echo(f"{held['role']}: {held['user'] or 'nobody'}{offered}")


@incident.command()
@incident_id
@click.option("--page", "pages", type=click.IntRange(1), multiple=True)
@click.option("--service", "services", multiple=True)
@click.option("--slo", "slos", multiple=True)
@click.option("--journey", "journeys", multiple=True)
@click.option("--merge-into", type=click.IntRange(1), help="It becomes a part of this incident.")
@common.api_options
@common.json_option
def link(
    incident_id: int,
    pages: tuple[int, ...],
    services: tuple[str, ...],
    slos: tuple[str, ...],
    journeys: tuple[str, ...],
    merge_into: int | None,
    url: str,
    token: str | None,
    as_json: bool,
) -> None:
    """Add what belongs to it, or merge it into another incident."""
    body: dict[str, object] = {
        "pages": pages, "services": services, "slos": slos, "journeys": journeys
    }  # fmt: skip
    if merge_into:
        body["merge_into"] = merge_into
    _said(_post(url, token, incident_id, "links", body), as_json)


@incident.command()
@incident_id
@click.option("--title")
@click.option("--summary")
@click.option("--cause", "causes", multiple=True, help="In words of your own. May be given again.")
@click.option("--began", metavar="TIME")
@click.option("--detected", metavar="TIME")
@click.option("--acknowledged", metavar="TIME")
@click.option("--mitigated", metavar="TIME")
@click.option("--resolved", metavar="TIME")
@click.option("--why", default="", help="Needed for times: how they are known.")
@common.api_options
@common.json_option
def change(incident_id: int, url: str, token: str | None, as_json: bool, **given: Any) -> None:  # noqa: ANN401
    """Change the title, summary, causes, or the times that durations are computed from."""
    body = {f"{n}_at": common.parse_time(given[n]) for n in TIMES if given[n]}
    body |= {k: given[k] for k in ("title", "summary", "why") if given[k]}
    if given["causes"]:
        body["causes"] = given["causes"]
    if set(body) <= {"why"}:
        raise UserError("Nothing would change.", "Give what is to be different, e.g. --title.")
    _said(common.Api(url, token).call("PATCH", f"/api/v1/incidents/{incident_id}", body), as_json)


@incident.command()
@incident_id
@click.option("--set", "what", type=click.Choice(["users", "revenue", "requests"]),
              help="Put another figure in the place of the measured one.")  # fmt: skip
@click.option("--value", default="", help="The figure; empty: the measured one again.")
@click.option("--why", default="", help="Where the figure comes from.")
@click.option("--minutes", is_flag=True, help="Also minute by minute, of what was hurt most.")
@common.api_options
@common.json_option
def impact(
    incident_id: int,
    minutes: bool,
    what: str | None,
    value: str,
    why: str,
    url: str,
    token: str | None,
    as_json: bool,
) -> None:
    """What it cost so far: requests, budget, users, revenue, and how long it took."""
    api, path = common.Api(url, token), f"/api/v1/incidents/{incident_id}/impact"
    body = {"what": what, "value": value, "why": why}
    found = api.call("PUT", path, body) if what else {}
    if minutes or not what:
        found = api.get(f"{path}?minutes={str(minutes).lower()}")
    if as_json:
        common.emit_json(found)
        return
    click.echo(f"{found['start']} to {found['end']}: {found['sentence']}")
    for name, its in found["objectives"].items():
        share = its["budget_share"]
        spent = "" if share is None else f", {share:.1%} of its budget"
        click.echo(f"  {name}: {its['bad']:,.0f} of {its['total']:,.0f} failed{spent}")
    for what_, said in found["overrides"].items():
        click.echo(f"  {what_} set to {said['value']} by {said['by']}: {said['why']}")
    if course := found.get("course"):
        rows = [(m["at"], f"{m['total']:,.0f}", f"{m['bad']:,.0f}") for m in course["minutes"]]
        print_columns((course["objective"], "Requests", "Failed"), rows, "no minutes")


@incident.command()
@common.api_options
@common.json_option
def severities(url: str, token: str | None, as_json: bool) -> None:
    """What severities there are, what they mean, and what they oblige to."""
    found = common.Api(url, token).get("/api/v1/incidents/severities")
    if as_json:
        common.emit_json(found)
        return
    titles = ("Severity", "Title", "Update every", "Postmortem within", "Means")
    rows = [
        (s["name"], s["title"], _span(s["update_every"]), _span(s["postmortem_within"]),
         s["description"])
        for s in found["severities"]
    ]  # fmt: skip
    print_columns(titles, rows, "no severities")


def _span(seconds: float | None) -> str:
    if seconds is None:
        return "never due"
    return f"{seconds / 60:g} min" if seconds < 3600 else f"{seconds / 3600:g} h"


@incident.command()
@click.argument("incident_id", metavar="[INCIDENT]", type=click.IntRange(1), required=False)
@common.api_options
@common.json_option
def verify(incident_id: int | None, url: str, token: str | None, as_json: bool) -> None:
    """Recompute the digests of every timeline, or of one. Exit status 1 when one was altered.

    Prints the last digest of each: kept elsewhere, it proves the timeline later.
    """
    more = f"?incident={incident_id}" if incident_id else ""
    found = common.Api(url, token).get(f"/api/v1/incidents/verify{more}")
    if as_json:
        common.emit_json(found)
    else:
        print_timelines(found)
    if found["broken"]:
        sys.exit(1)


def print_timelines(found: dict[str, Any]) -> None:
    """Each timeline with its last digest; where one was altered."""
    for t in found["timelines"]:
        click.echo(f"{t['incident']}  {t['entries']} entries  {t['head']}")
    for b in found["broken"]:
        click.echo(f"incident {b['incident']}, entry {b['entry']}: {b['what']}", err=True)
    said = f"{len(found['broken'])} altered." if found["broken"] else "All are as written."
    click.echo(said, err=True)


def _post(url: str, token: str | None, incident_id: int, verb: str, body: object) -> Any:  # noqa: ANN401
    return common.Api(url, token).call("POST", f"/api/v1/incidents/{incident_id}/{verb}", body)


def _said(made: dict[str, Any], as_json: bool) -> None:
    if as_json:
        common.emit_json(made)
        return
    due = f", next update due {made['update_due_at']}" if made["update_due_at"] else ""
    click.echo(f"incident {made['id']}: {made['severity']}, {made['state']}{due}")


for _command in COMMANDS:
    incident.add_command(_command)
