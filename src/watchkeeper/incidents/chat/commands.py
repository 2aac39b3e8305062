"""What a line that begins with `/` asks for. Pure: it says what is meant; others do it.

From other chats a line may begin with `!` as well, because those keep `/` for themselves.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, time
from difflib import get_close_matches

from watchkeeper.incidents.model import IncidentState
from watchkeeper.kernel.clock import Seconds
from watchkeeper.kernel.duration import parse_duration
from watchkeeper.kernel.errors import UserError

MARKS = ("/", "!")
_KEY = re.compile(r"([A-Za-z_][\w-]*)=(\S*)")
_NAME = re.compile(r"[A-Za-z][\w-]*")


@dataclass(frozen=True, slots=True)
class Help:
    """One command for people: how it is written, and what it does."""

    name: str
    usage: str
    does: str


HELP: Sequence[Help] = (
    Help("sev", "/sev 1 [why]", "changes the severity"),
    Help("state", "/state identified [why]", f"changes the state: {', '.join(IncidentState)}"),
    Help("resolve", "/resolve [why]", "says that it is over"),
    Help("role", "/role ops @ann", "gives a role; @me takes it, nobody empties it"),
    Help("update", "/update [public] TEXT", "posts a status update"),
    Help("run", "/run NAME [key=value …]", "runs a mitigation"),
    Help("note", "/note TEXT", "writes a note"),
    Help("decision", "/decision TEXT", "writes down what was decided"),
    Help("action", "/action TEXT [@owner] [due 5d]", "makes an action item"),
    Help("help", "/help", "shows this list, to you alone"),
)
NAMES = tuple(h.name for h in HELP)
ALSO: Mapping[str, str] = {
    "severity": "sev", "status": "state", "resolved": "resolve", "assign": "role",
    "decided": "decision", "todo": "action", "commands": "help", "?": "help",
}  # fmt: skip
"""Other words that people try first."""


@dataclass(frozen=True, slots=True)
class Sev:
    """Another severity."""

    severity: str
    why: str = ""


@dataclass(frozen=True, slots=True)
class Move:
    """Another state."""

    state: str
    why: str = ""


@dataclass(frozen=True, slots=True)
class Give:
    """A role for ``user`` as written; ``me`` is who writes, '' is nobody."""

    role: str
    user: str


@dataclass(frozen=True, slots=True)
class Post:
    """A status update."""

    text: str
    public: bool = False


@dataclass(frozen=True, slots=True)
class Run:
    """A mitigation with its parameters."""

    name: str
    parameters: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Write:
    """An entry of the timeline: ``kind`` is note or decision."""

    kind: str
    text: str


@dataclass(frozen=True, slots=True)
class Todo:
    """An action item. ``owner`` as written, '' nobody; ``due_at`` None: by the severity."""

    text: str
    owner: str = ""
    due_at: Seconds | None = None


@dataclass(frozen=True, slots=True)
class Ask:
    """What commands there are."""


Command = Sev | Move | Give | Post | Run | Write | Todo | Ask


def is_command(text: str, marks: Sequence[str] = MARKS[:1]) -> bool:
    """True for a line that asks for something. `//` begins a message that begins with `/`."""
    said = text.lstrip()
    word = said[1:].split(maxsplit=1)[0] if said[1:2].strip() else ""
    if said[:1] not in marks or not said:
        return False
    if said[0] == "/":  # a path is no command: `/var/log is full`
        return bool(_NAME.fullmatch(word)) or word == "?"
    # An exclamation is none either; a command that is mistyped is.
    return bool(get_close_matches(word.casefold(), [*NAMES, *ALSO], 1, 0.75))


def plain(text: str) -> str:
    """The message that is meant by a text that is no command."""
    return text[1:] if text.startswith("//") else text


def parse(text: str, now: Seconds) -> Command:
    """What a line asks for. Raises UserError, with the nearest command for one mistyped."""
    word, said = [*text.strip()[1:].split(maxsplit=1), "", ""][:2]
    name = ALSO.get(word.casefold(), word.casefold())
    match name:
        case "sev":
            severity, why = _first(said, "sev")
            return Sev(severity, why)
        case "state":
            state, why = _first(said, "state")
            return Move(state, why)
        case "resolve":
            return Move(str(IncidentState.RESOLVED), said)
        case "role":
            return _give(said)
        case "update":
            return _post(said)
        case "run":
            return _run(said)
        case "note" | "decision":
            return Write(name, _text(said, name))
        case "action":
            return _todo(said, now)
        case "help":
            return Ask()
        case _:
            raise unknown(name)


def unknown(name: str) -> UserError:
    """There is no such command; perhaps another was meant."""
    near = get_close_matches(name, [*NAMES, *ALSO], 1, 0.5)
    meant = ALSO.get(near[0], near[0]) if near else ""
    if meant:
        return UserError(f"There is no command /{name}.", f"Did you mean {usage(meant)}?")
    return UserError(f"There is no command /{name}.", "/help lists them; // begins a message.")


def usage(name: str) -> str:
    """How a command is written."""
    return next(h.usage for h in HELP if h.name == name)


def listing() -> str:
    """All commands, a line each."""
    width = max(len(h.usage) for h in HELP)
    return "\n".join(f"{h.usage:<{width}}  {h.does}" for h in HELP)


def _text(said: str, name: str) -> str:
    if not said:
        raise UserError(f"/{name} has no text.", f"Write it like {usage(name)}")
    return said


def _first(said: str, name: str) -> tuple[str, str]:
    found, rest = [*_text(said, name).split(maxsplit=1), ""][:2]
    return found, rest


def _give(said: str) -> Give:
    words = said.split()
    if len(words) < 2:
        raise UserError("/role needs a role and a person.", f"Write it like {usage('role')}")
    # The person comes last, so that a role may be written by its title: `Incident Commander`.
    *role, user = words
    user = user.lstrip("@")
    return Give(" ".join(role), "" if user.casefold() in ("nobody", "none", "-") else user)


def _post(said: str) -> Post:
    first, rest = [*said.split(maxsplit=1), "", ""][:2]
    public = first.casefold() == "public"
    return Post(_text(rest if public else said, "update"), public)


def _run(said: str) -> Run:
    name, *words = _text(said, "run").split()
    found: dict[str, str] = {}
    for word in words:
        pair = _KEY.fullmatch(word)
        if pair is None:
            raise UserError(f"{word!r} is no parameter.", f"Write it like {usage('run')}")
        if pair[1] in found:
            raise UserError(f"{pair[1]!r} is given twice.", "Give it once.")
        found[pair[1]] = pair[2]
    return Run(name, found)


def _todo(said: str, now: Seconds) -> Todo:
    words = _text(said, "action").split()
    due_at = None
    if len(words) > 1 and words[-2].casefold() == "due":
        due_at, words = _due(words[-1], now), words[:-2]
    owners = [w for w in words if re.fullmatch(r"@[\w.+:-]+", w)]
    if len(owners) > 1:
        raise UserError(
            f"An action item has one owner, not {', '.join(owners)}.", "Name who sees to it."
        )
    text = " ".join(w for w in words if w not in owners)
    return Todo(_text(text, "action"), owners[0][1:] if owners else "", due_at)


def _due(written: str, now: Seconds) -> Seconds:
    try:
        if re.fullmatch(r"\d{4}-\d\d-\d\d", written):
            day = datetime.fromisoformat(written).date()
            at = datetime.combine(day, time(23, 59), UTC).timestamp()
        else:
            at = now + parse_duration(written).average_seconds
    except (ValueError, OverflowError):
        raise UserError(
            f"{written!r} is no time.", "Write due 2026-12-24, or due 5d for five days from now."
        ) from None
    if at <= now:
        raise UserError(f"{written} is in the past.", "Give a day to come.")
    return at
