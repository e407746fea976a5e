#!/usr/bin/env bash
# Finds a Redis or Valkey server program, or brings Debian's: as root by apt, else unpacked into the data folder (where
# services/redis/redis-binary.ts looks for it).  usage: redis-bring.sh DATA_FOLDER      prints the program's path
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
data=$1
package=$data/redis-package
say() { echo "redis: $*" >&2; }

found() {
  local program
  [ -z "${ROOKERY_REDIS_BIN:-}" ] || { echo "$ROOKERY_REDIS_BIN"; return; }
  for program in redis-server valkey-server; do
    ! type -P "$program" || return 0
  done
  [ ! -x "$package/redis-server" ] || { echo "$package/redis-server"; return; }
  return 1
}

unpack() {
  local program=$package/redis-server
  # Both: redis-server is a link to a program of redis-tools.
  "$here/unpack.sh" --into "$package" redis-server redis-tools >/dev/null
  printf '#!/bin/sh\nexec "$(dirname "$(readlink -f "$0")")/run" usr/bin/redis-server "$@"\n' >"$program.new"
  chmod 755 "$program.new"
  "$program.new" --version >/dev/null
  mv "$program.new" "$program" # last: it is there when all of it is there
}

found && exit
if ! type -P apt-get dpkg-deb >/dev/null; then
  say 'no redis-server or valkey-server found, and this is no Debian: install one (or point ROOKERY_REDIS_BIN at it)'
  exit 1
fi
# Not `unpack || ...`: bash would then go on after a failed step, and leave a program that can't run.
trap '[ $? = 0 ] || say "could not be brought: install redis-server or valkey-server"' EXIT
if [ "$(id -u)" = 0 ]; then
  say 'none found: installing the package redis-server (its daemon is not started)'
  "$here/apt-install.sh" redis-server >&2
else
  say "none found: unpacking Debian's redis-server into $package"
  unpack
fi
found
