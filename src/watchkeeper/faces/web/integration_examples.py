"""How other systems are told to send to us: addresses and settings to paste. Pure.

Every ``curl`` here is run by a test against a real server, so that what people copy works.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from watchkeeper.spec.duty import IntegrationDefinition, IntegrationType

KEY = "KEY"
"""What stands in the place of a key that is not shown any more."""


@dataclass(frozen=True, slots=True)
class Address:
    """Where to send, and what it is for."""

    what: str
    url: str


@dataclass(frozen=True, slots=True)
class Example:
    """A text to copy: a command, or another tool's settings."""

    title: str
    where: str
    text: str
    runs: bool = False


@dataclass(frozen=True, slots=True)
class Guide:
    """All that somebody needs to connect one integration."""

    says: str
    addresses: Sequence[Address]
    examples: Sequence[Example]


def guide(door: IntegrationDefinition, base: str, key: str = KEY) -> Guide:
    """For this integration at the server ``base`` (without a slash at the end)."""
    made = _GUIDES[door.type](base, key, door)
    more = [Address("Change events", f"{base}/v2/change/enqueue")]
    return Guide(made.says, [*made.addresses, *more], [*made.examples, _change(base, key)])


def curl(url: str, body: object, headers: Mapping[str, str] | None = None) -> str:
    """A command that sends this body. JSON, unless it is text already."""
    text = body if isinstance(body, str) else json.dumps(body, indent=2)
    sent = {"Content-Type": "application/json", **(headers or {})}
    lines = [f"curl -fsS {_quoted(url)}"]
    lines += [f"  -H {_quoted(f'{name}: {value}')}" for name, value in sent.items() if value]
    lines.append(f"  --data-binary {_quoted(text)}")
    return " \\\n".join(lines)


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "'\\''") + "'"


def _run(title: str, url: str, body: object, headers: Mapping[str, str] | None = None) -> Example:
    return Example(title, "In a shell", curl(url, body, headers), True)


# ---------------------------------------------------------------- by type


def _pagerduty(base: str, key: str, door: IntegrationDefinition) -> Guide:
    url = f"{base}/v2/enqueue"
    event = {
        "routing_key": key,
        "event_action": "trigger",
        "dedup_key": "db-1/disk",
        "payload": {"summary": "Disk full on db-1", "source": "db-1", "severity": "critical"},
    }
    over = {"routing_key": key, "event_action": "resolve", "dedup_key": "db-1/disk"}
    settings = f"""receivers:
  - name: watchkeeper
    pagerduty_configs:
      - url: {url}
        routing_key: {key}"""
    return Guide(
        "Whatever sends to PagerDuty's Events API v2 needs two changes: the address, and the "
        "routing key, which is the key below.",
        [
            Address("Events API v2", url),
            Address("With the key in the address", f"{base}/in/{key}/v2/enqueue"),
        ],
        [
            _run("Open an alert", url, event),
            _run("Close it", url, over),
            Example("An Alertmanager that sends to PagerDuty", "alertmanager.yml", settings),
        ],
    )


def _alertmanager(base: str, key: str, door: IntegrationDefinition) -> Guide:
    host = base.split("://", 1)[-1]
    scheme = base.split("://", 1)[0]
    hook = f"""receivers:
  - name: watchkeeper
    webhook_configs:
      - url: {base}/in/{key}
        send_resolved: true"""
    direct = f"""alerting:
  alertmanagers:
    - scheme: {scheme}
      authorization:
        credentials: {key}
      static_configs:
        - targets: ["{host}"]"""
    labels = {"alertname": "DiskFull", "severity": "critical", "instance": "db-1"}
    alert = {"labels": labels, "annotations": {"summary": "Disk full on db-1"}}
    webhook = {"version": "4", "status": "firing", "alerts": [{"status": "firing", **alert}]}
    return Guide(
        "Prometheus can send here directly, without an Alertmanager; or let an Alertmanager send "
        "as a webhook, beside your other receivers. Set its group_wait to 0s: alerts are grouped "
        "here.",
        [
            Address("Alertmanager, webhook", f"{base}/in/{key}"),
            Address("Prometheus, direct (api/v2)", f"{base}/api/v2/alerts"),
        ],
        [
            Example("Alertmanager", "alertmanager.yml", hook),
            Example("Prometheus, without an Alertmanager", "prometheus.yml", direct),
            _run("As Alertmanager's webhook sends it", f"{base}/in/{key}", webhook),
            _run("As Prometheus sends it", f"{base}/api/v2/alerts", [alert],
                 {"Authorization": f"Bearer {key}"}),
        ],
    )  # fmt: skip


