"""`wk afford`: what changes have cost and how many more fit; asks the server."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

import click

from watchkeeper.faces.cli import common
from watchkeeper.faces.cli.columns import print_columns


@click.command()
@click.argument("service")
@click.option("--slo", default="", metavar="SLO", help="By this objective alone.")
@click.option("--days", type=click.IntRange(1, 400), default=90, help="Of history; else 90.")
@click.option("--csv", "as_csv", is_flag=True, help="Print what changes cost as CSV.")
@common.api_options
@common.json_option
def afford(
    service: str, slo: str, days: int, as_csv: bool, url: str, token: str | None, as_json: bool
) -> None:
    """What can SERVICE afford? What changes have cost, how many more fit, what targets mean."""
    query = urlencode({"service": service, "slo": slo, "days": days})
    told: dict[str, Any] = common.Api(url, token).get(f"/api/v1/afford?{query}")
    if as_json:
        common.emit_json(told)
    elif as_csv:
        from watchkeeper.policy.affordjson import costs_csv

        click.echo(costs_csv(told), nl=False)
    else:
        _print(told)


def _print(told: dict[str, Any]) -> None:
    for said in (told["answer"], told["recovery"]["says"], told["outage"]["says"]):
        click.echo(said)
    click.echo()
    rows = [
        (c["of"], c["n"], c["costly"], _share(c["each_share"]["mean"]),
         f"{_share(c['each_share']['p10'])} to {_share(c['each_share']['p90'])}",
         f"{c['each_minutes']['mean']:.1f}", _fit(c["fit"], "expected"), _fit(c["fit"], "cautious"))
        for c in told["costs"]
    ]  # fmt: skip
    titles = ("Changes", "Known", "Costly", "Mean", "p10 to p90", "Minutes", "Fit", "Cautiously")
    print_columns(titles, rows, "No change is recorded.")
    click.echo()
    ladder = [
        (("* " if t["now"] else "  ") + f"{float(t['target']) * 100:g} %", f"{t['budget']:.0f}",
         _share(t["consumed"]), t["depleted_days"], t["halted"], t["pages"])
        for t in told["targets"]
    ]  # fmt: skip
    print_columns(("Target", "Budget", "Used", "Days depleted", "Halted", "Pages"), ladder, "")
    click.echo(f"\n{told['next_nine']['says']}")


def _share(ratio: float | None) -> str:
    return "" if ratio is None else f"{100 * ratio:.1f} %"


def _fit(fit: dict[str, Any], which: str) -> str:
    from watchkeeper.policy.affordwords import limit

    return limit(fit[which], few=fit["few"])
