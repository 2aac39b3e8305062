"""Local servers that speak the published APIs of providers, and reject what those would.

Each checks method, path, headers, types, unknown fields and lengths as the provider documents them;
``taken`` is what it accepted, ``refused`` what it did not and why. ``mode`` makes it misbehave.
"""

from __future__ import annotations

import base64
import json
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

Reply = tuple[int, dict[str, str], str]


class RefusedError(Exception):
    """The provider would not take this."""

    def __init__(self, status: int, body: object, **headers: str) -> None:
        super().__init__(str(body))
        self.status, self.body, self.headers = status, body, headers


@dataclass
class Provider:
    """One running server."""

    check: Callable[[Provider, str, str, dict[str, str], bytes], object]
    url: str = ""
    taken: list[Any] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)
    calls: int = 0
    mode: str = (
        "ok"  # ok, down (503), gateway (504), slow, cut, lost (every third answer), busy (429)
    )

    def answer(self, method: str, path: str, headers: dict[str, str], body: bytes) -> Reply:
        if self.mode == "down":
            return 503, {}, "down"
        if self.mode == "gateway":
            return 504, {}, "gateway time-out"
        if self.mode == "busy":
            return 429, {"Retry-After": "7"}, "busy"
        try:
            said = self.check(self, method, path, headers, body)
        except RefusedError as no:
            self.refused.append(str(no))
            return no.status, no.headers, json.dumps(no.body)
        return 200, {"Content-Type": "application/json"}, json.dumps(said)


