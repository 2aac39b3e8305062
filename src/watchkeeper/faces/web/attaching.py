"""A file that a page sends: read up to the largest that is taken, and never kept on the way."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Protocol

from starlette.concurrency import run_in_threadpool
from starlette.datastructures import UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.requests import Request
from starlette.responses import Response

from watchkeeper.faces.channel import capped
from watchkeeper.faces.guard import same_origin
from watchkeeper.faces.web.routes import Handlers
from watchkeeper.kernel.errors import UserError, WatchkeeperError

FORM = 32_768
"""Bytes of a form around its file."""


class Attaches(Protocol):
    """Handlers that take a file."""

    others: Handlers

    def attach(self, request: Request, name: str, content: bytes, text: str) -> Response:
        """Keep it."""
        ...


def attaching(its: Attaches) -> Callable[[Request], Awaitable[Response]]:
    """The handler of a form with a file; refused when another site sends it."""

    async def answer(request: Request) -> Response:
        if not same_origin(request.headers):
            return await run_in_threadpool(its.others.foreign, request)
        try:
            name, content, text = await _sent(request)
            return await run_in_threadpool(its.attach, request, name, content, text)
        except WatchkeeperError as error:
            if request.headers.get("hx-request") == "true":
                return Response(f"{error.message} {error.hint}".strip(), error.http_status)
            return await run_in_threadpool(its.others.trouble, request, error)

    return answer


async def _sent(request: Request) -> tuple[str, bytes, str]:
    if not request.headers.get("content-type", "").startswith("multipart/form-data"):
        raise UserError("No file was sent.", "Choose one.")
    parser = MultiPartParser(
        request.headers, capped(request.stream(), FORM), max_files=1, max_fields=5
    )
    try:
        form = await parser.parse()
    except (MultiPartException, KeyError):
        raise UserError("The form cannot be read.", "Send one file, as a form does.") from None
    file, text = form.get("file"), form.get("text", "")
    if not isinstance(file, UploadFile) or not file.filename:
        raise UserError("No file was sent.", "Choose one.")
    try:
        return file.filename, await file.read(), text if isinstance(text, str) else ""
    finally:
        await form.close()
