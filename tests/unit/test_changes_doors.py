"""What other systems' messages about changes become, and what is refused."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx2
import pytest

from tests.support.intake import PAYLOADS, Doors, opened, payload
from watchkeeper.alerting.intake import argocd, cdevents, github, gitlab, told
from watchkeeper.alerting.intake.model import Asked
from watchkeeper.changes import words
from watchkeeper.changes.model import Change, ChangeKind, Intent, Outcome, Told
from watchkeeper.kernel.errors import UserError
from watchkeeper.spec.duty import Duty
from watchkeeper.store import Database

EVENTS = {
    "deployment": 1, "deployment_status": 1, "issues.assigned": 0, "push": 0,
    "release.created": 1, "workflow_run.completed": 0,
}  # fmt: skip
"""The published payloads, and whether each tells of a change: the push deletes a tag, and the
workflow's name says that it only tests."""


@pytest.fixture
def doors(tmp_path: Path) -> Iterator[Doors]:
    database = Database.open(str(tmp_path / "doors.db"))
    yield Doors(database)
    database.close()


def send(doors: Doors, path: str, body: object, **headers: str) -> httpx2.Response:
    named = {k.replace("_", "-"): v for k, v in headers.items()}
    return asyncio.run(doors.send(path, body, named))


def hub(doors: Doors, event: str, body: object) -> httpx2.Response:
    return send(doors, "/in/{github}", body, x_github_event=event)


def read(module: Any, body: object, mapping: Mapping[str, str] | None = None) -> list[Told]:  # noqa: ANN401
    return list(module.parse(body, Asked(0.0, mapping=mapping or {})))


# ---------------------------------------------------------------- GitHub


@pytest.mark.parametrize("path", sorted(PAYLOADS.glob("github/*.json")), ids=lambda p: p.stem)
def test_every_published_github_payload_is_taken(doors: Doors, path: Path) -> None:
    name = path.name.removesuffix(".payload.json")
    answer = hub(doors, name.partition(".")[0], path.read_bytes())
    assert (answer.status_code, answer.json()["changes"]) == (202, EVENTS[name]), answer.text
    assert len(doors.changes()) == EVENTS[name]


def test_a_github_deployment_and_its_status_are_one_change(doors: Doors) -> None:
    for name in ("deployment", "deployment_status"):
        assert hub(doors, name, payload(f"github/{name}.payload.json")).status_code == 202
    (change,) = doors.changes()
    assert change.services == ("Codertocat/Hello-World",)
    assert (change.kind, change.outcome) == (ChangeKind.DEPLOYMENT, Outcome.SUCCEEDED)
    assert (change.environment, change.version) == ("production", "f95f852bd8fc")
    assert change.ended_at is not None
    assert change.ended_at - change.started_at == 2
    assert change.reported_by == "Codertocat by github"


def test_a_status_that_fails_ends_the_change_and_one_that_is_inactive_says_nothing() -> None:
    body = payload("github/deployment_status.payload.json")
    asked = Asked(0.0, headers={"x-github-event": "deployment_status"})
    body["deployment_status"]["state"] = "failure"
    (failed,) = github.parse(body, asked)
    assert isinstance(failed, Told)
    assert failed.outcome is Outcome.FAILED
    body["deployment_status"]["state"] = "inactive"
    assert github.parse(body, asked) == []


def test_a_push_to_the_default_branch_is_a_change_and_one_elsewhere_is_not() -> None:
    body = payload("github/push.payload.json")
    commit = {"message": "Raise the pool\n\nmore", "timestamp": "2019-05-15T15:20:00Z"}
    body |= {"ref": "refs/heads/master", "deleted": False, "after": "b" * 40, "head_commit": commit}
    asked = Asked(0.0, headers={"x-github-event": "push"})
    (made,) = github.parse(body, asked)
    assert isinstance(made, Told)
    assert (made.summary, made.version) == ("Raise the pool", "b" * 12)
    assert github.parse(body | {"ref": "refs/heads/feature"}, asked) == []


def test_a_run_of_a_workflow_that_deploys_is_a_deployment() -> None:
    body = payload("github/workflow_run.completed.payload.json")
    body["workflow_run"]["path"] = ".github/workflows/deploy.yml"
    (made,) = github.parse(body, Asked(0.0, headers={"x-github-event": "workflow_run"}))
    assert isinstance(made, Told)
    assert (made.kind, made.outcome) == (ChangeKind.DEPLOYMENT, Outcome.SUCCEEDED)
    assert made.ended_at is not None


