#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The direction of the layers, read from the includes: base <- io, time <- json <- expr, control, log, state <- ops, run <- cli <-
# tools. Operators know no other operator. A third-party library is included in two files at most.
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.." || exit 1

number=0 bad=0
verdict() { # NAME LINES: passed if there are no lines
    number=$((number + 1))
    if [ -z "$2" ]; then
        echo "ok $number - $1"
    else
        echo "not ok $number - $1"
        # shellcheck disable=SC2001
        sed 's/^/# /' <<<"$2"
        bad=1
    fi
}

may_use() { # LAYER: what it may include, itself among them
    case $1 in
        base) echo base ;;
        io) echo base io ;;
        time) echo base time ;;
        json) echo base io time json ;;
        expr) echo base io time json expr ;;
        control) echo base time json control ;;
        run) echo base io time json state run ;;
        log) echo base io time json expr log ;;
        state) echo base io time json state ;;
        ops) echo base time json expr log state ops ;;
        cli) echo base io time json expr control log state ops run cli ;;
        tools) echo base io time json expr control log state ops run cli ;;
        *) return 1 ;;
    esac
}

# FILE:LINE:#include "…" of our own code.
own_includes() { grep -rnE '^[[:space:]]*#[[:space:]]*include[[:space:]]*"' --include='*.hpp' --include='*.cpp' --include='*.h' "$1"; }

for folder in lib/*/ tools/; do
    folder=${folder%/}
    layer=${folder##*/}
    if ! allowed=$(may_use "$layer"); then
        verdict "$folder is a layer with a place in the order" "$folder: give it one in tests/check/layering.sh"
        continue
    fi
    wrong=$(own_includes "$folder" | while IFS= read -r line; do
        target=$(sed -E 's/^[^"]*"([^"]*)".*/\1/' <<<"$line")
        top=${target%%/*}
        if [ "$top" = "$target" ]; then
            echo "$line (no layer in front)"
        elif [[ " $allowed " != *" $top "* ]]; then
            echo "$line ($layer may use: $allowed)"
        elif [ ! -e "lib/$target" ]; then
            echo "$line (there is no lib/$target)"
        fi
    done)
    verdict "$folder includes only what is to its left" "$wrong"
done

# An operator is a tool's name in lib/ops; what several share has another name.
operators=$(for file in tools/stream-*.cpp; do file=${file##*/stream-}; echo "${file%.cpp}"; done)
wrong=$(for operator in $operators; do
    for file in lib/ops/"$operator".[ch]pp lib/ops/"$operator"_*.[ch]pp lib/ops/"$operator"/*; do
        [ -f "$file" ] || continue
        for other in $operators; do
            [ "$other" = "$operator" ] || grep -nE "#include \"ops/$other(\.hpp|_[^/]*|/.*)\"" "$file" | sed "s|^|$file:|"
        done
    done
done)
verdict 'operators do not include each other' "$wrong"

wrong=$(grep -rnE '#[[:space:]]*include[[:space:]]*<(unistd|fcntl|poll|signal|csignal|ctime|chrono|iostream|fstream|cstdio|stdio|cstdlib|stdlib|thread|sys/[a-z]+)(\.h)?>' lib/ops |
    grep -v 'stream-layering: allowed')
verdict 'operators know no descriptor, clock, environment or exit (headers)' "$wrong"

wrong=$(grep -rhoE '#[[:space:]]*include[[:space:]]*<[^>]+>' lib tools --include='*.hpp' --include='*.cpp' |
    sed -E 's/.*<([^>]+)>/\1/' | sort -u | while IFS= read -r header; do
        # The library is the folder, or the name; the standard's headers have neither dot nor slash.
        case $header in
            fmt/* | tl/*) continue ;;
            sys/* | linux/*) continue ;;
            */*) echo "${header%%/*}/" ;;
            *.h | *.hpp) echo "$header" ;;
        esac
    done | sort -u | while IFS= read -r library; do
        case $library in
            # The C library's and the compiler's.
            unistd.h | fcntl.h | poll.h | signal.h | errno.h | string.h | stdio.h | stdlib.h | dirent.h | time.h | limits.h | \
                termios.h | *mmintrin.h | immintrin.h | x86intrin.h | arm_neon.h | arm_acle.h | cpuid.h) continue ;;
            zstd_errors.h) library=zstd ;;
            *.h | *.hpp) library=${library%.*} ;;
        esac
        files=$(grep -rlE "#[[:space:]]*include[[:space:]]*<${library}" lib tools --include='*.hpp' --include='*.cpp' | sort -u)
        count=$(grep -c . <<<"$files")
        [ "$count" -le 2 ] || echo "<$library…> is included in $count files:" $files
    done | sort -u)
verdict 'a third-party library is included in two files at most (fmt and tl::expected aside)' "$wrong"

wrong=$(find lib tools tests -name '*.[ch]pp' -exec grep -LF 'SPDX-License-Identifier: Apache-2.0' {} +)
verdict 'every source file names its licence' "$wrong"

echo "1..$number"
exit $bad
