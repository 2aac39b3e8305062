"""Names that nobody else gives."""

from __future__ import annotations

import itertools
import secrets


class Unique:
    """Calls give names of 32 hex digits that no other process gives. Unique, not secret: the next
    can be told from the last. Chance is asked once, because asking lets other threads in between.
    """

    def __init__(self) -> None:
        self._origin, self._numbers = secrets.token_hex(10), itertools.count()

    def __call__(self) -> str:
        """The next."""
        return f"{self._origin}{next(self._numbers):012x}"
