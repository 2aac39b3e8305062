"""Puts a release of a service out, or the one before back: the demo's deployment command.

``python -m demo.deploy --at http://127.0.0.1:18082 --to previous`` (``--plan``: only says what it
would do). It needs nothing but Python, for a mitigation runs it with an empty environment.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from typing import Any


def call(url: str, body: Mapping[str, str] | None = None) -> Mapping[str, Any]:
    """Ask the service which release runs, or tell it to run another."""
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(f"{url}/admin/release", data)
    with urllib.request.urlopen(request, timeout=10) as answer:
        found: Mapping[str, Any] = json.load(answer)
        return found


def main() -> None:
    """Run it."""
    parser = argparse.ArgumentParser(prog="demo.deploy")
    parser.add_argument("--at", required=True, help="the service's address")
    parser.add_argument("--to", required=True, help="a version, or previous")
    parser.add_argument("--plan", action="store_true", help="only say what would be done")
    options = parser.parse_args()
    try:
        now = call(options.at)
        wanted = now["previous"] if options.to == "previous" else options.to
        print(f"{now['version']} runs; the release before it was {now['previous']}")
        print(f"{now['version']} -> {wanted}", flush=True)
        if options.plan:
            return
        for share in ("one copy of three", "two copies of three", "all copies"):
            print(f"  {share}", flush=True)
            time.sleep(0.3)
        print(f"{call(options.at, {'version': wanted})['version']} runs")
    except urllib.error.HTTPError as error:
        sys.exit(f"payments answered {error.code}: {error.read().decode()}")
    except OSError as error:
        sys.exit(f"{options.at} cannot be reached: {error}")


if __name__ == "__main__":
    main()
