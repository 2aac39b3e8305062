#!/usr/bin/env bash
# Every static check; all run even when one fails, so that one run shows everything.
set -uo pipefail
cd "$(dirname "$0")/.."
SCRIPT=check
. scripts/lib.sh
PY=${PY:-.venv/bin/python}
bin=$(dirname "$PY")
failed=()

run() {
    local name=$1
    shift
    "$@" </dev/null || failed+=("$name")
}

run "format" "$PY" -m ruff format --check --quiet .
run "lint" "$PY" -m ruff check --quiet .
run "types" "$PY" -m mypy --no-error-summary
run "rooms" "$bin/lint-imports" --no-logo
if [ "${#failed[@]}" -gt 0 ]; then
    say "FAILED: ${failed[*]} (make format repairs formatting)"
    exit 1
fi
say "format, lint, types and order of rooms are fine"
