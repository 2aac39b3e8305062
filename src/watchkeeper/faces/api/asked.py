"""What every route of the API needs to know of a request."""

from __future__ import annotations

from starlette.requests import Request

from watchkeeper.access.model import Principal


def actor(request: Request) -> str:
    """Who asks."""
    principal: Principal | None = request.state.principal
    return principal.name if principal else "unknown"


def plain(text: str) -> str:
    """Text without zero characters, of which PostgreSQL keeps none."""
    return text.replace("\0", "")