def _opsgenie(base: str, key: str, door: IntegrationDefinition) -> Guide:
    url = f"{base}/v2/alerts"
    own = {"Authorization": f"GenieKey {key}"}
    body = {"message": "Disk full on db-1", "alias": "db-1/disk", "priority": "P1"}
    settings = f"""receivers:
  - name: watchkeeper
    opsgenie_configs:
      - api_url: {base}/
        api_key: {key}"""
    return Guide(
        "Set the API's address to this server and the API key to the key below. Creating, "
        "acknowledging and closing by alias are understood; P1 is critical, P2 error, P3 warning.",
        [Address("Alert API", url)],
        [
            _run("Open an alert", url, body, own),
            _run("Close it", f"{url}/db-1%2Fdisk/close?identifierType=alias", {}, own),
            Example("An Alertmanager that sends to Opsgenie", "alertmanager.yml", settings),
        ],
    )


def _grafana(base: str, key: str, door: IntegrationDefinition) -> Guide:
    url = f"{base}/in/{key}"
    settings = f"""apiVersion: 1
contactPoints:
  - orgId: 1
    name: Watchkeeper
    receivers:
      - uid: watchkeeper
        type: webhook
        settings:
          url: {url}"""
    labels = {"alertname": "Disk full", "severity": "critical"}
    alert = {"status": "firing", "labels": labels, "annotations": {"summary": "Disk full on db-1"}}
    body = {"status": "firing", "alerts": [{**alert, "fingerprint": "57c6d9296de2ad39"}]}
    return Guide(
        "Add a contact point of the type Webhook with this address. Alerts of dashboards as they "
        "were before Grafana 9 are understood as well.",
        [Address("Contact point, type Webhook", url)],
        [
            Example("As a file", "provisioning/alerting/watchkeeper.yaml", settings),
            _run("As Grafana sends it", url, body),
        ],
    )


def _cloudevents(base: str, key: str, door: IntegrationDefinition) -> Guide:
    url = f"{base}/in/{key}"
    event = {
        "specversion": "1.0",
        "id": "a-1",
        "type": "org.example.disk.full",
        "source": "/hosts/db-1",
        "subject": "/var",
        "data": {"severity": "critical", "summary": "Disk full on db-1"},
    }
    headers = {
        "ce-specversion": "1.0",
        "ce-id": "a-2",
        "ce-type": "org.example.disk.full.resolved",
        "ce-source": "/hosts/db-1",
        "ce-subject": "/var",
    }
    return Guide(
        "Structured, batched and binary events are taken. A type that ends in .resolved (or "
        ".closed, .recovered) closes what the same source, type and subject opened.",
        [Address("CloudEvents and CDEvents", url)],
        [
            _run(
                "A structured event", url, event, {"Content-Type": "application/cloudevents+json"}
            ),
            _run("A binary event that closes it", url, {}, headers),
        ],
    )


def _email(base: str, key: str, door: IntegrationDefinition) -> Guide:
    url = f"{base}/in/{key}"
    mail = (
        "From: backup@db-1.example\nTo: alerts@example.org\n"
        "Subject: [CRITICAL] Disk full on db-1\n\n97 % of /var are used.\n"
    )
    return Guide(
        "Let your mail server hand each message on. Messages of one sender with the same subject "
        "are one alert; [RESOLVED] or RECOVERY: at the start closes it.",
        [Address("A message, as it is", url)],
        [
            Example("Postfix", "/etc/aliases",
                    f'alerts: "|curl -fsS --data-binary @- {url}"'),
            _run("A message by hand", url, mail, {"Content-Type": "message/rfc822"}),
        ],
    )  # fmt: skip