@contextmanager
def running(check: Callable[..., object]) -> Iterator[Provider]:
    """The server, on loopback, until the block ends."""
    provider = Provider(check)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _any(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length") or 0))
            if provider.mode == "cut":
                provider.taken.append(body)
                self.close_connection = True
                self.connection.close()
                return
            if provider.mode == "slow":
                time.sleep(2.0)
            named = {k.lower(): v for k, v in self.headers.items()}
            status, headers, text = provider.answer(self.command, self.path, named, body)
            provider.calls += 1
            if (
                provider.mode == "lost" and provider.calls % 3 == 1
            ):  # it was done, and nobody is told
                self.close_connection = True
                self.connection.close()
                return
            raw = text.encode()
            self.send_response(status)
            for k, v in {**headers, "Content-Length": str(len(raw))}.items():
                self.send_header(k.replace("_", "-"), v)
            self.end_headers()
            self.wfile.write(raw)

        do_GET = do_POST = do_PUT = do_PATCH = _any  # noqa: N815

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    provider.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield provider
    finally:
        server.shutdown()
        server.server_close()


def _json(headers: dict[str, str], body: bytes) -> dict[str, Any]:
    if not headers.get("content-type", "").startswith("application/json"):
        raise RefusedError(415, "the content type must be application/json")
    try:
        found = json.loads(body)
    except ValueError:
        raise RefusedError(400, "not JSON") from None
    if not isinstance(found, dict):
        raise RefusedError(400, "not an object")
    return found


def _only(found: dict[str, Any], known: Mapping[str, type], where: str) -> None:
    for key, value in found.items():
        if key not in known:
            raise RefusedError(400, f"unknown field {where}.{key}")
        if not isinstance(value, known[key]):
            raise RefusedError(400, f"{where}.{key} has the wrong type")


def _at_most(text: str, limit: int, where: str) -> None:
    if not text or len(text) > limit:
        raise RefusedError(400, f"{where} must have 1 to {limit} characters, has {len(text)}")


def ntfy(its: Provider, method: str, path: str, headers: dict[str, str], body: bytes) -> object:
    """Publish as JSON, as docs.ntfy.sh has it."""
    if (method, path) not in (("POST", "/"), ("PUT", "/")):
        raise RefusedError(404, {"error": "page not found"})
    found = json.loads(body)
    known: dict[str, type] = {
        "topic": str, "message": str, "title": str, "tags": list, "priority": int, "actions": list,
        "click": str, "attach": str, "filename": str, "markdown": bool, "icon": str, "email": str,
        "call": str, "delay": str,
    }  # fmt: skip
    _only(found, known, "message")
    if not found.get("topic", "").replace("-", "").replace("_", "").isalnum():
        raise RefusedError(400, {"code": 40009, "error": "invalid topic"})
    if not 1 <= found.get("priority", 3) <= 5:
        raise RefusedError(400, {"code": 40007, "error": "invalid priority"})
    if len(found.get("actions", [])) > 3:
        raise RefusedError(400, {"code": 40018, "error": "only 3 actions"})
    for action in found.get("actions", []):
        kinds = {"action": str, "label": str, "url": str, "method": str, "clear": bool,
                 "headers": dict, "body": str}  # fmt: skip
        _only(action, kinds, "action")
        if action.get("action") not in ("view", "http", "broadcast", "copy") or not action.get(
            "label"
        ):
            raise RefusedError(400, {"code": 40018, "error": "invalid action"})
    if len(found.get("message", "").encode()) > 4096:
        raise RefusedError(413, {"error": "too large"})
    if headers.get("authorization") not in (None, "Bearer tk_right"):
        raise RefusedError(401, {"code": 40101, "error": "unauthorized"})
    its.taken.append(found)
    return {"id": f"n{len(its.taken)}", "event": "message", "topic": found["topic"]}


def slack(its: Provider, method: str, path: str, headers: dict[str, str], body: bytes) -> object:
    """``chat.postMessage`` and Block Kit, as api.slack.com has them: errors come with 200."""
    if (method, path) != ("POST", "/chat.postMessage"):
        return {"ok": False, "error": "unknown_method"}
    if headers.get("authorization") != "Bearer xoxb-right":
        return {"ok": False, "error": "invalid_auth"}
    found = _json(headers, body)
    known: dict[str, type] = {
        "channel": str, "text": str, "blocks": list, "thread_ts": str, "metadata": dict,
        "unfurl_links": bool, "unfurl_media": bool, "mrkdwn": bool, "reply_broadcast": bool,
    }  # fmt: skip
    try:
        _only(found, known, "message")
        _slack_blocks(found.get("blocks", []))
    except RefusedError as no:
        its.refused.append(str(no))
        return {"ok": False, "error": "invalid_blocks", "detail": str(no)}
    if not found.get("channel", "").startswith(("#", "C", "U", "D")):
        return {"ok": False, "error": "channel_not_found"}
    its.taken.append(found)
    return {"ok": True, "channel": "C1", "ts": f"170000000.{len(its.taken):06d}"}


def _slack_blocks(blocks: list[dict[str, Any]]) -> None:
    if len(blocks) > 50:
        raise RefusedError(400, "more than 50 blocks")
    for block in blocks:
        match block.get("type"):
            case "header":
                _slack_text(block["text"], "plain_text", 150)
            case "section":
                if "text" in block:
                    _slack_text(block["text"], "", 3000)
                if len(block.get("fields", [])) > 10:
                    raise RefusedError(400, "more than 10 fields")
                for item in block.get("fields", []):
                    _slack_text(item, "", 2000)
            case "actions":
                _at_most(block.get("block_id", "x"), 255, "block_id")
                if not 1 <= len(block["elements"]) <= 25:
                    raise RefusedError(400, "1 to 25 elements")
                for button in block["elements"]:
                    _slack_button(button)
            case other:
                raise RefusedError(400, f"unknown block {other}")


def _slack_text(text: dict[str, Any], kind: str, limit: int) -> None:
    _only(text, {"type": str, "text": str, "emoji": bool, "verbatim": bool}, "text")
    if text["type"] not in ((kind,) if kind else ("plain_text", "mrkdwn")):
        raise RefusedError(400, f"text is {text['type']}")
    _at_most(text["text"], limit, "text")


def _slack_button(button: dict[str, Any]) -> None:
    known = {"type": str, "text": dict, "action_id": str, "url": str, "value": str, "style": str,
             "confirm": dict, "accessibility_label": str}  # fmt: skip
    _only(button, known, "button")
    _slack_text(button["text"], "plain_text", 75)
    _at_most(button.get("value", "x"), 2000, "value")
    _at_most(button.get("url", "x"), 3000, "url")
    if button.get("style", "primary") not in ("primary", "danger"):
        raise RefusedError(400, "style")


def twilio(its: Provider, method: str, path: str, headers: dict[str, str], body: bytes) -> object:
    """``Messages.json`` and ``Calls.json``, as www.twilio.com/docs has them."""
    expected = "Basic " + base64.b64encode(b"AC1:right").decode()
    if headers.get("authorization") != expected:
        raise RefusedError(401, {"code": 20003, "message": "Authenticate"})
    if not headers.get("content-type", "").startswith("application/x-www-form-urlencoded"):
        raise RefusedError(415, {"code": 20415})
    form = dict(parse_qsl(body.decode(), keep_blank_values=True))
    what = {"/2010-04-01/Accounts/AC1/Messages.json": "Body",
            "/2010-04-01/Accounts/AC1/Calls.json": "Twiml"}.get(path)  # fmt: skip
    if method != "POST" or what is None:
        raise RefusedError(404, {"code": 20404})
    for key in form:
        if key not in ("To", "From", what, "StatusCallback"):
            raise RefusedError(400, {"code": 20001, "message": f"unknown parameter {key}"})
    if not form.get("To", "").startswith("+") or not form["To"][1:].isdigit():
        raise RefusedError(400, {"code": 21211, "message": "invalid 'To'"})
    limit = 1600 if what == "Body" else 4000
    if not 1 <= len(form.get(what, "")) <= limit:
        raise RefusedError(400, {"code": 21617, "message": f"{what} is too long"})
    if what == "Twiml":
        import xml.etree.ElementTree as ET

        root = ET.fromstring(form["Twiml"])
        if root.tag != "Response":
            raise RefusedError(400, {"code": 12100})
    its.taken.append(form)
    return {"sid": f"SM{len(its.taken)}", "status": "queued"}


def matrix(its: Provider, method: str, path: str, headers: dict[str, str], body: bytes) -> object:
    """Sending to a room, as spec.matrix.org has it; a repeated transaction is one event."""
    parts = urlsplit(path).path.split("/")
    if method != "PUT" or parts[1:5] != ["_matrix", "client", "v3", "rooms"] or len(parts) != 9:
        raise RefusedError(404, {"errcode": "M_UNRECOGNIZED"})
    if headers.get("authorization") != "Bearer syt_right":
        raise RefusedError(401, {"errcode": "M_UNKNOWN_TOKEN"})
    room, kind, transaction = unquote(parts[5]), parts[7], unquote(parts[8])
    if not (room.startswith("!") and ":" in room) or kind != "m.room.message":
        raise RefusedError(403, {"errcode": "M_FORBIDDEN"})
    found = _json(headers, body)
    if found.get("msgtype") not in ("m.text", "m.notice") or not found.get("body"):
        raise RefusedError(400, {"errcode": "M_BAD_JSON"})
    if transaction not in [t for t, _ in its.taken]:
        its.taken.append((transaction, found))
    return {"event_id": f"${transaction}"}


def pagerduty(
    its: Provider, method: str, path: str, headers: dict[str, str], body: bytes
) -> object:
    """Events API v2, as developer.pagerduty.com has it."""
    if (method, path) != ("POST", "/v2/enqueue"):
        raise RefusedError(404, {})
    found = _json(headers, body)
    known: dict[str, type] = {
        "routing_key": str, "event_action": str, "dedup_key": str, "payload": dict, "images": list,
        "links": list, "client": str, "client_url": str,
    }  # fmt: skip
    _only(found, known, "event")
    if len(found.get("routing_key", "")) != 32:
        raise RefusedError(400, {"status": "invalid event", "errors": ["routing_key"]})
    if found.get("event_action") not in ("trigger", "acknowledge", "resolve"):
        raise RefusedError(400, {"status": "invalid event", "errors": ["event_action"]})
    _at_most(found.get("dedup_key", "x"), 255, "dedup_key")
    if found["event_action"] == "trigger":
        payload = found["payload"]
        _at_most(payload["summary"], 1024, "summary")
        if payload["severity"] not in ("critical", "error", "warning", "info"):
            raise RefusedError(400, {"errors": ["severity"]})
        _at_most(payload["source"], 1024, "source")
    its.taken.append(found)
    return {"status": "success", "message": "Event processed", "dedup_key": found["dedup_key"]}


def opsgenie(its: Provider, method: str, path: str, headers: dict[str, str], body: bytes) -> object:
    """The Alert API, as docs.opsgenie.com has it."""
    if headers.get("authorization") != "GenieKey right":
        raise RefusedError(401, {"message": "API key is invalid"})
    found, parts = _json(headers, body), urlsplit(path)
    known: dict[str, type]
    if parts.path == "/v2/alerts":
        known = {"message": str, "alias": str, "description": str, "priority": str, "source": str,
                 "details": dict, "tags": list, "entity": str, "note": str}  # fmt: skip
        _only(found, known, "alert")
        _at_most(found["message"], 130, "message")
        _at_most(found["alias"], 512, "alias")
        if found["priority"] not in ("P1", "P2", "P3", "P4", "P5"):
            raise RefusedError(422, {"message": "priority"})
    elif parts.path.endswith(("/close", "/acknowledge")) and parts.query == "identifierType=alias":
        _only(found, {"user": str, "source": str, "note": str}, "request")
    else:
        raise RefusedError(404, {"message": "not found"})
    its.taken.append((parts.path, found))
    return {"result": "Request will be processed", "took": 0.1, "requestId": f"r{len(its.taken)}"}


def grafana(its: Provider, method: str, path: str, headers: dict[str, str], body: bytes) -> object:
    """Annotations, as Grafana's HTTP API has it."""
    if headers.get("authorization") != "Bearer right":
        raise RefusedError(401, {"message": "Invalid API key"})
    if (method, path) != ("POST", "/api/annotations"):
        raise RefusedError(404, {"message": "Not found"})
    found = _json(headers, body)
    known: dict[str, type] = {"time": int, "timeEnd": int, "text": str, "tags": list,
                              "dashboardUID": str, "panelId": int}  # fmt: skip
    _only(found, known, "annotation")
    if not found.get("text") or found.get("timeEnd", found["time"]) < found["time"]:
        raise RefusedError(400, {"message": "Failed to save annotation"})
    its.taken.append(found)
    return {"message": "Annotation added", "id": len(its.taken)}


def anything(its: Provider, method: str, path: str, headers: dict[str, str], body: bytes) -> object:
    """A receiver of webhooks: keeps headers and body."""
    if method != "POST":
        raise RefusedError(405, {})
    its.taken.append((path, headers, body))
    return {}
