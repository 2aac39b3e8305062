"""Jira issues by the REST API, version 2, which Jira Cloud and Data Center both speak.

A state is changed by a transition, which each project names as it likes: the one that leads to the
status category ``done`` (or away from it) is taken.
"""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import quote

from watchkeeper.notify.model import TransportError
from watchkeeper.postmortems.items import Shared
from watchkeeper.postmortems.trackers.model import Draft, Remote
from watchkeeper.postmortems.trackers.settings import TrackerSettings

FIELDS = "summary,status,assignee,duedate"


class Jira:
    """One project. Settings: url, project (key), token, username (Cloud), issue_type, users."""

    def __init__(self, settings: TrackerSettings) -> None:
        self._settings = settings
        self._web = settings.web()
        self._base = settings.must("url").rstrip("/")
        self._project = settings.must("project")

    def find(self, marker: str) -> Remote | None:
        """By label."""
        words = quote(f'project = "{self._project}" AND labels = "{marker}"')
        path = f"/search?jql={words}&fields={FIELDS}&maxResults=2"
        found = self._call("GET", path)["issues"]
        return self._remote(found[0]) if found else None

    def create(self, draft: Draft) -> Remote:
        """Make an issue; Jira answers with its key only, so it is read again."""
        shared = draft.shared
        fields: dict[str, Any] = {
            "project": {"key": self._project},
            "issuetype": {"name": self._settings.get("issue_type", "Task")},
            "summary": shared.text[:255],
            "description": draft.notes,
            "labels": [draft.marker, *draft.labels],
        }
        if shared.due:
            fields["duedate"] = shared.due
        if self._settings.there(shared.owner):
            fields["assignee"] = self._person(shared.owner)
        key = str(self._call("POST", "/issue", {"fields": fields})["key"])
        return self._again(key)

    def read(self, external: str) -> Remote | None:
        """One issue."""
        try:
            return self._remote(self._call("GET", f"/issue/{quote(external)}?fields={FIELDS}"))
        except TransportError as error:
            if error.status == 404:
                return None
            raise

    def update(self, external: str, was: Shared, now: Shared) -> Remote:
        """Change what differs; the state by a transition."""
        fields: dict[str, Any] = {}
        if now.text != was.text:
            fields["summary"] = now.text[:255]
        if now.due != was.due:
            fields["duedate"] = now.due or None
        if now.owner != was.owner and self._settings.there(now.owner):
            fields["assignee"] = self._person(now.owner)
        path = f"/issue/{quote(external)}"
        if fields:
            self._call("PUT", path, {"fields": fields})
        if now.done != was.done:
            self._call(
                "POST", f"{path}/transitions", {"transition": {"id": self._way(path, now.done)}}
            )
        return self._again(external)

    def close(self) -> None:
        """Let go of connections."""
        self._web.close()

    def _way(self, path: str, done: bool) -> str:
        for each in self._call("GET", f"{path}/transitions")["transitions"]:
            category = each.get("to", {}).get("statusCategory", {}).get("key")
            if (category == "done") is done:
                return str(each["id"])
        what = "done" if done else "open again"
        raise TransportError(f"Jira offers no transition that makes it {what}", permanent=True)

    def _again(self, key: str) -> Remote:
        found = self.read(key)
        if found is None:
            raise TransportError(f"Jira does not know {key} any more", unknown=True)
        return found

    def _person(self, owner: str) -> dict[str, str]:
        # Cloud knows people by account id, Data Center by name.
        kind = "accountId" if self._settings.get("username") else "name"
        return {kind: self._settings.there(owner)}

    def _call(self, method: str, path: str, body: object = None) -> Any:  # noqa: ANN401
        user, token = self._settings.get("username"), self._settings.must("token")
        headers = {"User-Agent": "watchkeeper", "Accept": "application/json"}
        if not user:
            headers["Authorization"] = f"Bearer {token}"
        url = f"{self._base}/rest/api/2{path}"
        auth = (user, token) if user else None
        answer = self._web.call(method, url, json=body, headers=headers, auth=auth)
        return json.loads(answer.text) if answer.text.strip() else {}

    def _remote(self, issue: dict[str, Any]) -> Remote:
        fields = issue["fields"]
        someone = fields.get("assignee") or {}
        name = str(someone.get("accountId") or someone.get("name") or "")
        done = fields["status"].get("statusCategory", {}).get("key") == "done"
        shared = Shared(
            str(fields["summary"]),
            done,
            self._settings.here(name),
            str(fields.get("duedate") or ""),
        )
        key = str(issue["key"])
        return Remote(key, f"{self._base}/browse/{key}", shared)
