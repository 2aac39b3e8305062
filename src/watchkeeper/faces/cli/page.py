"""`wk page`: the pages that call people, and every answer to them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any
from urllib.parse import urlencode

import click

from watchkeeper.faces.cli import common
from watchkeeper.faces.cli.columns import listed, print_columns
from watchkeeper.kernel.clock import iso
from watchkeeper.kernel.errors import UserError

page_id = click.argument("page_id", metavar="PAGE", type=click.IntRange(1))
page_ids = click.argument(
    "page_ids", metavar="PAGE...", nargs=-1, required=True, type=click.IntRange(1)
)
whom = click.argument("whom", nargs=-1, required=True)
MOST_SNOOZE = 30 * 86_400.0
A_TIME = 1e9
"""Numbers in a story from here on are instants."""


@click.group()
def page() -> None:
    """See and answer pages of a running server, in the name of the token's owner."""


@page.command("list")
@click.option(
    "--state",
    "states",
    multiple=True,
    type=click.Choice(["open", "acked", "resolved"]),
    default=("open", "acked"),
    show_default=True,
    help="May be given again.",
)
@click.option("--before", type=click.IntRange(1), help="Only pages with smaller numbers: paging.")
@click.option("--limit", type=click.IntRange(1, 1000), default=100, show_default=True)
@common.api_options
@common.json_option
def list_(
    states: tuple[str, ...],
    before: int | None,
    limit: int,
    url: str,
    token: str | None,
    as_json: bool,
) -> None:
    """List pages, newest first."""
    asked = [("state", s) for s in states] + [("limit", str(limit))]
    asked += [("before", str(before))] if before else []
    found = common.Api(url, token).get(f"/api/v1/pages?{urlencode(asked)}")
    if as_json:
        common.emit_json(found)
        return
    titles = ("Page", "State", "Urgency", "Opened", "Who has it", "Next step", "Title")
    print_columns(titles, [_row(p) for p in found], "no pages")


def _row(p: dict[str, Any]) -> tuple[object, ...]:
    drill = "drill: " if p["kind"] == "drill" else ""
    alerts = f" ({p['alerts']} alerts)" if p["alerts"] > 1 else ""
    has = (p["resolved_by"] if p["state"] == "resolved" else p["acked_by"]) or ""
    urgency, opened, after = p["urgency"], p["opened_at"], p["next_step_at"]
    title = f"{drill}{p['title']}{alerts}"
    return f"#{p['id']}", p["state"], urgency, opened, has, after, title


@page.command()
@page_id
@common.api_options
@common.json_option
def show(page_id: int, url: str, token: str | None, as_json: bool) -> None:
    """One page: who has it, what comes next, its alerts, messages and story."""
    found = common.Api(url, token).get(f"/api/v1/pages/{page_id}")
    if as_json:
        common.emit_json(found)
        return
    click.secho(f"#{found['id']} {found['title']}", bold=True)
    click.echo(f"  {_stands(found)}")
    for name in ("service", "urgency", "escalation_policy", "opened_at", "next_step_at"):
        if found[name]:
            click.echo(f"  {name.replace('_', ' ')}: {found[name]}")
    for a in found["alerts"]:
        click.echo(f"  alert {a['id']}  {a['state']}  {a['severity']}  {a['summary']}")
    for d in found["deliveries"]:
        click.echo(f"  {d['sent_at'] or d['due_at']}  {_message(d)}")
    for event in found["events"]:
        said = "  ".join(f"{k}={_said(v)}" for k, v in event["data"].items() if v not in ("", []))
        click.echo(f"  {event['at']}  {event['kind']} by {event['actor']}  {said}".rstrip())


def _stands(p: dict[str, Any]) -> str:
    if p["state"] == "resolved":
        return f"resolved by {p['resolved_by']} at {p['resolved_at']}"
    if p["snoozed_until"]:
        return f"snoozed by {p['acked_by']} until {p['snoozed_until']}"
    if p["state"] == "acked":
        return f"{p['acked_by']} has it since {p['acked_at']}"
    return "nobody has it"


