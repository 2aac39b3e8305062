"""Places and findings: where something was written, and what is wrong with it. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


@dataclass(frozen=True, slots=True, order=True)
class Place:
    """Where something was written: file as given by the user, 1-based line and column."""

    file: str
    line: int = 1
    column: int = 1

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}"


class Severity(StrEnum):
    """How bad a finding is: an error keeps the specs from being used."""

    ERROR = "error"
    WARNING = "warning"


@dataclass(frozen=True, slots=True)
class Finding:
    """One problem found in the specs: where, what, what was expected, how to fix.

    ``str()`` gives ``file:line:col: error: what; expected …; how to fix [code]``.
    """

    place: Place
    severity: Severity
    code: str
    message: str
    expected: str = ""
    fix: str = ""

    def __str__(self) -> str:
        expected = f"; expected {self.expected}" if self.expected else ""
        fix = f"; {self.fix}" if self.fix else ""
        said = f"{self.message}{expected}{fix}"
        return f"{self.place}: {self.severity}: {on_one_line(said)} [{self.code}]"


def on_one_line(said: str) -> str:
    """The text with what breaks a line, or cannot be seen, written as its escape (``\\n``).

    What is quoted in a finding is the user's own text; a key may hold a line break.
    """
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in said)
