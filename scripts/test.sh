#!/usr/bin/env bash
# The static checks beside every test, then one summary. Arguments go to pytest.
set -uo pipefail
cd "$(dirname "$0")/.."
SCRIPT=test
. scripts/lib.sh
PY=${PY:-.venv/bin/python}
export PATH="$PATH:/usr/sbin:/sbin"
# The tests start hundreds of processes. Where bytecode is not kept, each would compile us anew.
unset PYTHONDONTWRITEBYTECODE
started=$SECONDS

# Tests wait more than they compute: the checks use the time, and give way.
found=$(mktemp)
PY=$PY nice bash scripts/check.sh >"$found" 2>&1 &
checker=$!
trap 'kill "$checker" 2>/dev/null; rm -f "$found"' EXIT
# One test needs Synapse, and waits for it; the others need not.
bash scripts/synapse.sh &
homeserver=$!
"$PY" -m pytest -n 4 --dist worksteal -o faulthandler_timeout=240 --durations=10 --durations-min=5 "$@" </dev/null
tests=$?
wait "$homeserver"
wait "$checker"
checks=$?
cat "$found" >&2

word() { [ "$1" -eq 0 ] && echo passed || echo "FAILED ($1)"; }
say "checks $(word $checks), tests $(word $tests) in $((SECONDS - started)) s"
[ "$checks" -eq 0 ] && [ "$tests" -eq 0 ]