def _message(d: dict[str, Any]) -> str:
    to = f"{d['user']} by {d['channel']}" if d["user"] else f"{d['channel']} {d['address']}"
    twice = ", perhaps twice" if d["maybe_duplicate"] else ""
    why = f": {d['outcome']}" if d["outcome"] else ""
    return f"message {d['state']}{twice} to {to}{why}"


def _said(value: object) -> str:
    if isinstance(value, float) and value > A_TIME:
        return iso(value)
    return listed(value) if isinstance(value, list) else str(value)


def _answer(page_id: int, act: str, body: object, url: str, token: str | None) -> Any:  # noqa: ANN401 - whatever JSON holds
    return common.Api(url, token).call("POST", f"/api/v1/pages/{page_id}/{act}", body)


def _say(done: object, as_json: bool, line: str) -> None:
    common.emit_json(done) if as_json else click.echo(line)


def _each(
    numbers: Sequence[int],
    act: str,
    said: Callable[[dict[str, Any]], str],
    api: common.Api,
    as_json: bool,
) -> None:
    """Answer page by page, and say of each what was done: a later one may fail."""
    done = []
    for number in numbers:
        done.append(api.call("POST", f"/api/v1/pages/{number}/{act}"))
        if not as_json:
            click.echo(said(done[-1]))
    if as_json:
        common.emit_json(done)


@page.command()
@page_ids
@common.api_options
@common.json_option
def ack(page_ids: tuple[int, ...], url: str, token: str | None, as_json: bool) -> None:
    """I have it: nobody is called any more."""
    _each(page_ids, "ack", _acknowledged, common.Api(url, token), as_json)


def _acknowledged(p: dict[str, Any]) -> str:
    again = f"; calls again at {p['next_step_at']}" if p["next_step_at"] else ""
    return f"page #{p['id']} acknowledged by {p['acked_by']}{again}"


@page.command()
@page_ids
@common.api_options
@common.json_option
def resolve(page_ids: tuple[int, ...], url: str, token: str | None, as_json: bool) -> None:
    """It is over: its alerts close, those who were called are told."""
    _each(page_ids, "resolve", _resolved, common.Api(url, token), as_json)


def _resolved(p: dict[str, Any]) -> str:
    return f"page #{p['id']} resolved by {p['resolved_by']}"


@page.command()
@page_id
@click.option("--for", "length", required=True, metavar="DURATION", help="E.g. 30m, 4h, 1d.")
@common.api_options
@common.json_option
def snooze(page_id: int, length: str, url: str, token: str | None, as_json: bool) -> None:
    """I have it; call again after this time."""
    seconds = common.parse_length(length)
    if not 60 <= seconds <= MOST_SNOOZE:
        raise UserError(f"A page cannot be snoozed for {length}.", "Give from 1m to 30d.")
    done = _answer(page_id, "snooze", {"seconds": seconds}, url, token)
    _say(done, as_json, f"page #{page_id} snoozed until {done['snoozed_until']}")


@page.command()
@page_id
@whom
@click.option("--note", default="", help="What they should know.")
@common.api_options
@common.json_option
def reassign(
    page_id: int, whom: tuple[str, ...], note: str, url: str, token: str | None, as_json: bool
) -> None:
    """Call WHOM instead: a user, schedule:NAME, team:NAME or channel:NAME@ADDRESS."""
    done = _answer(page_id, "reassign", {"to": list(whom), "note": note}, url, token)
    _say(done, as_json, f"page #{page_id} calls {listed(whom)} now")


@page.command("add")
@page_id
@whom
@common.api_options
@common.json_option
def add_responders(
    page_id: int, whom: tuple[str, ...], url: str, token: str | None, as_json: bool
) -> None:
    """Call WHOM as well; the escalation goes on as it is."""
    done = _answer(page_id, "responders", {"to": list(whom)}, url, token)
    _say(done, as_json, f"page #{page_id} calls {listed(done['called'])} as well")


@page.command()
@page_id
@click.argument("text")
@common.api_options
def note(page_id: int, text: str, url: str, token: str | None) -> None:
    """Write TEXT into the page's story, for whoever comes next."""
    _answer(page_id, "notes", {"text": text}, url, token)
    click.echo(f"noted at page #{page_id}")
