"""`wk causes`: where a budget went, and what people say of it; asks the server."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote, urlencode

import click

from watchkeeper.faces.cli import common
from watchkeeper.faces.cli.columns import print_columns

KINDS = ("deployment", "infrastructure", "dependency", "traffic_spike", "unknown")


class _ShowByDefault(click.Group):
    """`wk causes SLO` is short for `wk causes show SLO`."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        if args and args[0] not in self.commands and args[0] not in ("-h", "--help"):
            args = ["show", *args]
        return super().parse_args(ctx, args)


@click.group(cls=_ShowByDefault)
def causes() -> None:
    """Where a budget went: `wk causes SLO` shows the causes, with the share of each."""


@causes.command()
@click.argument("slo")
@click.option("--window", default="", metavar="LENGTH", help="E.g. 7d; else the SLO's own window.")
@click.option("--why", is_flag=True, help="With the evidence of each cause.")
@click.option("--csv", "as_csv", is_flag=True, help="Print CSV.")
@common.api_options
@common.json_option
def show(
    slo: str, window: str, why: bool, as_csv: bool, url: str, token: str | None, as_json: bool
) -> None:
    """Show where the budget of SLO went; the causes add up to exactly what was consumed."""
    query = f"?{urlencode({'window': window})}" if window else ""
    told: dict[str, Any] = common.Api(url, token).get(_path(slo) + query)
    if as_json:
        common.emit_json(told)
    elif as_csv:
        from watchkeeper.causes.contract import account_csv

        click.echo(account_csv(told), nl=False)
    else:
        _print(told, why)


def _print(told: dict[str, Any], why: bool) -> None:
    click.echo(f"{told['consumed']} bad of {told['total']} events were consumed")
    rows = [
        (
            f"{100 * c['share']:.1f} %",
            c["bad"],
            c["kind"],
            c["what"],
            c["start"] or "",
            c["said"]["by"] if c["said"] else "",
        )
        for c in told["causes"]
    ]
    titles = ("Share", "Bad", "Kind", "Cause", "From", "Said by")
    print_columns(titles, rows, "Nothing was consumed.")
    for cause in told["causes"] if why else ():
        if cause["evidence"] or cause["also"]:
            click.echo(f"\n{cause['what']}")
            for line in cause["evidence"]:
                click.echo(f"  {line}")
            for other in (o for o in cause["also"] if o["kind"] != "unknown"):
                click.echo(f"  or {other['kind']}, {other['what']}: {other['score']:.2f}")


@causes.command()
@click.argument("slo")
@click.argument("kind", type=click.Choice(KINDS))
@click.option("--at", required=True, metavar="TIME", help="An instant within the episode.")
@click.option("--what", default="", help="The cause in a few words.")
@click.option("--note", default="", help="How it is known.")
@common.api_options
def say(slo: str, kind: str, at: str, what: str, note: str, url: str, token: str | None) -> None:
    """Say that KIND caused the episode of SLO at that time, or agree that it did."""
    body = {"at": common.parse_time(at), "kind": kind, "what": what, "note": note}
    made = common.Api(url, token).call("POST", _path(slo), body)
    click.echo(f"{made['id']} said: {made['kind']}, from {made['start']} to {made['end']}")


@causes.command()
@click.argument("slo")
@click.argument("said_id", metavar="ID")
@common.api_options
def unsay(slo: str, said_id: str, url: str, token: str | None) -> None:
    """Take back what was said."""
    common.Api(url, token).call("DELETE", f"{_path(slo)}/{quote(said_id, safe='')}")
    click.echo(f"{said_id} taken back")


@causes.command()
@common.api_options
@common.json_option
def accuracy(url: str, token: str | None, as_json: bool) -> None:
    """How right attribution has been, by what people said."""
    rows: list[dict[str, Any]] = common.Api(url, token).get("/api/v1/causes/accuracy")
    if as_json:
        common.emit_json(rows)
        return
    known = [
        (r["kind"], r["said"], r["true"], r["right"], _share(r["precision"]), _share(r["recall"]))
        for r in rows
    ]
    print_columns(("Kind", "Said", "True", "Right", "Precision", "Recall"), known, "")


def _share(ratio: float | None) -> str:
    return "" if ratio is None else f"{100 * ratio:.0f} %"


def _path(slo: str) -> str:
    return f"/api/v1/slos/{quote(slo, safe='')}/causes"
