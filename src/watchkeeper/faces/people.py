"""What faces ask of people, tokens and the audit log; each use case one method.

Beside `Services`, and like it used by API and pages alike.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from watchkeeper.access import audit, people
from watchkeeper.access.audit import Search
from watchkeeper.access.model import Account, Role
from watchkeeper.access.people import NewAccount
from watchkeeper.kernel.clock import Clock
from watchkeeper.kernel.errors import UserError
from watchkeeper.store import Database
from watchkeeper.store.timeline import Event

MOST_LISTED = 1000


@dataclass
class People:
    """Accounts and the audit log."""

    db: Database
    clock: Clock

    def accounts(self) -> Sequence[Account]:
        """All accounts, by name."""
        with self.db.read() as conn:
            return people.every_account(conn)

    def account(self, name: str) -> Account:
        """One account. Raises NotFound."""
        with self.db.read() as conn:
            return people.account_named(conn, name)

    def add(self, new: NewAccount, actor: str) -> Account:
        """Make an account. Raises UserError."""
        return people.add_account(self.db, new, self.clock.now(), actor)

    def change(
        self,
        name: str,
        actor: str,
        *,
        role: Role | None = None,
        team_roles: Mapping[str, Role | None] | None = None,
        display_name: str | None = None,
        email: str | None = None,
        disabled: bool | None = None,
    ) -> Account:
        """Change what is given, all or nothing. Raises NotFound, UserError."""
        now = self.clock.now()
        with self.db.write() as conn:
            found = people.account_named(conn, name)
            if role is not None and role is not found.role:
                people.set_role(conn, name, role, now, actor)
            for team, given in (team_roles or {}).items():
                people.set_team_role(conn, name, team, given, now, actor)
            if display_name is not None or email is not None:
                shown = found.display_name if display_name is None else display_name
                mail = found.email if email is None else email
                people.set_names(conn, name, shown, mail, now, actor)
            if disabled is not None and disabled is found.active:
                (people.disable if disabled else people.enable)(conn, name, now, actor)
            return people.account_named(conn, name)

    def set_password(self, name: str, password: str, actor: str) -> None:
        """Set somebody's password; their sessions end. Raises NotFound, UserError."""
        people.set_password(self.db, name, password, self.clock.now(), actor)

    def audit(self, search: Search, before: int | None = None, limit: int = 100) -> Sequence[Event]:
        """Events of the timeline, the newest first. Raises UserError for a wrong interval."""
        if search.start is not None and search.end is not None and search.end <= search.start:
            raise UserError("The interval must end after it starts.", "Check 'from' and 'to'.")
        with self.db.read() as conn:
            return audit.find(conn, search, before, limit)
