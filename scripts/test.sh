#!/usr/bin/env bash
# The static checks and every test; both run, then one summary. Arguments go to pytest.
set -uo pipefail
cd "$(dirname "$0")/.."
SCRIPT=test
. scripts/lib.sh
PY=${PY:-.venv/bin/python}
export PATH="$PATH:/usr/sbin:/sbin"
started=$SECONDS

PY=$PY bash scripts/check.sh
checks=$?
checked=$SECONDS
"$PY" -m pytest -n 3 --dist worksteal -o faulthandler_timeout=240 --durations=10 --durations-min=5 "$@" </dev/null
tests=$?

word() { [ "$1" -eq 0 ] && echo passed || echo "FAILED ($1)"; }
say "checks $(word $checks) in $((checked - started)) s, tests $(word $tests) in $((SECONDS - checked)) s"
[ "$checks" -eq 0 ] && [ "$tests" -eq 0 ]
