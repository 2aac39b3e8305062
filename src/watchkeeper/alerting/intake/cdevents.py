"""What CDEvents tell of changes (https://cdevents.dev). Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping

from watchkeeper.alerting.intake.reading import Fields, first_of, links_of, plain
from watchkeeper.changes import words
from watchkeeper.changes.model import ChangeKind, Outcome, Told
from watchkeeper.kernel.clock import Seconds

_SERVICE: Mapping[str, tuple[ChangeKind, str]] = {
    "deployed": (ChangeKind.DEPLOYMENT, "deployed"),
    "upgraded": (ChangeKind.DEPLOYMENT, "upgraded"),
    "rolledback": (ChangeKind.DEPLOYMENT, "rolled back"),
    "removed": (ChangeKind.DEPLOYMENT, "removed"),
    "published": (ChangeKind.CONFIGURATION, "opened to users"),
}
_ENVIRONMENT = ("created", "modified", "deleted")
_RUNS = ("pipelinerun", "taskrun")
_TAG = re.compile(r"[?&]tag=([^&]+)|@(?:sha256[:%][^?&]*?)([0-9a-f]{12})[0-9a-f]*|@([^?&]+)")


def told(fields: Fields, kind: str, thing: str, at: Seconds | None) -> Told | None:
    """The change that an event tells of; None when it tells of none.

    ``kind``: ``service.deployed.0.3.0``; ``thing``: the subject's id.
    """
    subject, verb = (*kind.split("."), "")[:2]
    if subject == "service" and verb in _SERVICE:
        return _service(fields, verb, thing, at)
    if subject == "environment" and verb in _ENVIRONMENT:
        name = first_of(_content(fields), "name") or thing
        return _made(fields, at, ChangeKind.INFRASTRUCTURE, f"Environment {name} {verb}", name)
    if subject == "change" and verb == "merged":
        where = _within(fields, "repository") or thing
        return _made(fields, at, ChangeKind.OTHER, f"Change {thing} merged", "", (where,))
    if subject in _RUNS and verb in ("started", "finished"):
        return _run(fields, verb, thing, at)
    return None


def _content(fields: Fields) -> Mapping[str, object]:
    return fields.child("subject").child("content").data


def _within(fields: Fields, key: str) -> str:
    value = _content(fields).get(key)
    return first_of(value, "id", "name") if isinstance(value, dict) else ""


def _service(fields: Fields, verb: str, thing: str, at: Seconds | None) -> Told:
    kind, said = _SERVICE[verb]
    version = version_of(first_of(_content(fields), "artifactId"))
    what = f"{thing} {version}".strip()
    where = _within(fields, "environment")
    return _made(fields, at, kind, f"{what} {said}", where, (thing,), version)


def _run(fields: Fields, verb: str, thing: str, at: Seconds | None) -> Told | None:
    """A pipeline's run is a change when its name says that it deploys."""
    name = first_of(_content(fields), "pipelineName", "taskName") or thing
    if not words.deploys(name):
        return None
    context = fields.child("context")
    over = verb == "finished"
    outcome = words.outcome_of(first_of(_content(fields), "outcome")) if over else None
    return Told(
        summary=f"Pipeline {name}",
        kind=ChangeKind.DEPLOYMENT,
        started_at=None if over else at,
        ended_at=at if over else None,
        outcome=outcome or (Outcome.SUCCEEDED if over else Outcome.IN_PROGRESS),
        links=links_of([("Run", first_of(_content(fields), "uri", "url"))]),
        source=context.text("source", most=500),
        key=f"{context.text('source', most=150)}/{thing}"[:400],
        at=at,
    )


def _made(
    fields: Fields,
    at: Seconds | None,
    kind: ChangeKind,
    summary: str,
    environment: str = "",
    services: tuple[str, ...] = (),
    version: str = "",
) -> Told:
    context = fields.child("context")
    content = _content(fields)
    return Told(
        summary=summary,
        kind=kind,
        services=services,
        environment=environment,
        version=version,
        started_at=at,
        outcome=Outcome.SUCCEEDED,
        links=links_of([("Link", first_of(content, "uri", "url"))]),
        source=context.text("source", most=500),
        key=f"{context.text('type', most=100)}/{context.exact('id', 250)}",
        reporter=first_of(content, "user", "updatedBy"),
        at=at,
        labels={k[:200]: plain(v)[:1000] for k, v in content.items() if v is not None},
    )


def version_of(artifact: str) -> str:
    """The version in a package URL (purl): its tag, else its version; of a digest 12 letters."""
    found = _TAG.search(artifact)
    return next((g for g in found.groups() if g), "") if found else ""
