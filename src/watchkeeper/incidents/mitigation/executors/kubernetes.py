"""Kubernetes: rollback, scale and restart, by the API (apps/v1), as kubectl does it.

A rollback puts the pod template of an earlier revision's ReplicaSet back (`kubectl rollout undo`);
a restart changes an annotation of the template (`kubectl rollout restart`); scaling writes the
scale sub-resource. Then the rollout is followed to its end. A dry run asks the server to check
all of it and to keep nothing (``dryRun=All``).
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode

from watchkeeper.incidents.mitigation.executors.http import in_address, web_of
from watchkeeper.incidents.mitigation.model import Outcome, RunState, Task
from watchkeeper.incidents.mitigation.tape import Tape
from watchkeeper.kernel.errors import UserError
from watchkeeper.notify.guarded import Web

REVISION = "deployment.kubernetes.io/revision"
RESTARTED = "kubectl.kubernetes.io/restartedAt"
MERGE, STRATEGIC = "application/merge-patch+json", "application/strategic-merge-patch+json"
JSON_PATCH = "application/json-patch+json"
LARGEST = 16 * 1024 * 1024
LOOK_EVERY = 1.0
"""Seconds between two looks at a rollout."""
REQUEST = 15.0
"""Seconds that one request may take."""
_NAME = re.compile(r"(deployment|statefulset|daemonset)/([a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?)")
_NAMESPACE = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")
_REPLICAS = re.compile(r"\+?\d{1,5}")
Object = Mapping[str, Any]


def run_kubernetes(task: Task, tape: Tape) -> Outcome:
    """Do it, and follow it to its end. Raises UserError, TransportError."""
    settings = task.settings
    named = _NAME.fullmatch(str(settings["workload"]))
    namespace = str(settings.get("namespace") or "default")
    if not named or not _NAMESPACE.fullmatch(namespace):
        raise UserError(
            f"{str(settings['workload'])[:60]!r} in {namespace[:60]!r} is no workload.",
            "Kind and name, e.g. deployment/checkout.",
        )
    web = web_of(settings, tape, min(REQUEST, task.timeout), LARGEST)
    cluster = Cluster(web, settings, tape, namespace, task.dry_run)
    workload = Workload(cluster, named[1], named[2], tape)
    deadline = time.monotonic() + task.timeout
    try:
        match str(settings["do"]):
            case "rollback":
                workload.roll_back(str(settings.get("revision") or ""))
            case "scale":
                workload.scale(str(settings["replicas"]))
            case _:
                workload.restart(datetime.now(UTC))
        if task.dry_run:
            return Outcome(RunState.SUCCEEDED, "The server would take it")
        return workload.follow(deadline)
    finally:
        web.close()


class Cluster:
    """The API of one namespace."""

    def __init__(
        self, web: Web, settings: Object, tape: Tape, namespace: str, dry_run: bool
    ) -> None:
        self._web, self._dry_run = web, dry_run
        self._base = f"{str(settings['url']).rstrip('/')}/apis/apps/v1/namespaces/{namespace}"
        token = tape.reveal(settings["token"], "token")
        self._headers = {"Authorization": f"Bearer {token}", "Accept": "application/json",
                         "User-Agent": "watchkeeper"}  # fmt: skip

    def get(self, path: str, **query: str) -> Object:
        """Read one object or list."""
        asked = f"?{urlencode(query)}" if query else ""
        answer = self._web.call("GET", f"{self._base}/{path}{asked}", headers=self._headers)
        found: Object = answer.json()
        return found

    def patch(self, path: str, kind: str, body: object) -> Object:
        """Change one object."""
        query = {"fieldManager": "watchkeeper", **({"dryRun": "All"} if self._dry_run else {})}
        answer = self._web.call(
            "PATCH", f"{self._base}/{path}?{urlencode(query)}", content=json.dumps(body).encode(),
            headers={**self._headers, "Content-Type": kind},
        )  # fmt: skip
        found: Object = answer.json()
        return found


class Workload:
    """A deployment, stateful set or daemon set."""

    def __init__(self, cluster: Cluster, kind: str, name: str, tape: Tape) -> None:
        self._cluster, self._tape, self._kind = cluster, tape, kind
        self._path = f"{kind}s/{in_address(name)}"
        self._shown = f"{kind}/{name}"

    def roll_back(self, revision: str) -> None:
        """Put the template of an earlier revision back; without one, of the one before."""
        now = self._cluster.get(self._path)
        if now["spec"].get("paused"):
            raise UserError(f"{self._shown} is paused.", "kubectl rollout resume")
        held = _revision(now)
        older = {_revision(r): r for r in self._revisions(now)}
        wanted = int(revision) if revision else max((r for r in older if r < held), default=0)
        found = older.get(wanted)
        if found is None or wanted == held:
            known = ", ".join(str(r) for r in sorted(older) if r != held) or "none"
            raise UserError(
                f"{self._shown} has no revision {wanted or 'before this one'}.", f"It has: {known}."
            )
        template = dict(found["spec"]["template"])
        labels = dict(template["metadata"].get("labels") or {})
        labels.pop("pod-template-hash", None)
        template["metadata"] = {**template["metadata"], "labels": labels}
        self._tape.say(f"{self._shown}: revision {held} → {wanted}: {_images(template)}\n")
        # The version is tested, so that a change by others meanwhile is not overwritten.
        self._cluster.patch(self._path, JSON_PATCH, [
            {"op": "test", "path": "/metadata/resourceVersion",
             "value": now["metadata"]["resourceVersion"]},
            {"op": "replace", "path": "/spec/template", "value": template},
        ])  # fmt: skip

    def _revisions(self, now: Object) -> list[Object]:
        """The deployment's own ReplicaSets."""
        labels = now["spec"]["selector"].get("matchLabels") or {}
        chosen = ",".join(f"{k}={v}" for k, v in sorted(labels.items()))
        sets = self._cluster.get("replicasets", labelSelector=chosen)["items"]
        mine = now["metadata"]["uid"]

        def owned(found: Object) -> bool:
            owners = found["metadata"].get("ownerReferences") or ()
            return any(o.get("controller") and o.get("uid") == mine for o in owners)

        return [r for r in sets if owned(r)]

    def scale(self, replicas: str) -> None:
        """As many, or so many more."""
        if not _REPLICAS.fullmatch(replicas):
            raise UserError(f"{replicas[:20]!r} is no number of copies.", "E.g. 6 or +2.")
        now = self._cluster.get(f"{self._path}/scale")
        held = int(now["spec"].get("replicas") or 0)
        wanted = held + int(replicas) if replicas.startswith("+") else int(replicas)
        self._tape.say(f"{self._shown}: {held} → {wanted} copies\n")
        version = {"resourceVersion": now["metadata"]["resourceVersion"]}
        body = {"metadata": version, "spec": {"replicas": wanted}}
        self._cluster.patch(f"{self._path}/scale", MERGE, body)

    def restart(self, now: datetime) -> None:
        """Make all its pods anew, a few at a time."""
        at = now.strftime("%Y-%m-%dT%H:%M:%SZ")
        self._tape.say(f"{self._shown}: restarted at {at}\n")
        template = {"metadata": {"annotations": {RESTARTED: at}}}
        self._cluster.patch(self._path, STRATEGIC, {"spec": {"template": template}})

    def follow(self, deadline: float) -> Outcome:
        """Wait until all copies run what was asked for."""
        told = ""
        while True:
            now = self._cluster.get(self._path)
            done, said = progress(self._kind, now)
            if said != told:
                self._tape.say(f"{said}\n")
                told = said
            failed = _given_up(now)
            if failed:
                return Outcome(RunState.FAILED, f"The rollout failed: {failed}")
            if done:
                return Outcome(RunState.SUCCEEDED, said)
            if time.monotonic() + LOOK_EVERY > deadline:
                return Outcome(RunState.TIMED_OUT, f"The change was made, but {said}")
            time.sleep(LOOK_EVERY)


