"""A review as one HTML document for paper: nothing in it is loaded, nothing runs. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from watchkeeper.kernel.text import together
from watchkeeper.reviews import render
from watchkeeper.reviews.model import Cell, Note, NoteKind, Review, Section

STYLE = """
@page { size: A4; margin: 15mm 15mm 17mm;
  @bottom-left { content: "TITLE"; font: 8pt Inter, sans-serif; color: #5b616b } @bottom-right { content: "Page " counter(page) " of " counter(pages); font: 8pt Inter, sans-serif; color: #5b616b } }
body { font: 10.5pt/1.45 Inter, "Liberation Sans", "DejaVu Sans", sans-serif; color: #1d2025; margin: 0 }
h1 { font-size: 18pt; line-height: 1.2; margin: 0 0 2pt } h2 { font-size: 12pt; margin: 13pt 0 3pt; break-after: avoid }
p { margin: 0 0 4pt } .muted, .sub { color: #5b616b } .sub { font-size: 8.5pt; display: block }
.decide { border: 1pt solid #c9cdd4; border-top: 3pt solid #1d2025; padding: 6pt 10pt; margin: 10pt 0; break-inside: avoid }
.decide h2 { margin-top: 0 } ol, ul { margin: 0; padding-left: 16pt } li { margin: 0 0 3pt }
table { border-collapse: collapse; width: 100%; font-size: 9pt; margin: 4pt 0 } th { text-align: left; color: #5b616b; font-weight: 600 }
th, td { padding: 3pt 6pt 3pt 0; border-bottom: 0.5pt solid #dcdfe4; vertical-align: top } tr { break-inside: avoid } tbody td:first-child { font-weight: 600 } tbody .sub { font-weight: 400 }
section.whole { break-inside: avoid } section > p:first-of-type { break-after: avoid } .bare h2 { font-size: 10.5pt; display: inline; margin: 0 4pt 0 0 } .bare p { display: inline } .bare { margin: 9pt 0 0 } .state, .n .sub { white-space: nowrap }
.n { text-align: right; padding-left: 7pt; font-variant-numeric: tabular-nums }
"""  # noqa: E501
POLICY = "default-src 'none'; style-src 'unsafe-inline'; font-src data:"
SHAPES = {"ok": "●", "watch": "◐", "burn": "▲", "spent": "■", "none": "○"}


SHORT = 5
"""A section with so many rows or fewer is not torn between two pages."""


def html(review: Review, notes: Sequence[Note], font: str = "") -> str:
    """The document. ``font``: the one it is set in, as a ``data:`` address; '' for that of the
    machine that prints."""
    title = escape(render.heading(review))
    style = STYLE.replace("TITLE", _in_style(render.heading(review)))
    if font:
        style += f'@font-face {{ font-family: Inter; font-weight: 100 900; src: url("{font}") }}'
    parts = [
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">'
        f"<title>{title}</title><style>{style}</style></head><body>",
        f'<h1>{title}</h1><p class="muted">{escape(render.span(review))}</p>',
        '<div class="decide"><h2>What should we decide?</h2>',
        _items("ol", [_said(q.text) for q in review.decide]) or f"<p>{render.NOTHING}</p>",
        "</div>",
        "<h2>The week in three sentences</h2>",
        "".join(f"<p>{_said(s)}</p>" for s in review.summary),
    ]
    if notes:
        written = [_note(n, review.zone) for n in notes]
        parts += ["<h2>Notes and decisions</h2>", _items("ul", written)]
    parts += [_section(s) for s in review.sections]
    return "".join([*parts, "</body></html>"])


def _said(text: str) -> str:
    return escape(together(text))


def _in_style(text: str) -> str:
    """A string of CSS that cannot end before its end."""
    return "".join(c if c.isalnum() or c in " ,.–-" else f"\\{ord(c):06x}" for c in text)


def _items(tag: str, items: Sequence[str]) -> str:
    inside = "".join(f"<li>{i}</li>" for i in items)
    return f"<{tag}>{inside}</{tag}>" if inside else ""


def _note(note: Note, zone: str) -> str:
    word = "<b>Decided.</b> " if note.kind is NoteKind.DECISION else ""
    who = f"{escape(note.author)}, {render.moment(note.at, zone)}"
    return f'{word}{escape(note.text)} <span class="sub">{who}</span>'


def _section(section: Section) -> str:
    said = f"<h2>{escape(section.title)}</h2><p>{_said(section.lead)}</p>"
    if not section.rows:
        return f'<section class="bare">{said}</section>'
    whole = ' class="whole"' if len(section.rows) <= SHORT else ""
    numbers = [' class="n"' if h.endswith("#") else "" for h in section.head]
    head = "".join(
        f"<th{n}>{escape(h.removesuffix('#'))}</th>"
        for h, n in zip(section.head, numbers, strict=True)
    )
    rows = "".join(
        "<tr>" + "".join(_cell(c, n) for c, n in zip(row, numbers, strict=True)) + "</tr>"
        for row in section.rows
    )
    more = f'<p class="muted">And {section.more} more.</p>' if section.more else ""
    table = f"<table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>"
    return f"<section{whole}>{said}{table}{more}</section>"


def _cell(cell: Cell, number: str) -> str:
    said = _said(cell.text)
    if cell.look in SHAPES:
        said = f'<span class="state">{SHAPES[cell.look]} {said}</span>'
    elif number:
        said = f'<span class="state">{said}</span>'
    sub = f'<span class="sub">{_said(cell.sub)}</span>' if cell.sub else ""
    return f"<td{number}>{said}{sub}</td>"
