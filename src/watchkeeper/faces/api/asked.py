"""What every route of the API needs to know of a request."""

from __future__ import annotations

from starlette.requests import Request

from watchkeeper.access.model import Principal
from watchkeeper.kernel.errors import UserError


def actor(request: Request) -> str:
    """Who asks."""
    principal: Principal | None = request.state.principal
    return principal.name if principal else "unknown"


def plain(text: str) -> str:
    """A text that both databases keep. Raises UserError."""
    if "\0" in text or any("\ud800" <= c <= "\udfff" for c in text):
        raise UserError("A text holds a NUL or half a character.", "Send plain UTF-8.")
    return text
