"""`wk audit`: who did what, when."""

from __future__ import annotations

import click

from watchkeeper.faces.cli import common


@click.command()
@click.option("--actor", default="", help="Who did it.")
@click.option("--subject", default="", help="What it is about, e.g. user/amara, or 'user/*'.")
@click.option("--kind", default="", help="What was done, e.g. user.role, or 'session.*'.")
@click.option("--from", "start", help="From this time on, e.g. 2026-11-23T14:00:00Z.")
@click.option("--to", "end", help="Before this time.")
@click.option("--before", type=click.IntRange(1), help="Only events with smaller numbers: paging.")
@click.option("--limit", default=100, show_default=True, type=click.IntRange(1, 100_000))
@click.option("--csv", "as_csv", is_flag=True, help="Print CSV.")
@common.json_option
@common.db_option
def audit(
    actor: str,
    subject: str,
    kind: str,
    start: str | None,
    end: str | None,
    before: int | None,
    limit: int,
    as_csv: bool,
    as_json: bool,
    db: str | None,
) -> None:
    """Search and export the audit log, the newest first. Works on the database."""
    from watchkeeper.access import audit as log
    from watchkeeper.kernel.clock import iso

    search = log.Search(
        actor,
        subject,
        kind,
        common.parse_time(start) if start else None,
        common.parse_time(end) if end else None,
    )
    with common.open_db(db, must_exist=True) as database, database.read() as conn:
        found = log.find(conn, search, before, limit)
    if as_json:
        common.emit_json(list(log.rows(found)))
    elif as_csv:
        click.echo(log.to_csv(found), nl=False)
    else:
        for e in found:
            said = "  ".join(f"{key}={value}" for key, value in e.data.items())
            click.echo(f"{iso(e.at)}  {e.actor}  {e.kind}  {e.subject}  {said}".rstrip())
