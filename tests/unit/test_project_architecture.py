"""The architecture page tells of the house as it stands: its rooms in order, and their tables."""

from __future__ import annotations

import importlib
import pkgutil
import re
import tomllib

import watchkeeper
from tests.support.documents import ROOT
from watchkeeper.store import metadata

PAGE = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
ROWS = re.findall(r"^\| `(\w+)` \| .* \| ((?:`\w+` ?)*)\|$", PAGE, re.MULTILINE)


def test_the_rooms_are_told_in_the_order_that_is_checked() -> None:
    house = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    layers = house["tool"]["importlinter"]["contracts"][0]["layers"]
    told = [room for room, _ in ROWS]
    assert told == [layer.removeprefix("watchkeeper.") for layer in reversed(layers)]


def test_each_table_is_told_with_the_room_that_makes_it() -> None:
    made: dict[str, set[str]] = {}
    for module in pkgutil.walk_packages(watchkeeper.__path__, "watchkeeper."):
        if "migrations" in module.name:
            continue
        for value in vars(importlib.import_module(module.name)).values():
            name = getattr(value, "key", "")
            if getattr(value, "metadata", None) is metadata and name in metadata.tables:
                made.setdefault(name, set()).add(module.name.split(".")[1])
    told = {table: room for room, names in ROWS for table in re.findall(r"\w+", names)}
    assert set(told) == set(metadata.tables)
    order = [room for room, _ in ROWS]
    # A later room may import the table of an earlier one, never the other way about.
    assert told == {table: min(rooms, key=order.index) for table, rooms in made.items()}


def test_each_thread_that_the_code_starts_is_told() -> None:
    source = "".join(
        p.read_text(encoding="utf-8") for p in (ROOT / "src").rglob("*.py") if "probe" not in str(p)
    )
    started = set(re.findall(r'thread_name_prefix="(\w+)"|name="(\w+)", daemon', source))
    names = {a or b for a, b in started}
    names |= set(re.findall(r'\("(\w+)", self\._(?:work|beat)\)', source))
    assert {"engine", "collect", "pager", "beat", "send", "writer"} <= names
    assert {name for name in names if f"| `{name}`" not in PAGE} == set()
