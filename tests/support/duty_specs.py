"""Definitions of duty in YAML, for tests: one of everything, and small parts."""

from __future__ import annotations

from typing import Any

from watchkeeper.spec import load_text, native, schema
from watchkeeper.spec.convert import write_documents
from watchkeeper.spec.document import read_documents
from watchkeeper.spec.model import Specs

EVERYTHING = """
apiVersion: watchkeeper/v1
kind: Team
metadata: {name: shop}
spec: {email: shop@example.org}
---
apiVersion: watchkeeper/v1
kind: Service
metadata: {name: shop, displayName: The shop}
spec: {owner: shop, escalationPolicy: shop}
---
apiVersion: watchkeeper/v1
kind: Channel
metadata: {name: mail}
spec:
  type: email
  settings:
    host: smtp.example.org
    port: 465
    tls: tls
    username: watch
    password: {env: SMTP_PASSWORD}
    from: Watch <watch@example.org>
    timeout: 10s
    per_minute: 60
---
apiVersion: watchkeeper/v1
kind: Channel
metadata: {name: sms}
spec:
  type: sms
  settings:
    account_sid: AC123
    auth_token: {file: /run/secrets/twilio}
    from: "+4930123456"
---
apiVersion: watchkeeper/v1
kind: Channel
metadata: {name: chat}
spec: {type: slack, settings: {token: {env: SLACK_TOKEN}, allow_private: true}}
---
apiVersion: watchkeeper/v1
kind: User
metadata: {name: ann, displayName: Ann Archer}
spec:
  timeZone: Europe/Berlin
  team: shop
  contacts:
    - {channel: mail, address: ann@example.org}
    - {channel: sms, address: "+4915112345678"}
  page:
    - {after: 2m, channel: sms}
    - {after: 0m, channel: mail}
  ticket: [{channel: mail}]
---
apiVersion: watchkeeper/v1
kind: User
metadata: {name: ben}
spec: {team: shop, contacts: [{channel: mail, address: ben@example.org}]}
---
apiVersion: watchkeeper/v1
kind: User
metadata: {name: cho}
spec: {contacts: [{channel: mail, address: cho@example.org}]}
---
apiVersion: watchkeeper/v1
kind: Schedule
metadata: {name: primary, displayName: First line}
spec:
  timeZone: Europe/Berlin
  team: shop
  layers:
    - name: week
      users: [ann, "ben + cho", "-"]
      rotation: weekly
      start: 2026-01-05T09:00
    - name: office
      users: [cho]
      rotation: daily
      every: 2
      start: 2026-01-05 09:00
      end: 2026-12-24T17:00
      restrictions:
        - {days: [mon-thu, friday], from: 9:00, to: 17:00}
        - {days: sat-sun, from: "22:00", to: "06:00"}
    - {name: apprentice, users: [ben], rotation: hourly, every: 12, start: 2026-01-05T09:00,
       shadow: true}
  holidays: [2026-12-25, 2027-01-01]
  holidayUsers: [cho]
---
apiVersion: watchkeeper/v1
kind: Schedule
metadata: {name: secondary}
spec: {ical: https://calendar.example.org/second.ics, mayBeEmpty: true}
---
apiVersion: watchkeeper/v1
kind: EscalationPolicy
metadata: {name: shop}
spec:
  team: shop
  steps:
    - {notify: [{schedule: primary}], wait: 5m}
    - notify: [{schedule: secondary}, {user: ann}, {team: shop}, {channel: chat, address: "#ops"}]
      wait: 10
  repeat: 1
  fallback: [{team: shop}]
  ackExpires: never
---
apiVersion: watchkeeper/v1
kind: Integration
metadata: {name: mixer}
spec:
  type: generic
  service: shop
  escalationPolicy: shop
  mapping: {summary: "{{alert.name}} on {{host}}", dedup_key: "items[0].id"}
  autoClose: 1d
  perMinute: 600
---
apiVersion: watchkeeper/v1
kind: Heartbeat
metadata: {name: backup}
spec: {cron: 30 3 * * mon-fri, timeZone: Europe/Berlin, grace: 30m, service: shop, urgency: ticket}
---
apiVersion: watchkeeper/v1
kind: Heartbeat
metadata: {name: queue}
spec: {every: 1m, grace: 0s}
---
apiVersion: watchkeeper/v1
kind: TriageRule
metadata: {name: disks}
spec:
  match: [component=disk, 'summary =~ "(?i).* full"', severity != critical]
  urgency: ticket
  service: shop
  escalationPolicy: shop
  autoClose: 6h
---
apiVersion: watchkeeper/v1
kind: Maintenance
metadata: {name: sundays}
spec:
  match: [service=shop]
  start: 2026-01-04T02:00
  duration: 2h
  timeZone: Europe/Berlin
  rrule: RRULE:FREQ=WEEKLY;BYDAY=SU
  reason: The database is packed.
---
apiVersion: watchkeeper/v1
kind: AlertPolicy
metadata: {name: strict}
spec:
  description: For what must not fail.
  exhaustion:
    - {within: 1h, urgency: page}
    - {within: 1d, urgency: ticket, rollOff: false}
  burn: [{long: 1h, short: 5m, factor: 14.4, urgency: page}]
  consumed: [{share: 90%, urgency: ticket}, {share: 150%, urgency: page}]
  noData: [{after: 10m, urgency: ticket}]
  guards: {minEvents: 20, minBad: 3, significance: 1%, hold: 5m}
"""


def doc(kind: str, spec: object, name: str = "it") -> str:
    """One document of our own."""
    data = {"apiVersion": "watchkeeper/v1", "kind": kind, "metadata": {"name": name}, "spec": spec}
    return write_documents([data])


MAIL = doc("Channel", {"type": "email", "settings": {"host": "smtp", "from": "w@x.org"}}, "mail")
ANN = doc("User", {"contacts": [{"channel": "mail", "address": "ann@example.org"}]}, "ann")


def specs_of(*texts: str) -> Specs:
    """The specs, which must be without any finding."""
    loaded = load_text("---\n".join(texts))
    assert loaded.specs is not None, loaded.findings
    assert loaded.findings == ()
    return loaded.specs


def codes(*texts: str) -> list[str]:
    """The codes of all findings, by place."""
    return [f.code for f in load_text("---\n".join(texts)).findings]


def layer(**more: object) -> dict[str, Any]:
    """A layer in which ann is always on call."""
    return {"name": "days", "users": ["ann"], "start": "2026-01-05T09:00", **more}


def watch(zone: str = "UTC", **more: object) -> tuple[str, ...]:
    """A schedule with one layer that a policy calls."""
    rotation = {"timeZone": zone, "layers": [layer(**more)]}
    policy = doc("EscalationPolicy", {"steps": [{"notify": [{"schedule": "it"}]}]})
    return MAIL, ANN, doc("Schedule", rotation), policy


def documents(text: str) -> list[Any]:
    """The documents of a text, as plain data."""
    return [d.data for d in read_documents(text, "duty.yaml")[0]]


def schema_of(kind: str) -> dict[str, Any]:
    """The JSON Schema of the ``spec`` of one of our own kinds."""
    for each in schema()["oneOf"]:
        properties = each["properties"]
        if (properties["apiVersion"], properties["kind"]) == (
            {"const": native.API},
            {"const": kind},
        ):
            found: dict[str, Any] = properties["spec"]
            return found
    raise AssertionError(kind)
