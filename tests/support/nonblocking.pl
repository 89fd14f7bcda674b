#!/usr/bin/env perl
# SPDX-License-Identifier: Apache-2.0
# nonblocking.pl 0,1 COMMAND ARG…: runs it with these descriptors in non-blocking mode.
use strict;
use warnings;
no warnings "once";
use Fcntl;

for my $number (split /,/, shift @ARGV) {
    my $handle;
    open $handle, "+<&=", $number or open $handle, '<&=', $number or open $handle, '>&=', $number or die "$number: $!";
    fcntl($handle, F_SETFL, fcntl($handle, F_GETFL, 0) | O_NONBLOCK) or die "$number: $!";
    fcntl($handle, F_SETFD, 0);
    $main::keep{$number} = $handle;
}
exec @ARGV or die "$ARGV[0]: $!";
