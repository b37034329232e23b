#!/bin/sh
# Plays the README's story in a real browser, with screenshots in tests/browser/artefacts.
# As root on Debian it installs Chromium if it is missing, unless POSTERN_NO_INSTALL is
# set; without Node.js or a browser it says so and ends with 0, or with 1 where CI is set.
set -eu
cd "$(dirname "$0")"

missing() {
	echo "tests/browser: $1" >&2
	[ -z "${CI:-}" ] && exit 0
	exit 1
}

have_browser() {
	[ -n "${CHROMIUM:-}" ] && return 0
	for one in chromium chromium-browser google-chrome; do
		[ -x "/usr/bin/$one" ] && return 0
	done
	return 1
}

command -v node >/dev/null 2>&1 && command -v npm >/dev/null 2>&1 || missing "no Node.js here (Debian: apt-get install nodejs npm)"
if ! have_browser && [ "$(id -u)" = 0 ] && [ -z "${POSTERN_NO_INSTALL:-}" ] && command -v apt-get >/dev/null 2>&1; then
	echo "tests/browser: installing chromium" >&2
	export DEBIAN_FRONTEND=noninteractive
	{ apt-get update -q && apt-get install -q -y --no-install-recommends chromium fonts-dejavu-core; } >&2 </dev/null || true
fi
have_browser || missing "no Chromium here (Debian: apt-get install chromium; elsewhere name one in CHROMIUM)"

# The packages fetch no browser of their own.
if [ ! -d node_modules/playwright-core ] || [ package-lock.json -nt node_modules/.package-lock.json ]; then
	npm ci --ignore-scripts --no-audit --no-fund >&2
fi
if [ -z "${POSTERN:-}" ]; then
	POSTERN=$(mktemp -d)/postern
	trap 'rm -rf "$(dirname "$POSTERN")"' EXIT
	(cd ../.. && CGO_ENABLED=0 go build -o "$POSTERN" ./cmd/postern)
fi
export POSTERN
node --test --test-reporter=spec story.test.js
