"""Every door of the server and what it needs. Pure: one table and one look-up.

Default deny: a path or method that is not declared here needs an admin. A change may name what it
is ``about`` (a kind and the path's parameter that names it): then those whose role in the owning
team is enough may pass as well, not only those who have the permission everywhere.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum

from starlette.routing import compile_path

from watchkeeper.access.model import Permission


class Free(StrEnum):
    """Doors that ask for no principal."""

    OPEN = "open"
    OWN_AUTH = "own auth"  # the address or the body carries a key that the handler checks
    PUBLISHED = "published"  # open while the page that the path names is public; else READ


Needs = Permission | Free
READ, PUSH, RESPOND = Permission.READ, Permission.PUSH, Permission.RESPOND
EDIT, ADMINISTER = Permission.EDIT, Permission.ADMINISTER
OPEN, OWN_AUTH, PUBLISHED = Free.OPEN, Free.OWN_AUTH, Free.PUBLISHED

Row = tuple[str, str, Needs] | tuple[str, str, Needs, str]

TABLE: Sequence[Row] = (
    # -- open to all
    ("GET", "/healthz", OPEN),
    ("GET", "/readyz", OPEN),
    ("GET", "/favicon.ico", OPEN),
    ("GET", "/static/{path:path}", OPEN),
    ("GET POST", "/signin", OPEN),
    ("GET POST", "/setup", OPEN),  # a one-time secret opens it, once
    # -- with keys of their own: one-tap links, answers of providers, alerts and heartbeats, feeds
    ("GET POST", "/t/{signed:path}", OWN_AUTH),
    ("GET POST", "/hook/{rest:path}", OWN_AUTH),
    ("GET POST PUT PATCH DELETE", "/in/{rest:path}", OWN_AUTH),
    ("GET POST", "/hb/{rest:path}", OWN_AUTH),
    ("POST", "/v2/enqueue", OWN_AUTH),
    ("POST", "/v2/enqueue/{rest:path}", OWN_AUTH),
    ("POST", "/v2/change/enqueue", OWN_AUTH),
    ("GET POST PUT PATCH DELETE", "/v2/alerts", OWN_AUTH),
    ("GET POST PUT PATCH DELETE", "/v2/alerts/{rest:path}", OWN_AUTH),
    ("GET POST", "/api/v2/alerts", OWN_AUTH),
    ("GET", "/ical/{rest:path}", OWN_AUTH),
    # -- measurements
    ("POST", "/api/v1/push", PUSH),
    ("POST", "/v1/metrics", PUSH),
    ("POST", "/api/v1/otlp/v1/metrics", PUSH),
    # -- people: oneself
    ("POST", "/signout", READ),
    ("GET", "/account", READ),
    ("POST", "/account/password", READ),
    ("POST", "/account/signout-everywhere", READ),
    ("GET", "/api/v1/me", READ),
    # -- people: everybody
    ("GET", "/audit", ADMINISTER),
    ("GET", "/audit.csv", ADMINISTER),
    ("GET", "/audit.json", ADMINISTER),
    ("GET", "/api/v1/audit", ADMINISTER),
    ("GET", "/api/v1/audit.csv", ADMINISTER),
    ("GET POST", "/api/v1/users", ADMINISTER),
    ("GET PATCH", "/api/v1/users/{name}", ADMINISTER),
    ("POST", "/api/v1/users/{name}/password", ADMINISTER),
    # -- pages, on-call, reach
    ("GET", "/alerts", READ),
    ("GET", "/alerts.csv", READ),
    ("GET", "/alerts.json", READ),
    ("GET", "/alerts/{id}", READ),
    ("POST", "/alerts/{id}/close", RESPOND),
    ("GET", "/pages", READ),
    ("GET", "/pages.csv", READ),
    ("GET", "/pages/{id}", READ),
    ("POST", "/pages/{id}/{act}", RESPOND, "page:id"),
    ("GET", "/integrations", READ),
    ("GET", "/integrations.csv", READ),
    ("POST", "/integrations/{name:path}/keys/revoke", ADMINISTER),
    ("POST", "/integrations/{name:path}/keys", ADMINISTER),
    ("POST", "/integrations/{name:path}/test", EDIT),
    ("GET", "/integrations/{name:path}", READ),
    ("GET", "/silences", READ),
    ("GET", "/silences.csv", READ),
    ("POST", "/silences", EDIT),
    ("POST", "/silences/{id}/end", EDIT),
    ("GET", "/heartbeats", READ),
    ("GET", "/heartbeats.csv", READ),
    ("POST", "/heartbeats/{name:path}/keys/revoke", ADMINISTER),
    ("POST", "/heartbeats/{name:path}/keys", ADMINISTER),
    ("GET", "/oncall", READ),
    ("POST", "/oncall/changes/{id}/remove", EDIT),
    ("GET", "/oncall/shifts.csv", READ),
    ("GET", "/oncall/mine", READ),
    ("POST", "/oncall/mine/changes", RESPOND),  # for others than oneself it asks for an editor
    ("POST", "/oncall/mine/test", RESPOND),
    ("POST", "/oncall/schedules/{name:path}/changes", EDIT, "schedule:name"),
    ("POST", "/oncall/schedules/{name:path}/handoff", RESPOND, "schedule:name"),
    ("GET", "/oncall/schedules/{name:path}", READ),
    ("GET", "/oncall/policies", READ),
    ("GET", "/oncall/policies.csv", READ),
    ("GET", "/oncall/policies/{name:path}", READ),
    ("GET", "/drills", READ),
    ("GET", "/drills.csv", READ),
    ("POST", "/drills", EDIT),
    ("GET", "/load", READ),
    ("GET", "/load.csv", READ),
    ("GET", "/load.json", READ),
    ("GET", "/reach", READ),
    ("GET", "/reach/contacts.csv", READ),
    ("GET", "/reach/messages.csv", READ),
    ("POST", "/reach/test", EDIT),
    ("POST", "/reach/{act}", RESPOND),
    ("GET", "/inbox", RESPOND),  # it shows one-tap links, which acknowledge
    ("GET", "/api/v1/alerts", READ),
    ("POST", "/api/v1/alerts", PUSH),
    ("GET", "/api/v1/alerts/{alert_id}", READ),
    ("POST", "/api/v1/alerts/{alert_id}/close", RESPOND),
    ("GET", "/api/v1/silences", READ),
    ("GET", "/api/v1/silences/matching", READ),
    ("POST", "/api/v1/silences", EDIT),
    ("DELETE", "/api/v1/silences/{silence_id}", EDIT),
    ("GET", "/api/v1/integrations", READ),
    ("POST", "/api/v1/integrations/{name:path}/test", EDIT),
    ("POST", "/api/v1/integrations/{name:path}/keys", ADMINISTER),
    ("DELETE", "/api/v1/integrations/{name:path}/keys/{key}", ADMINISTER),
    ("GET", "/api/v1/heartbeats", READ),
    ("GET", "/api/v1/pages", READ),
    ("GET", "/api/v1/pages/{page_id}", READ),
    ("POST", "/api/v1/pages/{page_id}/{act}", RESPOND, "page:page_id"),
    ("GET", "/api/v1/load", READ),
    ("GET", "/api/v1/audit/engine", READ),
    ("POST", "/api/v1/drills", EDIT),
    ("GET", "/api/v1/drills", READ),
    ("GET", "/api/v1/drills/proofs", READ),
    ("GET", "/api/v1/escalation-policies", READ),
    ("GET", "/api/v1/schedules", READ),
    ("GET", "/api/v1/shifts", READ),
    ("GET", "/api/v1/feeds", READ),
    ("GET", "/api/v1/schedules/{name}/shifts", READ),
    ("GET", "/api/v1/schedules/{name}/shares", READ),
    ("GET", "/api/v1/schedules/{name}/changes", READ),
    ("POST", "/api/v1/schedules/{name}/changes", EDIT, "schedule:name"),
    ("DELETE", "/api/v1/schedules/changes/{change_id}", EDIT),
    ("GET", "/api/v1/deliveries", READ),
    ("GET", "/api/v1/channels", READ),
    ("POST", "/api/v1/channels/{name}/test", EDIT),
    ("GET", "/api/v1/contacts", READ),
    ("POST", "/api/v1/contacts/code", RESPOND),
    ("POST", "/api/v1/contacts/verify", RESPOND),
    # -- action items
    ("GET", "/actions", READ),
    ("POST", "/actions", RESPOND),
    ("GET", "/actions.csv", READ),
    ("GET", "/actions/{id}", READ),
    ("POST", "/actions/{id}", RESPOND),
    ("GET", "/api/v1/actions", READ),
    ("POST", "/api/v1/actions", RESPOND),
    ("GET", "/api/v1/actions/verify", RESPOND),  # it asks other systems
    ("GET", "/api/v1/actions/{item_id}", READ),
    ("PATCH", "/api/v1/actions/{item_id}", RESPOND),
    # -- postmortems
    ("GET", "/postmortems", READ),
    ("POST", "/postmortems", RESPOND),
    ("GET", "/postmortems/feed", READ),
    ("GET", "/postmortems/{id}.md", READ),
    ("GET", "/postmortems/{id}", READ),
    ("GET", "/postmortems/{id}/edit", RESPOND),
    ("POST", "/postmortems/{id}/edit", RESPOND),
    ("POST", "/postmortems/{id}/checked", RESPOND),
    ("GET", "/postmortems/{id}/versions", READ),
    ("POST", "/postmortems/{id}/whys", RESPOND),
    ("POST", "/postmortems/{id}/{act}", RESPOND),
    ("GET", "/learning", READ),
    ("GET", "/learning.csv", READ),
    ("GET", "/learning.json", READ),
    ("GET", "/learning/proof", READ),
    ("GET", "/learning/proof.csv", READ),
    ("POST", "/learning/digests/me", RESPOND),
    ("GET", "/api/v1/learning/proofs", READ),
    ("GET", "/api/v1/learning/figures", READ),
    ("GET", "/api/v1/learning/digests", READ),
    ("POST", "/api/v1/learning/digests/me", RESPOND),
    ("DELETE", "/api/v1/learning/digests/me", RESPOND),
    ("POST", "/api/v1/learning/digests", EDIT),  # to addresses of others
    ("DELETE", "/api/v1/learning/digests/{digest_id}", EDIT),
    ("GET", "/api/v1/postmortems/search", READ),
    ("GET", "/api/v1/postmortems", READ),
    ("POST", "/api/v1/postmortems", RESPOND),
    ("GET", "/api/v1/postmortems/{postmortem_id}", READ),
    ("PUT", "/api/v1/postmortems/{postmortem_id}/text", RESPOND),
    ("PATCH", "/api/v1/postmortems/{postmortem_id}", RESPOND),
    ("POST", "/api/v1/postmortems/{postmortem_id}/acts", RESPOND),
    ("GET", "/api/v1/postmortems/{postmortem_id}/versions", READ),
    ("GET", "/api/v1/postmortems/{postmortem_id}/diff/{one}/{two}", READ),
    # -- budget policies and the gate
    ("GET", "/budgets", READ),
    ("GET", "/budgets.csv", READ),
    ("GET", "/budgets/{name:path}", READ),
    ("GET", "/gate", READ),
    ("GET", "/gate.csv", READ),
    ("GET", "/gate/{uid}", READ),
    ("POST", "/gate/exceptions", RESPOND),
    ("POST", "/gate/exceptions/{id}/approve", EDIT),
    ("POST", "/gate/exceptions/{id}/revoke", RESPOND),
    ("GET", "/parts/budgets", READ),
    ("GET", "/afford/{service}", READ),
    ("GET", "/afford/{service}/costs.csv", READ),
    ("GET", "/afford/{service}/all.json", READ),
    ("GET", "/api/v1/afford", READ),
    ("POST", "/api/v1/gate/check", PUSH),
    ("POST", "/api/v1/gate/flagger", PUSH),
    ("POST", "/api/v1/gate/admission", PUSH),
    ("GET", "/api/v1/gate/standing", READ),
    ("GET", "/api/v1/gate/watch", READ),
    ("GET", "/api/v1/gate/decisions", READ),
    ("GET", "/api/v1/gate/decisions/{uid}", READ),
    ("GET", "/api/v1/gate/replay", READ),
    ("GET", "/api/v1/gate/exceptions", READ),
    ("POST", "/api/v1/gate/exceptions", RESPOND),
    ("POST", "/api/v1/gate/exceptions/{exception_id}/approve", EDIT),
    ("POST", "/api/v1/gate/exceptions/{exception_id}/revoke", RESPOND),
    ("GET", "/api/v1/budgets", READ),
    ("GET", "/api/v1/budgets/{name:path}", READ),
    # -- weekly reviews
    ("GET", "/reviews", READ),
    ("GET", "/reviews/{team:path}/{week}.md", READ),
    ("GET", "/reviews/{team:path}/{week}.json", READ),
    ("GET", "/reviews/{team:path}/{week}.pdf", READ),
    ("GET", "/reviews/{team:path}/{week}", READ),
    ("POST", "/reviews/notes/{id}", RESPOND),
    ("POST", "/reviews/{team:path}/{week}/notes", RESPOND),
    ("POST", "/reviews/{team:path}/{week}/send", RESPOND),
    ("GET", "/api/v1/reviews", READ),
    ("PATCH", "/api/v1/reviews/notes/{note_id}", RESPOND),
    ("POST", "/api/v1/reviews/{team:path}/{week}/notes", RESPOND),
    ("POST", "/api/v1/reviews/{team:path}/{week}/send", RESPOND),
    ("GET", "/api/v1/reviews/{team:path}/{week}", READ),
    # -- incidents
    ("GET", "/incidents", READ),
    ("POST", "/incidents", RESPOND),
    ("GET", "/incidents.csv", READ),
    ("GET", "/incidents.json", READ),
    ("GET", "/incidents/declare", RESPOND),
    ("GET", "/incidents/{id}.json", READ),
    ("GET", "/incidents/{id}.md", READ),
    ("GET", "/incidents/{id}", READ),
    ("GET", "/incidents/{id}/files/{file}", READ),
    ("GET", "/incidents/{id}/mitigations/{name}", RESPOND),
    ("POST", "/incidents/{id}/mitigations/{name}", RESPOND),
    ("GET", "/incidents/{id}/runs/{run}", READ),
    ("POST", "/incidents/{id}/{act}", RESPOND),
    ("GET", "/parts/incidents", READ),
    ("GET", "/parts/incidents/{id}", READ),
    ("GET", "/parts/similar", RESPOND),
    ("GET", "/api/v1/incidents", READ),
    ("POST", "/api/v1/incidents", RESPOND),
    ("GET", "/api/v1/incidents/verify", READ),
    ("GET", "/api/v1/incidents/severities", READ),
    ("GET", "/api/v1/incidents/suggestion", READ),
    ("GET", "/api/v1/incidents/similar", READ),
    ("GET", "/api/v1/incidents/{incident_id}/similar", READ),
    ("GET", "/api/v1/incidents/{incident_id}/recurrences", READ),
    ("POST", "/api/v1/incidents/{incident_id}/recurrences", RESPOND),
    ("GET", "/api/v1/incidents/{incident_id}/impact", READ),
    ("PUT", "/api/v1/incidents/{incident_id}/impact", RESPOND),
    ("GET", "/api/v1/incidents/{incident_id}", READ),
    ("PATCH", "/api/v1/incidents/{incident_id}", RESPOND),
    ("GET", "/api/v1/incidents/{incident_id}/timeline", READ),
    ("POST", "/api/v1/incidents/{incident_id}/severity", RESPOND),
    ("POST", "/api/v1/incidents/{incident_id}/state", RESPOND),
    ("POST", "/api/v1/incidents/{incident_id}/updates", RESPOND),
    ("POST", "/api/v1/incidents/{incident_id}/entries", RESPOND),
    ("PATCH", "/api/v1/incidents/{incident_id}/entries/{number}", RESPOND),
    ("POST", "/api/v1/incidents/{incident_id}/links", RESPOND),
    ("POST", "/api/v1/incidents/{incident_id}/commands", RESPOND),
    ("GET", "/api/v1/incidents/{incident_id}/rooms", READ),
    ("GET", "/api/v1/incidents/{incident_id}/files", READ),
    ("POST", "/api/v1/incidents/{incident_id}/files", RESPOND),
    ("GET", "/api/v1/incidents/{incident_id}/files/{file_id}", READ),
    ("PUT", "/api/v1/incidents/{incident_id}/roles/{role}", RESPOND),
    # -- changes
    ("GET", "/changes", READ),
    ("GET", "/changes.csv", READ),
    ("GET", "/changes.json", READ),
    ("GET", "/changes/{id}", READ),
    ("POST", "/changes/{id}/end", RESPOND),
    ("GET", "/api/v1/changes", READ),
    ("POST", "/api/v1/changes", PUSH),
    ("GET", "/api/v1/changes/culprits", READ),
    ("GET", "/api/v1/changes/{change_id}", READ),
    ("POST", "/api/v1/changes/{change_id}/end", PUSH),
    # -- status pages
    ("GET", "/status", READ),
    ("GET", "/status/{name}/subscribers", EDIT),
    ("GET", "/status/{name}/subscribers.csv", EDIT),
    ("POST", "/status/{name}/subscribers/{id}/remove", EDIT),
    ("GET", "/status/{name}", PUBLISHED, "status:name"),
    ("GET", "/status/{name}/history", PUBLISHED, "status:name"),
    ("GET", "/status/{name}/history/{month}", PUBLISHED, "status:name"),
    ("GET", "/status/{name}/incidents/{id}", PUBLISHED, "status:name"),
    ("GET", "/status/{name}/history.atom", PUBLISHED, "status:name"),
    ("GET", "/status/{name}/history.rss", PUBLISHED, "status:name"),
    ("GET", "/status/{name}/api/v2/{rest:path}", PUBLISHED, "status:name"),
    ("POST", "/status/{name}/subscribe", PUBLISHED, "status:name"),
    ("GET POST", "/status/{name}/s/{signed}", OWN_AUTH),  # of a subscriber
    ("GET", "/api/v1/status-pages", READ),
    ("GET", "/api/v1/status-pages/{name}", READ),
    ("GET", "/api/v1/status-pages/{name}/subscribers", EDIT),
    ("POST", "/api/v1/status-pages/{name}/subscribers", EDIT),
    ("DELETE", "/api/v1/status-pages/{name}/subscribers/{subscriber_id}", EDIT),
    ("GET", "/api/v1/incidents/{incident_id}/templates", READ),
    ("GET", "/api/v1/incidents/{incident_id}/mitigations", READ),
    ("POST", "/api/v1/incidents/{incident_id}/mitigations/{name}", RESPOND),
    ("GET", "/api/v1/incidents/{incident_id}/runs", READ),
    ("GET", "/api/v1/incidents/{incident_id}/runs/{run_id}", READ),
    # -- objectives
    ("POST", "/api/v1/backtest", READ),  # it asks, and changes nothing
    ("GET", "/", READ),
    ("GET", "/metrics", READ),
    ("GET", "/events", READ),
    ("GET", "/parts/{rest:path}", READ),
    ("GET", "/export.csv", READ),
    ("GET", "/export.json", READ),
    ("GET", "/services", READ),
    ("GET", "/sources", READ),
    ("POST", "/slo/{name:path}/corrections/{id}/remove", EDIT, "slo:name"),
    ("POST", "/slo/{name:path}/corrections", EDIT, "slo:name"),
    ("POST", "/slo/{name:path}/causes/{id}/remove", RESPOND, "slo:name"),
    ("POST", "/slo/{name:path}/causes", RESPOND, "slo:name"),
    ("GET", "/slo/{name:path}", READ),
    ("GET", "/whatif/{name:path}", READ),
    ("GET", "/api/v1/openapi.json", READ),
    ("GET", "/api/v1/slos", READ),
    ("POST", "/api/v1/slos/{name:path}/corrections", EDIT, "slo:name"),
    ("DELETE", "/api/v1/slos/{name:path}/corrections/{correction_id}", EDIT, "slo:name"),
    ("GET", "/api/v1/causes/accuracy", READ),
    ("POST", "/api/v1/slos/{name:path}/causes", RESPOND, "slo:name"),
    ("DELETE", "/api/v1/slos/{name:path}/causes/{label_id}", RESPOND, "slo:name"),
    ("GET", "/api/v1/slos/{name:path}", READ),
    ("GET", "/api/v1/services", READ),
    ("GET", "/api/v1/journeys", READ),
    ("GET", "/api/v1/sources", READ),
    ("GET", "/api/v1/findings", READ),
)


@dataclass(frozen=True, slots=True)
class Door:
    """One row of the table: a pattern, its methods, what it needs and what it is about."""

    methods: frozenset[str]
    pattern: str
    regex: re.Pattern[str]
    needs: Needs
    kind: str
    parameter: str


@dataclass(frozen=True, slots=True)
class Found:
    """What a request needs; ``kind`` and ``name`` say what it is about, if it says so."""

    needs: Needs
    kind: str = ""
    name: str = ""
    declared: bool = True


def _doors(rows: Sequence[Row]) -> Iterator[Door]:
    seen: set[tuple[str, str]] = set()
    for row in rows:
        methods, pattern, needs = row[0], row[1], row[2]
        named = {(method, pattern) for method in methods.split()}
        if named & seen:
            raise ValueError(f"{pattern} is declared twice; the second row would never be read")
        seen |= named
        kind, _, parameter = (row[3] if len(row) == 4 else "").partition(":")
        regex, _, parameters = compile_path(pattern)
        if kind and parameter not in parameters:
            raise ValueError(f"{pattern} has no {parameter!r}")
        yield Door(frozenset(methods.split()), pattern, regex, needs, kind, parameter)


DOORS: Sequence[Door] = tuple(_doors(TABLE))
_UNDECLARED = Found(ADMINISTER, declared=False)


def needed(method: str, path: str, doors: Sequence[Door] = DOORS) -> Found:
    """What a request needs: the first row whose method and pattern fit, else an admin."""
    asked = "GET" if method in ("HEAD", "OPTIONS") else method
    for door in doors:
        if asked in door.methods and (match := door.regex.match(path)):
            return Found(door.needs, door.kind, match[door.parameter] if door.parameter else "")
    return _UNDECLARED
