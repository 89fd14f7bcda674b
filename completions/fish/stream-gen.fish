# SPDX-License-Identifier: Apache-2.0
# Generated from the option table by tests/check/options.sh --update; do not edit.
complete -c stream-gen -f
complete -c stream-gen -l events -x -d 'how many different events (default: without end); repeats come on top'
complete -c stream-gen -l seed -x -d 'same seed, same bytes, on any machine (default 1)'
complete -c stream-gen -l disorder -x -d 'the share of events that come late: 0.05, 5%'
complete -c stream-gen -l duplicates -x -d 'the share of events that come twice'
complete -c stream-gen -l disorder-max -x -d 'how late an event or its repeat comes at most (default 10s)'
complete -c stream-gen -l rate -x -d 'events a second of clock (default: as fast as it goes)'
complete -c stream-gen -l density -x -d 'events a second of event time (default 100, or the --rate)'
complete -c stream-gen -l start -x -d 'the first event\'s time (default 2026-01-01T00:00:00Z)'
complete -c stream-gen -l users -x -d 'users or customers at most (default 1000 × density)'
complete -c stream-gen -l paths -x -d 'web: different paths (default 200)'
complete -c stream-gen -l skus -x -d 'orders: different articles (default 1000)'
complete -c stream-gen -l help -s h -d 'show help'
complete -c stream-gen -l version -d 'show the version'
complete -c stream-gen -a 'web orders'
