"""Where the parts of a page are: on a server, or as files beside one another. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from watchkeeper.faces.assets import static_url


@dataclass(frozen=True, slots=True)
class Links:
    """Addresses as they stand in a page. ``live``: there is a server that takes subscriptions.

    As files, ``base`` leads up to the page's folder, and folders hold an ``index.html``, so that
    the address of an incident is the same on a server and on any host of files.
    """

    base: str
    live: bool

    @property
    def home(self) -> str:
        """The page."""
        return self.base if self.live else f"{self.base}index.html"

    def to(self, path: str) -> str:
        """A page below it."""
        return f"{self.base}/{path}" if self.live else f"{self.base}{path}/index.html"

    def file(self, path: str) -> str:
        """A feed or a document."""
        return f"{self.base}/{path}" if self.live else f"{self.base}{path}"

    def static(self, name: str) -> str:
        """A file that pages load."""
        return static_url(name) if self.live else f"{self.base}static/{name}"


def served(name: str) -> Links:
    """On a server."""
    return Links(f"/status/{name}", True)


def written(depth: int) -> Links:
    """As files, from a page so many folders below the first."""
    return Links("../" * depth or "./", False)
