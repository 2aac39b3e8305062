"""Scenarios as written: ``kind: Scenario``. Pure."""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

from watchkeeper.engine.simulate.model import (
    Answer,
    Errors,
    Expected,
    Failing,
    Happening,
    Outside,
    Scenario,
)
from watchkeeper.kernel.errors import UserError
from watchkeeper.spec.document import read_documents
from watchkeeper.spec.duty_fields import local_time, zone_of
from watchkeeper.spec.model import Finding, Severity, Specs
from watchkeeper.spec.reader import Reader, dangling

API = "watchkeeper/v1"


def read_scenarios(text: str, file: str, specs: Specs) -> list[Scenario]:
    """All scenarios of a file. Raises UserError that lists everything that is wrong."""
    documents, findings = read_documents(text, file)
    found: list[Scenario] = []
    for document in documents:
        if not isinstance(document.data, dict):
            continue
        reader = Reader(document, (), document.data, findings)
        reader.only("apiVersion", "kind", "metadata", "spec")
        if reader.text("apiVersion", required=True) not in ("", API):
            reader.fault("unknown-api", "not an apiVersion of ours", API, key="apiVersion")
        if reader.choice("kind", ("Scenario",), required=True):
            found.append(_scenario(reader, specs))
    wrong = [f for f in findings if f.severity is Severity.ERROR]
    if wrong:
        raise ScenarioError(wrong)
    if not found:
        raise UserError(f"There is no scenario in {file}.", "Write kind: Scenario.")
    return found


class ScenarioError(UserError):
    """The scenario has errors: exit status 2."""

    def __init__(self, findings: list[Finding]) -> None:
        listed = "\n".join(f"  {f}" for f in findings)
        super().__init__(f"The scenario has errors:\n{listed}", "Mend them and try again.")


def _scenario(reader: Reader, specs: Specs) -> Scenario:
    named = reader.child("metadata")
    name = named.text("name") if named else ""
    spec = reader.child("spec", required=True)
    if spec is None:
        return Scenario(name, 0.0, "UTC", 0.0, 0.0, 1.0, 10.0, (), ())
    spec.only(
        "description", "start", "timeZone", "lasts", "traffic", "budgetLeft", "tick", "events",
        "expect",
    )  # fmt: skip
    zone = zone_of(spec)
    written = local_time(spec, "start", zone, required=True)
    start = 0.0
    if written:
        start = datetime.fromisoformat(written).replace(tzinfo=ZoneInfo(zone)).timestamp()
    lasts, traffic, left = spec.duration("lasts"), spec.number("traffic"), spec.share("budgetLeft")
    tick = spec.duration("tick")
    happenings = [h for i in spec.children("events") if (h := _happening(i, start, specs))]
    return Scenario(
        name,
        start,
        zone,
        lasts.seconds if lasts else 3600.0,
        float(traffic) if traffic is not None else 600.0,
        float(left) if left is not None else 1.0,
        max(1.0, tick.seconds) if tick else 10.0,
        tuple(sorted(happenings, key=lambda h: h.at)),
        tuple(_expected(i, specs) for i in spec.children("expect")),
    )


NOW = ("", "0", "0s", "0m")
_KINDS = ("slo", "alert", "user", "channel")


def _happening(item: Reader, start: float, specs: Specs) -> Happening | None:
    after = item.duration("at", bare="m") if item.text("at") not in NOW else None
    at = start + (after.seconds if after else 0.0)
    named = [k for k in _KINDS if item.has(k)]
    if len(named) != 1:
        item.fault("bad-event", "what happens?", f"exactly one of {', '.join(_KINDS)}")
        return None
    match named[0]:
        case "slo":
            return _errors(item, at, specs)
        case "alert":
            return _outside(item, at)
        case "user":
            item.only("at", "user", "does")
            user = item.text("user")
            if user not in specs.duty.users:
                dangling(item, "user", "User", user, specs.duty.users)
            does = item.choice("does", ("acknowledge", "resolve"), required=True)
            return Answer(at, user, does)
        case _:
            item.only("at", "channel", "fails")
            channel, fails = item.text("channel"), item.duration("fails", required=True)
            if channel not in specs.duty.channels:
                dangling(item, "channel", "Channel", channel, specs.duty.channels)
            return Failing(at, fails.seconds if fails else 0.0, channel)


def _errors(item: Reader, at: float, specs: Specs) -> Errors | None:
    item.only("at", "slo", "errors", "silent", "for")
    slo, lasts = item.text("slo"), item.duration("for", required=True, bare="m")
    if slo not in specs.slos:
        dangling(item, "slo", "SLO", slo, specs.slos)
    silent = item.flag("silent")
    share = item.share("errors", required=not silent)
    if lasts is None or (share is None and not silent):
        return None
    return Errors(at, lasts.seconds, slo, float(share or 0), silent)


def _outside(item: Reader, at: float) -> Outside:
    item.only("at", "alert")
    inner = item.child("alert")
    if inner is None:
        return Outside(at, "", "trigger", "", "", "critical", "simulated")
    inner.only("key", "action", "summary", "service", "severity", "integration")
    return Outside(
        at,
        inner.text("key", required=True),
        inner.choice("action", ("trigger", "resolve", "acknowledge")) or "trigger",
        inner.text("summary") or inner.text("key"),
        inner.text("service"),
        inner.choice("severity", ("critical", "error", "warning", "info")) or "critical",
        inner.text("integration") or "simulated",
    )


def _expected(item: Reader, specs: Specs) -> Expected:
    item.only("called", "notCalled", "by", "after", "within", "resolved")
    within, after = item.duration("within", bare="m"), item.duration("after", bare="m")
    called, spared = item.text("called"), item.text("notCalled")
    for key, user in (("called", called), ("notCalled", spared)):
        if user and user != "anybody" and user not in specs.duty.users:
            dangling(item, key, "User", user, specs.duty.users)
    channel = item.text("by")
    if channel and channel not in specs.duty.channels:
        dangling(item, "by", "Channel", channel, specs.duty.channels)
    resolved = item.flag("resolved")
    if sum((bool(called), bool(spared), resolved)) != 1:
        item.fault("bad-expectation", "what is expected?", "one of called, notCalled, resolved")
    user = called or spared
    return Expected(
        item.place(),
        "" if user == "anybody" else user,
        channel,
        after.seconds if after else 0.0,
        within.seconds if within else None,
        bool(spared),
        resolved,
    )
