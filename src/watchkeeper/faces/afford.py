"""What faces stand on for what can be afforded: one use case."""

from __future__ import annotations

from dataclasses import dataclass

from watchkeeper.faces.services import Services
from watchkeeper.policy import affording, rules
from watchkeeper.policy.affording import HISTORY_DAYS, Afford


@dataclass(frozen=True, slots=True)
class Affording:
    """The use case, over the same services as every page."""

    services: Services

    def of(self, service: str, slo: str = "", days: int = HISTORY_DAYS) -> Afford:
        """What a service can afford. Raises NotFound, UserError."""
        posting, now = self.services.posting(), self.services.clock.now()
        by_slo = rules.by_definition(posting.fleet.statuses)
        with self.services.db.read() as conn:
            return affording.afford_of(conn, posting.specs, service, by_slo, now, slo, days)
