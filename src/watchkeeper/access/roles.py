"""Roles, scopes and what they open: two tables and one question. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from watchkeeper.access.model import Account, Permission, Principal, Role, Scope, Token

ORDER: tuple[Role, ...] = (Role.VIEWER, Role.RESPONDER, Role.EDITOR, Role.ADMIN)

ROLE_SCOPES: Mapping[Role, frozenset[Scope]] = {
    Role.VIEWER: frozenset({Scope.READ}),
    Role.RESPONDER: frozenset({Scope.READ, Scope.RESPOND}),
    Role.EDITOR: frozenset({Scope.READ, Scope.RESPOND, Scope.WRITE, Scope.PUSH}),
    Role.ADMIN: frozenset(Scope),
}

SCOPE_OPENS: Mapping[Scope, frozenset[Permission]] = {
    Scope.READ: frozenset({Permission.READ}),
    Scope.PUSH: frozenset({Permission.PUSH}),
    Scope.RESPOND: frozenset({Permission.RESPOND}),
    Scope.WRITE: frozenset({Permission.RESPOND, Permission.EDIT}),
    Scope.ADMIN: frozenset({Permission.ADMINISTER}),
}


def may(principal: Principal, permission: Permission, team: str | None = None) -> bool:
    """True when ``permission`` is open to them: everywhere, or for what ``team`` owns.

    What belongs to no team (None) is open only to those who have the permission everywhere.
    Administering is never a matter of a team.
    """
    if opens(principal.scopes, permission):
        return True
    if team is None or permission is Permission.ADMINISTER:
        return False
    return opens(principal.teams.get(team, frozenset()), permission)


def opens(scopes: frozenset[Scope], permission: Permission) -> bool:
    """True when one of these scopes opens it."""
    return any(permission in SCOPE_OPENS[scope] for scope in scopes)


def principal_of(account: Account, token: Token | None = None) -> Principal:
    """An account as a principal; through a token, no more than both allow."""
    granted = frozenset(Scope) if token is None else token.scopes
    return Principal(
        name=account.name,
        scopes=ROLE_SCOPES[account.role] & granted,
        user=account.name,
        teams={team: ROLE_SCOPES[role] & granted for team, role in account.team_roles.items()},
        role=account.role,
        token=token.name if token else None,
    )
