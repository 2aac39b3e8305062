#!/usr/bin/env bash
# The Debian programs that tests or benchmarks run beside us. Root: they are installed.
# Anyone else: says exactly what is missing and exits 2; nothing is ever skipped silently.
# Usage: scripts/parts.sh test|bench
set -euo pipefail
cd "$(dirname "$0")/.."
SCRIPT=parts
. scripts/lib.sh

# program=package; a program may be a glob of a full path.
tests=(
    prometheus=prometheus
    promtool=prometheus
    "/usr/lib/postgresql/*/bin/postgres=postgresql"
    chromium=chromium
    nginx=nginx
    gawk=gawk
    haproxy=haproxy
    "/usr/lib/*/faketime/libfaketime.so.1=libfaketime"
)
case "${1:-test}" in
    test) wanted=("${tests[@]}") ;;
    bench) wanted=("${tests[@]}" goaccess=goaccess prometheus-alertmanager=prometheus-alertmanager) ;;
    *) fail "unknown set of parts: $1" "usage: scripts/parts.sh test|bench" ;;
esac

present() {
    case "$1" in
        /*) compgen -G "$1" >/dev/null ;;
        # Debian keeps daemons in sbin, which is not on every user's PATH.
        *) PATH="$PATH:/usr/sbin:/sbin" has "$1" ;;
    esac
}

missing() {
    local entry
    for entry in "${wanted[@]}"; do
        present "${entry%%=*}" || printf '%s\n' "${entry##*=}"
    done | sort -u
}

mapfile -t packages < <(missing)
[ "${#packages[@]}" -gt 0 ] || exit 0
if ! has apt-get; then
    fail "these programs are missing: ${packages[*]}" "Install them with your package manager; the names are Debian's."
elif ! is_root; then
    fail "these Debian packages are missing: ${packages[*]}" \
        "As root: apt-get install --no-install-recommends ${packages[*]}"
fi
say "installing ${packages[*]}"
apt_install "${packages[@]}" || fail "apt-get could not install: ${packages[*]}" "Its output is above."
mapfile -t packages < <(missing)
[ "${#packages[@]}" -eq 0 ] || fail "still missing after the installation: ${packages[*]}"
