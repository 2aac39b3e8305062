"""GitLab webhooks: https://docs.gitlab.com/user/project/integrations/webhook_events/. Pure.

Deployments are changes with start and end; a pipeline is one when its name says that it deploys; a
release is a change of the kind *other*. All else tells of no change.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from watchkeeper.alerting.intake.model import Asked, Understood
from watchkeeper.alerting.intake.reading import Fields, first_of, links_of, time_of, wrong
from watchkeeper.changes import words
from watchkeeper.changes.model import ChangeKind, Outcome, Told
from watchkeeper.kernel.clock import Seconds


def parse(document: object, asked: Asked) -> list[Understood]:
    """One event, told apart by ``object_kind``."""
    del asked
    fields = Fields(document)
    reader = _EVENTS.get(fields.text("object_kind", required=True, most=50))
    told = reader(fields) if reader else None
    return [told] if told is not None else []


def _project(fields: Fields) -> tuple[str, str]:
    """(path, address)."""
    found = fields.child("project", required=True)
    return found.text("path_with_namespace", required=True, most=300), first_of(
        found.data, "web_url"
    )


def _deployment(fields: Fields) -> Told | None:
    name, url = _project(fields)
    status = fields.text("status", required=True, most=50)
    outcome = words.outcome_of(status)
    if outcome is None:  # blocked, skipped: nothing was deployed
        return None
    at = _time(fields, "status_changed_at")
    over = outcome is not Outcome.IN_PROGRESS
    sha, where = fields.text("short_sha", most=100), fields.text("environment", most=100)
    ref = fields.text("ref", most=200)
    return Told(
        summary=fields.text("commit_title", most=1000) or f"{name} to {where}",
        kind=ChangeKind.DEPLOYMENT,
        services=(name,),
        environment=where,
        version=ref if fields.data.get("tag") or ref.startswith("v") else sha,
        started_at=None if over else at,
        ended_at=at if over else None,
        outcome=outcome,
        links=links_of([
            ("Job", fields.text("deployable_url", most=1000)),
            ("Commit", fields.text("commit_url", most=1000)),
        ]),
        source=url or name,
        key=f"deployment/{name}/{_id(fields, 'deployment_id')}",
        reporter=first_of(fields.child("user").data, "username", "name"),
        at=at,
        labels={"ref": ref, "status": status},
    )  # fmt: skip


def _pipeline(fields: Fields) -> Told | None:
    name, url = _project(fields)
    its = fields.child("object_attributes", required=True)
    title = its.text("name", most=500)
    outcome = words.outcome_of(its.text("status", required=True, most=50))
    if outcome is None or not words.deploys(title):
        return None
    began, ended = _time(its, "created_at"), _time(its, "finished_at")
    sha = its.text("sha", most=200)
    return Told(
        summary=title,
        kind=ChangeKind.DEPLOYMENT,
        services=(name,),
        version=its.text("ref", most=200) if its.data.get("tag") else sha[:12],
        started_at=began,
        ended_at=ended,
        outcome=outcome,
        links=links_of([("Pipeline", first_of(its.data, "url"))]),
        source=url or name,
        key=f"pipeline/{name}/{_id(its, 'id')}",
        reporter=first_of(fields.child("user").data, "username", "name"),
        at=ended or began,
    )


def _release(fields: Fields) -> Told | None:
    name, url = _project(fields)
    if fields.text("action", most=50) == "delete":
        return None
    tag = fields.text("tag", required=True, most=200)
    at = _time(fields, "released_at") or _time(fields, "created_at")
    return Told(
        summary=f"Release {fields.text('name', most=500) or tag} published",
        services=(name,),
        version=tag,
        started_at=at,
        outcome=Outcome.SUCCEEDED,
        links=links_of([("Release", fields.text("url", most=1000))]),
        source=url or name,
        key=f"release/{name}/{_id(fields, 'id')}",
        at=at,
    )


_EVENTS: Mapping[str, Callable[[Fields], Told | None]] = {
    "deployment": _deployment,
    "pipeline": _pipeline,
    "release": _release,
}


def _time(fields: Fields, key: str) -> Seconds | None:
    """GitLab writes RFC 3339 as well as ``2016-08-12 15:23:28 UTC``."""
    value = fields.data.get(key)
    if isinstance(value, str) and value.endswith(" UTC"):
        value = value.removesuffix(" UTC") + "+00:00"
    return time_of(value, fields.at(key))


def _id(fields: Fields, key: str) -> str:
    found = fields.data.get(key)
    if not isinstance(found, int) or isinstance(found, bool):
        raise wrong(fields.at(key), "a whole number")
    return str(found)
