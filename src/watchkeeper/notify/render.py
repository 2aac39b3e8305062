"""Messages as text and HTML. Pure."""

from __future__ import annotations

from html import escape

from watchkeeper.notify.model import Message, MessageKind

DUPLICATE = "This may be a duplicate: an earlier attempt may have arrived."


def plain(message: Message, links: bool = True) -> str:
    """All of it as text: body, list, fields, links."""
    parts = [message.body]
    if message.lines:
        parts.append("\n".join(f"- {line}" for line in message.lines))
    if message.fields:
        parts.append("\n".join(f"{k}: {v}" for k, v in message.fields.items()))
    if links:
        parts.extend(f"{a.label}: {a.url}" for a in message.actions)
        if message.url:
            parts.append(f"Open: {message.url}")
    if message.maybe_duplicate:
        parts.append(DUPLICATE)
    return "\n\n".join(p for p in parts if p)


def short(message: Message, limit: int) -> str:
    """Title, and as much of the body as fits."""
    mark = " (perhaps a duplicate)" if message.maybe_duplicate else ""
    text = f"{message.title}{mark}"
    if message.body and message.body not in message.title:
        text += f"\n{message.body}"
    return text if len(text) <= limit else text[: limit - 1] + "…"


def html(message: Message) -> str:
    """A small page for mail readers: no images, no scripts, nothing loaded."""
    button = (
        "display:inline-block;padding:10px 18px;border-radius:6px;border:1px solid #1d2025;"
        "text-decoration:none;font-weight:600;margin:0 8px 8px 0;"
    )
    actions = "".join(
        f'<a href="{escape(a.url, quote=True)}" style="{button}'
        f'{"background:#1d2025;color:#fff" if i == 0 else "color:#1d2025"}">{escape(a.label)}</a>'
        for i, a in enumerate(message.actions)
    )
    lines = "".join(f"<li>{escape(line)}</li>" for line in message.lines)
    fields = "".join(
        f'<tr><td style="color:#636871;padding:2px 16px 2px 0;vertical-align:top">{escape(k)}</td>'
        f'<td style="vertical-align:top;padding:2px 0">{escape(v)}</td></tr>'
        for k, v in message.fields.items()
    )
    # Who subscribed to a status page has never heard of us.
    status = message.kind is MessageKind.STATUS
    label = "See the status page" if status else "Open in Watchkeeper"
    opened = (
        f'<p><a href="{escape(message.url, quote=True)}">{label}</a></p>' if message.url else ""
    )
    return (
        '<!doctype html><html lang="en"><body style="font:15px/1.5 system-ui,sans-serif;'
        'color:#1d2025;max-width:640px">'
        f'<h1 style="font-size:20px;margin:0 0 12px">{escape(message.title)}</h1>'
        f'<p style="white-space:pre-line">{escape(message.body)}</p>'
        + (f"<ul>{lines}</ul>" if lines else "")
        + f"<p>{actions}</p>"
        + (f"<table>{fields}</table>" if fields else "")
        + opened
        + (f"<p><i>{DUPLICATE}</i></p>" if message.maybe_duplicate else "")
        + "</body></html>"
    )
