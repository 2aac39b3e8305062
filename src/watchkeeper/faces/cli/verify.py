"""`wk verify`: timelines are as they were written, action items are where they were promised."""

from __future__ import annotations

import sys

import click

from watchkeeper.faces.cli import common
from watchkeeper.faces.cli.incident import print_timelines


@click.command()
@click.argument("incident_id", metavar="[INCIDENT]", type=click.IntRange(1), required=False)
@click.option("--items/--no-items", default=True, show_default=True,
              help="Ask the trackers for every action item; needs a responder.")  # fmt: skip
@common.api_options
@common.json_option
def verify(
    incident_id: int | None, items: bool, url: str, token: str | None, as_json: bool
) -> None:
    """Confirm that no timeline was altered and every action item exists and agrees.

    Recomputes the digests of every incident's timeline; asks GitHub, GitLab and Jira for each
    action item that lives there. With INCIDENT only that one's timeline. Exit status 1 when
    something is not as it should be.
    """
    api = common.Api(url, token)
    items = items and incident_id is None
    one = f"?incident={incident_id}" if incident_id else ""
    timelines = api.get(f"/api/v1/incidents/verify{one}")
    differ = api.get("/api/v1/actions/verify")["mismatches"] if items else []
    if as_json:
        common.emit_json({**timelines, "mismatches": differ})
    else:
        print_timelines(timelines)
        for m in differ:
            says = f": {m['ours']!r} here, {m['theirs']!r} there" if m["ours"] else ""
            click.echo(f"action item #{m['id']} in {m['tracker']}: {m['what']}{says}", err=True)
        if items:
            said = f"{len(differ)} action items differ." if differ else "All action items agree."
            click.echo(said, err=True)
    if timelines["broken"] or differ:
        sys.exit(1)
