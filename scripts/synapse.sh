#!/usr/bin/env bash
# A real Matrix homeserver for the tests, in an environment of its own: Synapse needs other versions
# than we do, is large (some 250 MB), and its licence (AGPL-3.0) is none of ours. It is only run.
# Usage: scripts/synapse.sh [DIRECTORY]
set -euo pipefail
cd "$(dirname "$0")/.."
SCRIPT=synapse
. scripts/lib.sh
where=${1:-build/synapse}
lock=tests/support/synapse.lock
stamp=$where/.installed

# Two makes at once must not install into one environment at the same time.
mkdir -p build
exec 9>build/.synapse.lock
flock 9
if [ -e "$stamp" ] && cmp -s "$lock" "$stamp" && "$where/bin/python" -c pass >/dev/null 2>&1; then exit 0; fi
say "installing Synapse for the tests into $where"
"${PYTHON:-python3}" -m venv --clear "$where"
# Of its many files the test needs few: those are compiled when they are imported.
"$where/bin/python" -m pip install --quiet --no-input --no-compile --require-hashes -r "$lock" ||
    fail "Synapse could not be installed; pip's output is above"
cp "$lock" "$stamp"
