"""A real Matrix homeserver (Synapse) on loopback, with accounts; `scripts/synapse.sh` brings it."""

from __future__ import annotations

import hashlib
import hmac
import json
import secrets
import subprocess
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.support.processes import answers, free_port, wait_until

ROOT = Path(__file__).resolve().parents[2]
PYTHON = ROOT / "build/synapse/bin/python"
NAME = "test.local"
CONFIG = """
server_name: {name}
pid_file: {folder}/pid
listeners:
  - port: {port}
    bind_addresses: [127.0.0.1]
    type: http
    tls: false
    resources: [{{names: [client]}}]
database: {{name: sqlite3, args: {{database: {folder}/homeserver.db}}}}
media_store_path: {folder}/media
signing_key_path: {folder}/signing.key
log_config: {folder}/log.yaml
registration_shared_secret: {secret}
macaroon_secret_key: {secret}
form_secret: {secret}
report_stats: false
trusted_key_servers: []
rc_message: {{per_second: 1000, burst_count: 1000}}
rc_invites: {{per_issuer: {{per_second: 1000, burst_count: 1000}}}}
"""
LOG = "version: 1\nroot: {level: WARNING}\n"


@dataclass
class Synapse:
    """The server, and the tokens of the accounts on it."""

    url: str
    secret: str
    tokens: dict[str, str] = field(default_factory=dict)

    def call(self, method: str, path: str, body: object = None, who: str = "") -> Any:  # noqa: ANN401
        """A request of this person's."""
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.url + path, data, method=method)
        request.add_header("Content-Type", "application/json")
        if who:
            request.add_header("Authorization", f"Bearer {self.tokens[who]}")
        with urllib.request.urlopen(request, timeout=30) as answer:
            return json.load(answer)

    def register(self, name: str) -> None:
        """Make an account, by the secret that the configuration shares with us."""
        path = "/_synapse/admin/v1/register"
        nonce = self.call("GET", path)["nonce"]
        said = b"\0".join([nonce.encode(), name.encode(), b"a password", b"notadmin"])
        mac = hmac.new(self.secret.encode(), said, hashlib.sha1).hexdigest()
        body = {
            "nonce": nonce,
            "username": name,
            "password": "a password",
            "admin": False,
            "mac": mac,
        }
        self.tokens[name] = self.call("POST", path, body)["access_token"]


@contextmanager
def synapse(folder: Path, people: Sequence[str]) -> Iterator[Synapse]:
    """A homeserver with these accounts, until the block ends. Fails, never skips, without it."""
    # Waits for the one that `make test` began; does nothing where it is installed.
    done = subprocess.run(
        ["bash", str(ROOT / "scripts/synapse.sh")], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, f"Synapse could not be installed:\n{done.stderr}"
    port, secret = free_port(), secrets.token_hex(16)
    config = folder / "homeserver.yaml"
    config.write_text(CONFIG.format(name=NAME, folder=folder, port=port, secret=secret))
    (folder / "log.yaml").write_text(LOG)
    command = [str(PYTHON), "-m", "synapse.app.homeserver", "--config-path", str(config)]
    subprocess.run([*command, "--generate-keys"], check=True, capture_output=True)
    with (folder / "out").open("wb") as out:
        process = subprocess.Popen(command, stdout=out, stderr=out, cwd=folder)
    try:
        made = Synapse(f"http://127.0.0.1:{port}", secret)
        wait_until(lambda: answers(made.url + "/health"), 60, "the homeserver to answer")
        for name in people:
            made.register(name)
        yield made
    finally:
        process.terminate()
        process.wait(20)