def signed(secret: str, body: bytes) -> str:
    return "sha256=" + hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()


def test_a_github_signature_is_checked_with_the_key_when_there_is_no_secret(doors: Doors) -> None:
    body = (PAYLOADS / "github/deployment.payload.json").read_bytes()
    right = signed(doors.keys["github"], body)
    for said, status in ((right, 202), (signed("guess", body), 401)):
        headers = {"x_github_event": "deployment", "x_hub_signature_256": said}
        assert send(doors, "/in/{github}", body, **headers).status_code == status
    tampered = body.replace(b"production", b"elsewhere!")
    headers = {"x_github_event": "deployment", "x_hub_signature_256": right}
    assert send(doors, "/in/{github}", tampered, **headers).status_code == 401


def guarded(doors: Doors, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The integration has a secret of its own."""
    monkeypatch.setenv("HOOK_SECRET", "s3cret")
    door = opened(doors, name, secret="{env: HOOK_SECRET}")
    integrations = {**doors.specs.duty.integrations, name: door}
    duty = replace(doors.specs.duty, integrations=integrations)
    assert isinstance(duty, Duty)
    doors.services.board.post(specs=replace(doors.specs, duty=duty))


def test_with_a_secret_a_github_webhook_must_be_signed_with_it(
    doors: Doors, monkeypatch: pytest.MonkeyPatch
) -> None:
    guarded(doors, "github", monkeypatch)
    body = (PAYLOADS / "github/deployment.payload.json").read_bytes()
    for said, status in (("s3cret", 202), (doors.keys["github"], 401)):
        headers = {"x_github_event": "deployment", "x_hub_signature_256": signed(said, body)}
        assert send(doors, "/in/{github}", body, **headers).status_code == status
    unsigned = send(doors, "/in/{github}", body, x_github_event="deployment")
    assert unsigned.status_code == 401
    assert "s3cret" not in unsigned.text


# ---------------------------------------------------------------- GitLab

DEPLOYMENT = {
    "object_kind": "deployment", "status": "running", "deployment_id": 15, "ref": "main",
    "status_changed_at": "2026-01-05 08:50:00 +0100", "environment": "production",
    "deployable_url": "https://gitlab.example/shop/checkout/-/jobs/1", "short_sha": "279484c0",
    "commit_title": "Add a field", "user": {"username": "ann"},
    "project": {"path_with_namespace": "shop/checkout", "web_url": "https://gitlab.example/s/c"},
}  # fmt: skip


def test_a_gitlab_deployment_is_one_change_from_running_to_success(doors: Doors) -> None:
    over = {**DEPLOYMENT, "status": "success", "status_changed_at": "2026-01-05 08:52:00 +0100"}
    for body in (over, DEPLOYMENT):
        assert send(doors, "/in/{gitlab}", body).status_code == 202
    (change,) = doors.changes()
    assert (change.services, change.version) == (("checkout",), "279484c0")
    assert change.outcome is Outcome.SUCCEEDED
    assert change.ended_at is not None
    assert change.ended_at - change.started_at == 120


def test_a_gitlab_token_must_be_the_secret_when_there_is_one(
    doors: Doors, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = doors.keys["gitlab"]
    assert send(doors, "/in/{gitlab}", DEPLOYMENT, x_gitlab_token=key).status_code == 202
    assert send(doors, "/in/{gitlab}", DEPLOYMENT, x_gitlab_token="no").status_code == 401
    guarded(doors, "gitlab", monkeypatch)
    assert send(doors, "/in/{gitlab}", DEPLOYMENT).status_code == 401
    assert send(doors, "/in/{gitlab}", DEPLOYMENT, x_gitlab_token="s3cret").status_code == 202


def test_gitlab_pipelines_that_deploy_and_releases_are_changes_and_issues_are_not() -> None:
    project = DEPLOYMENT["project"]
    its = {
        "id": 31, "status": "failed", "name": "Deploy to eu", "sha": "b" * 40, "ref": "main",
        "created_at": "2026-01-05 07:23:28 UTC", "finished_at": "2026-01-05 07:26:29 UTC",
    }  # fmt: skip
    pipeline = {"object_kind": "pipeline", "object_attributes": its, "project": project}
    (made,) = read(gitlab, pipeline)
    assert (made.outcome, made.ended_at) == (Outcome.FAILED, 1767597989.0)
    assert read(gitlab, {**pipeline, "object_attributes": {**its, "name": "Test"}}) == []
    release = {"object_kind": "release", "action": "create", "id": 1, "tag": "v1.1",
               "released_at": "2026-01-05 07:23:28 UTC", "project": project}  # fmt: skip
    assert read(gitlab, release)[0].version == "v1.1"
    assert read(gitlab, {"object_kind": "issue"}) == []


# ---------------------------------------------------------------- Argo CD

APPLICATION: dict[str, Any] = {
    "metadata": {"name": "checkout-eu", "labels": {"watchkeeper/service": "checkout"}},
    "spec": {
        "destination": {"namespace": "production"},
        "source": {"repoURL": "https://git.example/shop/checkout"},
    },
    "status": {
        "operationState": {
            "phase": "Running", "startedAt": "2026-01-05T07:50:00Z",
            "syncResult": {"revision": "f95f852bd8fca8fcc58a9a2d6c842781e32a215e"},
        },
        "summary": {"images": ["registry.example/shop/checkout:1.42"]},
    },
}  # fmt: skip


def test_an_argo_cd_sync_is_one_change_from_running_to_its_end(doors: Doors) -> None:
    over = json.loads(json.dumps(APPLICATION))
    over["status"]["operationState"] |= {
        "phase": "Failed", "finishedAt": "2026-01-05T07:51:30Z",
    }  # fmt: skip
    for body in (APPLICATION, {"app": over}):
        assert send(doors, "/in/{argocd}", body).status_code == 202
    (change,) = doors.changes()
    assert (change.services, change.environment) == (("checkout",), "production")
    assert (change.version, change.outcome) == ("1.42", Outcome.FAILED)
    assert change.ended_at is not None
    assert change.ended_at - change.started_at == 90


def test_an_application_that_was_never_synced_tells_of_no_change() -> None:
    assert read(argocd, {"metadata": {"name": "new"}}) == []


# ---------------------------------------------------------------- any JSON


def test_any_json_is_read_by_the_usual_names(doors: Doors) -> None:
    begun = {"id": "d-1", "app": "checkout", "tag": "1.42", "type": "deploy", "status": "started",
             "env": "production", "timestamp": "2026-01-05T07:50:00Z"}  # fmt: skip
    over = {"id": "d-1", "status": "rolled back", "end": "2026-01-05T07:58:00Z", "app": "checkout"}
    assert send(doors, "/in/{changes}", [begun, over]).json()["changes"] == 2
    (change,) = doors.changes()
    assert (change.kind, change.version) == (ChangeKind.DEPLOYMENT, "1.42")
    assert (change.environment, change.outcome) == ("production", Outcome.ROLLED_BACK)
    assert change.ended_at is not None
    assert change.ended_at - change.started_at == 480


def test_a_mapping_says_where_things_are() -> None:
    mapping = {"summary": "{{what.name}} to {{what.to}}", "service": "what.name",
               "started_at": "when.ms", "outcome": "said"}  # fmt: skip
    body = {"what": {"name": "pool", "to": "eu"}, "when": {"ms": 1767597989000}, "said": "ok"}
    (made,) = read(told, body, mapping)
    assert (made.summary, made.services) == ("pool to eu", ("pool",))
    assert (made.started_at, made.outcome) == (1767597989.0, Outcome.SUCCEEDED)


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ({"status": "ok"}, "summary must be a text that says what was changed"),
        ({"service": "a", "status": "splendid"}, "outcome must be one of"),
        ({"service": "a", "started_at": "soon"}, "started_at must be a time"),
        ({"service": "a", "started_at": 1e10}, "too far in the future"),
        ({"service": "a", "started_at": 100, "ended_at": 50}, "ends before it starts"),
        ({"services": "a"}, "services must be a list of texts"),
        ([1], "[0] must be an object"),
        ("text", "must be an object"),
        (b'{"service": "a"', "not JSON"),
        (b"[" + b" " * 600_000, "larger than"),
    ],
)
def test_what_is_wrong_is_refused_with_the_place_and_what_was_expected(
    doors: Doors, body: object, says: str
) -> None:
    answer = send(doors, "/in/{changes}", body)
    assert 400 <= answer.status_code < 500
    assert says in answer.json()["message"] + answer.json()["error"]
    assert doors.changes() == []


@pytest.mark.parametrize(
    ("name", "event", "body"),
    [
        ("github", "", {}),
        ("github", "deployment", {"deployment": {"id": 1}}),
        ("github", "deployment", {"deployment": {"id": "x"}, "repository": {"full_name": "a/b"}}),
        ("github", "push", []),
        ("gitlab", "", {"object_kind": 3}),
        ("gitlab", "", {**DEPLOYMENT, "deployment_id": True}),
        ("gitlab", "", {**DEPLOYMENT, "project": []}),
        ("argocd", "", {"metadata": {"name": 3}}),
        ("argocd", "", {**APPLICATION, "status": {"operationState": {"phase": "Odd"}}}),
    ],
)
def test_wrong_types_are_refused(doors: Doors, name: str, event: str, body: object) -> None:
    headers = {"x_github_event": event} if event else {}
    answer = send(doors, f"/in/{{{name}}}", body, **headers)
    assert answer.status_code == 400, answer.text
    assert "must be" in answer.json()["message"]


def test_a_message_cut_anywhere_is_refused_and_keeps_nothing(doors: Doors) -> None:
    whole = (PAYLOADS / "github/deployment.payload.json").read_bytes()
    for part in range(0, len(whole) - 1, len(whole) // 40):
        assert hub(doors, "deployment", whole[:part]).status_code == 400
    assert doors.changes() == []


def test_one_bad_change_in_a_list_refuses_the_list(doors: Doors) -> None:
    answer = send(doors, "/in/{changes}", [{"service": "checkout"}, {"status": "ok"}])
    assert answer.status_code == 400
    assert answer.json()["message"].startswith("[1].summary")
    assert doors.changes() == []


# ---------------------------------------------------------------- words


@pytest.mark.parametrize(
    ("artifact", "version"),
    [
        ("pkg:oci/myapp@sha256%3A0b31b1c02ff458ad9b7b81cbdf8f028bd54699fa", "0b31b1c02ff4"),
        ("pkg:oci/myapp?tag=1.4", "1.4"),
        ("pkg:golang/mygit.com/myorg/myapp@v1.2.3", "v1.2.3"), ("", ""), ("myapp", ""),
    ],
)  # fmt: skip
def test_the_version_of_a_package_url(artifact: str, version: str) -> None:
    assert cdevents.version_of(artifact) == version


@pytest.mark.parametrize(
    ("name", "yes"),
    [("Deploy to production", True), ("redeploy", True), ("build-and-release.yml", True),
     ("test", False), ("undeployed", False), ("relationship", False), ("CI", False)],
)  # fmt: skip
def test_pipelines_that_deploy_are_known_by_their_names(name: str, yes: bool) -> None:
    assert words.deploys(name) is yes


def test_usual_words_are_understood_and_unknown_ones_are_not_guessed() -> None:
    assert words.kind_in("Build 7 deployed") is ChangeKind.DEPLOYMENT
    assert words.kind_of("Feature-Flag") is ChangeKind.FLAG
    assert words.outcome_of("Rolled back") is Outcome.ROLLED_BACK
    assert words.outcome_of("splendid") is None
    assert words.intent_of("hotfix") is Intent.RELIABILITY


def test_github_without_the_event_says_which_header_is_missing() -> None:
    with pytest.raises(UserError, match="X-GitHub-Event"):
        github.parse({}, Asked(0.0))


def test_changes_of_a_door_belong_to_its_service_when_they_name_none_that_is_known(
    doors: Doors,
) -> None:
    door = opened(doors, "github", service="search")
    integrations = {**doors.specs.duty.integrations, "github": door}
    duty = replace(doors.specs.duty, integrations=integrations)
    doors.services.board.post(specs=replace(doors.specs, duty=duty))
    hub(doors, "deployment", payload("github/deployment.payload.json"))
    found: list[Change] = doors.changes()
    assert [c.services for c in found] == [("search",)]
