#!/bin/sh
# Runs the page test. Node modules go into a cache beside the build, from the lock file. Exit code 77: skipped, with the reason.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
cache=${TIDECAST_PAGE_CACHE:?}

skip() {
  echo "SKIPPED: the page test needs $1" >&2
  if [ "${CI:-}" = true ]; then
    echo "In CI that is a failure." >&2
    exit 1
  fi
  exit 77
}

command -v node >/dev/null || skip "node (apt install nodejs)"
command -v npm >/dev/null || skip "npm (apt install npm)"
[ -x "${CHROMIUM:-/usr/bin/chromium}" ] || skip "chromium (apt install chromium)"

mkdir -p "$cache"
cp "$here"/*.mjs "$here"/package.json "$here"/package-lock.json "$cache"/
if ! cmp -s "$here/package-lock.json" "$cache/installed-lock.json"; then
  (cd "$cache" && npm ci --ignore-scripts --no-audit --no-fund) || skip "its node modules (npm ci failed; is there a network?)"
  cp "$here/package-lock.json" "$cache/installed-lock.json"
fi
exec node --test "$cache/page_test.mjs"
