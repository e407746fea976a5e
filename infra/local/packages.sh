#!/usr/bin/env bash
# Installs the npm packages of this checkout, when they are missing or older than package-lock.json.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
installed=node_modules/.package-lock.json # npm writes it last

# A node_modules that is a link belongs to another checkout, which looks after it.
[ ! -L node_modules ] || exit 0
[ ! -e "$installed" ] || [ package-lock.json -nt "$installed" ] || exit 0
type -P npm >/dev/null || {
  echo 'packages: npm is not installed (Node 20 or newer, with npm, is all that must be there)' >&2
  exit 1
}
echo 'packages: npm ci' >&2
npm ci --prefer-offline --loglevel=error >&2
