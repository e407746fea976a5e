#!/usr/bin/env bash
# Installs Debian packages as root, without starting the daemons they bring.  usage: apt-install.sh PACKAGE...
set -euo pipefail
export DEBIAN_FRONTEND=noninteractive
mark='# Put here by Rookery for the time of an installation.'
policy=/usr/sbin/policy-rc.d

# One at a time: the next one would find the policy file of this one.
exec 9>/run/lock/rookery-apt
flock 9

# invoke-rc.d asks this file whether a daemon may be started (101: no). One that was there before stays as it is.
if [ ! -e "$policy" ] || grep -qF "$mark" "$policy"; then
  trap 'rm -f "$policy"' EXIT
  trap 'exit 130' INT TERM
  printf '#!/bin/sh\n%s\nexit 101\n' "$mark" >"$policy"
  chmod 755 "$policy"
fi

install() { apt-get install -y -q --no-install-recommends -o DPkg::Lock::Timeout=300 "$@"; }

# A fresh machine has no package lists; old ones name packages that are gone from the mirror.
compgen -G '/var/lib/apt/lists/*Packages*' >/dev/null || apt-get update -q
install "$@" || { apt-get update -q && install "$@"; }

# Where systemd runs, they are not to start at the next boot either: these machines are not asked to become mail servers.
if [ -d /run/systemd/system ]; then
  dpkg -L "$@" | sed -n 's,.*/systemd/system/\([^/@]*\.service\)$,\1,p' | xargs -r systemctl disable --quiet || true
fi
