"""A page as files that any web server or object store can serve, so that it survives us.

Each file takes the place of the one before it whole, the first page last, so that a reader never
meets half of one.
"""

from __future__ import annotations

import contextlib
import logging
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import orjson

from watchkeeper.faces.assets import STATIC
from watchkeeper.faces.status import feeds, site, v2
from watchkeeper.faces.status.links import written
from watchkeeper.faces.status.months import AT_ONCE, chapter, moved, this_month
from watchkeeper.faces.status.pages import StatusPages
from watchkeeper.incidents.status.model import View
from watchkeeper.kernel.clock import Seconds
from watchkeeper.kernel.errors import UserError, WatchkeeperError
from watchkeeper.spec.model import Specs

log = logging.getLogger("watchkeeper.status")

CHAPTERS = 4
"""How many times three months of history are written."""
EVERY = 60.0
"""Seconds between two exports of the server; one that would change nothing is left out."""
LOADED = (
    "app.css", "status.css", "icon.svg", "vendor/inter-latin.woff2", "vendor/inter-latin-ext.woff2",
)  # fmt: skip
"""What pages load."""


def files(status: StatusPages, name: str) -> Iterator[tuple[str, bytes]]:
    """(path, content) of everything, the first page last. Raises NotFound."""
    view = status.view(name)
    for loaded in LOADED:
        with contextlib.suppress(FileNotFoundError):
            yield f"static/{loaded}", (STATIC / loaded).read_bytes()
    for path, document in v2.documents(view).items():
        yield f"api/v2/{path}", orjson.dumps(document)
    yield "history.rss", feeds.rss(view)
    yield "history.atom", feeds.atom(view)
    yield from _past(status, view)
    yield "index.html", site.home(view, written(0))


def _past(status: StatusPages, view: View) -> Iterator[tuple[str, bytes]]:
    stories = {s.id: s for s in (*view.open, *view.past)}
    last = this_month(view.as_of)
    for i in range(CHAPTERS):
        month = moved(last, -i * AT_ONCE)
        found = chapter(status, view, month)
        stories |= {s.id: s for _, its in found.months for s in its}
        earlier = found.earlier if i + 1 < CHAPTERS else ""
        if i == 0:
            body = site.past(view, found.months, earlier, "", written(1))
            yield "history/index.html", body
        body = site.past(view, found.months, earlier, found.later, written(2))
        yield f"history/{month}/index.html", body
        if not found.earlier:
            break
    for story in stories.values():
        yield f"incidents/{story.id}/index.html", site.incident(view, story, written(2))


def export(status: StatusPages, name: str, folder: Path) -> int:
    """Write a page into a folder. Returns how many files. Raises NotFound, UserError."""
    count = 0
    try:
        for path, content in files(status, name):
            _put(folder / path, content)
            count += 1
    except OSError as error:
        raise UserError(
            f"{folder} cannot be written: {error.strerror or error}", "Give another directory."
        ) from None
    return count


def _put(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_name(f".{path.name}.new")
    fresh.write_bytes(content)
    os.replace(fresh, path)


def then(
    first: Callable[[Specs, Seconds], None], second: Callable[[Seconds], None]
) -> Callable[[Specs, Seconds], None]:
    """Both, one after the other."""

    def both(specs: Specs, now: Seconds) -> None:
        first(specs, now)
        second(now)

    return both


@dataclass
class Exporter:
    """Writes the pages that ask for it, now and then; trouble is logged and tried again."""

    status: StatusPages
    _written: dict[str, tuple[object, Seconds]] = field(default_factory=dict)

    def step(self, now: Seconds) -> None:
        """Write what changed, or is a minute old."""
        for page in self.status.listed():
            if not page.export:
                continue
            try:
                view = self.status.view(page.name)
                before, at = self._written.get(page.name, (None, 0.0))
                if (view.revision, page) == before and now - at < EVERY:
                    continue
                export(self.status, page.name, Path(page.export))
                self._written[page.name] = ((view.revision, page), now)
            except WatchkeeperError as error:
                log.error("the status page %s is not exported: %s", page.name, error)
