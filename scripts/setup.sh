#!/usr/bin/env bash
# Make the virtual environment: locked dependencies, the package itself, front-end assets.
# Usage: scripts/setup.sh [VENV]. PYTHON names the interpreter to start from.
set -euo pipefail
cd "$(dirname "$0")/.."
SCRIPT=setup
. scripts/lib.sh
venv=${1:-.venv}

# Two makes at once (demo beside test) must not install into one environment at the same time.
exec 9<Makefile
flock 9

new_enough() { "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1; }

find_python() {
    local candidate
    for candidate in ${PYTHON:+"$PYTHON"} python3 python3.13 python3.12 python3.11; do
        if has "$candidate" && new_enough "$candidate"; then
            printf '%s\n' "$candidate"
            return
        fi
    done
    fail "no Python 3.11 or newer was found" \
        "Debian 12 and later: apt-get install python3 python3-venv" \
        "or name one: PYTHON=/path/to/python3 make setup"
}

# True when the environment works and was made here (a copied or moved one points elsewhere).
usable() {
    [ -x "$venv/bin/python" ] && new_enough "$venv/bin/python" &&
        "$venv/bin/python" -m pip --version >/dev/null 2>&1 &&
        [ "$("$venv/bin/python" -c 'import os, sys; print(os.path.realpath(sys.prefix))')" = "$(realpath "$venv")" ]
}

make_venv() {
    local python
    python=$(find_python)
    say "making $venv with $("$python" --version)"
    if "$python" -m venv --clear "$venv" >/dev/null 2>&1; then return; fi
    if is_root && has apt-get; then
        say "Python cannot make virtual environments yet; installing python3-venv"
        apt_install python3-venv || fail "apt-get could not install python3-venv; its output is above"
        "$python" -m venv --clear "$venv" && return
    fi
    rm -rf "$venv"
    fail "$python cannot make a virtual environment" "As root: apt-get install python3-venv"
}

usable || make_venv
say "installing the locked dependencies"
"$venv/bin/python" -m pip install --quiet --no-input --require-hashes -r requirements.lock
say "installing watchkeeper from this directory"
"$venv/bin/python" -m pip install --quiet --no-input --no-deps --no-build-isolation -e .
if [ -f scripts/build_assets.py ]; then
    say "building the front-end assets"
    "$venv/bin/python" scripts/build_assets.py </dev/null
fi
say "done"
