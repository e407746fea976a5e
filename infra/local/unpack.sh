#!/usr/bin/env bash
# Unpacks Debian packages without installing them: for who is not root, and for packages that conflict with installed ones.
#   usage: unpack.sh [--into FOLDER] PACKAGE...      prints the folder, by default one of its own in var
# In it: root, with what was in the packages and in those that they need and this machine lacks; and two ways to start it:
#   FOLDER/run usr/bin/redis-server ...    a program of root, with its libraries
#   FOLDER/view exim4 ...                  any command in a view of the machine where it is installed; as root
# Where all of it is there, nothing is done.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
folder=
if [ "${1:-}" = --into ]; then
  folder=$2
  shift 2
fi
[ $# -gt 0 ] || {
  echo 'usage: unpack.sh [--into FOLDER] PACKAGE...' >&2
  exit 2
}
[ -n "$folder" ] || folder=$here/../../var/packages/$(IFS=+ && echo "$*")
mkdir -p "$folder"
folder=$(cd "$folder" && pwd)
own=$folder/apt

# With the package lists of the machine, which may be missing, or name what is gone from the mirror; else with lists of our own.
# --reinstall: installed ones, too. apt resolves what they need, and what it would remove for them stays, for nothing is installed.
download() {
  apt-get -q -o "Dir::Cache=$own/cache" -o APT::Sandbox::User= -o Debug::NoLocking=1 "${lists[@]}" "$@"
}
archives() { download -y --no-install-recommends --download-only --reinstall install "${packages[@]}"; }
fresh() {
  lists=(-o "Dir::State::lists=$own/lists")
  download update && archives
}

unpack() {
  local deb part lists=() packages=("$@")
  rm -rf "$own" "$folder/files"
  mkdir -p "$own/lists/partial" "$own/cache/archives/partial" "$folder/files"
  { archives || fresh; } >"$own/log" 2>&1 || {
    tail -n 20 "$own/log" >&2
    rm -rf "$own"
    echo "could not be downloaded: $*" >&2
    exit 1
  }
  for deb in "$own"/cache/archives/*.deb; do
    dpkg-deb -x "$deb" "$folder/files"
  done
  # A program that runs as somebody else has no business here, and would not find its libraries: ld.so then looks at no LD_LIBRARY_PATH.
  chmod -R u-s,g-s "$folder/files"
  rm -rf "$own"
  # As Debian has it today: /lib is /usr/lib.
  for part in bin sbin lib; do
    [ ! -d "$folder/files/$part" ] || { mkdir -p "$folder/files/usr/$part" && cp -a "$folder/files/$part/." "$folder/files/usr/$part/"; }
  done
  cat >"$folder/view" <<'VIEW'
#!/bin/sh
# The mount goes with the last process in the view, and is nobody else's; every step is an exec, so the process id stays.
[ "${IN_VIEW:-}" = "$0" ] || IN_VIEW=$0 exec unshare -m -- "$0" "$@"
unset IN_VIEW
here=$PWD
cd "$(dirname "$(readlink -f "$0")")/files" && mount -t overlay overlay -o lowerdir=usr:/usr /usr && cd "$here" && exec "$@"
VIEW
  cat >"$folder/run.new" <<'RUN'
#!/bin/sh
root=$(dirname "$(readlink -f "$0")")/files
for libraries in "$root"/usr/lib/*-linux-gnu*; do
  [ ! -d "$libraries" ] || LD_LIBRARY_PATH=$libraries${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}
done
export LD_LIBRARY_PATH
program=$root/$1
shift
exec "$program" "$@"
RUN
  chmod 755 "$folder/view" "$folder/run.new"
  mv "$folder/run.new" "$folder/run" # last: it is there when all of it is there
}

type -P apt-get dpkg-deb >/dev/null || {
  echo "no apt-get here to bring $* with: this is no Debian" >&2
  exit 1
}
# One at a time: the next one finds what this one has brought.
exec 9>"$folder/lock"
flock 9
[ -x "$folder/run" ] || unpack "$@"
echo "$folder"
