#!/usr/bin/env bash
# npm start: brings what this machine lacks, then runs everything on it, with two backends that store Maildir. Arguments
# go to demonstration.ts (--config FILE). Data: ROOKERY_DATA, or `var` in this checkout.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
export ROOKERY_DATA=${ROOKERY_DATA:-$PWD/var}

infra/local/packages.sh

# An own Redis may be named in the environment or in a configuration file; only the program can read the latter.
own_redis=${ROOKERY_REDIS__URL:-}${ROOKERY_REDIS__URL_FILE:-}${ROOKERY_REDIS__DIRECTORY__URL:-}
case " $* " in *' --config'*) own_redis=perhaps ;; esac
[ -n "$own_redis" ] || infra/local/redis-bring.sh "$ROOKERY_DATA" >/dev/null

# exec, so that SIGTERM and SIGINT reach the program itself.
export PATH=$PWD/node_modules/.bin:$PATH
exec node infra/local/demonstration.ts "$@"
