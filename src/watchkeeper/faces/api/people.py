"""`/api/v1/users`, `/api/v1/me` and `/api/v1/audit`."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from watchkeeper.access import audit
from watchkeeper.access.audit import MOST_EXPORTED, Search
from watchkeeper.access.model import Account, Principal, Role
from watchkeeper.access.people import NewAccount
from watchkeeper.faces.api import render
from watchkeeper.faces.api.asked import actor
from watchkeeper.faces.people import MOST_LISTED, People
from watchkeeper.faces.services import Services
from watchkeeper.kernel.clock import iso

Text = Annotated[str, Field(max_length=300)]
Word = Annotated[str, Query(max_length=500)]


class UserIn(BaseModel):
    """A new account."""

    model_config = ConfigDict(extra="forbid")

    name: Text
    password: Annotated[str, Field(max_length=300, repr=False)]
    role: Role = Role.VIEWER
    team_roles: dict[str, Role] = {}
    display_name: Text = ""
    email: Text = ""


class UserChange(BaseModel):
    """What to change of an account; what is not given stays. A team role of null is taken back."""

    model_config = ConfigDict(extra="forbid")

    role: Role | None = None
    team_roles: dict[str, Role | None] = {}
    display_name: Text | None = None
    email: Text | None = None
    disabled: bool | None = None


class PasswordIn(BaseModel):
    """Another password."""

    model_config = ConfigDict(extra="forbid")

    password: Annotated[str, Field(max_length=300, repr=False)]


def people_routes(router: APIRouter, services: Services) -> None:
    """Add the routes."""
    people = People(services.db, services.clock)
    _users(router, people)
    _audit(router, people)

    @router.get("/me", tags=["people"])
    def me(request: Request) -> dict[str, Any]:
        """Who asks, and what is open to them."""
        asking: Principal = request.state.principal
        return {
            "name": asking.name,
            "user": asking.user,
            "token": asking.token,
            "role": asking.role,
            "scopes": sorted(asking.scopes),
            "team_scopes": {team: sorted(s) for team, s in asking.teams.items()},
        }


def _users(router: APIRouter, people: People) -> None:
    @router.get("/users", tags=["people"])
    def list_users(response: Response) -> list[dict[str, Any]]:
        """Every account, disabled ones too."""
        found = people.accounts()
        response.headers["X-Total-Count"] = str(len(found))
        return [user_json(a) for a in found]

    @router.post("/users", status_code=201, tags=["people"])
    def add_user(body: UserIn, request: Request) -> dict[str, Any]:
        """Add a person."""
        new = NewAccount(
            body.name, body.password, body.role, body.display_name, body.email, body.team_roles
        )
        return user_json(people.add(new, actor(request)))

    @router.get("/users/{name}", tags=["people"])
    def get_user(name: str) -> dict[str, Any]:
        """One account."""
        return user_json(people.account(name))

    @router.patch("/users/{name}", tags=["people"])
    def change_user(name: str, body: UserChange, request: Request) -> dict[str, Any]:
        """Change roles or names, disable, enable."""
        return user_json(
            people.change(
                name,
                actor(request),
                role=body.role,
                team_roles=body.team_roles,
                display_name=body.display_name,
                email=body.email,
                disabled=body.disabled,
            )
        )

    @router.post("/users/{name}/password", status_code=204, tags=["people"])
    def set_password(name: str, body: PasswordIn, request: Request) -> Response:
        """Set a password; all of the person's sessions end."""
        people.set_password(name, body.password, actor(request))
        return Response(status_code=204)


def _audit(router: APIRouter, people: People) -> None:
    @router.get("/audit", tags=["audit"])
    def read_audit(
        actor: Word = "",
        subject: Word = "",
        kind: Word = "",
        start: Annotated[str, Query(alias="from", max_length=40)] = "",
        end: Annotated[str, Query(alias="to", max_length=40)] = "",
        before: Annotated[int | None, Query(ge=1, le=2**62)] = None,
        limit: Annotated[int, Query(ge=1, le=MOST_LISTED)] = 100,
    ) -> list[dict[str, Any]]:
        """Who did what, the newest first; go on with `before` = the last `id`.

        `subject` and `kind` may end in `*`. Times are RFC 3339; `to` is excluded.
        """
        found = people.audit(_search(actor, subject, kind, start, end), before, limit)
        return list(audit.rows(found))

    @router.get("/audit.csv", tags=["audit"], response_class=Response)
    def export_audit(
        actor: Word = "",
        subject: Word = "",
        kind: Word = "",
        start: Annotated[str, Query(alias="from", max_length=40)] = "",
        end: Annotated[str, Query(alias="to", max_length=40)] = "",
        before: Annotated[int | None, Query(ge=1, le=2**62)] = None,
    ) -> Response:
        """The same as CSV, up to 100,000 rows."""
        found = people.audit(_search(actor, subject, kind, start, end), before, MOST_EXPORTED)
        return Response(audit.to_csv(found), media_type="text/csv; charset=utf-8")


def _search(actor: str, subject: str, kind: str, start: str, end: str) -> Search:
    return Search(
        actor,
        subject,
        kind,
        render.seconds(start) if start else None,
        render.seconds(end) if end else None,
    )


def user_json(account: Account) -> dict[str, Any]:
    """An account as JSON: never the password's hash."""
    return {
        "name": account.name,
        "display_name": account.display_name,
        "email": account.email,
        "role": account.role,
        "team_roles": dict(account.team_roles),
        "created_at": iso(account.created_at),
        "disabled_at": None if account.disabled_at is None else iso(account.disabled_at),
    }
