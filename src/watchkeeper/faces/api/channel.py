"""The API of an incident's channel: commands, files, rooms in other chats."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Request, Response
from pydantic import Field
from starlette.concurrency import run_in_threadpool

from watchkeeper.faces.api.asked import plain
from watchkeeper.faces.api.incidents import TAG, Id, Strict, by, entry_json
from watchkeeper.faces.channel import MOST_COMMAND, Channel, RoomState, capped, headers_of
from watchkeeper.incidents.chat.files import FileInfo
from watchkeeper.kernel.clock import iso

FileId = Annotated[int, Path(ge=1, le=2**53)]
RAW = {"requestBody": {"required": True, "content": {"application/octet-stream": {}}}}
FILE: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "The file as it was attached.",
        "content": {"application/octet-stream": {}},
    }
}


class CommandIn(Strict):
    """A command as people write it: `/sev 1`."""

    text: str = Field(min_length=1, max_length=MOST_COMMAND)


def channel_routes(router: APIRouter, channel: Channel) -> None:
    """Add the routes."""

    @router.post("/incidents/{incident_id}/commands", tags=TAG)
    def run_command(incident_id: Id, body: CommandIn, request: Request) -> dict[str, Any]:
        """Do what a command asks for; `said` is for who asked."""
        return {"said": channel.run(incident_id, plain(body.text), by(request))}

    @router.get("/incidents/{incident_id}/rooms", tags=TAG)
    def list_rooms(incident_id: Id) -> dict[str, Any]:
        """Where it goes on in other chats, and how far each is behind."""
        return {"rooms": [room_json(r) for r in channel.rooms(incident_id)]}

    _files(router, channel)


def _files(router: APIRouter, channel: Channel) -> None:
    @router.get("/incidents/{incident_id}/files", tags=TAG)
    def list_files(incident_id: Id) -> dict[str, Any]:
        """What is attached."""
        return {"files": [file_json(f) for f in channel.files(incident_id)]}

    @router.post("/incidents/{incident_id}/files", status_code=201, tags=TAG, openapi_extra=RAW)
    async def attach_file(
        incident_id: Id,
        request: Request,
        name: Annotated[str, Query(min_length=1, max_length=300)],
        text: Annotated[str, Query(max_length=2000)] = "",
    ) -> dict[str, Any]:
        """Attach a file: its bytes are the body."""
        content = b"".join([chunk async for chunk in capped(request.stream())])
        made = await run_in_threadpool(
            channel.attach, incident_id, plain(name), content, by(request), plain(text)
        )
        return entry_json(made)

    @router.get("/incidents/{incident_id}/files/{file_id}", tags=TAG, responses=FILE,
                response_class=Response)  # fmt: skip
    def get_file(incident_id: Id, file_id: FileId) -> Response:
        """A file, to be saved."""
        info, content = channel.file(incident_id, file_id)
        return Response(content, headers=headers_of(info))


def file_json(f: FileInfo) -> dict[str, Any]:
    """A file as the API shows it."""
    return {
        "id": f.id, "name": f.name, "type": f.type, "size": f.size, "sha256": f.sha256,
        "entry": f.number, "at": iso(f.at), "actor": f.actor,
    }  # fmt: skip


def room_json(r: RoomState) -> dict[str, Any]:
    """A room as the API shows it."""
    room = r.room
    return {
        "channel": room.channel, "name": room.name, "external": room.external,
        "behind": r.behind, "trouble": room.said,
        "since": None if room.since is None else iso(room.since),
        "next_try": iso(room.due_at) if room.said else None,
    }  # fmt: skip
