"""YAML with places: documents as plain data, and where each value was written. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, cast

import yaml

from watchkeeper.spec.model import Finding, Place, Severity

Path = tuple[str | int, ...]
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_MERGE = "tag:yaml.org,2002:merge"
_TEXT_TAGS = ("tag:yaml.org,2002:timestamp", "tag:yaml.org,2002:binary")
_NUMBER_TAGS = ("tag:yaml.org,2002:int", "tag:yaml.org,2002:float")
MOST_VALUES = 1_000_000
"""Aliases of aliases can unfold into more than fits in memory; no honest file has so many."""


class _UnusableError(Exception):
    """YAML that is right, but that no definition can be read from."""

    def __init__(self, node: yaml.Node, message: str, fix: str = "") -> None:
        super().__init__(message)
        self.node = node
        self.message = message
        self.fix = fix


@dataclass(frozen=True, slots=True)
class Document:
    """One YAML document: ``data`` as written, ``places`` of values and ``keys`` of their keys."""

    data: Any
    file: str
    places: Mapping[Path, Place] = field(default_factory=dict)
    keys: Mapping[Path, Place] = field(default_factory=dict)

    def place(self, path: Path = ()) -> Place:
        """Where a value stands; of the nearest thing around it when it has no place of its own."""
        while path and path not in self.places:
            path = path[:-1]
        return self.places.get(path, Place(self.file))

    def key_place(self, path: Path) -> Place:
        """Where the key of a value stands."""
        return self.keys.get(path) or self.place(path)

    @property
    def kind(self) -> str:
        """Its ``kind``, or ''."""
        found = self.data.get("kind", "") if isinstance(self.data, dict) else ""
        return found if isinstance(found, str) else ""

    @property
    def api(self) -> str:
        """Its ``apiVersion``, or ''."""
        found = self.data.get("apiVersion", "") if isinstance(self.data, dict) else ""
        return found if isinstance(found, str) else ""

    @property
    def name(self) -> str:
        """Its ``metadata.name``, or ''."""
        metadata = self.data.get("metadata") if isinstance(self.data, dict) else None
        found = metadata.get("name", "") if isinstance(metadata, dict) else ""
        return found if isinstance(found, str) else str(found)


def read_documents(text: str, file: str) -> tuple[list[Document], list[Finding]]:
    """All documents of a YAML text, and what is wrong with it as YAML. Empty ones are left out."""
    findings: list[Finding] = []
    documents: list[Document] = []
    loader = _LOADER(text)
    try:
        while loader.check_node():
            builder = _Builder(loader, file, findings)
            data = builder.build(cast("yaml.Node", loader.get_node()), ())
            if data is not None:
                documents.append(Document(data, file, builder.places, builder.keys))
    except _UnusableError as error:
        place = _place(error.node, file)
        findings.append(Finding(place, Severity.ERROR, "yaml", error.message, fix=error.fix))
    except yaml.MarkedYAMLError as error:
        findings.append(_syntax(error, file, text))
    except yaml.YAMLError as error:
        findings.append(Finding(Place(file), Severity.ERROR, "yaml", str(error).splitlines()[0]))
    except (ValueError, RecursionError) as error:
        findings.append(Finding(Place(file), Severity.ERROR, "yaml", f"not usable YAML: {error}"))
    finally:
        loader.dispose()
    return documents, findings


def _syntax(error: yaml.MarkedYAMLError, file: str, text: str) -> Finding:
    mark = error.problem_mark or error.context_mark
    place = Place(file, mark.line + 1, mark.column + 1) if mark else Place(file)
    problem = (error.problem or error.context or "it cannot be read").strip()
    lines = text.splitlines()
    line = lines[mark.line] if mark and mark.line < len(lines) else ""
    if "\t" in line[: len(line) - len(line.lstrip())]:
        return Finding(
            place, Severity.ERROR, "yaml", "a tab indents this line", "spaces",
            "YAML forbids tabs in indentation; use spaces",
        )  # fmt: skip
    fix = ""
    if "mapping values are not allowed" in problem:
        fix = "put a text that holds ': ' in quotes, or check the indentation"
    elif "expected ',' or" in problem:
        fix = "close the bracket or brace"
    return Finding(place, Severity.ERROR, "yaml", f"not YAML: {problem}", fix=fix)


def _place(node: yaml.Node, file: str) -> Place:
    return Place(file, node.start_mark.line + 1, node.start_mark.column + 1)


class _Builder:
    """Turns nodes into plain data and remembers where each came from."""

    def __init__(self, loader: Any, file: str, findings: list[Finding]) -> None:  # noqa: ANN401
        self.loader = loader
        self.file = file
        self.findings = findings
        self.places: dict[Path, Place] = {}
        self.keys: dict[Path, Place] = {}
        self._open: set[int] = set()
        self._values = 0

    def build(self, node: yaml.Node, path: Path) -> Any:  # noqa: ANN401 - whatever YAML holds
        """The node as plain data."""
        self.places[path] = _place(node, self.file)
        self._values += 1
        if id(node) in self._open:
            raise _UnusableError(node, "an alias that holds itself", "write the value out")
        if self._values > MOST_VALUES:
            raise _UnusableError(node, f"more than {MOST_VALUES} values", "write fewer aliases")
        self._open.add(id(node))
        try:
            if isinstance(node, yaml.MappingNode):
                return self._mapping(node, path)
            if isinstance(node, yaml.SequenceNode):
                return [self.build(item, (*path, i)) for i, item in enumerate(node.value)]
            return self._scalar(node)
        finally:
            self._open.discard(id(node))

    def _mapping(self, node: yaml.MappingNode, path: Path) -> dict[str, Any]:
        data: dict[str, Any] = {}
        merged: dict[str, Any] = {}
        for key_node, value_node in node.value:
            if key_node.tag == _MERGE:
                merged |= self._merged(value_node, path)
                continue
            key = self._key(key_node)
            at = (*path, key)
            if key in data:
                self._duplicate(key_node, key, self.keys[at])
                continue
            self.keys[at] = _place(key_node, self.file)
            data[key] = self.build(value_node, at)
        return {**merged, **data}

    def _merged(self, node: yaml.Node, path: Path) -> dict[str, Any]:
        nodes = node.value if isinstance(node, yaml.SequenceNode) else [node]
        merged: dict[str, Any] = {}
        for each in nodes:
            if isinstance(each, yaml.MappingNode):
                merged = {**self._mapping(each, path), **merged}
        return merged

    def _key(self, node: yaml.Node) -> str:
        if not isinstance(node, yaml.ScalarNode):
            raise _UnusableError(node, "a key that is not a word", "write a plain word as the key")
        return str(node.value)

    def _scalar(self, node: yaml.Node) -> Any:  # noqa: ANN401
        # Dates stay text: what they mean depends on the field, and text is written back unchanged.
        # So does 17:00, which YAML 1.1 takes for a number to the base of sixty.
        if node.tag in _TEXT_TAGS or (node.tag in _NUMBER_TAGS and ":" in node.value):
            return node.value
        return self.loader.construct_object(node, deep=True)

    def _duplicate(self, node: yaml.Node, key: str, first: Place) -> None:
        self.findings.append(
            Finding(
                _place(node, self.file),
                Severity.ERROR,
                "duplicate-key",
                f"the key '{key}' is given twice",
                "each key once",
                f"keep one of them; the first stands at {first.line}:{first.column}",
            )
        )
