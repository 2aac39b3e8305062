"""From files to specs: read everything, follow references, say all that is wrong at once."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from watchkeeper.spec import (
    budget_fields,
    duty_alerts,
    duty_channels,
    duty_mirrors,
    duty_people,
    duty_schedules,
    foreign,
    mitigation_read,
    native,
    openslo,
    response_read,
    review_fields,
)
from watchkeeper.spec.document import Document, read_documents
from watchkeeper.spec.duty_fields import DutyRead
from watchkeeper.spec.lint import cross_check
from watchkeeper.spec.model import Finding, Loaded, Place, Severity
from watchkeeper.spec.reader import Reader, nearest
from watchkeeper.spec.resolve import resolve
from watchkeeper.spec.response_read import ResponseRead

Paths = str | Path | Sequence[str | Path]
SUFFIXES = (".yaml", ".yml")

_OPENSLO: Mapping[str, Callable[[Reader, openslo.Read], object]] = {
    "DataSource": openslo.read_source,
    "Service": openslo.read_service,
    "SLI": openslo.read_sli,
    "SLO": openslo.read_slo,
    "AlertPolicy": openslo.read_policy,
    "AlertCondition": openslo.read_condition,
    "AlertNotificationTarget": openslo.read_target,
}
_DUTY: Mapping[str, Callable[[Reader, DutyRead], None]] = {
    "User": duty_people.read_user,
    "Schedule": duty_schedules.read_schedule,
    "EscalationPolicy": duty_people.read_escalation,
    "Channel": duty_channels.read_channel,
    "Integration": duty_channels.read_integration,
    "Heartbeat": duty_channels.read_heartbeat,
    "TriageRule": duty_alerts.read_triage,
    "Maintenance": duty_alerts.read_maintenance,
    "AlertPolicy": duty_alerts.read_alert_policy,
    "BudgetPolicy": budget_fields.read_budget_policy,
    "IncidentMirror": duty_mirrors.read_mirror,
    "Review": review_fields.read_review,
}
_RESPONSE: Mapping[str, Callable[[Reader, DutyRead, ResponseRead], None]] = {
    "IncidentPolicy": response_read.read_incident_policy,
    "Mitigation": mitigation_read.read_mitigation,
    "StatusPage": response_read.read_status_page,
    "Tracker": response_read.read_tracker,
}
_NATIVE: Mapping[str, Callable[[Reader, native.Native], object]] = {
    "Team": native.read_team,
    "Service": native.read_service,
    "CompositeSLO": native.read_composite,
}


@dataclass
class Gathered:
    """All documents as written, and those in OpenSLO that they stand for."""

    written: list[Document] = field(default_factory=list)
    expanded: list[Document] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)


def files_of(paths: Paths) -> list[Path]:
    """The YAML files below these paths, sorted; hidden ones are left out."""
    given = [paths] if isinstance(paths, str | Path) else list(paths)
    found: list[Path] = []
    for path in map(Path, given):
        if path.is_dir():
            inside = (p for p in path.rglob("*") if p.suffix in SUFFIXES and p.is_file())
            visible = (
                p
                for p in inside
                if not any(part.startswith(".") for part in p.relative_to(path).parts)
            )
            found += sorted(visible)
        else:
            found.append(path)
    return list(dict.fromkeys(found))


def fingerprint(paths: Paths) -> tuple[tuple[str, int, int], ...]:
    """What tells whether a directory has changed: names, times and sizes of its files."""
    seen = []
    for path in files_of(paths):
        try:
            stat = path.stat()
        except OSError:
            continue  # removed between the listing and now: the next look sees that
        seen.append((str(path), stat.st_mtime_ns, stat.st_size))
    return tuple(seen)


def load(paths: Paths) -> Loaded:
    """Read directories or files into specs. Never raises for bad input: see ``findings``."""
    texts, findings = _texts(files_of(paths))
    if not texts and not findings:
        where = str(paths if isinstance(paths, str | Path) else ", ".join(map(str, paths)))
        findings.append(
            Finding(
                Place(where),
                Severity.WARNING,
                "no-specs",
                "no specs here",
                "files ending in .yaml or .yml",
                "write your first journey: see the tutorial",
            )
        )
    return _loaded(texts, findings)


def load_text(text: str, file: str = "spec.yaml") -> Loaded:
    """Read one YAML text."""
    return _loaded([(file, text)], [])


def _texts(files: Iterable[Path]) -> tuple[list[tuple[str, str]], list[Finding]]:
    texts: list[tuple[str, str]] = []
    findings: list[Finding] = []
    for path in files:
        try:
            texts.append((str(path), path.read_text(encoding="utf-8")))
        except (OSError, UnicodeDecodeError) as error:
            reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
            place = Place(str(path))
            findings.append(
                Finding(place, Severity.ERROR, "unreadable", f"cannot be read: {reason}")
            )
    return texts, findings


def _loaded(texts: Iterable[tuple[str, str]], findings: list[Finding]) -> Loaded:
    gathered = gather(texts, findings)
    read, own = openslo.Read(gathered.findings), native.Native()
    everything = _ordered(gathered.written)
    _unique(everything, gathered.findings)
    for document in everything:
        _read(document, read, own, gathered)
    expanded = _ordered(gathered.expanded)
    _unique_slos(expanded, everything, gathered.findings)
    for document in expanded:
        _read_openslo(document, read)
    specs = resolve(read, own)
    cross_check(specs, read, own)
    ordered = tuple(sorted(dict.fromkeys(_sure(gathered.findings)), key=_order))
    failed = any(f.severity is Severity.ERROR for f in ordered)
    return Loaded(None if failed else specs, ordered)


_MAY_ONLY_SEEM = (
    "dangling", "calls-nobody", "unused-schedule", "unknown-service", "no-escalation",
)  # fmt: skip


def _sure(findings: list[Finding]) -> list[Finding]:
    """Without what may only seem missing because a file could not be read to its end."""
    if not any(f.code in ("yaml", "unreadable") for f in findings):
        return findings
    return [f for f in findings if f.code not in _MAY_ONLY_SEEM]


def gather(texts: Iterable[tuple[str, str]], findings: list[Finding]) -> Gathered:
    """Parse texts into documents; foreign ones are turned into OpenSLO."""
    gathered = Gathered(findings=findings)
    for file, text in texts:
        documents, wrong = read_documents(text, file)
        findings += wrong
        if not documents and not wrong:
            findings.append(
                Finding(Place(file), Severity.WARNING, "empty-file", "this file defines nothing")
            )
        gathered.written += documents
    return gathered


def _order(finding: Finding) -> tuple[str, int, int, str]:
    return finding.place.file, finding.place.line, finding.place.column, finding.message


def _ordered(documents: Iterable[Document]) -> list[Document]:
    """Sources first, so that what refers to them knows their type; then services, then the rest."""
    rank = {"DataSource": 0, "Team": 1, "Service": 1, "AlertCondition": 1, "SLI": 2}
    return sorted(documents, key=lambda d: rank.get(d.kind, 3))


def _unique(documents: Iterable[Document], findings: list[Finding]) -> None:
    first: dict[tuple[str, str], Document] = {}
    for document in documents:
        key = ("SLO" if document.kind == "CompositeSLO" else document.kind, document.name)
        if not document.name or not document.kind or foreign.foreign_kind(document):
            continue
        if key in first:
            findings.append(_duplicate(document, first[key]))
        else:
            first[key] = document


def _unique_slos(
    expanded: Iterable[Document], written: Iterable[Document], findings: list[Finding]
) -> None:
    first = {d.name: d for d in written if d.kind in ("SLO", "CompositeSLO") and d.name}
    for document in expanded:
        if document.kind != "SLO":
            continue
        if document.name in first:
            findings.append(_duplicate(document, first[document.name]))
        first.setdefault(document.name, document)


def _duplicate(document: Document, first: Document) -> Finding:
    place = document.place(("metadata", "name"))
    return Finding(
        place,
        Severity.ERROR,
        "duplicate",
        f"{document.kind} '{document.name}' is defined twice",
        "a name of its own",
        f"rename one of them; the first stands at {first.place(('metadata', 'name'))}",
    )


def _read(document: Document, read: openslo.Read, own: native.Native, gathered: Gathered) -> None:
    if foreign.foreign_kind(document):
        gathered.expanded += foreign.to_openslo(document, read.findings)
        return
    if not isinstance(document.data, dict):
        read.findings.append(
            Finding(
                document.place(),
                Severity.ERROR,
                "wrong-type",
                "not a mapping",
                "apiVersion, kind, …",
            )
        )
        return
    reader = Reader(document, (), document.data, read.findings)
    known = _known_kinds(reader)
    if not known:
        return
    kind = _kind(reader, known)
    if not kind:
        return
    reader.only("apiVersion", "kind", "metadata", "spec")
    if document.api == openslo.API:
        _OPENSLO[kind](reader, read)
    elif kind == "Journey":
        gathered.expanded += native.expand_journey(reader, own, read)
    elif kind in _DUTY:
        _DUTY[kind](reader, own.duty)
    elif kind in _RESPONSE:
        _RESPONSE[kind](reader, own.duty, own.response)
    else:
        _NATIVE[kind](reader, own)


def _kind(reader: Reader, known: tuple[str, ...]) -> str:
    written = reader.text("kind", required=True)
    other = native.API if known is openslo.KINDS else openslo.API
    kinds = native.KINDS if known is openslo.KINDS else openslo.KINDS
    if written in kinds and written not in known:
        reader.fault(
            "bad-value",
            f"'{written}' is not a kind of {reader.document.api}",
            f"one of {', '.join(known)}",
            f"write apiVersion: {other}",
            key="kind",
        )
        return ""
    return reader.choice("kind", known)


def _known_kinds(reader: Reader) -> tuple[str, ...]:
    if isinstance(reader.data.get("groups"), list) or reader.data.get("kind") == "PrometheusRule":
        reader.fault(
            "rules-not-specs",
            "these are Prometheus rules",
            "specs",
            "keep them in another directory; `wk generate prometheus` makes rules from specs",
        )
        return ()
    api = reader.text("apiVersion", required=True)
    if api == openslo.API:
        return openslo.KINDS
    if api in native.APIS:
        return native.KINDS
    if api:
        known = (openslo.API, native.API, "sloth.slok.dev/v1", "pyrra.dev/v1alpha1")
        near = nearest(api, known)
        reader.fault(
            "unknown-api",
            f"'apiVersion' is '{api}'",
            f"one of {', '.join(known)}",
            f"did you mean '{near}'?" if near else "",
            key="apiVersion",
        )
    return ()


def _read_openslo(document: Document, read: openslo.Read) -> None:
    reader = Reader(document, (), document.data, read.findings)
    if document.kind == "Service":
        # A foreign file names its service; one that is defined properly stands.
        if document.name not in read.services:
            openslo.read_service(reader, read)
            read.implied.add(document.name)
        return
    if document.name not in read.slos:
        openslo.read_slo(reader, read)
