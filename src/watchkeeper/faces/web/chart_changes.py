"""The changes that charts mark, and the list of them behind each chart. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from watchkeeper.changes.marks import NOTHING, Marked
from watchkeeper.faces.web import words
from watchkeeper.faces.web.change_rows import ChangeRow, change_row
from watchkeeper.kernel.clock import Seconds
from watchkeeper.slo.model import SloDetail, SloStatus
from watchkeeper.spec.model import Specs


@dataclass(frozen=True, slots=True)
class Behind:
    """What stands behind one chart: a sentence, the latest changes, and where all of them are."""

    says: str
    rows: Sequence[ChangeRow]
    more: str
    url: str


@dataclass(frozen=True, slots=True)
class ChartChanges:
    """The changes of an SLO's charts: over its window, and over its last hours by minute."""

    window: Marked = NOTHING
    minutes: Marked = NOTHING


NO_CHANGES = ChartChanges()


def spans(detail: SloDetail) -> tuple[tuple[Seconds, Seconds], tuple[Seconds, Seconds]]:
    """[start, end) of the window's charts and of the chart of minutes."""
    status, starts = detail.status, detail.per_minute.starts
    window = status.window_start * 60.0, status.window_end * 60.0
    if not len(starts):
        return window, (window[1], window[1])
    length = detail.per_minute.step_minutes * 60.0
    return window, (float(starts[0]) * 60.0, float(starts[-1]) * 60.0 + length)


def data(found: ChartChanges) -> dict[str, list[dict[str, Any]]]:
    """The marks, by chart."""
    return {"window": _marks(found.window), "minutes": _marks(found.minutes)}


def _marks(found: Marked) -> list[dict[str, Any]]:
    return [
        {"at": round(m.at), "kind": m.kind, "many": m.many, "label": m.label} for m in found.marks
    ]


def behind(found: ChartChanges, status: SloStatus, specs: Specs) -> Mapping[str, Behind]:
    """The lists, by chart; a chart without changes has none."""
    both = {"window": found.window, "minutes": found.minutes}
    return {key: _behind(marked, status, specs) for key, marked in both.items() if marked.total}


def _behind(found: Marked, status: SloStatus, specs: Specs) -> Behind:
    left = found.total - len(found.listed)
    return Behind(
        f"{words.plural(found.total, 'change')} in this window",
        [change_row(c, specs) for c in found.listed],
        f"{words.plural(left, 'older one is', 'older ones are')} not listed." if left > 0 else "",
        f"/changes?{urlencode({'service': status.service, 'span': '30d'})}",
    )
