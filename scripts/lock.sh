#!/usr/bin/env bash
# Resolve dependencies into requirements.lock: hashes, and no address of any index.
# Usage: scripts/lock.sh [VENV] [uv options, e.g. --upgrade]
set -euo pipefail
cd "$(dirname "$0")/.."
SCRIPT=lock
. scripts/lib.sh
venv=${1:-.venv}
shift || true
if [ -x "$venv/bin/uv" ]; then uv=$venv/bin/uv; elif has uv; then uv=uv; else
    fail "uv was not found" "$venv/bin/python -m pip install uv"
fi
"$uv" pip compile pyproject.toml --group dev --python-version 3.11 --generate-hashes --quiet \
    --no-header --no-annotate --no-emit-index-url --no-emit-find-links -o requirements.lock "$@"
if grep -n '://' requirements.lock; then fail "the lock names a host; it must not"; fi
say "requirements.lock has $(grep -c '==' requirements.lock) packages"
