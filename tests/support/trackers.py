"""Local servers that speak the APIs of GitHub, GitLab and Jira, and refuse what those would.

Each keeps issues in memory and checks authentication, paths, unknown fields, types and values as
the published documentation has them.
"""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from tests.support.providers import Provider, RefusedError, running

TOKEN = "secret-of-the-tests"
PEOPLE = {"octo-ann": 11, "octo-ben": 12}
DATE = re.compile(r"\d{4}-\d\d-\d\d")


@dataclass
class Board:
    """The issues of one server, by number."""

    url: str = ""
    issues: dict[int, dict[str, Any]] = field(default_factory=dict)
    numbers: Iterator[int] = field(default_factory=lambda: itertools.count(1))
    created: int = 0
    provider: Provider | None = None

    @property
    def refused(self) -> list[str]:
        assert self.provider is not None
        return self.provider.refused

    def mode(self, mode: str) -> None:
        """ok, down, gateway, slow, cut, busy."""
        assert self.provider is not None
        self.provider.mode = mode


Handler = Callable[[Board, str, str, Mapping[str, str], Any], object]


@contextmanager
def _serving(handle: Handler, allowed: Callable[[Mapping[str, str]], bool]) -> Iterator[Board]:
    board = Board()

    def check(_: Provider, method: str, path: str, headers: dict[str, str], body: bytes) -> object:
        if not allowed(headers):
            raise RefusedError(401, {"message": "Bad credentials"})
        if not headers.get("user-agent"):
            raise RefusedError(403, {"message": "Request forbidden: no User-Agent"})
        parts = urlsplit(path)
        asked = {k: v[0] for k, v in parse_qs(parts.query, keep_blank_values=True).items()}
        if method in ("POST", "PUT", "PATCH"):
            if not headers.get("content-type", "").startswith("application/json"):
                raise RefusedError(415, {"message": "not JSON"})
            return handle(board, method, parts.path, asked, json.loads(body))
        return handle(board, method, parts.path, asked, None)

    with running(check) as provider:
        board.provider, board.url = provider, provider.url
        yield board


def _fields(body: object, known: Mapping[str, type | tuple[type, ...]]) -> dict[str, Any]:
    if not isinstance(body, dict):
        raise RefusedError(422, {"message": "an object is expected"})
    for key, value in body.items():
        if key not in known:
            raise RefusedError(422, {"message": f"unknown field {key}"})
        if not isinstance(value, known[key]):
            raise RefusedError(422, {"message": f"{key} has the wrong type"})
    return body


def _there(board: Board, number: str) -> dict[str, Any]:
    if not number.isdigit() or int(number) not in board.issues:
        raise RefusedError(404, {"message": "Not Found"})
    return board.issues[int(number)]


# ---------------------------------------------------------------- GitHub


@contextmanager
def github(repository: str = "shop/web") -> Iterator[Board]:
    """api.github.com with one repository."""

    def allowed(headers: Mapping[str, str]) -> bool:
        return headers.get("authorization") == f"Bearer {TOKEN}"

    def handle(
        board: Board, method: str, path: str, asked: Mapping[str, str], body: object
    ) -> object:
        if method == "GET" and path == "/search/issues":
            words = re.fullmatch(r'"([^"]+)" in:body repo:(\S+) is:issue', asked.get("q", ""))
            if words is None or words[2] != repository:
                raise RefusedError(422, {"message": "Validation Failed"})
            found = [i for i in board.issues.values() if words[1] in i["body"]]
            return {"total_count": len(found), "incomplete_results": False, "items": found}
        base = f"/repos/{repository}/issues"
        if method == "POST" and path == base:
            types = {"title": str, "body": str, "labels": list, "assignees": list}
            made = _fields(body, types)
            return _github_made(board, made, repository)
        if not path.startswith(base + "/"):
            raise RefusedError(404, {"message": "Not Found"})
        issue = _there(board, path.removeprefix(base + "/"))
        if method == "PATCH":
            _github_changed(issue, _fields(body, {
                "title": str, "body": str, "state": str, "state_reason": str, "assignees": list,
                "labels": list,
            }))  # fmt: skip
        return issue

    with _serving(handle, allowed) as board:
        yield board


