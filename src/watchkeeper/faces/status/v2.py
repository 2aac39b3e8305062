"""The read API of Statuspage, version 2, so that aggregators read our pages as they read others'.

Shapes, words and ids are those of Atlassian Statuspage: twelve of [0-9a-z], times in UTC with
milliseconds. Pure.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from watchkeeper.incidents.status.messages import INDICATORS
from watchkeeper.incidents.status.model import (
    ComponentView,
    Level,
    Planned,
    Post,
    Story,
    View,
)
from watchkeeper.incidents.status.planning import AHEAD
from watchkeeper.incidents.status.rules import public_id
from watchkeeper.kernel.clock import Seconds

MOST = 50
"""Incidents in a list, as there."""
_DESCRIPTIONS: Mapping[Level, str] = {
    Level.OPERATIONAL: "All Systems Operational",
    Level.MAINTENANCE: "Service Under Maintenance",
    Level.DEGRADED: "Partially Degraded Service",
    Level.PARTIAL: "Partial System Outage",
    Level.MAJOR: "Major Service Outage",
}
Document = dict[str, Any]


def documents(view: View) -> dict[str, Document]:
    """Every document by its path under ``api/v2/``."""
    return {path: {"page": page_json(view), **make(view)} for path, make in _DOCUMENTS.items()}


def page_json(view: View) -> Document:
    """Which page it is."""
    return {
        "id": public_id("page", view.page.name),
        "name": view.page.display_name,
        "url": view.url,
        "time_zone": "Etc/UTC",
        "updated_at": _at(view.updated),
    }


def _status(view: View) -> Document:
    return {
        "status": {
            "indicator": INDICATORS[view.level],
            "description": _DESCRIPTIONS[view.level],
        }
    }


def _components(view: View) -> Document:
    return {"components": [*_groups(view), *(_component(view, c) for c in view.components)]}


def _group_id(view: View, group: str) -> str | None:
    return public_id("group", view.page.name, group) if group else None


def _groups(view: View) -> list[Document]:
    """Groups are components that hold others, as bad as the worst of them."""
    found: list[Document] = []
    for name in dict.fromkeys(c.its.group for c in view.components if c.its.group):
        its = [c for c in view.components if c.its.group == name]
        worst = max(its, key=lambda c: c.level.rank)
        members = [_component(view, c) for c in its]
        found.append({
            **_component(view, worst),
            "id": _group_id(view, name),
            "name": name,
            "description": None,
            "position": min(m["position"] for m in members),
            "group_id": None,
            "group": True,
            "updated_at": max(m["updated_at"] for m in members),
            "components": [m["id"] for m in members],
        })  # fmt: skip
    return found


def _component(view: View, its: ComponentView) -> Document:
    first = its.days[0].start if its.days else view.as_of
    return {
        "id": public_id("component", view.page.name, its.its.name),
        "name": its.its.title,
        "status": str(its.level),
        "created_at": _at(first),
        "updated_at": _at(first if its.changed is None else its.changed),
        "position": 1 + [c.its.name for c in view.components].index(its.its.name),
        "description": its.its.description or None,
        "showcase": True,
        "start_date": None,
        "group_id": _group_id(view, its.its.group),
        "page_id": public_id("page", view.page.name),
        "group": False,
        "only_show_if_degraded": False,
    }


def _incidents(view: View) -> Document:
    every = sorted((*view.open, *view.past), key=lambda s: -s.began)
    return {"incidents": [_incident(view, s) for s in every[:MOST]]}


def _unresolved(view: View) -> Document:
    return {"incidents": [_incident(view, s) for s in view.open]}


def _incident(view: View, its: Story) -> Document:
    return {
        "id": its.id,
        "name": its.title,
        "status": its.phase,
        "created_at": _at(its.began),
        "updated_at": _at(its.updated),
        "monitoring_at": _maybe(its.monitoring_at),
        "resolved_at": _maybe(its.resolved_at),
        "impact": INDICATORS[its.level],
        "shortlink": f"{view.url}/incidents/{its.id}",
        "started_at": _at(its.began),
        "page_id": public_id("page", view.page.name),
        "incident_updates": _updates(view, its),
        "components": [_component(view, c) for c in view.components
                       if c.its.name in its.components],
    }  # fmt: skip


def _updates(view: View, its: Story) -> list[Document]:
    before: dict[str, Level] = {}
    made: list[Document] = []
    for post in reversed(its.posts):
        made.append(_update(view, its, post, before))
        before.update(post.levels)
    return made[::-1]


def _update(view: View, its: Story, post: Post, before: Mapping[str, Level]) -> Document:
    titles = {c.its.name: c.its.title for c in view.components}
    affected = [
        {
            "code": public_id("component", view.page.name, name),
            "name": titles[name],
            "old_status": str(before.get(name, Level.OPERATIONAL)),
            "new_status": str(level),
        }
        for name, level in post.levels.items()
        if name in titles
    ]
    return {
        "id": public_id("update", its.id, post.number),
        "status": post.phase,
        "body": post.text,
        "incident_id": its.id,
        "created_at": _at(post.at),
        "updated_at": _at(post.at),
        "display_at": _at(post.at),
        "affected_components": affected or None,
        "deliver_notifications": True,
        "custom_tweet": None,
        "tweet_id": None,
    }


def _maintenance(view: View, its: Planned) -> Document:
    titles = {c.its.name: c for c in view.components}
    body = its.text or f"{its.title}."
    update = {
        "id": public_id("update", its.id, 0),
        "status": its.state,
        "body": body,
        "incident_id": its.id,
        "created_at": _at(its.start - AHEAD),
        "updated_at": _at(its.start - AHEAD),
        "display_at": _at(its.start - AHEAD),
        "affected_components": [
            {"code": public_id("component", view.page.name, n), "name": titles[n].its.title,
             "old_status": "operational", "new_status": _during(its)}
            for n in its.components
        ] or None,
        "deliver_notifications": False,
        "custom_tweet": None,
        "tweet_id": None,
    }  # fmt: skip
    return {
        "id": its.id,
        "name": its.title,
        "status": its.state,
        "created_at": _at(its.start - AHEAD),
        "updated_at": _at(_changed(its)),
        "monitoring_at": None,
        "resolved_at": _at(its.end) if its.state == "completed" else None,
        "impact": "maintenance",
        "shortlink": view.url,
        "started_at": _at(its.start),
        "page_id": public_id("page", view.page.name),
        "incident_updates": [update],
        "components": [_component(view, titles[n]) for n in its.components],
        "scheduled_for": _at(its.start),
        "scheduled_until": _at(its.end),
    }


def _changed(its: Planned) -> Seconds:
    """When its state changed last."""
    return {"completed": its.end, "in_progress": its.start}.get(its.state, its.start - AHEAD)


def _during(its: Planned) -> str:
    return str(Level.MAINTENANCE if its.state == "in_progress" else Level.OPERATIONAL)


def _planned(*states: str) -> Callable[[View], Document]:
    def make(view: View) -> Document:
        chosen: Sequence[Planned] = [p for p in view.planned if p.state in states]
        return {"scheduled_maintenances": [_maintenance(view, p) for p in chosen[-MOST:]]}

    return make


def _summary(view: View) -> Document:
    soon = _planned("scheduled", "in_progress")(view)
    return {**_components(view), **_unresolved(view), **soon, **_status(view)}


_DOCUMENTS: Mapping[str, Callable[[View], Document]] = {
    "summary.json": _summary,
    "status.json": _status,
    "components.json": _components,
    "incidents.json": _incidents,
    "incidents/unresolved.json": _unresolved,
    "scheduled-maintenances.json": _planned("scheduled", "in_progress", "completed"),
    "scheduled-maintenances/upcoming.json": _planned("scheduled"),
    "scheduled-maintenances/active.json": _planned("in_progress"),
}
PATHS = tuple(_DOCUMENTS)


def _at(at: Seconds) -> str:
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds")[:-6] + "Z"


def _maybe(at: Seconds | None) -> str | None:
    return None if at is None else _at(at)
