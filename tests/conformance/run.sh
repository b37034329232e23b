#!/bin/sh
# Runs the conformance suite: the vendors' clients against the emulators. Wants Go, Node 20 or newer, and npm.
# Arguments go to the tests: -update writes docs/sandbox-conformance.md, -v tells more.
set -eu
cd "$(dirname "$0")"
installed=node/node_modules/.conformance-lock # the lock file that the packages were installed from
if ! cmp -s node/package-lock.json "$installed"; then
	npm ci --prefix node --no-audit --no-fund --ignore-scripts --loglevel=error
	cp node/package-lock.json "$installed"
fi
CONFORMANCE_ALL=1 exec go test -count=1 . "$@"
