"""SLO statuses as a table for people."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rich.console import Console
from rich.measure import Measurement
from rich.table import Table
from rich.text import Text

from watchkeeper.kernel import text

LOOKS = {
    "burning": ("▲ Burning", "red"),
    "depleted": ("■ Spent", "magenta"),
    "at_risk": ("◐ Watch", "yellow"),
    "ok": ("✓ Healthy", "green"),
    "no_data": ("◌ No data", "dim"),
}
COLUMNS = (
    "State", "Objective", "Service", "Window",
    "Target", "Now", "Budget left", "Burn 1 h", "Gone in",
)  # fmt: skip
ORDER = ["burning", "depleted", "at_risk", "no_data", "ok"]


def look(item: dict[str, Any]) -> str:
    """The key of LOOKS for one status: burning outranks what is left."""
    state = str(item["state"])
    return "burning" if item["burning"] and state in ("ok", "at_risk") else state


LEAST_WANTED = ("Window", "Service", "Target", "Gone in")
"""Columns that a narrow terminal goes without, in this order, before names are broken."""


def print_statuses(items: Sequence[dict[str, Any]]) -> None:
    """Print worst first: state, name, target, measured, left, burn over 1 h, gone in."""
    console = Console(highlight=False)
    if not console.is_terminal:
        console.width = 1000  # a file or a pipe has no edge
    left_out: set[str] = set()
    for title in ("", *LEAST_WANTED):
        left_out.add(title)
        table = _table(items, left_out)
        if Measurement.get(console, console.options.update(width=1000), table).maximum <= (
            console.width
        ):
            break
    console.print(table)
    if not items:
        console.print("No objectives match.")


def _table(items: Sequence[dict[str, Any]], left_out: set[str]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    rows = [_cells(item) for item in sorted(items, key=_worst_first)]
    for title in COLUMNS:
        if title not in left_out:
            name = title in ("State", "Objective", "Service", "Window")
            table.add_column(
                title,
                justify="left" if name else "right",
                overflow="fold",
                no_wrap=not name or title == "State",
            )
    for cells in rows:
        kept = zip(COLUMNS, cells, strict=True)
        table.add_row(*(cell for title, cell in kept if title not in left_out))
    return table


def _cells(item: dict[str, Any]) -> list[str | Text]:
    word, style = LOOKS[look(item)]
    return [Text(word, style), item["name"], item["service"], item["window"], *_numbers(item)]


def _worst_first(item: dict[str, Any]) -> tuple[int, float, str]:
    left = item["budget"]["remaining_ratio"]
    return ORDER.index(look(item)), 1.0 if left is None else left, item["name"]


def _numbers(item: dict[str, Any]) -> list[str]:
    left, burn = item["budget"]["remaining_ratio"], item["burn_rate"].get("1h")
    gone = item["time_to_exhaustion_seconds"]
    return [
        f"{item['target'] * 100:.6g} %",
        text.percent(item["attainment"]),
        text.left(left),
        text.times(burn),
        text.duration(gone),
    ]
