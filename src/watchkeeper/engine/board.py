"""The board: the last evaluated state of the fleet, which faces read and wait on."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from watchkeeper.kernel.clock import Seconds
from watchkeeper.oncall.audit import Fault
from watchkeeper.slo.model import Fleet
from watchkeeper.spec.model import Finding, Specs

EMPTY_SPECS = Specs({}, {}, {}, {}, {}, {})


@dataclass(frozen=True, slots=True)
class Posting:
    """One state of the board. ``number`` grows with each posting.

    ``broken``: promises of the engine that the last audit found broken; ``weak``: what would keep a
    page from reaching somebody.
    """

    number: int = 0
    specs: Specs = EMPTY_SPECS
    fleet: Fleet = field(default_factory=lambda: Fleet((), 0.0, 0))
    findings: Sequence[Finding] = ()
    reload_problem: Sequence[Finding] = ()
    trouble: str = ""
    ticked_at: Seconds = 0.0
    broken: Sequence[Fault] = ()
    weak: Sequence[Fault] = ()


class Board:
    """Holds the latest posting; readers take it whole, waiters wake when it changes."""

    def __init__(self) -> None:
        self._posting = Posting()
        self._changed = threading.Condition()
        self.evaluating = threading.Lock()
        """Held from reading the ledger until the fleet is posted: else what a tick read before a
        change could be posted after what was read because of it, and seem to undo it."""

    @property
    def posting(self) -> Posting:
        """The latest posting; never changes under the reader's hands."""
        return self._posting

    def post(self, **changes: object) -> Posting:
        """Replace the named fields, raise the number, wake those who wait."""
        with self._changed:
            changed = replace(self._posting, number=self._posting.number + 1, **changes)  # type: ignore[arg-type]
            self._posting = changed
            self._changed.notify_all()
        return changed

    def wait(self, seen: int, timeout: float) -> Posting:
        """Return when the number differs from ``seen``, or after ``timeout`` seconds."""
        with self._changed:
            self._changed.wait_for(lambda: self._posting.number != seen, timeout)
            return self._posting