def progress(kind: str, now: Object) -> tuple[bool, str]:
    """Whether a rollout is complete, and how far it is. As `kubectl rollout status`."""
    status, spec = now.get("status") or {}, now["spec"]
    if int(status.get("observedGeneration") or 0) < int(now["metadata"].get("generation") or 0):
        return False, "the controller has not seen the change yet"
    daemon = kind == "daemonset"
    wanted = int(status.get("desiredNumberScheduled") or 0) if daemon else (
        int(1 if spec.get("replicas") is None else spec["replicas"]))  # fmt: skip
    updated = int(status.get("updatedNumberScheduled" if daemon else "updatedReplicas") or 0)
    ready = int(status.get("numberAvailable" if daemon else "availableReplicas") or 0)
    there = wanted if daemon else int(status.get("replicas") or 0)
    said = f"{min(updated, ready)} of {wanted} copies are updated and available"
    return updated >= wanted and ready >= wanted and there <= wanted, said


def _given_up(now: Object) -> str:
    """Why the controller has given up; '' when it has not."""
    for condition in (now.get("status") or {}).get("conditions") or ():
        late = condition.get("reason") == "ProgressDeadlineExceeded"
        if condition.get("type") == "Progressing" and condition.get("status") == "False" and late:
            return str(condition.get("message") or condition["reason"])
    return ""


def _revision(found: Object) -> int:
    written = (found["metadata"].get("annotations") or {}).get(REVISION, "0")
    return int(written) if str(written).isdigit() else 0


def _images(template: Object) -> str:
    return ", ".join(str(c.get("image", "")) for c in template["spec"].get("containers") or ())
