"""GitHub issues by the REST API, version 2022-11-28.

GitHub's issues have no due date: it stands in the text as a line ``Due: 2026-12-01``, which people
may edit there.
"""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import quote

from watchkeeper.notify.model import TransportError
from watchkeeper.postmortems.items import Shared
from watchkeeper.postmortems.trackers.model import Draft, Remote
from watchkeeper.postmortems.trackers.settings import TrackerSettings

DUE = re.compile(r"^Due: *(\d{4}-\d\d-\d\d|none) *$", re.MULTILINE)


class GitHub:
    """One repository. Settings: url, repository (owner/name), token, users, labels."""

    def __init__(self, settings: TrackerSettings) -> None:
        self._settings = settings
        self._web = settings.web()
        self._base = settings.get("url", "https://api.github.com").rstrip("/")
        self._repository = settings.must("repository")

    def find(self, marker: str) -> Remote | None:
        """By search, which GitHub brings up to date within seconds."""
        words = quote(f'"{marker}" in:body repo:{self._repository} is:issue')
        found = self._call("GET", f"/search/issues?q={words}&per_page=5")["items"]
        for issue in found:
            if marker in str(issue.get("body") or ""):
                return self._remote(issue)
        return None

    def create(self, draft: Draft) -> Remote:
        """Make an issue."""
        shared = draft.shared
        body = f"{draft.notes}\n\nDue: {shared.due or 'none'}\n\n<!-- {draft.marker} -->"
        made: dict[str, Any] = {"title": shared.text[:256], "body": body}
        if draft.labels:
            made["labels"] = list(draft.labels)
        there = self._settings.there(shared.owner)
        if there:
            made["assignees"] = [there]
        issue = self._call("POST", f"/repos/{self._repository}/issues", made)
        return self._remote(issue)

    def read(self, external: str) -> Remote | None:
        """One issue."""
        try:
            issue = self._call("GET", self._issue(external))
        except TransportError as error:
            if error.status in (404, 410):
                return None
            raise
        return self._remote(issue)

    def update(self, external: str, was: Shared, now: Shared) -> Remote:
        """Change title, state, assignee; the due date in the body."""
        changes: dict[str, Any] = {}
        if now.text != was.text:
            changes["title"] = now.text[:256]
        if now.done != was.done:
            changes["state"] = "closed" if now.done else "open"
            changes["state_reason"] = "completed" if now.done else "reopened"
        there = self._settings.there(now.owner)
        if now.owner != was.owner and there:
            changes["assignees"] = [there]
        if now.due != was.due:
            changes["body"] = self._with_due(external, now.due)
        issue = self._call("PATCH", self._issue(external), changes)
        return self._remote(issue)

    def close(self) -> None:
        """Let go of connections."""
        self._web.close()

    def _with_due(self, external: str, due: str) -> str:
        body = str(self._call("GET", self._issue(external)).get("body") or "")
        line = f"Due: {due or 'none'}"
        return DUE.sub(line, body, count=1) if DUE.search(body) else f"{body}\n\n{line}"

    def _issue(self, external: str) -> str:
        return f"/repos/{self._repository}/issues/{int(external)}"

    def _call(self, method: str, path: str, body: object = None) -> Any:  # noqa: ANN401
        headers = {
            "Authorization": f"Bearer {self._settings.must('token')}",
            "Accept": "application/vnd.github+json",
            "X-GitHub-Api-Version": "2022-11-28",
            "User-Agent": "watchkeeper",
        }
        return self._web.call(method, self._base + path, json=body, headers=headers).json()

    def _remote(self, issue: dict[str, Any]) -> Remote:
        body = str(issue.get("body") or "")
        due = DUE.search(body)
        names = [str(a.get("login", "")) for a in issue.get("assignees") or ()]
        owner = next((self._settings.here(n) for n in names if self._settings.here(n)), "")
        shared = Shared(
            str(issue["title"]),
            issue["state"] == "closed",
            owner,
            due[1] if due and due[1] != "none" else "",
        )
        return Remote(str(issue["number"]), str(issue["html_url"]), shared)
