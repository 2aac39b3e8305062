"""Reads the Prometheus text format and OpenMetrics, only the metrics that somebody wants. Pure.

A line is ``name{label="value",…} value [timestamp] [# exemplar]``. Lines of other metrics are
skipped by their name, which makes reading a large page cheap.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field

from watchkeeper.measure.selectors import NAME

_NAME = re.compile(r"[a-zA-Z_:][a-zA-Z0-9_:]*")
_LABEL = re.compile(r'\s*([a-zA-Z_][a-zA-Z0-9_]*)\s*=\s*"((?:[^"\\]|\\.)*)"\s*(,|(?=\}))')
_ESCAPE = re.compile(r"\\(.)")
_ESCAPES = {"n": "\n", "\\": "\\", '"': '"'}


@dataclass(slots=True)
class Exposition:
    """Samples (labels with ``__name__``, value), and how many lines could not be read."""

    samples: list[tuple[dict[str, str], float]] = field(default_factory=list)
    unparsable: int = 0
    first_unparsable: str = ""


def parse(text: str, wanted: Callable[[str], bool]) -> Exposition:
    """The samples of the metrics whose name is ``wanted``; an unreadable line is counted."""
    page = Exposition()
    for line in text.split("\n"):
        if not line or line[0] == "#" or line.isspace():
            continue
        match = _NAME.match(line.lstrip())
        if match is not None and not wanted(match.group()):
            continue
        sample = _sample(line.strip(), match.group()) if match is not None else None
        if sample is not None:
            page.samples.append(sample)
            continue
        page.unparsable += 1
        page.first_unparsable = page.first_unparsable or line[:120]
    return page


def _sample(line: str, name: str) -> tuple[dict[str, str], float] | None:
    labels = {NAME: name}
    rest = line[len(name) :].lstrip()
    if rest.startswith("{"):
        end = 1
        while not rest.startswith("}", end):
            found = _LABEL.match(rest, end)
            if found is None:
                return None
            labels[found[1]] = _unescaped(found[2])
            end = found.end()
        rest = rest[end + 1 :]
    elif rest == line[len(name) :]:
        return None  # no space between name and value: the name itself is broken
    parts = rest.split(None, 1)
    try:
        return labels, float(parts[0])
    except (IndexError, ValueError):
        return None


def _unescaped(value: str) -> str:
    if "\\" not in value:
        return value
    return _ESCAPE.sub(lambda m: _ESCAPES.get(m[1], m[0]), value)


def identity(labels: dict[str, str]) -> str:
    """A series' name and labels as one text, the same whatever the order of its labels."""
    return "\x1f".join(f"{k}\x1e{v}" for k, v in sorted(labels.items()))
