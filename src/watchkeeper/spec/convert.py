"""Specs to and from other forms. Written back, a document says all that it said."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import yaml

from watchkeeper.kernel.errors import UserError
from watchkeeper.spec import foreign, native, openslo
from watchkeeper.spec.document import Document, read_documents
from watchkeeper.spec.loading import Paths, files_of, load_text
from watchkeeper.spec.model import Finding, Severity
from watchkeeper.spec.reader import Reader


@dataclass(frozen=True, slots=True)
class Imported:
    """An imported file as OpenSLO YAML (None when it has errors), and what was found."""

    text: str | None
    findings: tuple[Finding, ...]


class _Dumper(yaml.SafeDumper):
    def ignore_aliases(self, data: object) -> bool:
        """No anchors: people read what we write."""
        del data
        return True


def _str(dumper: yaml.SafeDumper, text: str) -> yaml.Node:
    style = "|" if "\n" in text else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


_Dumper.add_representer(str, _str)


def write_documents(documents: list[Any]) -> str:
    """Plain data as a YAML stream, keys in the order given."""
    return yaml.dump_all(documents, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=100)


def import_files(
    kind: str, texts: Mapping[str, str], beside: Iterable[str] = ()
) -> dict[str, Imported]:
    """Files of one kind, by name, as OpenSLO that can be read together.

    A service that several files of Sloth or Pyrra name is written once; not at all when one of the
    texts ``beside`` which they will stand defines it.
    """
    services = {
        str(document.name)
        for text in beside
        for document in read_documents(text, "")[0]
        if document.kind == "Service"
    }
    return {file: import_file(kind, text, file, services) for file, text in texts.items()}


def import_file(kind: str, text: str, file: str, services: set[str] | None = None) -> Imported:
    """A Sloth, Pyrra or OpenSLO file as OpenSLO. Findings name the lines of the original.

    ``services``: those that are written already; the ones that this file names are added.
    """
    known = set() if services is None else services
    documents, findings = read_documents(text, file)
    made: list[Any] = []
    for document in documents:
        found = foreign.foreign_kind(document) or ("openslo" if document.api == openslo.API else "")
        if found != kind:
            findings.append(
                Finding(
                    document.place(),
                    Severity.ERROR,
                    "other-kind",
                    f"this is not a {kind} document",
                    f"a {kind} document",
                    f"import it as {found}" if found else "",
                )
            )
        elif kind == "openslo":
            made.append(document.data)
        else:
            made += _new(foreign.to_openslo(document, findings), known)
    findings = list(dict.fromkeys([*findings, *load_text(text, file).findings]))
    failed = any(f.severity is Severity.ERROR for f in findings)
    return Imported(None if failed else write_documents(_once(made)), tuple(findings))


def _new(documents: Iterable[Document], services: set[str]) -> Iterator[Any]:
    """The data of these documents, without the services that are written already."""
    for document in documents:
        if document.kind == "Service" and document.name in services:
            continue
        if document.kind == "Service":
            services.add(document.name)
        yield document.data


def to_openslo(paths: Paths) -> str:
    """All specs below these paths as OpenSLO v1; our own kinds become what they stand for.

    What only our Service knows (owner, tier, dependencies, cost) is kept as annotations.
    Raises UserError when the specs have errors.
    """
    documents: list[Document] = []
    findings: list[Finding] = []
    for path in files_of(paths):
        found, wrong = read_documents(path.read_text(encoding="utf-8"), str(path))
        documents += found
        findings += wrong
    return write_documents(openslo_documents(documents, findings))


def openslo_documents(documents: list[Document], findings: list[Finding]) -> list[Any]:
    """The OpenSLO data that these documents stand for. Raises UserError when they have errors."""
    read, own = openslo.Read(findings), native.Native()
    for document in documents:
        if document.kind == "DataSource" and document.api == openslo.API:
            openslo.read_source(Reader(document, (), document.data, findings), read)
    made: list[Any] = []
    for document in documents:
        made += _as_openslo(document, read, own)
    errors = [f for f in findings if f.severity is Severity.ERROR]
    if errors:
        lines = "\n".join(f"  {f}" for f in errors)
        raise UserError(f"The specs have errors:\n{lines}", "Mend them first; nothing was written.")
    return _once(made)


def _as_openslo(document: Document, read: openslo.Read, own: native.Native) -> list[Any]:
    if foreign.foreign_kind(document):
        return [d.data for d in foreign.to_openslo(document, read.findings)]
    if document.api not in native.APIS:
        return [document.data]
    reader = Reader(document, (), document.data, read.findings)
    if document.kind == "Journey":
        return [d.data for d in native.expand_journey(reader, own, read)]
    if document.kind == "Service":
        return [_service(document.data)]
    if document.kind == "AlertPolicy":
        return [_policy(document.data)]
    # Teams, composites, and who is called how have no OpenSLO form.
    return []


def _service(data: dict[str, Any]) -> dict[str, Any]:
    spec, metadata = dict(data.get("spec") or {}), dict(data.get("metadata") or {})
    kept = {f"watchkeeper/{key}": _flat(v) for key, v in spec.items() if key != "description"}
    if kept:
        metadata["annotations"] = {**(metadata.get("annotations") or {}), **kept}
    description = {"description": spec["description"]} if spec.get("description") else {}
    return {"apiVersion": openslo.API, "kind": "Service", "metadata": metadata, "spec": description}


def _policy(data: dict[str, Any]) -> dict[str, Any]:
    """Burn rules become conditions; what OpenSLO cannot say is kept as annotations, in JSON."""
    spec, metadata = dict(data.get("spec") or {}), dict(data.get("metadata") or {})
    kept = {
        f"watchkeeper/{key}": json.dumps(value)
        for key, value in spec.items()
        if key not in ("description", "burn")
    }
    if kept:
        metadata["annotations"] = {**(metadata.get("annotations") or {}), **kept}
    name = str(metadata.get("name", ""))
    burning = enumerate((r for r in spec.get("burn") or [] if isinstance(r, dict)), 1)
    made: dict[str, Any] = {
        "alertWhenBreaching": True,
        "conditions": [_condition(f"{name}-{i}", rule) for i, rule in burning],
    }
    if spec.get("description"):
        made = {"description": spec["description"], **made}
    return {"apiVersion": openslo.API, "kind": "AlertPolicy", "metadata": metadata, "spec": made}


def _condition(name: str, rule: dict[str, Any]) -> dict[str, Any]:
    condition = {
        "kind": "burnrate",
        "op": "gte",
        "threshold": rule.get("factor"),
        "lookbackWindow": rule.get("long"),
        "alertAfter": rule.get("short"),
    }
    return {
        "kind": "AlertCondition",
        "metadata": {"name": name},
        "spec": {"severity": rule.get("urgency"), "condition": condition},
    }


def _flat(value: object) -> str:
    if isinstance(value, list):
        return ", ".join(str(v) for v in value)
    if isinstance(value, dict):
        return ", ".join(f"{k}={v}" for k, v in value.items())
    return str(value)


def _once(documents: list[Any]) -> list[Any]:
    """Documents without the repetitions that several files of one service make."""
    kept: list[Any] = []
    for document in documents:
        if document not in kept:
            kept.append(document)
    return kept
