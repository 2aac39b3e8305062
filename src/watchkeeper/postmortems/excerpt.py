"""Where in a text the words stand that were searched. Pure."""

from __future__ import annotations

import re

from watchkeeper.postmortems.document import unfilled
from watchkeeper.postmortems.terms import stem, tokens

MOST = 200
_WORD = re.compile(r"[^\W_]+")
_MARKS = re.compile(r"^[-*+>|\s]+|[*`]+|\|\s*$")


def excerpt(source: str, asked: str) -> str:
    """The paragraph of the text that has most of the words, cut around the first of them.

    Lines are looked at as they stand: to parse the Markdown of fifty texts would take longer than
    to find them among thousands.
    """
    wanted = set(tokens(asked))
    best, most = "", -1
    for line in source.splitlines():
        said = line.casefold()
        has = sum(word in said for word in wanted)
        if has > most and not said.startswith(("#", "|-", "| -")) and not unfilled(line):
            best, most = line, has
    return around(_MARKS.sub("", " ".join(best.split())), asked)


def around(text: str, asked: str, most: int = MOST) -> str:
    """A part of a text of at most so many characters, around the first word that was asked for."""
    found = next((start for start, _ in places(text, asked)), 0)
    if len(text) <= most:
        return text
    start = max(0, min(found - most // 4, len(text) - most))
    if start:
        start = text.find(" ", start) + 1
    part = text[start : start + most]
    if start + most < len(text):
        part = part.rsplit(" ", 1)[0] + "…"
    return f"{'…' if start else ''}{part}"


def places(text: str, asked: str) -> list[tuple[int, int]]:
    """(start, end) of every word of a text that was asked for; the last may be only begun."""
    wanted = tokens(asked)
    if not wanted:
        return []
    found = []
    for match in _WORD.finditer(text):
        its = stem(match[0].casefold())
        if its in wanted or its.startswith(wanted[-1]):
            found.append(match.span())
    return found
