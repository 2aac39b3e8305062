"""Argo CD notifications: an Application as it is, sent by a webhook template. Pure.

The template sends the application itself, ``{{toJson .app}}``, so that it need not be kept in step
with what we read: https://argo-cd.readthedocs.io/en/stable/operator-manual/notifications/.
"""

from __future__ import annotations

from watchkeeper.alerting.intake.model import Asked, Understood
from watchkeeper.alerting.intake.reading import Fields, first_of, links_of
from watchkeeper.changes.model import ChangeKind, Outcome, Told

_PHASES = {
    "Running": Outcome.IN_PROGRESS,
    "Terminating": Outcome.IN_PROGRESS,
    "Succeeded": Outcome.SUCCEEDED,
    "Failed": Outcome.FAILED,
    "Error": Outcome.FAILED,
}


def parse(document: object, asked: Asked) -> list[Understood]:
    """One application, or ``{"app": …}``: its last operation, if any, is a deployment."""
    del asked
    fields = Fields(document)
    if isinstance(fields.data.get("app"), dict):
        fields = fields.child("app")
    metadata = fields.child("metadata", required=True)
    name = metadata.text("name", required=True, most=300)
    status = fields.child("status")
    operation = status.child("operationState")
    if not operation.data:
        return []
    return [_told(fields, name, operation)]


def _told(fields: Fields, name: str, operation: Fields) -> Told:
    status = fields.child("status")
    result = operation.child("syncResult")
    revision = result.text("revision", most=200) or status.child("sync").text("revision", most=200)
    began = operation.time("startedAt")
    outcome = _PHASES[operation.exactly("phase", tuple(_PHASES))]
    labels = fields.child("metadata").labels("labels")
    service = first_of(labels, "watchkeeper/service", "app.kubernetes.io/name", "app") or name
    where = labels.get("environment", "") or fields.child("spec").child("destination").text(
        "namespace", most=100
    )
    repository = fields.child("spec").child("source").text("repoURL", most=1000)
    images = status.child("summary").texts("images")
    return Told(
        summary=f"{name} synced to {revision[:12]}" if revision else f"{name} synced",
        kind=ChangeKind.DEPLOYMENT,
        services=(service,),
        environment=where,
        version=_tag(images) or revision[:12],
        started_at=began,
        ended_at=operation.time("finishedAt"),
        outcome=outcome,
        links=links_of([("Repository", repository)]),
        source=f"argocd/{name}",
        key=f"{name}/{first_of(operation.data, 'startedAt')}/{revision}"[:400],
        reporter=first_of(operation.child("operation").child("initiatedBy").data, "username"),
        at=operation.time("finishedAt") or began,
        labels={"revision": revision, "images": ", ".join(images), **labels},
    )


def _tag(images: list[str]) -> str:
    """The tag of the image, when there is but one image."""
    if len(images) != 1 or "@" in images[0]:
        return ""
    _, _, tag = images[0].rpartition("/")[2].partition(":")
    return tag
