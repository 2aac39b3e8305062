"""The feeds of a page: RSS 2.0 and Atom (RFC 4287), one item an incident, newest first. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from email.utils import format_datetime
from html import escape
from xml.etree import ElementTree
from xml.etree.ElementTree import Element, SubElement

from watchkeeper.incidents.status.model import Planned, Story, View
from watchkeeper.incidents.status.planning import AHEAD
from watchkeeper.kernel.clock import Seconds, iso

MOST = 50
ATOM = "http://www.w3.org/2005/Atom"


def rss(view: View) -> bytes:
    """RSS 2.0; an item is known by the address of its incident."""
    root = Element("rss", {"version": "2.0", "xmlns:atom": ATOM})
    channel = SubElement(root, "channel")
    _texts(channel, title=f"{view.page.display_name}: incidents", link=view.url,
           description=view.page.description or f"Incidents of {view.page.display_name}",
           language="en", lastBuildDate=_mail_time(view.updated))  # fmt: skip
    SubElement(channel, "atom:link", rel="self", type="application/rss+xml",
               href=f"{view.url}/history.rss")  # fmt: skip
    for title, link, key, at, _, body in _items(view):
        item = SubElement(channel, "item")
        _texts(item, title=title, link=link, description=body, pubDate=_mail_time(at))
        SubElement(item, "guid", isPermaLink="true" if key == link else "false").text = key
    return _bytes(root)


def atom(view: View) -> bytes:
    """Atom; an entry is updated with each update of its incident."""
    root = Element("feed", xmlns=ATOM)
    _texts(root, id=f"{view.url}/history.atom", title=f"{view.page.display_name}: incidents",
           updated=iso(view.updated))  # fmt: skip
    SubElement(root, "link", rel="self", href=f"{view.url}/history.atom")
    SubElement(root, "link", rel="alternate", type="text/html", href=view.url)
    author = SubElement(root, "author")
    _texts(author, name=view.page.display_name)
    for title, link, key, began, updated, body in _items(view):
        entry = SubElement(root, "entry")
        _texts(entry, id=key, title=title, published=iso(began), updated=iso(updated))
        SubElement(entry, "link", href=link)
        SubElement(entry, "content", type="html").text = _clean(body)
    return _bytes(root)


Item = tuple[str, str, str, Seconds, Seconds, str]


def _items(view: View) -> Sequence[Item]:
    """(title, link, key, began, updated, HTML) of incidents and of planned work."""
    found = [_incident(view, s) for s in (*view.open, *view.past)]
    found += [_work(view, p) for p in view.planned]
    return sorted(found, key=lambda item: -item[3])[:MOST]


def _incident(view: View, its: Story) -> Item:
    body = "".join(
        f"<p><small>{escape(iso(p.at))}</small><br><strong>{p.phase.capitalize()}</strong> - "
        f"{escape(p.text).replace(chr(10), '<br>')}</p>"
        for p in its.posts
    )
    link = f"{view.url}/incidents/{its.id}"
    return its.title, link, link, its.began, its.updated, body


def _work(view: View, its: Planned) -> Item:
    body = f"<p><strong>{iso(its.start)} to {iso(its.end)}</strong></p><p>{escape(its.text)}</p>"
    key = f"{view.url}#{its.id}"
    announced = its.start - AHEAD
    return f"Planned: {its.title}", view.url, key, announced, announced, body


def _texts(parent: Element, **named: str) -> None:
    for tag, text in named.items():
        SubElement(parent, tag).text = _clean(text)


def _clean(text: str) -> str:
    # XML cannot hold control characters, not even escaped.
    return "".join(c for c in text if c.isprintable() or c in "\n\t")


def _mail_time(at: Seconds) -> str:
    return format_datetime(datetime.fromtimestamp(at, UTC), usegmt=True)


def _bytes(root: Element) -> bytes:
    found: bytes = ElementTree.tostring(root, encoding="utf-8", xml_declaration=True)
    return found