def _generic(base: str, key: str, door: IntegrationDefinition) -> Guide:
    url = f"{base}/in/{key}"
    body = {"key": "db-1/disk", "summary": "Disk full on db-1", "severity": "critical"}
    says = (
        "Any JSON. The usual names are found by themselves: summary, title or message; key or id; "
        "status, state or action; severity; service."
    )
    if door.mapping:
        says = "JSON, read by the mapping that is written with this integration."
        body = {}
    examples = [
        _run("Open an alert", url, body or _mapped(door.mapping)),
        _run("Close it", url, {"key": "db-1/disk", "action": "resolve"}),
    ]
    mapping = "mapping:\n" + "\n".join(f"  {k}: {json.dumps(v)}" for k, v in door.mapping.items())
    if door.mapping:
        examples[1:] = [Example("Its mapping", f"{door.place.file}", mapping)]
    return Guide(says, [Address("Any JSON", url)], examples)


def _mapped(mapping: Mapping[str, str]) -> dict[str, object]:
    """An object in which each plain path of a mapping leads to something."""
    found: dict[str, object] = {"summary": "Disk full on db-1"}
    usual = {"severity": "critical", "action": "trigger", "key": "db-1/disk"}
    for field, path in mapping.items():
        for each in [p.split("}}")[0].strip() for p in path.split("{{")[1:]] or [path]:
            _put(found, each, usual.get(field, "Disk full on db-1"))
    return found


def _put(found: dict[str, object], path: str, value: str) -> None:
    steps = path.replace("[", ".[").split(".")
    here = found
    for i, step in enumerate(steps):
        if step.startswith("["):
            return
        if i + 1 == len(steps):
            here[step] = value
        elif steps[i + 1].startswith("["):
            here[step] = [value]
        else:
            below = here.setdefault(step, {})
            if not isinstance(below, dict):
                return
            here = below


def _change(base: str, key: str) -> Example:
    body = {
        "routing_key": key,
        "payload": {
            "summary": "shop 1.42 is live",
            "source": "ci",
            "custom_details": {"service": "shop", "version": "1.42"},
        },
    }
    return _run("Tell of a deployment", f"{base}/v2/change/enqueue", body)


# ---------------------------------------------------------------- changes


def _github(base: str, key: str, door: IntegrationDefinition) -> Guide:
    url = f"{base}/in/{key}"
    repository = {"full_name": "shop/checkout", "html_url": "https://github.com/shop/checkout"}
    made = {"id": 7, "ref": "v1.42", "sha": "f95f852bd8fc", "environment": "production",
            "created_at": "2026-11-23T14:00:00Z"}  # fmt: skip
    state = {"state": "success", "created_at": "2026-11-23T14:03:00Z"}
    body = {"deployment": made, "deployment_status": state, "repository": repository}
    return Guide(
        "In the repository's or organisation's settings add a webhook with this address, content "
        "type application/json, and as its secret the key (or the integration's own 'secret'). "
        "Choose deployments, deployment statuses, releases, pushes and workflow runs.",
        [Address("Payload URL", url)],
        [_run("As GitHub sends it", url, body, {"X-GitHub-Event": "deployment_status"})],
    )


def _gitlab(base: str, key: str, door: IntegrationDefinition) -> Guide:
    url = f"{base}/in/{key}"
    body = {
        "object_kind": "deployment",
        "status": "success",
        "status_changed_at": "2026-11-23 14:03:00 +0100",
        "deployment_id": 15,
        "environment": "production",
        "short_sha": "279484c0",
        "project": {"path_with_namespace": "shop/checkout"},
    }
    return Guide(
        "In the project's settings add a webhook with this address. Its secret token is the key, "
        "or the integration's own 'secret'. Choose deployment, pipeline and release events.",
        [Address("Webhook URL", url)],
        [_run("As GitLab sends it", url, body)],
    )


