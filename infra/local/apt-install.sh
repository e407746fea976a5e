#!/usr/bin/env bash
# Installs Debian packages as root, without starting the daemons they bring.  usage: apt-install.sh PACKAGE...
set -euo pipefail
export DEBIAN_FRONTEND=noninteractive
mark='# Put here by Rookery for the time of an installation.'
policy=/usr/sbin/policy-rc.d

# One at a time: the next one would find the policy file of this one.
exec 9>/run/lock/rookery-apt
flock 9

log=$(mktemp)
trap 'rm -f "$log"' EXIT
trap 'exit 130' INT TERM

# invoke-rc.d asks this file whether a daemon may be started (101: no). One that was there before stays as it is.
if [ ! -e "$policy" ] || grep -qF "$mark" "$policy"; then
  trap 'rm -f "$log" "$policy"' EXIT
  printf '#!/bin/sh\n%s\nexit 101\n' "$mark" >"$policy"
  chmod 755 "$policy"
fi

install() {
  apt-get install -y -q --no-install-recommends -o DPkg::Lock::Timeout=300 -o Dpkg::Use-Pty=0 "$@" >>"$log" 2>&1
}
update() { apt-get update -q >>"$log" 2>&1; }

# A fresh machine has no package lists; old ones name packages that are gone from the mirror.
compgen -G '/var/lib/apt/lists/*Packages*' >/dev/null || update || true
install "$@" || { update && install "$@"; } || {
  tail -n 20 "$log" >&2
  echo "apt could not install: $*" >&2
  exit 1
}

# Where systemd runs, they are not to start at the next boot either: these machines are not asked to become mail servers.
if [ -d /run/systemd/system ]; then
  dpkg -L "$@" | sed -n 's,.*/systemd/system/\([^/@]*\.service\)$,\1,p' | xargs -r systemctl disable --quiet || true
fi
