"""GitLab issues by the REST API, version 4."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

from watchkeeper.notify.model import TransportError
from watchkeeper.postmortems.items import Shared
from watchkeeper.postmortems.trackers.model import Draft, Remote
from watchkeeper.postmortems.trackers.settings import TrackerSettings


class GitLab:
    """One project. Settings: url, project (path or number), token, users."""

    def __init__(self, settings: TrackerSettings) -> None:
        self._settings = settings
        self._web = settings.web()
        base = settings.get("url", "https://gitlab.com").rstrip("/")
        project = quote(settings.must("project"), safe="")
        self._base = f"{base}/api/v4"
        self._issues = f"/projects/{project}/issues"

    def find(self, marker: str) -> Remote | None:
        """By search in descriptions."""
        found = self._call(
            "GET", f"{self._issues}?search={quote(marker)}&in=description&per_page=5"
        )
        for issue in found:
            if marker in str(issue.get("description") or ""):
                return self._remote(issue)
        return None

    def create(self, draft: Draft) -> Remote:
        """Make an issue."""
        shared = draft.shared
        made: dict[str, Any] = {
            "title": shared.text[:255],
            "description": f"{draft.notes}\n\n<!-- {draft.marker} -->",
        }
        if shared.due:
            made["due_date"] = shared.due
        if draft.labels:
            made["labels"] = ",".join(draft.labels)
        someone = self._user(shared.owner)
        if someone is not None:
            made["assignee_ids"] = [someone]
        return self._remote(self._call("POST", self._issues, made))

    def read(self, external: str) -> Remote | None:
        """One issue."""
        try:
            return self._remote(self._call("GET", f"{self._issues}/{int(external)}"))
        except TransportError as error:
            if error.status == 404:
                return None
            raise

    def update(self, external: str, was: Shared, now: Shared) -> Remote:
        """Change what differs."""
        changes: dict[str, Any] = {}
        if now.text != was.text:
            changes["title"] = now.text[:255]
        if now.done != was.done:
            changes["state_event"] = "close" if now.done else "reopen"
        if now.due != was.due:
            changes["due_date"] = now.due  # '' takes it away
        someone = self._user(now.owner) if now.owner != was.owner else None
        if someone is not None:
            changes["assignee_ids"] = [someone]
        return self._remote(self._call("PUT", f"{self._issues}/{int(external)}", changes))

    def close(self) -> None:
        """Let go of connections."""
        self._web.close()

    def _user(self, owner: str) -> int | None:
        there = self._settings.there(owner)
        if not there:
            return None
        found = self._call("GET", f"/users?username={quote(there)}")
        return int(found[0]["id"]) if found else None

    def _call(self, method: str, path: str, body: object = None) -> Any:  # noqa: ANN401
        headers = {"PRIVATE-TOKEN": self._settings.must("token"), "User-Agent": "watchkeeper"}
        return self._web.call(method, self._base + path, json=body, headers=headers).json()

    def _remote(self, issue: dict[str, Any]) -> Remote:
        names = [str(a.get("username", "")) for a in issue.get("assignees") or ()]
        owner = next((self._settings.here(n) for n in names if self._settings.here(n)), "")
        shared = Shared(
            str(issue["title"]), issue["state"] == "closed", owner, str(issue.get("due_date") or "")
        )
        return Remote(str(issue["iid"]), str(issue["web_url"]), shared)
