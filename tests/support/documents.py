"""Reading our own documentation in tests: its pages, code blocks and command lines."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from markdown_it import MarkdownIt

ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True, slots=True)
class Block:
    """A fenced code block: its language, its words after the language, where it begins."""

    page: Path
    line: int
    language: str
    words: tuple[str, ...]
    text: str

    def __str__(self) -> str:
        return f"{self.page.relative_to(ROOT)}:{self.line}"


def pages() -> list[Path]:
    """Every page that users or contributors read."""
    named = [ROOT / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md")]
    return [*named, *sorted((ROOT / "docs").rglob("*.md"))]


def blocks(page: Path) -> Iterator[Block]:
    """The fenced code blocks of a page."""
    for token in MarkdownIt().parse(page.read_text(encoding="utf-8")):
        if token.type == "fence" and token.map is not None:
            language, *words = token.info.split() or [""]
            yield Block(page, token.map[0] + 1, language, tuple(words), token.content)


def all_blocks(*languages: str) -> list[Block]:
    """The blocks of all pages that are in one of these languages."""
    return [b for page in pages() for b in blocks(page) if b.language in languages]


def command_lines(block: Block) -> Iterator[list[str]]:
    """The words of each ``wk`` or ``watchkeeper`` command in a shell block."""
    for line in block.text.replace("\\\n", " ").splitlines():
        stripped = re.sub(r"(^|\s)#.*$", "", line.removeprefix("$ ")).strip()
        for part in re.split(r"\s*(?:\|\||&&|\||;|[<$]\()\s*", stripped):
            try:
                words = shlex.split(part)
            except ValueError:  # a quoted string that goes over several lines
                continue
            while words and re.fullmatch(r"[A-Z_]+=.*", words[0]):
                words = words[1:]
            if words and words[0] in {"wk", "watchkeeper"}:
                yield words
