"""Markdown of people as HTML that is safe to show, and as Slack writes it. Pure."""

from __future__ import annotations

import re
from functools import cache, lru_cache

import nh3
from markdown_it import MarkdownIt

TAGS = {
    "p", "br", "strong", "em", "s", "code", "pre", "blockquote", "ul", "ol", "li", "a", "hr",
    "h1", "h2", "h3", "h4", "h5", "h6", "table", "thead", "tbody", "tr", "th", "td",
}  # fmt: skip
_LINK = re.compile(r"(?<![\w\"'=/])https?://[^\s<>\"'`]*[^\s<>\"'`.,;:!?)\]]")


@cache
def _reader() -> MarkdownIt:
    # Raw HTML stays text; a line break is one, as people in a hurry expect. No images: one that is
    # loaded from elsewhere would tell others who reads.
    made = MarkdownIt("commonmark", {"html": False, "breaks": True})
    return made.enable(["table", "strikethrough"]).disable("image")


@lru_cache(2048)
def as_html(text: str) -> str:
    """HTML with no tags, attributes and addresses but harmless ones, whatever was written."""
    return nh3.clean(
        _reader().render(_linked(text)),
        tags=TAGS,
        attributes={"a": {"href"}, "ol": {"start"}},
        url_schemes={"http", "https", "mailto"},
        link_rel="noopener noreferrer nofollow",
    )


def _linked(text: str) -> str:
    """Bare addresses as links, but not those in code or in links that are written out."""
    parts = re.split(r"(```.*?```|`[^`]*`|\[[^\]]*\]\([^)]*\)|<[^>]*>)", text, flags=re.DOTALL)
    return "".join(p if i % 2 else _LINK.sub(r"<\g<0>>", p) for i, p in enumerate(parts))


def as_mrkdwn(text: str) -> str:
    """Markdown in Slack's own writing; nothing in it can call people or a channel."""
    said = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    parts = re.split(r"(```.*?```|`[^`]*`)", said, flags=re.DOTALL)
    return "".join(p if i % 2 else _emphasis(p) for i, p in enumerate(parts))


def _emphasis(text: str) -> str:
    text = re.sub(r"\[([^\]|]+)\]\((https?://[^)\s|]+)\)", r"<\2|\1>", text)
    text = re.sub(r"^#{1,6} +(.+)$", r"*\1*", text, flags=re.MULTILINE)
    text = re.sub(r"^&gt; ?", "> ", text, flags=re.MULTILINE)
    text = re.sub(r"~~(.+?)~~", r"~\1~", text)
    return re.sub(r"\*\*(.+?)\*\*", r"*\1*", text)
