"""Debian's Chromium, driven headless, and the pages served for it on a loopback port."""

from __future__ import annotations

import contextlib
import json
import shutil
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Literal

import uvicorn
from playwright.sync_api import Browser, Page, expect, sync_playwright
from starlette.applications import Starlette
from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Send
from starlette.types import Scope as AsgiScope

from tests.support.processes import free_port, wait_until
from watchkeeper.access.model import Principal, Scope
from watchkeeper.faces.guard import CSP, SECURITY_HEADERS
from watchkeeper.faces.web.app import build_web
from watchkeeper.faces.web.contract import WebServices
from watchkeeper.faces.web.serving import Server

AXE = Path(__file__).resolve().parents[2] / "build/assets/node_modules/axe-core/axe.min.js"
EXPECTED = (
    "net::ERR",
    "Failed to fetch",
    "network error",
    "status of 404",
    "status of 400",
    "status of 409",
)
"""What a browser says of a server that is gone, of a page that does not exist, of a form that is
refused."""
CHECK = """() => {
    const asked = {resultTypes: ['violations']};
    if (matchMedia('(prefers-color-scheme: dark)').matches) asked.runOnly = ['color-contrast'];
    return axe.run(document, asked);
}"""
FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


# A busy machine shows late what it shows; what never comes is still a failure.
expect.set_options(timeout=15_000)


class AsWriter:
    """Middleware in the place of the guard: its headers, and a principal that may do what is
    given."""

    def __init__(self, app: ASGIApp, scopes: Sequence[Scope], name: str) -> None:
        self.app = app
        self.principal = Principal(name, frozenset(scopes))

    async def __call__(self, scope: AsgiScope, receive: Receive, send: Send) -> None:
        """Pass the request on."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        scope.setdefault("state", {})["principal"] = self.principal

        async def wrapped(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers.update({**SECURITY_HEADERS, "Content-Security-Policy": CSP})
            await send(message)

        await self.app(scope, receive, wrapped)


def web_app(
    services: WebServices,
    scopes: Sequence[Scope] = (Scope.READ, Scope.WRITE),
    name: str = "amara",
) -> ASGIApp:
    """The pages alone, with the guard's headers."""
    return AsWriter(Starlette(routes=build_web(services)), scopes, name)


@contextlib.contextmanager
def serving(app: ASGIApp, port: int | None = None) -> Iterator[str]:
    """Serve on loopback in a thread for the length of the block; the base address."""
    port = port or free_port()
    config = uvicorn.Config(
        app, host="127.0.0.1", port=port, log_level="error", timeout_graceful_shutdown=1
    )
    server = Server(config)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    try:
        wait_until(lambda: server.started, what="the pages to be served")
        yield f"http://127.0.0.1:{port}"
    finally:
        server.should_exit = True
        thread.join(10)


@contextlib.contextmanager
def chromium() -> Iterator[Browser]:
    """A headless Chromium. Fails, never skips, when there is none."""
    program = shutil.which("chromium")
    assert program, "chromium is missing; scripts/parts.sh test installs it"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=list(FLAGS))
        try:
            yield browser
        finally:
            browser.close()


@contextlib.contextmanager
def page_in(
    browser: Browser,
    width: int = 1440,
    height: int = 1180,
    theme: Literal["light", "dark"] = "light",
    scripts: bool = True,
) -> Iterator[Page]:
    """A page of its own; it fails on anything that the browser complains about."""
    context = browser.new_context(
        viewport={"width": width, "height": height},
        color_scheme=theme,
        java_script_enabled=scripts,
    )
    page = context.new_page()
    complaints: list[str] = []
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("console", lambda said: complaints.append(said.text) if said.type == "error" else None)
    try:
        yield page
    finally:
        context.close()
    unexpected = [c for c in complaints if not any(said in c for said in EXPECTED)]
    assert not unexpected, f"the browser complains: {unexpected}"


def findings(page: Page) -> list[str]:
    """What axe-core finds on the page of impact serious or critical, one line each.

    In dark only what colours do: all else is the same as in light, in which every page is checked.
    """
    assert AXE.is_file(), "axe-core is missing; scripts/build_assets.py brings it"
    if not page.evaluate("'axe' in window"):
        # Evaluated through the debugger, not as a script element: the policy stays in force.
        page.evaluate(AXE.read_text())
    result = page.evaluate(CHECK)
    return [
        f"{violation['id']}: {node['target']} {json.dumps(node.get('failureSummary', ''))}"
        for violation in result["violations"]
        if violation["impact"] in ("serious", "critical")
        for node in violation["nodes"]
    ]
