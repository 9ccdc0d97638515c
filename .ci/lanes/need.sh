# Functions for the lanes: skip a lane, install programs, make a folder in memory. To be sourced.

# skip REASON: print the reason and end the lane with success.
skip() {
    echo "SKIP: $*"
    exit 0
}

# need PROGRAM PACKAGE...: install the packages if the program is missing; skip the lane if that fails.
need() {
    local program=$1
    shift
    command -v "$program" >/dev/null && return
    if command -v apt-get >/dev/null && [ "$(id -u)" = 0 ]; then
        apt-get install -qqy --no-install-recommends "$@" >/dev/null 2>&1 ||
            { apt-get update -qq && apt-get install -qqy --no-install-recommends "$@"; } >/dev/null 2>&1 || true
    fi
    command -v "$program" >/dev/null || skip "$program is missing and cannot be installed"
}

# memory_folder NAME: make a folder in memory, where syncs take no time, or else in the folder for temporary files.
memory_folder() {
    mktemp -d "/dev/shm/sessscan-$1-XXXXXX" 2>/dev/null || mktemp -d -t "sessscan-$1-XXXXXX"
}
