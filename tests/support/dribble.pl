#!/usr/bin/env perl
# SPDX-License-Identifier: Apache-2.0
# Copies stdin to stdout so that whoever reads the pipe gets one byte a read: a pipe in packet mode
# (O_DIRECT, see pipe(7)) hands over one write at a time.
use strict;
use warnings;
use Fcntl;

binmode STDIN;
binmode STDOUT;
my $flags = fcntl(STDOUT, F_GETFL, 0) or die "fcntl: $!";
fcntl(STDOUT, F_SETFL, $flags | O_DIRECT);    # refused by old kernels: then reads may be longer
$SIG{PIPE} = 'IGNORE';
while (sysread(STDIN, my $byte, 1)) {
    defined syswrite(STDOUT, $byte) or last;
}
