"""`wk gate`: may a release go out, does it burn, who gave it leave."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from typing import Any
from urllib.parse import urlencode

import click

from watchkeeper.faces.cli import common
from watchkeeper.faces.cli.columns import print_columns
from watchkeeper.kernel.errors import UserError, WatchkeeperError

HALT = 3
"""The exit status of a halt: neither success nor a fault of ours."""
KINDS = click.Choice(["feature", "reliability", "security"])
GROUNDS = click.Choice(["security", "reliability", "silver_bullet", "other"])
SAYS = {"allow": ("green", "ALLOW"), "halt": ("red", "HALT")}
exception_id = click.argument("exception_id", metavar="EXCEPTION", type=click.IntRange(1))


@click.group()
def gate() -> None:
    """The release gate of a running server: error budgets decide what ships."""


@gate.command()
@click.argument("service")
@click.option("--change-kind", type=KINDS, default="feature", show_default=True)
@click.option("--change", default="", help="Version, commit or link; kept with the decision.")
@click.option("--environment", default="")
@click.option(
    "--on-error", type=click.Choice(["error", "allow", "halt"]), default="error", show_default=True,
    help="When no answer can be had: exit 2, or fail open (allow) or closed (halt).",
)  # fmt: skip
@common.api_options
@common.json_option
def check(
    service: str, change_kind: str, change: str, environment: str, on_error: str, url: str,
    token: str | None, as_json: bool,
) -> None:  # fmt: skip
    """May a release of SERVICE go out? Exit status 0: allow, 3: halt, 2: error."""
    body = {"service": service, "change_kind": change_kind, "change": change,
            "environment": environment}  # fmt: skip
    try:
        made = common.Api(url, token).call("POST", "/api/v1/gate/check", body)
    except WatchkeeperError as error:
        # A question that is wrong, such as a service that is not defined, is never passed over.
        if on_error == "error" or isinstance(error, UserError):
            error.exit_status = 2
            raise
        made = {"decision": on_error, "why": f"{error.message} By --on-error={on_error} this fails "
                f"{'open' if on_error == 'allow' else 'closed'}.", "failed": True}  # fmt: skip
    _say(made, as_json)
    sys.exit(0 if made["decision"] == "allow" else HALT)


def _say(made: dict[str, Any], as_json: bool) -> None:
    if as_json:
        common.emit_json(made)
        return
    colour, word = SAYS[made["decision"]]
    click.secho(word, fg=colour, bold=True, nl=False)
    click.echo(f"  {made['why']}")
    if "id" in made:
        click.echo(f"decision {made['id']}", err=True)


@gate.command()
@click.argument("service")
@click.option("--since", metavar="TIME", help="When the release began (default: now).")
@click.option("--for", "lasts", default="15m", show_default=True, help="How long to watch.")
@click.option("--every", default="15s", show_default=True, help="Between two looks.")
@common.api_options
@common.json_option
def watch(
    service: str, since: str | None, lasts: str, every: str, url: str, token: str | None,
    as_json: bool,
) -> None:  # fmt: skip
    """Watch a release of SERVICE: compare its burn with the hour before.

    Exit status 0: nothing burns faster; 3: stop it. Too few requests to say are not a reason to
    stop; that is said.
    """
    began = common.parse_time(since) if since else time.time()
    ends, pause = began + common.parse_length(lasts), max(1.0, common.parse_length(every))
    api, asked = common.Api(url, token), urlencode({"service": service, "since": began})
    found = watched(lambda: api.get(f"/api/v1/gate/watch?{asked}"), ends, pause, _progress)
    if as_json:
        common.emit_json(found)
    else:
        click.secho(found["advice"].upper().replace("_", " "), bold=True, nl=False)
        click.echo(f"  {found['why']}")
    sys.exit(HALT if found["advice"] == "stop" else 0)


def watched(
    look: Callable[[], dict[str, Any]], ends: float, pause: float,
    told: Callable[[dict[str, Any]], None], now: Callable[[], float] = time.time,
    sleep: Callable[[float], None] = time.sleep,
) -> dict[str, Any]:  # fmt: skip
    """Look until it is to be stopped or the time is over; what was seen last."""
    while True:
        found = look()
        if found["advice"] == "stop" or now() >= ends:
            return found
        told(found)
        sleep(min(pause, max(0.1, ends - now())))


def _progress(found: dict[str, Any]) -> None:
    click.echo(f"{found['as_of']}  {found['advice'].replace('_', ' ')}: {found['why']}", err=True)


@gate.command()
@click.argument("service")
@common.api_options
@common.json_option
def standing(service: str, url: str, token: str | None, as_json: bool) -> None:
    """How the budgets stand that rule SERVICE; nothing is decided."""
    found = common.Api(url, token).get(f"/api/v1/gate/standing?{urlencode({'service': service})}")
    if as_json:
        common.emit_json(found)
        return
    for its in found["standings"]:
        click.secho(f"{its['policy']}: {its['state'].replace('_', ' ')}", bold=True)
        click.echo(f"  {its['why']} {its['releases']}")


@gate.command()
@common.api_options
@common.json_option
def policies(url: str, token: str | None, as_json: bool) -> None:
    """Budget policies and how each stands, the worst first."""
    found = common.Api(url, token).get("/api/v1/budgets")
    if as_json:
        common.emit_json(found)
        return
    titles = ("Policy", "State", "Left", "Services", "Releases")
    rows = [
        (p["name"], p["state"].replace("_", " "), _left(p["remaining_ratio"]),
         ", ".join(p["services"]), p["releases"])
        for p in found
    ]  # fmt: skip
    print_columns(titles, rows, "no budget policy is defined; services are ruled by the default")


def _left(ratio: float | None) -> str:
    return "" if ratio is None else f"{ratio:.0%}"


@gate.command()
@click.option("--service", default="")
@click.option("--decision", type=click.Choice(["allow", "halt"]))
@click.option("--since", metavar="TIME")
@click.option("--limit", type=click.IntRange(1, 1000), default=50, show_default=True)
@common.api_options
@common.json_option
def log(
    service: str, decision: str | None, since: str | None, limit: int, url: str, token: str | None,
    as_json: bool,
) -> None:  # fmt: skip
    """Decisions of the gate, newest first."""
    asked = {"service": service, "decision": decision or "", "limit": str(limit)}
    if since:
        asked["since"] = str(common.parse_time(since))
    found = common.Api(url, token).get(f"/api/v1/gate/decisions?{urlencode(asked)}")
    if as_json:
        common.emit_json(found)
        return
    rows = [
        (d["at"], d["decision"], d["service"], d["change_kind"], d["change"], d["asked_by"],
         d["id"])
        for d in found["decisions"]
    ]  # fmt: skip
    print_columns(("At", "Decision", "Service", "Kind", "Change", "Asked by", "Id"), rows,
                  "no decisions")  # fmt: skip


@gate.command()
@click.argument("decision_id", metavar="DECISION")
@common.api_options
@common.json_option
def show(decision_id: str, url: str, token: str | None, as_json: bool) -> None:
    """One decision, and whether it is as it was made. Exit status 1 when it is not."""
    found = common.Api(url, token).get(f"/api/v1/gate/decisions/{decision_id}")
    if as_json:
        common.emit_json(found)
    else:
        _say(found, False)
        click.echo(f"  {found['at']}, asked by {found['asked_by']}: {found['service']}, "
                   f"{found['change_kind']} {found['change']}")  # fmt: skip
        for its in found["inputs"]["standings"]:
            for e in its["evidence"]:
                bad = e["total"] - e["good"]
                click.echo(f"  {e['slo']}: {bad:,.0f} of {e['total']:,.0f} bad in {e['window']}, "
                           f"target {e['target']}, {_left(e['left'])} left")  # fmt: skip
        click.echo("  signature and ruling are as they were" if _whole(found)
                   else "  THIS RECORD WAS ALTERED")  # fmt: skip
    if not _whole(found):
        sys.exit(1)


def _whole(found: dict[str, Any]) -> bool:
    return bool(found["signed"] and found["replays"])


@gate.command()
@click.option("--since", metavar="TIME", help="Default: a week ago.")
@click.option("--until", metavar="TIME", help="Default: now.")
@common.api_options
@common.json_option
def replay(
    since: str | None, until: str | None, url: str, token: str | None, as_json: bool
) -> None:  # fmt: skip
    """Make the decisions of an interval again from what they followed from.

    Exit status 1 when one was altered or comes out otherwise.
    """
    end = common.parse_time(until) if until else time.time()
    start = common.parse_time(since) if since else end - 7 * 86_400
    asked = urlencode({"since": start, "until": end})
    found = common.Api(url, token).get(f"/api/v1/gate/replay?{asked}")
    if as_json:
        common.emit_json(found)
    else:
        for p in found["broken"]:
            what = "comes out otherwise" if p["signed"] else "was altered"
            click.echo(f"{p['id']} {p['service']} {p['at']}: {what}")
        click.echo(f"{found['decisions']:,} decisions, {len(found['broken'])} not as they were")
    if found["broken"]:
        sys.exit(1)


# ---------------------------------------------------------------- exceptions


@gate.command()
@click.option("--service", default="")
@click.option("--all", "everything", is_flag=True, help="Those that are over, too.")
@common.api_options
@common.json_option
def exceptions(
    service: str, everything: bool, url: str, token: str | None, as_json: bool
) -> None:  # fmt: skip
    """Exceptions: asked for, given, and by whom."""
    asked = urlencode({"service": service, "alive": str(not everything).lower()})
    found = common.Api(url, token).get(f"/api/v1/gate/exceptions?{asked}")
    if as_json:
        common.emit_json(found)
        return
    rows = [
        (f"{e['id']}", e["service"], e["change_kind"] or "any", e["ground"], e["requested_by"],
         e["approved_by"] or "not given", e["expires_at"], e["reason"])
        for e in found
    ]  # fmt: skip
    titles = ("Id", "Service", "Kind", "Ground", "Asked by", "Given by", "Until", "Reason")
    print_columns(titles, rows, "no exceptions")


@gate.command("except")
@click.argument("service")
@click.option("--reason", required=True, help="What cannot wait, and why.")
@click.option("--ground", type=GROUNDS, default="other", show_default=True)
@click.option("--change-kind", type=KINDS, help="Only this kind (default: any).")
@click.option("--lasts", metavar="LENGTH", help="E.g. 4h (default: 1d).")
@click.option("--most-uses", type=click.IntRange(1, 10_000))
@common.api_options
@common.json_option
def except_(
    service: str, reason: str, ground: str, change_kind: str | None, lasts: str | None,
    most_uses: int | None, url: str, token: str | None, as_json: bool,
) -> None:  # fmt: skip
    """Ask for leave to pass a halt; somebody else must give it."""
    body = {
        "service": service, "reason": reason, "ground": ground, "change_kind": change_kind or "",
        "lasts": common.parse_length(lasts) if lasts else None, "most_uses": most_uses,
    }  # fmt: skip
    made = common.Api(url, token).call("POST", "/api/v1/gate/exceptions", body)
    if as_json:
        common.emit_json(made)
    else:
        click.echo(f"exception {made['id']}, until {made['expires_at']}. Somebody else gives it: "
                   f"wk gate approve {made['id']}")  # fmt: skip


@gate.command()
@exception_id
@common.api_options
def approve(exception_id: int, url: str, token: str | None) -> None:
    """Give an exception that somebody else asked for."""
    made = common.Api(url, token).call("POST", f"/api/v1/gate/exceptions/{exception_id}/approve")
    click.echo(f"exception {made['id']} lets {made['service']} pass until {made['expires_at']}")


@gate.command()
@exception_id
@common.api_options
def revoke(exception_id: int, url: str, token: str | None) -> None:
    """Take an exception back, or decline it."""
    made = common.Api(url, token).call("POST", f"/api/v1/gate/exceptions/{exception_id}/revoke")
    click.echo(f"exception {made['id']} is over")
