# For the lanes: what they need of the machine. To be sourced.

# skip REASON
skip() {
    echo "SKIP: $*"
    exit 0
}

# need PROGRAM PACKAGE...: installs the packages where the program is missing, and skips the lane where that fails.
need() {
    local program=$1
    shift
    command -v "$program" >/dev/null && return
    if command -v apt-get >/dev/null && [ "$(id -u)" = 0 ]; then
        apt-get install -qqy --no-install-recommends "$@" >/dev/null 2>&1 ||
            { apt-get update -qq && apt-get install -qqy --no-install-recommends "$@"; } >/dev/null 2>&1 || true
    fi
    command -v "$program" >/dev/null || skip "there is no $program, and it cannot be installed"
}

# memory_folder NAME: a new folder in memory, where syncs take no time; else wherever temporary files go.
memory_folder() {
    mktemp -d "/dev/shm/sessscan-$1-XXXXXX" 2>/dev/null || mktemp -d -t "sessscan-$1-XXXXXX"
}
