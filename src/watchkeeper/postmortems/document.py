"""A postmortem as Markdown: its blocks with their lines, its sections by what they are. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum

from markdown_it import MarkdownIt
from markdown_it.token import Token


class Part(StrEnum):
    """What a section is, whatever it is called."""

    SUMMARY = "summary"
    IMPACT = "impact"
    TIMELINE = "timeline"
    ROOT_CAUSE = "root cause"
    FACTORS = "contributing factors"
    WHYS = "five whys"
    DETECTION = "detection"
    WELL = "what went well"
    WRONG = "what went wrong"
    LUCKY = "where we got lucky"
    LESSONS = "lessons"
    ACTIONS = "action items"
    PEOPLE = "people"
    STATS = "stats"


_TITLES: Sequence[tuple[Part, re.Pattern[str]]] = tuple(
    (part, re.compile(pattern))
    for part, pattern in (
        (Part.WHYS, r"(5|five) ?whys"),
        (Part.WELL, r"went (well|right)"),
        (Part.WRONG, r"went (wrong|badly|poorly)|could have gone better"),
        (Part.LUCKY, r"\bluck(y)?\b"),
        (Part.ACTIONS, r"action|follow[- ]?ups?|next steps|remediation|corrective|to-?dos?\b"),
        (Part.TIMELINE, r"time ?line|chronolog|sequence of events"),
        (Part.FACTORS, r"contribut|factors|trigger"),
        (Part.ROOT_CAUSE, r"root cause|\bcauses?\b|\bwhy\b"),
        (Part.IMPACT, r"impact|effect on|who was affected|customer experience"),
        (Part.DETECTION, r"detect"),
        (Part.SUMMARY, r"summary|overview|what happened|abstract|tl;?dr"),
        (Part.LESSONS, r"lessons?|learn|conclusions?|retrospect"),
        (Part.PEOPLE, r"attendees|responders|participants|people|authors?|roles"),
        (Part.STATS, r"\bstats\b|statistics|metrics"),
    )
)


@dataclass(frozen=True, slots=True)
class Block:
    """A heading, paragraph, list item, table row or head, in the order of the text.

    ``line`` counts from 1. ``depth``: of a heading its level, of a list item how deep it stands,
    from 1. ``cells``: of a row, its texts; ``text`` has them all, with bars between.
    """

    kind: str  # heading, paragraph, item, head, row
    line: int
    text: str
    depth: int = 0
    cells: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Section:
    """A heading and what stands below it, up to the next heading of its level or higher."""

    title: str
    line: int
    depth: int
    part: Part | None
    blocks: tuple[Block, ...]

    @property
    def empty(self) -> bool:
        """Nothing but headings, empty items and places to fill in."""
        return not any(b.kind != "heading" and not unfilled(b.text) for b in self.blocks)


@dataclass(frozen=True, slots=True)
class Document:
    """A whole postmortem."""

    title: str
    blocks: tuple[Block, ...]
    sections: tuple[Section, ...]

    def of(self, part: Part) -> list[Section]:
        """The sections that are this."""
        return [s for s in self.sections if s.part is part]

    def within(self, part: Part) -> list[Block]:
        """All blocks in these sections, each once, in order."""
        found = {(b.line, b.text): b for s in self.of(part) for b in s.blocks}
        return sorted(found.values(), key=lambda b: b.line)


def parse(text: str) -> Document:
    """Read CommonMark with tables. Never fails: every text is some document."""
    blocks = tuple(_blocks(MarkdownIt("commonmark").enable("table").parse(text)))
    headings = [i for i, b in enumerate(blocks) if b.kind == "heading"]
    sections = []
    for i in headings:
        here = blocks[i]
        end = next((j for j in headings if j > i and blocks[j].depth <= here.depth), len(blocks))
        inside = blocks[i + 1 : end]
        sections.append(Section(here.text, here.line, here.depth, part_of(here.text), inside))
    title = next((blocks[i].text for i in headings), "")
    return Document(title, blocks, tuple(sections))


def part_of(title: str) -> Part | None:
    """What a heading says that its section is."""
    folded = " ".join(title.casefold().replace("’", "'").split())
    if re.search(r"\d{1,2}[:.]\d\d", folded):
        return None  # an entry of a timeline, whatever it tells
    return next((part for part, pattern in _TITLES if pattern.search(folded)), None)


_ASKS = re.compile(r"([_*])(?![_* ])[^_*]*\?[^_*]*\1")


def unfilled(text: str) -> bool:
    """True for what only marks a place: ``-``, ``TODO``, ``{{ summary }}``, ``_What was it?_``."""
    plain = text.strip().strip("*_-.| ").casefold()
    # A question that is emphasised as a whole is what templates, ours too, ask the writer.
    if _ASKS.fullmatch(text.strip()):
        return True
    return not plain or bool(
        re.fullmatch(r"(todo|tbd|tba|xxx+|yyy+|zzz+|n/?a|\?+|\{\{.*\}\}|\[.*\]|<.*>)[.:]?", plain)
    )


def _blocks(tokens: Sequence[Token]) -> Iterator[Block]:
    lists = 0
    item: int | None = None
    cells: list[str] | None = None
    row, head = 0, False
    for token in tokens:
        line = token.map[0] + 1 if token.map else 0
        match token.type:
            case "bullet_list_open" | "ordered_list_open":
                lists += 1
            case "bullet_list_close" | "ordered_list_close":
                lists -= 1
            case "list_item_open":
                item = line
            case "list_item_close":
                if item is not None:
                    yield Block("item", item, "", lists)
                item = None
            case "thead_open" | "tbody_open":
                head = token.type == "thead_open"
            case "tr_open":
                cells, row = [], line
            case "tr_close":
                made = tuple(cells or ())
                yield Block("head" if head else "row", row, " | ".join(made), cells=made)
                cells = None
            case "inline" if cells is not None:
                cells.append(token.content.strip())
            case "inline":
                if item is not None:
                    yield Block("item", item, token.content.strip(), lists)
                    item = None
                elif not _is_heading(tokens, token):
                    yield Block("paragraph", line, token.content.strip(), lists)
            case "heading_open":
                content = tokens[tokens.index(token) + 1].content.strip()
                yield Block("heading", line, content, int(token.tag[1]))


def _is_heading(tokens: Sequence[Token], token: Token) -> bool:
    at = tokens.index(token)
    return at > 0 and tokens[at - 1].type == "heading_open"
