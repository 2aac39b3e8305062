# Shared by the scripts here; sourced, never run.
say() { printf '%s: %s\n' "${SCRIPT:-watchkeeper}" "$*" >&2; }

# fail MESSAGE [HINT...]: exit 2, each hint on a line of its own.
fail() {
    say "$1"
    shift
    local hint
    for hint in "$@"; do printf '  %s\n' "$hint" >&2; done
    exit 2
}

is_root() { [ "$(id -u)" -eq 0 ]; }

has() { command -v "$1" >/dev/null 2>&1; }

# apt_install PACKAGE...: install Debian packages without starting their services.
apt_install() {
    local policy=/usr/sbin/policy-rc.d ours=""
    # `make test` installs for setup.sh and parts.sh at the same time: apt takes one after the other.
    exec 8</usr/sbin
    flock 8
    if [ ! -e "$policy" ]; then
        # Without it Debian starts each daemon on its default port as soon as it is unpacked.
        printf '#!/bin/sh\nexit 101\n' >"$policy"
        chmod 755 "$policy"
        ours=yes
    fi
    local status=0
    {
        apt-get update -q &&
            DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends "$@"
    } </dev/null >&2 || status=$?
    if [ -n "$ours" ]; then rm -f "$policy"; fi
    exec 8<&-
    return "$status"
}
