"""MkDocs hook: the navigation is the sections in a fixed order and every page found in them.

So a new page appears by being written; nobody edits a list. Also writes the style sheet of the
code colours, which Pygments knows.
"""

from __future__ import annotations

import re
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from pygments.formatters.html import HtmlFormatter

SECTIONS = (
    ("Tutorial", "tutorial"),
    ("How to", "how-to"),
    ("Reference", "reference"),
    ("Explanation", "explanation"),
    ("Decisions", "decisions"),
)
PYGMENTS_STYLES = (("", "friendly"), ("[data-bs-theme=dark] ", "monokai"))


def title_of(page: Path) -> str:
    """The page's first heading, or its file name when it has none."""
    match = re.search(r"^# +(.+?)\s*$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return match[1] if match else page.stem.replace("-", " ").capitalize()


def navigation(docs: Path) -> list[dict[str, object]]:
    """Home, then each section with its pages (``index.md`` first), as ``nav`` in mkdocs.yml."""
    nav: list[dict[str, object]] = [{"Home": "index.md"}]
    for title, folder in SECTIONS:
        pages = sorted((docs / folder).glob("**/*.md"), key=lambda p: (p.stem != "index", p))
        entries: list[dict[str, str]] = [
            {title_of(page): page.relative_to(docs).as_posix()} for page in pages
        ]
        if folder == "explanation":
            entries.append({"Architecture": "architecture.md"})
        if entries:
            nav.append({title: entries})
    return nav


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Set the navigation before MkDocs reads the files."""
    config.nav = navigation(Path(config.docs_dir))
    return config


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the style sheet of the code colours, light and dark."""
    colours = (
        HtmlFormatter(style=style).get_style_defs(f"{prefix}.highlight")  # type: ignore[no-untyped-call]
        for prefix, style in PYGMENTS_STYLES
    )
    files.append(File.generated(config, "assets/code.css", content="\n".join(colours)))
    return files
