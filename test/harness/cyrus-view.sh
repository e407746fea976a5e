#!/usr/bin/env bash
# One Cyrus node's own view of the machine, then a command in it: private /etc/hosts and /etc/services (peers are found by
# name and service), no DNS (a login would wait 5 s for a resolver that does not answer), a private /dev (for /dev/log). Every step is an exec, so the process id stays; the mounts go with
# the last process in the view. Call it through `unshare -m`.  usage: cyrus-view.sh NODE_FOLDER COMMAND...
set -euo pipefail
folder=$1
shift

mount --bind "$folder/etc/hosts" /etc/hosts
mount --bind "$folder/etc/services" /etc/services
[ ! -e /etc/nsswitch.conf ] || mount --bind "$folder/etc/nsswitch.conf" /etc/nsswitch.conf

dev=$folder/dev
mount -t tmpfs -o mode=755 tmpfs "$dev"
for device in null zero full random urandom; do
  : >"$dev/$device"
  mount --bind "/dev/$device" "$dev/$device"
done
mkdir "$dev/shm"
mount --bind /dev/shm "$dev/shm"
ln -s /proc/self/fd "$dev/fd"
ln -s "$folder/run/devlog" "$dev/log"
mount --rbind "$dev" /dev

cd "$folder"
# SIGTERM when the test's process dies, however it dies: Cyrus' master then takes its services along.
exec setpriv --reuid=cyrus --regid=mail --init-groups --pdeathsig TERM \
  env -i PATH=/usr/lib/cyrus/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME="$folder" LC_ALL=C.UTF-8 "$@"
