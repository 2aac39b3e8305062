"""A real nginx in front of a small service that takes its time."""

from __future__ import annotations

import contextlib
import shutil
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

from tests.support.processes import answers, free_port, running, wait_until

FORMAT = (
    '$remote_addr - $remote_user [$time_local] "$request" $status $body_bytes_sent '
    '"$http_referer" "$http_user_agent" $request_time'
)
_CONFIG = """
daemon off;
master_process off;
pid {dir}/nginx.pid;
error_log {dir}/error.log;
events {{ worker_connections 64; }}
http {{
  log_format timed '{format}';
  access_log {dir}/access.log timed;
  client_body_temp_path {dir}/t1; proxy_temp_path {dir}/t2; fastcgi_temp_path {dir}/t3;
  uwsgi_temp_path {dir}/t4; scgi_temp_path {dir}/t5;
  server {{
    listen 127.0.0.1:{port};
    location / {{ proxy_pass http://127.0.0.1:{backend}; }}
  }}
}}
"""


class _Backend(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        query = parse_qs(urlsplit(self.path).query)
        time.sleep(float(query.get("seconds", ["0"])[0]))  # what the client asked to wait for
        self.send_response(int(query.get("code", ["200"])[0]))
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        pass


@contextlib.contextmanager
def nginx(directory: Path) -> Iterator[tuple[str, Path]]:
    """(URL, access log) of a running nginx; ``/?code=503&seconds=0.2`` says what it answers."""
    program = shutil.which("nginx", path="/usr/sbin:/usr/bin:/sbin:/bin")
    assert program, "nginx is not installed: apt-get install nginx-light"
    backend = ThreadingHTTPServer(("127.0.0.1", 0), _Backend)
    thread = threading.Thread(target=backend.serve_forever, daemon=True)
    thread.start()
    port = free_port()
    settings = {"dir": directory, "port": port, "backend": backend.server_port, "format": FORMAT}
    config = directory / "nginx.conf"
    config.write_text(_CONFIG.format(**settings))
    try:
        with running([program, "-p", str(directory), "-c", str(config)], directory / "nginx.out"):
            url = f"http://127.0.0.1:{port}"
            wait_until(lambda: answers(url + "/ready"), 20, "nginx answers")
            yield url, directory / "access.log"
    finally:
        backend.shutdown()
        backend.server_close()


_FILES = """
daemon off;
master_process off;
pid {dir}/nginx.pid;
error_log {dir}/error.log;
events {{ worker_connections 64; }}
http {{
  types {{ text/html html; text/css css; image/svg+xml svg; font/woff2 woff2;
          application/json json; application/rss+xml rss; application/atom+xml atom; }}
  access_log off;
  client_body_temp_path {dir}/t1; proxy_temp_path {dir}/t2; fastcgi_temp_path {dir}/t3;
  uwsgi_temp_path {dir}/t4; scgi_temp_path {dir}/t5;
  server {{ listen 127.0.0.1:{port}; root {root}; }}
}}
"""


@contextlib.contextmanager
def serving_files(directory: Path, root: Path) -> Iterator[str]:
    """The URL of a running nginx that serves the files below ``root``."""
    program = shutil.which("nginx", path="/usr/sbin:/usr/bin:/sbin:/bin")
    assert program, "nginx is not installed: apt-get install nginx-light"
    port, config = free_port(), directory / "nginx.conf"
    config.write_text(_FILES.format(dir=directory, port=port, root=root))
    with running([program, "-p", str(directory), "-c", str(config)], directory / "nginx.out"):
        url = f"http://127.0.0.1:{port}"
        wait_until(lambda: answers(url + "/"), 20, "nginx answers")
        yield url
