"""`wk verify`: timelines are as they were written, action items are where they were promised."""

from __future__ import annotations

import sys

import click

from watchkeeper.faces.cli import common


@click.command()
@click.option("--items/--no-items", default=True, show_default=True,
              help="Ask the trackers for every action item; needs a responder.")  # fmt: skip
@common.api_options
@common.json_option
def verify(items: bool, url: str, token: str | None, as_json: bool) -> None:
    """Confirm that no timeline was altered, and that every action item exists and agrees.

    Recomputes the digests of every incident's timeline; asks GitHub, GitLab and Jira for each
    action item that lives there. Exit status 1 when something is not as it should be.
    """
    api = common.Api(url, token)
    timelines = api.get("/api/v1/incidents/verify")
    differ = api.get("/api/v1/actions/verify")["mismatches"] if items else []
    if as_json:
        common.emit_json({**timelines, "mismatches": differ})
    else:
        for b in timelines["broken"]:
            click.echo(f"incident {b['incident']}, entry {b['entry']}: {b['what']}")
        for m in differ:
            says = f": {m['ours']!r} here, {m['theirs']!r} there" if m["ours"] else ""
            click.echo(f"action item #{m['id']} in {m['tracker']}: {m['what']}{says}")
        said = f"{len(timelines['timelines'])} timelines: {_count(timelines['broken'], 'altered')}"
        said += f". Action items: {_count(differ, 'differ')}." if items else "."
        click.echo(said, err=True)
    if timelines["broken"] or differ:
        sys.exit(1)


def _count(found: list[object], what: str) -> str:
    return f"{len(found)} {what}" if found else f"none {what}"
