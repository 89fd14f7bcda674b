#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# build.sh FOLDER: compiles what the benchmarks need beside the tools, where it is older than its source.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
folder=${1:?build.sh FOLDER}
mkdir -p "$folder"
for name in bare_loop timed latency; do
    if [ "$folder/$name" -nt "$here/$name.cpp" ]; then continue; fi
    case $name in bare_loop) libraries=-lsimdjson ;; *) libraries= ;; esac
    # shellcheck disable=SC2086
    "${CXX:-g++}" -std=c++20 -O3 -Wall -Wextra "$here/$name.cpp" -o "$folder/$name" $libraries -pthread
done
