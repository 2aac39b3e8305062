"""`wk mitigate`: what may help in an incident, run from here."""

from __future__ import annotations

import sys
import time
from typing import Any
from urllib.parse import quote

import click

from watchkeeper.faces.cli import common
from watchkeeper.faces.cli.columns import print_columns
from watchkeeper.kernel.errors import UserError

LOOK_EVERY = 0.5
incident_id = click.argument("incident_id", metavar="INCIDENT", type=click.IntRange(1))


class RunsByItself(click.Group):
    """`wk mitigate 3 NAME` is `wk mitigate run 3 NAME`: in an incident, every word counts."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """An incident's number stands for `run`."""
        if args and args[0].isdigit():
            args = ["run", *args]
        return super().parse_args(ctx, args)


@click.group(cls=RunsByItself)
def mitigate() -> None:
    """What may help in an incident: `wk mitigate INCIDENT NAME` runs it."""


@mitigate.command("list")
@incident_id
@common.api_options
@common.json_option
def list_(incident_id: int, url: str, token: str | None, as_json: bool) -> None:
    """What to look at first, what may help, and what was run."""
    found = common.Api(url, token).get(f"/api/v1/incidents/{incident_id}/mitigations")
    if as_json:
        common.emit_json(found)
        return
    for culprit in found["culprits"]:
        at = f"change {culprit['change']}" if culprit["change"] else culprit["slo"]
        click.echo(f"look at  {culprit['why']}{f' ({at})' if at else ''}")
    rows = [(m["name"], m["action"], m["type"], _parameters(m), m["title"])
            for m in found["mitigations"]]  # fmt: skip
    print_columns(("Mitigation", "Action", "Type", "Parameters", "Title"), rows, "none is defined")
    if found["runs"]:
        click.echo()
        titles = ("Run", "Mitigation", "State", "By", "Asked for at", "Helped")
        runs = [(r["id"], _named(r), r["state"], r["by"], r["requested_at"], r["helped"] or "")
                for r in found["runs"]]  # fmt: skip
        print_columns(titles, runs, "")


@mitigate.command()
@incident_id
@click.argument("run_id", metavar="RUN", type=click.IntRange(1))
@common.api_options
@common.json_option
def show(incident_id: int, run_id: int, url: str, token: str | None, as_json: bool) -> None:
    """One run, with what it printed."""
    found = common.Api(url, token).get(f"/api/v1/incidents/{incident_id}/runs/{run_id}")
    if as_json:
        common.emit_json(found)
        return
    click.echo(found["output"], nl=not found["output"].endswith("\n"))
    _say_end(found)


@mitigate.command()
@incident_id
@click.argument("name")
@click.option("-p", "--parameter", "given", multiple=True, metavar="KEY=VALUE",
              help="May be given again.")  # fmt: skip
@click.option("--dry-run", is_flag=True, help="Only see what would happen.")
@click.option("--yes", is_flag=True, help="It changes production, and that is meant.")
@click.option("--no-wait", is_flag=True, help="Do not wait for its end.")
@common.api_options
@common.json_option
def run(
    incident_id: int,
    name: str,
    given: tuple[str, ...],
    dry_run: bool,
    yes: bool,
    no_wait: bool,
    url: str,
    token: str | None,
    as_json: bool,
) -> None:
    """Run the mitigation NAME in an incident; exits with 1 unless it succeeds."""
    api, values = common.Api(url, token), dict(_pair(p) for p in given)
    base = f"/api/v1/incidents/{incident_id}"
    offered = api.get(f"{base}/mitigations")["mitigations"]
    known = next((m for m in offered if m["name"] == name), None)
    # One that is not offered may still be run: then the server says whether it is there.
    sure = dry_run or yes or (known is not None and (not known["confirm"] or _asked(known, values)))
    seen = known["last_run"] if known else None
    body = {"values": values, "dry_run": dry_run, "confirm": sure, "seen": seen}
    made = api.call("POST", f"{base}/mitigations/{quote(name, safe='')}", body)
    if not made["new"] and not as_json:
        click.echo(f"It is under way already: {made['by']} asked for it.", err=True)
    if not no_wait:
        made = _follow(api, base, made, quiet=as_json)
    if as_json:
        common.emit_json(made)
    else:
        _say_end(made)
    if made["over"] and made["state"] != "succeeded":
        sys.exit(1)


def _asked(known: dict[str, Any], values: dict[str, str]) -> bool:
    """Whether a person at a terminal says yes."""
    if not sys.stdin.isatty():
        return False
    said = ", ".join(f"{k}={v}" for k, v in values.items())
    click.echo(f"{known['title']}{f' ({said})' if said else ''}: {known['description']}", err=True)
    return click.confirm("This changes production. Run it?", err=True)


def _follow(api: common.Api, base: str, made: dict[str, Any], quiet: bool) -> dict[str, Any]:
    """Show what it prints until it ends."""
    told = ""
    while True:
        found: dict[str, Any] = api.get(f"{base}/runs/{made['id']}")
        if not quiet:
            # Output that was cut in its middle begins anew: then only what is newest is shown.
            new = found["output"].removeprefix(told) if found["output"].startswith(told) else ""
            click.echo(new, nl=False)
            told = found["output"]
        if found["over"]:
            return found
        time.sleep(LOOK_EVERY)


def _say_end(r: dict[str, Any]) -> None:
    click.secho(
        f"run {r['id']}, {_named(r)}: {r['state']}. {r['outcome'] or r['meaning']}", err=True
    )
    for burn in r["burns"]:
        click.echo(f"  {burn['slo']}: burn rate {_rate(burn['before'])} before, "
                   f"{_rate(burn['after'])} after", err=True)  # fmt: skip


def _rate(rate: float | None) -> str:
    return "not known" if rate is None else f"{rate:.1f}"


def _named(r: dict[str, Any]) -> str:
    given = " ".join(f"{k}={v}" for k, v in r["values"].items())
    return f"{r['mitigation']}{f' {given}' if given else ''}{', dry run' if r['dry_run'] else ''}"


def _parameters(m: dict[str, Any]) -> str:
    return " ".join(f"{p['name']}={p['default']}" for p in m["parameters"])


def _pair(written: str) -> tuple[str, str]:
    key, equals, value = written.partition("=")
    if not equals or not key:
        raise UserError(f"{written[:60]!r} gives no parameter.", "Write -p KEY=VALUE.")
    return key, value
