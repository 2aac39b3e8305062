"""SLO statuses as a table for people."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rich.console import Console
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
ORDER = ["burning", "depleted", "at_risk", "no_data", "ok"]


def look(item: dict[str, Any]) -> str:
    """The key of LOOKS for one status: burning outranks what is left."""
    state = str(item["state"])
    return "burning" if item["burning"] and state in ("ok", "at_risk") else state


def print_statuses(items: Sequence[dict[str, Any]]) -> None:
    """Print worst first: state, name, target, measured, left, burn over 1 h, gone in."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for title in ("State", "Objective", "Service", "Window"):
        table.add_column(title, overflow="fold", no_wrap=title == "State")
    for title in ("Target", "Now", "Budget left", "Burn 1 h", "Gone in"):
        table.add_column(title, justify="right", no_wrap=True)
    for item in sorted(items, key=_worst_first):
        word, style = LOOKS[look(item)]
        table.add_row(
            Text(word, style), item["name"], item["service"], item["window"], *_numbers(item)
        )
    console = Console(highlight=False)
    console.print(table)
    if not items:
        console.print("No objectives match.")


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
