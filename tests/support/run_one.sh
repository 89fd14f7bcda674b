#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# run_one.sh FILE: runs one test file; what it printed and its status go to $STREAM_REPORTS.
# An example is compared with FILE's name.expected where there is one.
file=$1
report=$STREAM_REPORTS/$(basename "$file")
limit=${STREAM_LONG:+14400}
limit=${limit:-1200}

case $file in
    *.bats) timeout -k 10 "$limit" bats --formatter tap "$file" ;;
    *.py) timeout -k 10 "$limit" python3 "$file" ;;
    *) timeout -k 10 "$limit" bash "$file" ;;
esac >"$report.log" 2>&1 </dev/null
status=$?

expected=${file%.sh}.expected
if [ "$status" -eq 0 ] && [ -f "$expected" ] && ! diff -u "$expected" "$report.log" >"$report.diff" 2>&1; then
    cat "$report.diff" >>"$report.log"
    status=1
fi
if [ "$status" -eq 124 ]; then echo "stopped after $limit s" >>"$report.log"; fi
echo "$status" >"$report.status"
