#!/usr/bin/perl
# A syslog for one node: what arrives on a Unix datagram socket goes to standard output, a line each.  usage: syslog.pl SOCKET
use strict;
use warnings;
use Socket;

my ($path) = @ARGV;
socket(my $log, PF_UNIX, SOCK_DGRAM, 0) or die "socket: $!\n";
bind($log, pack_sockaddr_un($path)) or die "$path: $!\n";
chmod 0666, $path or die "$path: $!\n";
$| = 1;
print "listening\n";
while (defined recv($log, my $message, 65536, 0)) {
    $message =~ s/^<\d+>//;
    $message =~ s/[\r\n\0]+$//;
    print "$message\n";
}
