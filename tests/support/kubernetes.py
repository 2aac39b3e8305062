"""A local server that speaks the published Kubernetes API (apps/v1), and refuses what it would.

Deployments with their ReplicaSets, the scale sub-resource, the three kinds of patch by their media
types, ``dryRun=All``, resource versions, bearer tokens. A controller makes each change real after a
few looks, as a rollout takes its time.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, urlsplit

from tests.support.providers import Provider, RefusedError, running

TOKEN = "token-of-the-tests"
REVISION = "deployment.kubernetes.io/revision"
Object = dict[str, Any]


def _template(image: str) -> Object:
    return {
        "metadata": {"labels": {"app": "checkout"}},
        "spec": {"containers": [{"name": "main", "image": image}]},
    }


@dataclass
class Cluster:
    """One deployment, shop/checkout, whose third revision is the bad one."""

    url: str = ""
    deployment: Object = field(default_factory=dict)
    sets: list[Object] = field(default_factory=list)
    patches: list[tuple[str, str]] = field(default_factory=list)  # (media type, query)
    looks: int = 0
    stuck: bool = False
    provider: Provider | None = None

    def __post_init__(self) -> None:
        for number in (1, 2, 3):
            self.sets.append(self._set(number, f"checkout:{number}"))
        foreign = self._set(9, "other:9")
        foreign["metadata"]["ownerReferences"][0]["uid"] = "another"
        self.sets.append(foreign)
        self.deployment = {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": {"name": "checkout", "namespace": "shop", "uid": "u-1", "generation": 3,
                         "resourceVersion": "100", "annotations": {REVISION: "3"}},
            "spec": {"replicas": 4, "selector": {"matchLabels": {"app": "checkout"}},
                     "template": _template("checkout:3")},
            "status": {},
        }  # fmt: skip
        self._settle()

    def _set(self, number: int, image: str) -> Object:
        template = _template(image)
        template["metadata"]["labels"]["pod-template-hash"] = f"h{number}"
        owner = {"kind": "Deployment", "name": "checkout", "uid": "u-1", "controller": True}
        return {"metadata": {"name": f"checkout-h{number}", "annotations": {REVISION: str(number)},
                             "ownerReferences": [owner]},
                "spec": {"template": template}}  # fmt: skip

    @property
    def image(self) -> str:
        return str(self.deployment["spec"]["template"]["spec"]["containers"][0]["image"])

    def _settle(self) -> None:
        wanted = self.deployment["spec"]["replicas"]
        self.deployment["status"] = {
            "observedGeneration": self.deployment["metadata"]["generation"],
            "replicas": wanted, "updatedReplicas": wanted, "availableReplicas": wanted,
        }  # fmt: skip

    # -- the API
    def get(self, path: str, query: Mapping[str, str]) -> Object:
        if path == "/replicasets":
            if query.get("labelSelector") != "app=checkout":
                raise RefusedError(400, _status(400, "a labelSelector is expected"))
            return {"kind": "ReplicaSetList", "items": self.sets}
        if path == "/deployments/checkout/scale":
            return self._scale()
        self._known(path)
        self.looks += 1
        if self.looks >= 2 and not self.stuck:
            self._settle()
        return self.deployment

    def _scale(self) -> Object:
        meta = {k: self.deployment["metadata"][k] for k in ("name", "resourceVersion")}
        return {"kind": "Scale", "metadata": meta,
                "spec": {"replicas": self.deployment["spec"]["replicas"]}}  # fmt: skip

    def patch(self, path: str, query: Mapping[str, str], kind: str, body: Any) -> Object:  # noqa: ANN401
        if set(query) - {"fieldManager", "dryRun"} or query.get("dryRun", "All") != "All":
            raise RefusedError(400, _status(400, "unknown query"))
        after = copy.deepcopy(self.deployment)
        if path == "/deployments/checkout/scale":
            if kind != "application/merge-patch+json":
                raise RefusedError(415, _status(415, kind))
            version = body.get("metadata", {}).get("resourceVersion")
            if version not in (None, after["metadata"]["resourceVersion"]):
                raise RefusedError(409, _status(409, "the object has been modified"))
            after["spec"]["replicas"] = int(body["spec"]["replicas"])
        else:
            self._known(path)
            self._change(after, kind, body)
        self.patches.append((kind, query.get("dryRun", "")))
        if not query.get("dryRun"):
            after["metadata"]["generation"] += 1
            after["metadata"]["resourceVersion"] = str(
                int(after["metadata"]["resourceVersion"]) + 1
            )
            self.deployment, self.looks = after, 0
        return after

    def _change(self, after: Object, kind: str, body: Any) -> None:  # noqa: ANN401
        match kind:
            case "application/json-patch+json":
                for step in body:
                    keys = step["path"].strip("/").split("/")
                    at = after
                    for key in keys[:-1]:
                        at = at[key]
                    if step["op"] == "test" and at[keys[-1]] != step["value"]:
                        raise RefusedError(422, _status(422, "the test failed"))
                    if step["op"] == "replace":
                        at[keys[-1]] = step["value"]
                if "pod-template-hash" in after["spec"]["template"]["metadata"]["labels"]:
                    raise RefusedError(422, _status(422, "pod-template-hash is the controller's"))
            case "application/strategic-merge-patch+json":
                given = body["spec"]["template"]["metadata"]["annotations"]
                meta = after["spec"]["template"]["metadata"]
                meta["annotations"] = {**meta.get("annotations", {}), **given}
            case _:
                raise RefusedError(415, _status(415, kind))

    def _known(self, path: str) -> None:
        if path != "/deployments/checkout":
            raise RefusedError(404, _status(404, f'deployments.apps "{path}" not found'))


def _status(code: int, message: str) -> Object:
    return {"kind": "Status", "status": "Failure", "message": message, "code": code}


@contextmanager
def kubernetes() -> Iterator[Cluster]:
    """The server, on loopback, until the block ends."""
    cluster = Cluster()

    def check(_: Provider, method: str, path: str, headers: dict[str, str], body: bytes) -> object:
        if headers.get("authorization") != f"Bearer {TOKEN}":
            raise RefusedError(401, _status(401, "Unauthorized"))
        parts = urlsplit(path)
        base = "/apis/apps/v1/namespaces/shop"
        if not parts.path.startswith(base):
            raise RefusedError(403, _status(403, "forbidden"))
        query = {k: v[0] for k, v in parse_qs(parts.query).items()}
        inside = parts.path.removeprefix(base)
        if method == "GET":
            return cluster.get(inside, query)
        if method != "PATCH":
            raise RefusedError(405, _status(405, method))
        return cluster.patch(inside, query, headers.get("content-type", ""), json.loads(body))

    with running(check) as provider:
        cluster.provider, cluster.url = provider, provider.url
        yield cluster