def _github_made(board: Board, made: dict[str, Any], repository: str) -> dict[str, Any]:
    if not made.get("title") or len(made["title"]) > 256:
        raise RefusedError(422, {"message": "title"})
    number = next(board.numbers)
    board.created += 1
    board.issues[number] = {
        "number": number,
        "title": made["title"],
        "body": made.get("body", ""),
        "state": "open",
        "html_url": f"https://github.example/{repository}/issues/{number}",
        "assignees": [],
        "labels": [{"name": n} for n in made.get("labels", [])],
    }
    _github_changed(board.issues[number], {"assignees": made.get("assignees", [])})
    return board.issues[number]


def _github_changed(issue: dict[str, Any], changes: Mapping[str, Any]) -> None:
    if changes.get("state") not in (None, "open", "closed"):
        raise RefusedError(422, {"message": "state"})
    if changes.get("state_reason") not in (None, "completed", "not_planned", "reopened"):
        raise RefusedError(422, {"message": "state_reason"})
    for name in changes.get("assignees", []):
        if name not in PEOPLE:
            raise RefusedError(422, {"message": f"{name} cannot be assigned"})
    issue.update({k: v for k, v in changes.items() if k in ("title", "body", "state")})
    if "assignees" in changes:
        issue["assignees"] = [{"login": n} for n in changes["assignees"]]


# ---------------------------------------------------------------- GitLab


@contextmanager
def gitlab(project: str = "shop/web") -> Iterator[Board]:
    """gitlab.com with one project."""

    def allowed(headers: Mapping[str, str]) -> bool:
        return headers.get("private-token") == TOKEN

    def handle(
        board: Board, method: str, path: str, asked: Mapping[str, str], body: object
    ) -> object:
        if method == "GET" and path == "/api/v4/users":
            name = asked.get("username", "")
            return [{"id": PEOPLE[name], "username": name}] if name in PEOPLE else []
        prefix = "/api/v4/projects/"
        given, slash, rest = path.removeprefix(prefix).partition("/issues")
        if not path.startswith(prefix) or not slash or unquote(given) != project or "/" in given:
            raise RefusedError(404, {"message": "404 Project Not Found"})
        number = rest.removeprefix("/")
        if method == "GET" and not number:
            words = asked.get("search", "")
            return [i for i in board.issues.values() if words in i["description"]]
        types: dict[str, type] = {
            "title": str, "description": str, "due_date": str, "labels": str, "assignee_ids": list,
        }  # fmt: skip
        if method == "POST" and not number:
            return _gitlab_changed(_gitlab_made(board, body), _fields(body, types))
        issue = _there(board, number)
        if method == "PUT":
            _gitlab_changed(issue, _fields(body, {**types, "state_event": str}))
        return issue

    with _serving(handle, allowed) as board:
        yield board


def _gitlab_made(board: Board, body: object) -> dict[str, Any]:
    if not isinstance(body, dict) or not body.get("title"):
        raise RefusedError(400, {"error": "title is missing"})
    iid = next(board.numbers)
    board.created += 1
    board.issues[iid] = {
        "iid": iid, "title": "", "description": "", "state": "opened", "due_date": None,
        "web_url": f"https://gitlab.example/issues/{iid}", "assignees": [], "labels": [],
    }  # fmt: skip
    return board.issues[iid]


