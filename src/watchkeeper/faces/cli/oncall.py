"""`wk oncall`: who is on call, and every change to it."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, TypeVar
from urllib.parse import quote, urlencode

import click

from watchkeeper.faces.cli import common
from watchkeeper.faces.cli.columns import listed, print_columns
from watchkeeper.kernel.clock import iso
from watchkeeper.kernel.errors import UserError

F = TypeVar("F", bound=Callable[..., object])
LONGEST_DAYS = click.IntRange(1, 400)
SHIFT_TITLES = ("From", "To", "On call", "Shadow", "Layer", "Why")


@click.group()
def oncall() -> None:
    """Schedules of a running server: who is on call, and changes to it."""


def span_options(f: F) -> F:
    """``--from``, and one of ``--to`` and ``--for``."""
    begin = click.option("--from", "start", metavar="TIME", help="RFC 3339 (default: now).")
    end = click.option("--to", "end", metavar="TIME", help="RFC 3339, exclusive.")
    length = click.option("--for", "length", metavar="DURATION", help="Instead of --to: 8h, 2d.")
    reason = click.option("--reason", default="", help="Why; others read it.")
    return begin(end(length(reason(f))))


def span(start: str | None, end: str | None, length: str | None) -> dict[str, str]:
    """The fields ``start`` and ``end`` of a change. Raises UserError."""
    if (end is None) == (length is None):
        raise UserError("Until when?", "Give one of --to and --for.")
    begin = common.parse_time(start) if start else time.time()
    until = begin + common.parse_length(length) if length else common.parse_time(str(end))
    if until <= begin:
        raise UserError("It must end after it starts.", "Check --from and --to.")
    return {"start": iso(begin), "end": iso(until)}


# ---------------------------------------------------------------- looking


@oncall.command()
@common.api_options
@common.json_option
def now(url: str, token: str | None, as_json: bool) -> None:
    """Who is on call now, and who is next, in every schedule."""
    found = common.Api(url, token).get("/api/v1/schedules")
    if as_json:
        common.emit_json(found)
        return
    rows = [
        (
            s["name"],
            listed(s["now"]) or "nobody",
            listed(s["shadows"]),
            listed(s["next"]["users"]) if s["next"] else "",
            s["next"]["start"] if s["next"] else "",
            len(s["gaps"]) or "",
        )
        for s in found
    ]
    print_columns(("Schedule", "Now", "Shadow", "Next", "From", "Gaps"), rows, "no schedules")


@oncall.command()
@click.argument("schedule")
@click.option("--days", type=LONGEST_DAYS, default=14, show_default=True)
@click.option("--from", "start", metavar="TIME", help="RFC 3339 (default: now).")
@click.option("--to", "end", metavar="TIME", help="RFC 3339, instead of --days.")
@common.api_options
@common.json_option
def shifts(
    schedule: str,
    days: int,
    start: str | None,
    end: str | None,
    url: str,
    token: str | None,
    as_json: bool,
) -> None:
    """The final SCHEDULE: layers, overrides, swaps, leave and holidays put together."""
    asked = {"days": str(days)}
    asked |= {"start": iso(common.parse_time(start))} if start else {}
    asked |= {"end": iso(common.parse_time(end))} if end else {}
    path = f"/api/v1/schedules/{quote(schedule, safe='')}/shifts?{urlencode(asked)}"
    found = common.Api(url, token).get(path)
    if as_json:
        common.emit_json(found)
        return
    print_columns(SHIFT_TITLES, [_shift(s) for s in found], "no shifts")


def _shift(s: dict[str, Any]) -> tuple[object, ...]:
    who = listed(s["users"]) or "nobody"
    return s["start"], s["end"], who, listed(s["shadows"]), s["layer"], s["reason"]


@oncall.command()
@click.argument("schedule")
@click.option("--days", type=LONGEST_DAYS, default=84, show_default=True)
@common.api_options
@common.json_option
def shares(schedule: str, days: int, url: str, token: str | None, as_json: bool) -> None:
    """How the next weeks of SCHEDULE are shared: planned hours of each, and those out of hours."""
    path = f"/api/v1/schedules/{quote(schedule, safe='')}/shares?days={days}"
    found = common.Api(url, token).get(path)
    if as_json:
        common.emit_json(found)
        return
    rows = [(s["user"], f"{s['hours']:.1f}", f"{s['out_of_hours']:.1f}") for s in found]
    print_columns(("Who", "Hours", "Out of hours"), rows, "nobody is on this schedule")


@oncall.command()
@common.api_options
@common.json_option
def gaps(url: str, token: str | None, as_json: bool) -> None:
    """Hours of the next two weeks in which nobody is on call. Exit status 1 when there are any."""
    schedules = common.Api(url, token).get("/api/v1/schedules")
    found = [{"schedule": s["name"], **g} for s in schedules for g in s["gaps"]]
    if as_json:
        common.emit_json(found)
    else:
        rows = [(g["schedule"], g["start"], g["end"]) for g in found]
        print_columns(("Schedule", "From", "To"), rows, "no gaps in the next 14 days")
    if found:
        raise click.exceptions.Exit(1)


@oncall.command()
@click.option("--user", default="", help="Whose shifts (default: the token's owner).")
@click.option("--days", type=LONGEST_DAYS, default=28, show_default=True)
@common.api_options
@common.json_option
def mine(user: str, days: int, url: str, token: str | None, as_json: bool) -> None:
    """My shifts, in all schedules."""
    asked = urlencode({"days": str(days), **({"user": user} if user else {})})
    found = common.Api(url, token).get(f"/api/v1/shifts?{asked}")
    if as_json:
        common.emit_json(found)
        return
    rows = [(s["schedule"], *_shift(s)) for s in found]
    print_columns(("Schedule", *SHIFT_TITLES), rows, f"no shifts in the next {days} days")


@oncall.command()
@common.api_options
@common.json_option
def feeds(url: str, token: str | None, as_json: bool) -> None:
    """Addresses of calendars to subscribe to: every schedule, every person."""
    found = common.Api(url, token).get("/api/v1/feeds")
    if as_json:
        common.emit_json(found)
        return
    rows = [(f["kind"], f["name"], url.rstrip("/") + f["path"]) for f in found]
    print_columns(("Of", "Name", "Calendar"), rows, "no schedules and no users")


@oncall.command()
@click.option("--days", type=LONGEST_DAYS, default=30, show_default=True)
@common.api_options
@common.json_option
def load(days: int, url: str, token: str | None, as_json: bool) -> None:
    """What being on call cost, by rotation; never by person."""
    found = common.Api(url, token).get(f"/api/v1/load?days={days}")
    if as_json:
        common.emit_json(found)
        return
    names = ("pages", "out_of_hours", "interrupted_hours", "shifts_over_limit")
    rows = [(r["rotation"], *(r[n] for n in names), *map(_minutes, (r["mtta"], r["mttr"])))
            for r in found]  # fmt: skip
    titles = ("Rotation", "Pages", "Out of hours", "Hours", "Shifts over 2", "MTTA", "MTTR")
    print_columns(titles, rows, f"nobody was called in the last {days} days")


def _minutes(seconds: float | None) -> str:
    return "" if seconds is None else f"{seconds / 60:.1f} min"


@oncall.command()
@common.api_options
@common.json_option
def check(url: str, token: str | None, as_json: bool) -> None:
    """What would keep a page from reaching somebody. Exit status 1 when there is anything."""
    found = common.Api(url, token).get("/api/v1/audit/engine")
    if as_json:
        common.emit_json(found)
    else:
        print_columns(("Code", "What"), [(f["code"], f["text"]) for f in found], "all is well")
    if found:
        raise click.exceptions.Exit(1)


# ---------------------------------------------------------------- changing


def _change(
    schedule: str, body: dict[str, str], url: str, token: str | None, as_json: bool
) -> None:
    path = f"/api/v1/schedules/{quote(schedule, safe='*')}/changes"
    made: dict[str, Any] = common.Api(url, token).call("POST", path, body)
    if as_json:
        common.emit_json(made)
        return
    where = made["schedule"] or "all schedules"
    click.echo(f"{made['kind']} {made['id']} in {where}, {made['start']} to {made['end']}")


@oncall.command()
@click.argument("schedule")
@click.argument("user")
@click.option("--instead-of", default="", metavar="USER", help="Only where this person has it.")
@span_options
@common.api_options
@common.json_option
def override(
    schedule: str,
    user: str,
    instead_of: str,
    start: str | None,
    end: str | None,
    length: str | None,
    reason: str,
    url: str,
    token: str | None,
    as_json: bool,
) -> None:
    """USER takes over in SCHEDULE, from everybody or from one person."""
    body = {"kind": "override", "user": user, "replaces": instead_of, "reason": reason}
    _change(schedule, {**body, **span(start, end, length)}, url, token, as_json)


@oncall.command()
@click.argument("schedule")
@click.argument("whose")
@click.argument("user")
@span_options
@common.api_options
@common.json_option
def swap(
    schedule: str,
    whose: str,
    user: str,
    start: str | None,
    end: str | None,
    length: str | None,
    reason: str,
    url: str,
    token: str | None,
    as_json: bool,
) -> None:
    """The shifts of WHOSE in SCHEDULE go to USER for this time."""
    body = {"kind": "swap", "user": user, "replaces": whose, "reason": reason}
    _change(schedule, {**body, **span(start, end, length)}, url, token, as_json)


@oncall.command()
@click.argument("user")
@click.option("--stand-in", default="", metavar="USER", help="Default: the next in the rotation.")
@click.option("--schedule", default="*", show_default=True, help="'*' is all schedules.")
@span_options
@common.api_options
@common.json_option
def leave(
    user: str,
    stand_in: str,
    schedule: str,
    start: str | None,
    end: str | None,
    length: str | None,
    reason: str,
    url: str,
    token: str | None,
    as_json: bool,
) -> None:
    """USER is away: nothing calls them by a schedule in this time."""
    body = {"kind": "leave", "user": stand_in, "replaces": user, "reason": reason}
    _change(schedule, {**body, **span(start, end, length)}, url, token, as_json)


@oncall.command()
@click.argument("schedule")
@common.api_options
@common.json_option
def changes(schedule: str, url: str, token: str | None, as_json: bool) -> None:
    """Overrides, swaps and leave of SCHEDULE that are not over."""
    found = common.Api(url, token).get(f"/api/v1/schedules/{quote(schedule, safe='')}/changes")
    if as_json:
        common.emit_json(found)
        return
    rows = [
        (c["id"], c["kind"], c["start"], c["end"], c["user"], c["replaces"], c["reason"])
        for c in found
    ]
    titles = ("Change", "Kind", "From", "To", "Who", "Instead of", "Why")
    print_columns(titles, rows, "no changes")


@oncall.command()
@click.argument("change_id", metavar="CHANGE")
@common.api_options
def undo(change_id: str, url: str, token: str | None) -> None:
    """Take CHANGE back."""
    path = f"/api/v1/schedules/changes/{quote(change_id, safe='')}"
    common.Api(url, token).call("DELETE", path)
    click.echo(f"{change_id} is taken back")