def _argocd(base: str, key: str, door: IntegrationDefinition) -> Guide:
    url = f"{base}/in/{key}"
    settings = f"""apiVersion: v1
kind: ConfigMap
metadata: {{name: argocd-notifications-cm}}
data:
  service.webhook.watchkeeper: |
    url: {url}
    headers: [{{name: Content-Type, value: application/json}}]
  template.watchkeeper: |
    webhook:
      watchkeeper: {{method: POST, body: '{{{{toJson .app}}}}'}}
  trigger.watchkeeper: |
    - when: app.status.operationState != nil
      oncePer: app.status.operationState.phase + app.status.operationState.startedAt
      send: [watchkeeper]
  subscriptions: |
    - recipients: [watchkeeper]
      triggers: [watchkeeper]"""
    operation = {
        "phase": "Succeeded",
        "startedAt": "2026-11-23T14:00:00Z",
        "finishedAt": "2026-11-23T14:01:00Z",
        "syncResult": {"revision": "f95f852bd8fca8fcc58a9a2d6c842781e32a215e"},
    }
    body = {"metadata": {"name": "checkout"}, "status": {"operationState": operation}}
    return Guide(
        "Argo CD's notifications send each application as it is when its sync begins and ends. "
        "Its name, or its label watchkeeper/service, is the service.",
        [Address("Webhook", url)],
        [
            Example("Notifications", "argocd-notifications-cm.yaml", settings),
            _run("As Argo CD sends it", url, body),
        ],
    )


def _changes(base: str, key: str, door: IntegrationDefinition) -> Guide:
    url = f"{base}/in/{key}"
    begun = {"key": "checkout-1.42", "service": "checkout", "version": "1.42",
             "kind": "deployment", "environment": "production", "status": "started"}  # fmt: skip
    over = {"key": "checkout-1.42", "service": "checkout", "status": "succeeded"}
    says = (
        "Any JSON that tells of a change. The usual names are found by themselves: summary, "
        "service, version, kind, environment, status, key, started_at, ended_at, url. What comes "
        "with the same key is the same change."
    )
    if door.mapping:
        says = "JSON, read by the mapping that is written with this integration."
        mapped: dict[str, object] = {}
        for path in door.mapping.values():
            for each in [p.split("}}")[0].strip() for p in path.split("{{")[1:]] or [path]:
                _put(mapped, each, "succeeded")
        return Guide(says, [Address("Any JSON", url)], [_run("A change", url, mapped)])
    examples = [_run("A deployment begins", url, begun), _run("It is over", url, over)]
    return Guide(says, [Address("Any JSON", url)], examples)


_GUIDES = {
    IntegrationType.PAGERDUTY: _pagerduty,
    IntegrationType.ALERTMANAGER: _alertmanager,
    IntegrationType.OPSGENIE: _opsgenie,
    IntegrationType.GRAFANA: _grafana,
    IntegrationType.CLOUDEVENTS: _cloudevents,
    IntegrationType.EMAIL: _email,
    IntegrationType.GENERIC: _generic,
    IntegrationType.GITHUB: _github,
    IntegrationType.GITLAB: _gitlab,
    IntegrationType.ARGOCD: _argocd,
    IntegrationType.CHANGES: _changes,
}
NAMES: Mapping[IntegrationType, str] = {
    IntegrationType.PAGERDUTY: "PagerDuty events",
    IntegrationType.ALERTMANAGER: "Prometheus, Alertmanager",
    IntegrationType.OPSGENIE: "Opsgenie",
    IntegrationType.GRAFANA: "Grafana",
    IntegrationType.CLOUDEVENTS: "CloudEvents",
    IntegrationType.EMAIL: "E-mail",
    IntegrationType.GENERIC: "Any JSON",
    IntegrationType.GITHUB: "GitHub",
    IntegrationType.GITLAB: "GitLab",
    IntegrationType.ARGOCD: "Argo CD",
    IntegrationType.CHANGES: "Changes, any JSON",
}
"""What people call the types."""
