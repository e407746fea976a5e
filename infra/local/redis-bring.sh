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

# What the package needs and this machine lacks comes along: apt resolves it, with lists and caches of our own.
unpack() {
  local own=$package/apt deb program
  mkdir -p "$own/lists/partial" "$own/cache/archives/partial" "$package/root"
  # Both, and installed ones too: redis-server is a link to a program of redis-tools.
  local options=(-q -o "Dir::State::lists=$own/lists" -o "Dir::Cache=$own/cache" -o APT::Sandbox::User= -o Debug::NoLocking=1)
  {
    apt-get "${options[@]}" update &&
      apt-get "${options[@]}" -y --no-install-recommends --download-only --reinstall install redis-server redis-tools
  } >"$own/log" 2>&1 || {
    tail -n 20 "$own/log" >&2
    exit 1
  }
  for deb in "$own"/cache/archives/*.deb; do
    dpkg-deb -x "$deb" "$package/root"
  done
  rm -rf "$own"
  program=$package/redis-server.new
  cat >"$program" <<'RUN'
#!/bin/sh
root=$(dirname "$(readlink -f "$0")")/root
for libraries in "$root"/usr/lib/*-linux-gnu* "$root"/lib/*-linux-gnu*; do
  [ ! -d "$libraries" ] || LD_LIBRARY_PATH=$libraries${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}
done
export LD_LIBRARY_PATH
exec "$root/usr/bin/redis-server" "$@"
RUN
  chmod 755 "$program"
  "$program" --version >/dev/null
  mv "$program" "$package/redis-server" # last: it is there when all of it is there
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
