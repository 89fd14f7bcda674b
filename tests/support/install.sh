# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
# What this project needs from Debian, and a function that installs what of it is missing.
# Sourced by tests/run.sh and examples/quickstart.sh.

# A line is a package, and optionally a command whose presence makes the package unnecessary.
stream_build_packages='
g++ g++
cmake cmake
ninja-build ninja
pkg-config pkg-config
libfmt-dev
libsimdjson-dev
libcli11-dev
libexpected-dev
libabsl-dev
libxxhash-dev
libhowardhinnant-date-dev
libre2-dev
libjq-dev
libzstd-dev
zlib1g-dev
librocksdb-dev
libsnappy-dev
liblz4-dev
libbz2-dev
libgflags-dev
libgtest-dev
librapidcheck-dev
tzdata
'

stream_test_packages='
bats bats
jq jq
sqlite3 sqlite3
python3 python3
perl perl
zstd zstd
gzip gzip
zsh zsh
fish fish
bash-completion
strace strace
e2fsprogs mkfs.ext4
mount mount
mandoc mandoc
bsdutils script
procps ps
coreutils timeout
'

stream_installed() { # PACKAGE [COMMAND]
    if [ -n "${2:-}" ] && command -v "$2" >/dev/null 2>&1; then
        return 0
    fi
    case $(dpkg-query -W -f='${Status}' "$1" 2>/dev/null) in
        *' installed') return 0 ;;
    esac
    return 1
}

# stream_missing LIST: the packages of LIST that are not there, one a line.
stream_missing() {
    local package command
    while read -r package command; do
        [ -n "$package" ] || continue
        stream_installed "$package" "$command" || printf '%s\n' "$package"
    done <<<"$1"
}

stream_apt() {
    local as=()
    if [ "$(id -u)" -ne 0 ]; then as=(sudo -n); fi
    "${as[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -q -y \
        -o DPkg::Lock::Timeout=300 -o Dpkg::Use-Pty=0 "$@" </dev/null
}

# stream_install LIST LOG: installs what is missing, the chatter going to LOG. On failure it says what to
# do, and returns 1.
stream_install() {
    local list=$1 log=$2 missing
    mapfile -t missing <<<"$(stream_missing "$list")"
    if [ -z "${missing[*]}" ]; then return 0; fi

    if ! command -v apt-get >/dev/null 2>&1; then
        printf 'These are needed, under the names that Debian 12 gives them, and there is no apt-get to install them:\n    %s\n' \
            "${missing[*]}" >&2
        return 1
    fi
    if [ "$(id -u)" -ne 0 ] && ! { command -v sudo >/dev/null 2>&1 && sudo -n true 2>/dev/null; }; then
        printf 'These packages are missing, and installing them takes root. As root, run:\n    apt-get install --no-install-recommends %s\n' \
            "${missing[*]}" >&2
        return 1
    fi

    printf 'Installing %s\n' "${missing[*]}" >&2
    if stream_apt install --no-install-recommends "${missing[@]}" >"$log" 2>&1; then return 0; fi
    # Package lists that are absent or old are the usual reason.
    if stream_apt update >>"$log" 2>&1 &&
        stream_apt install --no-install-recommends "${missing[@]}" >>"$log" 2>&1; then
        return 0
    fi
    tail -n 30 "$log" >&2
    printf 'apt-get could not install: %s\n' "${missing[*]}" >&2
    return 1
}

# stream_build ROOT LOG: configures (once) and builds the preset `release`; on failure the log's end is shown.
stream_build() {
    local root=$1 log=$2
    if ! { (cd "$root" && cmake --preset release && ninja -C build/release -j "$(nproc)"); } >"$log" 2>&1 </dev/null; then
        tail -n 60 "$log" >&2
        printf 'The build failed; the whole log is %s\n' "$log" >&2
        return 1
    fi
}
