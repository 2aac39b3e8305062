"""The `wk` command: finds the subcommand and imports only that."""

from __future__ import annotations

import importlib
import sys

import click

from watchkeeper import __version__
from watchkeeper.kernel.errors import WatchkeeperError

COMMANDS: dict[str, tuple[str, str]] = {
    "action": ("action:action", "Action items: what was promised so that it does not recur."),
    "afford": ("afford:afford", "What changes cost, how many more fit, what targets mean."),
    "alert": ("alert:alert", "Find, send and close alerts."),
    "audit": ("audit:audit", "Who did what, when: search and export the audit log."),
    "backtest": ("backtest:backtest", "What alert policies would have done over a history."),
    "calc": ("calc:calc", "What a target allows, in time and events."),
    "change": ("change:change", "Changes: record, list, end; what to look at first."),
    "causes": ("causes:causes", "Where a budget went, and what people say of it."),
    "channel": ("channel:channel", "The ways to send: last outcomes, test messages."),
    "completion": ("completion:completion", "Print the completion script of your shell."),
    "contact": ("channel:contact", "How people are reached, and proof that it works."),
    "correct": ("correct:correct", "Exclude an interval from an SLO, with a reason."),
    "drill": ("drill:drill", "Fire drills: real pages that must be answered."),
    "evaluate": ("evaluate:evaluate", "Evaluate a directory once, without a server."),
    "export": ("convert:export", "Write specs in another form (OpenSLO)."),
    "gate": ("gate:gate", "May a release go out? Error budgets decide."),
    "generate": ("generate:generate", "Make Prometheus rules or Grafana dashboards."),
    "heartbeat": ("heartbeat:heartbeat", "What must report, and how it is doing."),
    "import": ("convert:import_", "Read Sloth, Pyrra or OpenSLO files into a directory."),
    "incident": ("incident:incident", "Incidents: declare, lead, tell, end."),
    "integration": ("alert:integration", "Doors for other systems' alerts, and their keys."),
    "learn": ("learn:learn", "What recurred, what has held, how incidents go."),
    "ledger": ("ledger:ledger", "Import and export measured counts."),
    "lint": ("lint:lint", "Check a directory of specs; every problem at once."),
    "mitigate": ("mitigate:mitigate", "What may help in an incident: look, try, run."),
    "oncall": ("oncall:oncall", "Who is on call; overrides, swaps and leave."),
    "page": ("page:page", "See and answer pages."),
    "postmortem": ("postmortem:postmortem", "Write, check, review and find postmortems."),
    "review": ("review:review", "The week of a team, beside the week before."),
    "schema": ("lint:schema", "Print the JSON Schema of what you write, for editors."),
    "serve": ("serve:serve", "Run the server: engine, pages and API."),
    "silence": ("alert:silence", "Call nobody for some alerts, for a time."),
    "simulate": ("simulate:simulate", "Who would be paged, when, by what: scenarios for CI."),
    "status": ("status:status", "Show the state of every SLO."),
    "status-page": ("status_page:status_page", "Status pages: show, export, subscribers."),
    "token": ("token:token", "Make, list and revoke API tokens."),
    "verify": ("verify:verify", "Timelines are unaltered; action items are in their trackers."),
    "user": ("user:user", "Add people, give them roles and passwords."),
}


class LazyGroup(click.Group):
    """A group that imports a command's module only when the command is used."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """All names, without importing anything."""
        return sorted(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import and return one command."""
        target = COMMANDS.get(cmd_name)
        if target is None:
            return None
        module, attribute = target[0].split(":")
        found = getattr(importlib.import_module(f"watchkeeper.faces.cli.{module}"), attribute)
        return found if isinstance(found, click.Command) else None

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """As click's, but a mistyped name is answered with the nearest known one."""
        if args and args[0] not in COMMANDS and not args[0].startswith("-"):
            import difflib

            near = difflib.get_close_matches(args[0], COMMANDS, 1)
            hint = f" Did you mean `wk {near[0]}`?" if near else " `wk --help` lists them all."
            ctx.fail(f"There is no command {args[0]!r}.{hint}")
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The list in `--help`, from the short texts above."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, COMMANDS[name][1]) for name in sorted(COMMANDS)])


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, "-V", "--version", prog_name="watchkeeper")
def cli() -> None:
    """Watchkeeper: SLOs, budgets and what they oblige, in one system."""


def main() -> None:
    """Entry point: renders our errors as text and turns them into exit statuses."""
    try:
        # What a command exits with is returned here, not raised.
        status = cli.main(standalone_mode=False)
    except click.ClickException as error:
        error.show()
        sys.exit(2)
    except click.Abort:
        click.echo("stopped", err=True)
        sys.exit(130)
    except WatchkeeperError as error:
        click.echo(f"error: {error}", err=True)
        sys.exit(error.exit_status)
    except BrokenPipeError:
        sys.stderr.close()
        sys.exit(0)
    sys.exit(status if isinstance(status, int) else 0)


if __name__ == "__main__":
    main()
