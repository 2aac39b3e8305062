"""GitHub webhooks: https://docs.github.com/en/webhooks/webhook-events-and-payloads. Pure.

Of what becomes of each: a deployment and its statuses are one change, a published release and a
push to the default branch are changes of the kind *other*, a run of a workflow whose name or file
says that it deploys is a deployment. All else tells of no change.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from watchkeeper.alerting.intake.model import Asked, Understood
from watchkeeper.alerting.intake.reading import Fields, first_of, links_of, wrong
from watchkeeper.changes import words
from watchkeeper.changes.model import ChangeKind, Outcome, Told


def parse(document: object, asked: Asked) -> list[Understood]:
    """One event; its type is in the header ``X-GitHub-Event``."""
    fields = Fields(document)
    event = asked.headers.get("x-github-event", "")
    if not event:
        raise wrong("the header X-GitHub-Event", "there", "deployment_status")
    reader = _EVENTS.get(event)
    told = reader(fields) if reader else None
    return [told] if told is not None else []


def _repository(fields: Fields) -> tuple[str, str]:
    """(full name, address)."""
    found = fields.child("repository", required=True)
    return found.text("full_name", required=True, most=300), found.text("html_url", most=1000)


def _deployment(fields: Fields) -> Told:
    made = fields.child("deployment", required=True)
    name, url = _repository(fields)
    ref, sha = made.text("ref", most=200), made.text("sha", most=200)
    version = sha[:12] if ref in ("", "main", "master", sha) else ref
    where = made.text("environment", most=100)
    payload = made.data.get("payload")
    said = payload if isinstance(payload, dict) else {}
    task = made.text("task", most=100) or "deploy"
    default = f"{name.rpartition('/')[2]} {version} to {where or 'its environment'}"
    return Told(
        summary=made.text("description", most=1000) or default,
        kind=ChangeKind.DEPLOYMENT,
        intent=words.intent_of(first_of(said, "intent", "change_kind") or task),
        services=(first_of(said, "service") or name,),
        environment=where,
        version=first_of(said, "version") or version,
        started_at=made.time("created_at"),
        outcome=Outcome.IN_PROGRESS,
        links=links_of([("Repository", url), ("Commit", f"{url}/commit/{sha}" if url else "")]),
        source=f"github.com/{name}",
        key=f"deployment/{name}/{_id(made)}",
        reporter=_who(made.child("creator")),
        at=made.time("created_at"),
        labels={"ref": ref, "sha": sha, "task": task},
    )


def _status(fields: Fields) -> Told | None:
    status = fields.child("deployment_status", required=True)
    state = status.text("state", required=True, most=50)
    begun = _deployment(fields)
    if state == "inactive":  # a later deployment took its place: it says nothing of this one
        return None
    outcome = words.outcome_of(state)
    at = status.time("created_at")
    over = outcome not in (None, Outcome.IN_PROGRESS)
    log = first_of(status.data, "log_url", "target_url")
    return Told(
        summary=begun.summary,
        kind=begun.kind,
        intent=begun.intent,
        services=begun.services,
        environment=status.text("environment", most=100) or begun.environment,
        version=begun.version,
        started_at=begun.started_at,
        ended_at=at if over else None,
        outcome=outcome,
        links=(*begun.links, *links_of([("Log", log)])),
        source=begun.source,
        key=begun.key,
        reporter=_who(status.child("creator")),
        at=at,
        labels={**begun.labels, "state": state},
    )


def _release(fields: Fields) -> Told | None:
    release = fields.child("release", required=True)
    name, _ = _repository(fields)
    action = fields.text("action", most=50)
    if release.data.get("draft") or action in ("deleted", "unpublished"):
        return None
    tag = release.text("tag_name", required=True, most=200)
    return Told(
        summary=f"Release {release.text('name', most=500) or tag} published",
        services=(name,),
        version=tag,
        started_at=release.time("published_at") or release.time("created_at"),
        outcome=Outcome.SUCCEEDED,
        links=links_of([("Release", release.text("html_url", most=1000))]),
        source=f"github.com/{name}",
        key=f"release/{name}/{_id(release)}",
        reporter=_who(release.child("author")),
        at=release.time("published_at") or release.time("created_at"),
    )


def _push(fields: Fields) -> Told | None:
    name, _ = _repository(fields)
    repository = fields.child("repository")
    branch = repository.text("default_branch", most=200)
    ref = fields.text("ref", required=True, most=300)
    if fields.data.get("deleted") or not branch or ref != f"refs/heads/{branch}":
        return None
    head = fields.child("head_commit")
    message = head.text("message", most=1000).partition("\n")[0]
    sha = fields.text("after", most=200)
    return Told(
        summary=message or f"Push to {branch}",
        services=(name,),
        version=sha[:12],
        previous_version=fields.text("before", most=200)[:12],
        started_at=head.time("timestamp"),
        outcome=Outcome.SUCCEEDED,
        links=links_of([("Compare", fields.text("compare", most=1000))]),
        source=f"github.com/{name}",
        key=f"push/{name}/{sha}",
        reporter=first_of(fields.child("pusher").data, "name"),
        at=head.time("timestamp"),
        labels={"branch": branch},
    )


def _workflow_run(fields: Fields) -> Told | None:
    run = fields.child("workflow_run", required=True)
    name, _ = _repository(fields)
    title = first_of(run.data, "name") or first_of(fields.child("workflow").data, "name")
    if not words.deploys(f"{title} {run.text('path', most=500).rpartition('/')[2]}"):
        return None
    over = fields.text("action", most=50) == "completed"
    word = run.text("conclusion", most=50) if over else "in_progress"
    if over and word in ("skipped", "neutral", "action_required", "stale"):
        return None
    sha = run.text("head_sha", most=200)
    began = run.time("run_started_at") or run.time("created_at")
    return Told(
        summary=f"{title}: {run.text('display_title', most=800)}".strip(": "),
        kind=ChangeKind.DEPLOYMENT,
        services=(name,),
        version=sha[:12],
        started_at=began,
        ended_at=run.time("updated_at") if over else None,
        outcome=words.outcome_of(word),
        links=links_of([("Run", run.text("html_url", most=1000))]),
        source=f"github.com/{name}",
        key=f"run/{name}/{_id(run)}/{first_of(run.data, 'run_attempt')}",
        reporter=_who(run.child("actor")),
        at=run.time("updated_at") or began,
    )


_EVENTS: Mapping[str, Callable[[Fields], Told | None]] = {
    "deployment": _deployment,
    "deployment_status": _status,
    "release": _release,
    "push": _push,
    "workflow_run": _workflow_run,
}


def _id(fields: Fields) -> str:
    found = fields.data.get("id")
    if not isinstance(found, int) or isinstance(found, bool):
        raise wrong(fields.at("id"), "a whole number")
    return str(found)


def _who(fields: Fields) -> str:
    return fields.text("login", most=200)
