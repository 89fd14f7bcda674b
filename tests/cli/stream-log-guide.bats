#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# The chapter "The log" of docs/guide.md, run from its beginning to its end in one folder: each command must end with
# the status it says, and what it prints begin as the page shows it (… stands for anything within a line).

load ../support/helpers

# The chapter's commands and what they print: `$ COMMAND`, then lines of output.
chapter() {
    perl -ne '
        $in = /^## The log/ if /^## /;
        next unless $in;
        if (/^```/) { $open = !$open; $shows = 0; next }
        next unless $open;
        $shows = 1 if /^\$ /;
        print if $shows' "$STREAM_ROOT/docs/guide.md"
}

# The shown lines are how the output begins.
begins_as() { # SHOWN OUTPUT
    perl -e '
        open my $shown, "<:encoding(UTF-8)", $ARGV[0] or die;
        open my $output, "<:encoding(UTF-8)", $ARGV[1] or die;
        binmode STDERR, ":utf8";
        while (my $want = <$shown>) {
            chomp $want;
            my $pattern = join ".*", map quotemeta, split /\x{2026}/, $want, -1;
            my $got = <$output>;
            next if defined $got && $got =~ /^$pattern$/;
            print STDERR "wanted: $want\ngot:    ", $got // "nothing\n";
            exit 1;
        }' "$1" "$2"
}

setup() {
    mkdir "$BATS_TEST_TMPDIR/kitchen"
    cd "$BATS_TEST_TMPDIR/kitchen"
    stream-gen web --events 20000 --seed 1 >access.ndjson
    head -n 10000 access.ndjson >yesterday.ndjson
    tail -n +10001 access.ndjson >today.ndjson
    stream-gen orders --events 5000 --seed 1 >orders.ndjson
}

# Runs the command in $command, and compares it with $shown.
cook() {
    local want_status=0 limit=60
    if [[ $command =~ \#\ status\ ([0-9]+)$ ]]; then want_status=${BASH_REMATCH[1]}; fi
    if [[ $command == *--follow* ]]; then limit=2; fi
    timeout -s INT -k 5 $limit bash -o pipefail -c "$command" >"$out" 2>&1 </dev/null && status=0 || status=$?
    if [ $limit -eq 2 ] && [ "$status" -eq 124 ]; then status=0; fi
    [ "$status" -eq "$want_status" ] || flunk "$command" "status $status instead of $want_status" "$(head -n 20 "$out")"
    begins_as "$shown" "$out" || flunk "$command" "prints:" "$(head -n 20 "$out")"
}

@test "the chapter runs, and prints what it shows" {
    shown=$BATS_TEST_TMPDIR/shown
    chapter >"$BATS_TEST_TMPDIR/chapter"
    local line count=0
    command=
    : >"$shown"
    while IFS= read -r line; do
        if [[ $line == '$ '* ]]; then
            if [ -n "$command" ]; then cook; fi
            command=${line#'$ '}
            count=$((count + 1))
            : >"$shown"
        else
            printf '%s\n' "$line" >>"$shown"
        fi
    done <"$BATS_TEST_TMPDIR/chapter"
    cook
    [ "$count" -ge 30 ]

    # And it is true.
    stream-log read requests >"$out"
    cp access.ndjson "$wanted"
    same_bytes 'the log of requests' "$out"
    stream-log read payments >"$out"
    jq -c 'select(.user != "u1")' access.ndjson >oracle
    jq -c . "$out" >now
    cmp oracle now
    ! grep -rq '"user":"u1"' payments
    jq -c 'del(.partition, .offset, .append_time)' copy.ndjson >now
    jq -c . access.ndjson >oracle
    cmp oracle now
    # Of each order the newest is there, in the log that was compacted.
    stream-log read carts | jq -s -c 'group_by(.order_id) | map(.[-1]) | sort' >now
    jq -s -c 'group_by(.order_id) | map(.[-1]) | sort' orders.ndjson >oracle
    cmp oracle now
    [ "$(stream-log read carts | wc -l)" -lt 5000 ]
    # What repair left are lines of those that were appended, in their order.
    [ "$(diff rest.ndjson yesterday.ndjson | grep -c '^<')" -eq 0 ]
}

@test "every command of the page that makes or changes a log is in the chapter's order" {
    # A command that would fail the second time would break whoever tries again.
    [ "$(chapter | grep -c '^\$ stream-log create ')" -eq "$(chapter | grep '^\$ stream-log create ' | sort -u | wc -l)" ]
}
