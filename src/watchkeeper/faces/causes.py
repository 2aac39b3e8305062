"""What faces stand on for causes: each use case one method, one transaction."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass

from watchkeeper.causes import work
from watchkeeper.causes.accuracy import Accuracy
from watchkeeper.causes.model import Account, Kind, Label
from watchkeeper.causes.work import Saying
from watchkeeper.faces.services import Services
from watchkeeper.kernel.clock import Seconds, minute_of
from watchkeeper.kernel.errors import UserError


@dataclass(frozen=True, slots=True)
class Causes:
    """The use cases of causes."""

    services: Services

    def account(self, name: str, minutes: int | None = None) -> Account:
        """Where the budget of an SLO went. Raises NotFound, UserError."""
        services = self.services
        with services.db.read() as conn:
            return work.account(conn, services.specs(), name, services.clock.now(), minutes)

    def measured(self) -> list[Accuracy]:
        """How right attribution has been, by what people said."""
        with self.services.db.read() as conn:
            return work.measured(conn)

    def say(self, name: str, at: Seconds, said: Saying, author: str) -> Label:
        """A person says what caused the episode at this instant. Raises NotFound, UserError."""
        services, minute = self.services, minute_of(at)
        with services.db.write() as conn:
            return work.say(
                conn,
                services.specs(),
                name,
                minute,
                said,
                author,
                secrets.token_hex(6),
                services.clock.now(),
            )

    def unsay(self, name: str, label_id: str, author: str) -> None:
        """Take back what a person said. Raises NotFound."""
        with self.services.db.write() as conn:
            work.unsay(conn, name, label_id, author, self.services.clock.now())


def kind_of(written: str) -> Kind:
    """A kind of cause by its name. Raises UserError."""
    try:
        return Kind(written)
    except ValueError:
        raise UserError(
            f"There is no kind {written[:40]!r}.", f"One of {', '.join(KINDS)}."
        ) from None


KINDS: Sequence[str] = tuple(str(kind) for kind in Kind)
