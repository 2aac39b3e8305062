"""A real HAProxy in front of two tiny web servers."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import httpx2

from tests.support.processes import free_port, running, wait_until

CONFIG = """
global
  stats socket {socket} mode 600 level admin
  stats socket ipv4@127.0.0.1:{runtime} level admin
defaults
  mode http
  timeout connect 2s
  timeout client 5s
  timeout server 5s
frontend web
  bind 127.0.0.1:{port}
  default_backend shop
backend shop
  server main 127.0.0.1:{main} weight 100
  server spare 127.0.0.1:{spare} weight 100 disabled
"""


@dataclass(frozen=True, slots=True)
class Proxy:
    """Where it listens; its runtime API as a path, and as host:port."""

    url: str
    socket: str
    runtime: str

    def answers(self) -> str:
        """The name of the server that answers; the status when it is no success."""
        answer = httpx2.get(self.url, timeout=5)
        return answer.text if answer.status_code == 200 else str(answer.status_code)


@contextmanager
def haproxy(folder: Path) -> Iterator[Proxy]:
    """HAProxy with the servers shop/main (which serves) and shop/spare (in maintenance)."""
    program = shutil.which("haproxy", path="/usr/sbin:/usr/bin:/sbin:/bin")
    assert program, "haproxy is not installed: apt-get install haproxy"
    with ExitStack() as stack:
        ports = {name: stack.enter_context(_web(name)) for name in ("main", "spare")}
        port, runtime, path = free_port(), free_port(), folder / "admin.sock"
        config = folder / "haproxy.cfg"
        config.write_text(CONFIG.format(socket=path, port=port, runtime=runtime, **ports))
        stack.enter_context(running([program, "-db", "-f", str(config)], folder / "haproxy.log"))
        proxy = Proxy(f"http://127.0.0.1:{port}/", str(path), f"127.0.0.1:{runtime}")
        wait_until(lambda: path.exists() and _serves(proxy), what="HAProxy serves")
        yield proxy


def _serves(proxy: Proxy) -> bool:
    try:
        return proxy.answers() == "main"
    except httpx2.HTTPError:
        return False


@contextmanager
def _web(name: str) -> Iterator[int]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Length", str(len(name)))
            self.end_headers()
            self.wfile.write(name.encode())

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