def _gitlab_changed(issue: dict[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    due = changes.get("due_date")
    if due and not DATE.fullmatch(due):
        raise RefusedError(400, {"error": "due_date is invalid"})
    event = changes.get("state_event")
    if event not in (None, "close", "reopen"):
        raise RefusedError(400, {"error": "state_event does not have a valid value"})
    issue.update({k: v for k, v in changes.items() if k in ("title", "description")})
    if due is not None:
        issue["due_date"] = due or None
    if event:
        issue["state"] = "closed" if event == "close" else "opened"
    if "assignee_ids" in changes:
        names = {v: k for k, v in PEOPLE.items()}
        issue["assignees"] = [{"username": names[i]} for i in changes["assignee_ids"]]
    return issue


# ---------------------------------------------------------------- Jira


@contextmanager
def jira(project: str = "SHOP") -> Iterator[Board]:
    """A Jira Data Center with one project whose work goes To Do, In Progress, Done."""

    def allowed(headers: Mapping[str, str]) -> bool:
        return headers.get("authorization") == f"Bearer {TOKEN}"

    def handle(
        board: Board, method: str, path: str, asked: Mapping[str, str], body: object
    ) -> object:
        if not path.startswith("/rest/api/2/"):
            raise RefusedError(404, {"errorMessages": ["null for uri"]})
        rest = path.removeprefix("/rest/api/2/")
        if method == "GET" and rest == "search":
            return _jira_search(board, asked.get("jql", ""), project)
        if method == "POST" and rest == "issue":
            return _jira_made(board, body, project)
        _, _, key = rest.partition("issue/")
        key, _, more = key.partition("/")
        issue = _there(board, key.removeprefix(f"{project}-"))
        if more == "transitions":
            return _jira_transition(issue, method, body)
        if method == "PUT":
            _jira_changed(issue, _fields(body, {"fields": dict})["fields"])
            return {}
        return issue

    with _serving(handle, allowed) as board:
        yield board


TO_DO = {"name": "To Do", "statusCategory": {"key": "new"}}
DOING = {"name": "Doing", "statusCategory": {"key": "indeterminate"}}
DONE = {"name": "Done", "statusCategory": {"key": "done"}}


def _jira_search(board: Board, jql: str, project: str) -> object:
    words = re.fullmatch(r'project = "(\w+)" AND labels = "([^"]+)"', jql)
    if words is None or words[1] != project:
        raise RefusedError(400, {"errorMessages": ["Error in the JQL Query"]})
    found = [i for i in board.issues.values() if words[2] in i["fields"]["labels"]]
    return {"startAt": 0, "total": len(found), "issues": found}


def _jira_made(board: Board, body: object, project: str) -> object:
    fields = dict(_fields(body, {"fields": dict})["fields"])
    if fields.pop("project", None) != {"key": project} or not fields.pop("issuetype", {}).get(
        "name"
    ):
        raise RefusedError(400, {"errors": {"project": "valid project is required"}})
    if not fields.get("summary") or "\n" in fields["summary"] or len(fields["summary"]) > 255:
        raise RefusedError(400, {"errors": {"summary": "You must specify a summary of the issue."}})
    if any(" " in label for label in fields.get("labels", [])):
        raise RefusedError(400, {"errors": {"labels": "a label cannot contain spaces"}})
    number = next(board.numbers)
    board.created += 1
    empty: dict[str, Any] = {
        "summary": "",
        "description": "",
        "labels": [],
        "duedate": None,
        "assignee": None,
    }
    board.issues[number] = {"key": f"{project}-{number}", "fields": {**empty, "status": TO_DO}}
    _jira_changed(board.issues[number], fields)
    return {"id": str(number), "key": f"{project}-{number}", "self": f"{board.url}/{number}"}


def _jira_changed(issue: dict[str, Any], fields: Mapping[str, Any]) -> None:
    known = {"summary", "description", "labels", "duedate", "assignee"}
    for key in fields:
        if key not in known:
            raise RefusedError(
                400, {"errors": {key: "Field cannot be set. It is not on the screen"}}
            )
    due, someone = fields.get("duedate"), fields.get("assignee")
    if due and not DATE.fullmatch(due):
        raise RefusedError(400, {"errors": {"duedate": "Error parsing date string"}})
    if someone and someone.get("name") not in PEOPLE:
        raise RefusedError(400, {"errors": {"assignee": "User does not exist."}})
    issue["fields"].update(fields)


def _jira_transition(issue: dict[str, Any], method: str, body: object) -> object:
    over = issue["fields"]["status"] is DONE
    offered = [{"id": "11", "name": "Reopen", "to": TO_DO}] if over else [
        {"id": "21", "name": "Start", "to": DOING},
        {"id": "31", "name": "Finish", "to": DONE},
    ]  # fmt: skip
    if method == "GET":
        return {"transitions": offered}
    wanted = _fields(body, {"transition": dict})["transition"].get("id")
    chosen = next((t for t in offered if t["id"] == wanted), None)
    if chosen is None:
        raise RefusedError(400, {"errorMessages": ["It is not on the appropriate transition"]})
    issue["fields"]["status"] = DONE if wanted == "31" else chosen["to"]
    return {}
