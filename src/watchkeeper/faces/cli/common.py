"""What several commands share: options, loading specs, finding a database, asking a server."""

from __future__ import annotations

import contextlib
import json
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from watchkeeper.kernel.errors import UserError, WatchkeeperError

if TYPE_CHECKING:
    from watchkeeper.spec.model import Finding, Specs
    from watchkeeper.store import Database

F = TypeVar("F", bound=Callable[..., object])

DEFAULT_DB = "watchkeeper.db"
DEFAULT_URL = "http://127.0.0.1:8080"


def db_option(f: F) -> F:
    """``--db``: the database, from WATCHKEEPER_DB when not given."""
    return click.option(
        "--db",
        envvar="WATCHKEEPER_DB",
        metavar="URL",
        help=f"Database: a path or postgresql://… (default ./{DEFAULT_DB}; env WATCHKEEPER_DB).",
    )(f)


def specs_option(f: F) -> F:
    """``--specs``: where the specs are, from WATCHKEEPER_SPECS when not given."""
    return click.option(
        "--specs",
        "specs_dir",
        envvar="WATCHKEEPER_SPECS",
        default="specs",
        show_default=True,
        type=click.Path(path_type=Path),
        help="Directory of specs (env WATCHKEEPER_SPECS).",
    )(f)


def json_option(f: F) -> F:
    """``--json``: print JSON for scripts."""
    return click.option("--json", "as_json", is_flag=True, help="Print JSON for scripts.")(f)


def load_specs(path: Path) -> tuple[Specs, Sequence[Finding]]:
    """Read specs or fail with all that is wrong (exit status 2)."""
    from watchkeeper.spec import load

    if not path.exists():
        raise UserError(f"There is no {path}.", "Give the directory that holds your specs.")
    loaded = load(path)
    if loaded.specs is None:
        raise UserError(
            f"{len(loaded.errors)} error(s) in {path}:\n"
            + "\n".join(f"  {finding}" for finding in loaded.findings),
            "Mend them and try again.",
        )
    return loaded.specs, loaded.findings


@contextlib.contextmanager
def open_db(url: str | None, *, must_exist: bool = False) -> Iterator[Database]:
    """Open the database for the length of the block."""
    from watchkeeper.store import Database

    where = url or DEFAULT_DB
    if must_exist and "://" not in where and not Path(where).exists():
        raise UserError(
            f"There is no database at {where}.",
            "Give it with --db or WATCHKEEPER_DB; `wk serve` makes one.",
        )
    db = Database.open(where)
    try:
        yield db
    finally:
        db.close()


def parse_time(text: str) -> float:
    """An instant: RFC 3339 (``2026-11-23T14:00:00Z``; no zone means UTC) or epoch seconds."""
    try:
        return float(text)
    except ValueError:
        pass
    try:
        moment = datetime.fromisoformat(text.strip())
    except ValueError:
        raise UserError(
            f"{text!r} is not a time.", "Write it like 2026-11-23T14:00:00Z, or as epoch seconds."
        ) from None
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


def parse_length(text: str) -> float:
    """The seconds of a duration such as ``90s``, ``30m``, ``2h``, ``1d``; months on average."""
    from watchkeeper.kernel.duration import parse_duration

    try:
        return parse_duration(text).average_seconds
    except ValueError as error:
        raise UserError(f"{error}.", "Write a number and a unit: 30m, 2h, 1d.") from None


def emit_json(value: object) -> None:
    """Print a value as indented JSON."""
    click.echo(json.dumps(value, indent=2, ensure_ascii=False))


class Api:
    """A small client of our own server's API, on the standard library: it starts at once."""

    def __init__(self, url: str, token: str | None) -> None:
        self.url = url.rstrip("/")
        self.token = token

    def get(self, path: str) -> Any:  # noqa: ANN401 - whatever JSON holds
        """GET a JSON document."""
        return self.call("GET", path)

    def call(self, method: str, path: str, body: object = None) -> Any:  # noqa: ANN401 - whatever JSON holds
        """Send a request; answers outside 2xx become errors that say what to do."""
        text = self.content(method, path, body)
        return json.loads(text) if text else None

    def content(self, method: str, path: str, body: object = None) -> bytes:
        """The same, whatever the answer holds."""
        import urllib.error
        import urllib.request

        raw = isinstance(body, bytes)
        data = (
            body if isinstance(body, bytes) else None if body is None else json.dumps(body).encode()
        )
        request = urllib.request.Request(self.url + path, data=data, method=method)  # noqa: S310
        request.add_header("Accept", "application/json")
        if data is not None:
            kind = "application/octet-stream" if raw else "application/json"
            request.add_header("Content-Type", kind)
        if self.token:
            request.add_header("Authorization", f"Bearer {self.token}")
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310
                read: bytes = answer.read()
                return read
        except urllib.error.HTTPError as error:
            raise _http_error(error.code, error.read()) from None
        except (OSError, ValueError) as error:
            raise WatchkeeperError(
                f"No Watchkeeper answers at {self.url} ({getattr(error, 'reason', error)}).",
                "Start one with `wk serve`, give --url, or read a database with --db.",
            ) from None


def _http_error(code: int, body: bytes) -> WatchkeeperError:
    try:
        document = json.loads(body)
    except ValueError:
        document = {}
    message = str(document.get("error") or f"The server answered {code}.")
    hint = str(document.get("hint") or "")
    if code == 401:
        hint = "Give a token with --token or WATCHKEEPER_TOKEN; `wk token create` makes one."
    return UserError(message, hint) if 400 <= code < 500 else WatchkeeperError(message, hint)


def api_options(f: F) -> F:
    """``--url`` and ``--token``."""
    url = click.option(
        "--url",
        envvar="WATCHKEEPER_URL",
        default=DEFAULT_URL,
        show_default=True,
        help="The server (env WATCHKEEPER_URL).",
    )
    token = click.option(
        "--token",
        envvar="WATCHKEEPER_TOKEN",
        help="API token (env WATCHKEEPER_TOKEN).",
    )
    return url(token(f))


def actor() -> str:
    """Who runs this command, for the timeline."""
    return os.environ.get("USER") or os.environ.get("LOGNAME") or f"uid {os.getuid()}"


def out_is_terminal() -> bool:
    """True when a person reads the output."""
    return sys.stdout.isatty()
