#!/bin/sh
# Installs, types and builds a copy of this example in a temporary folder; nothing stays.
# By installing, npm fetches Sendbird's SDK (@sendbird/chat, a dependency of the UIKit),
# whose licence is accepted by doing so; it is neither run here nor kept.
set -eu
cd "$(dirname "$0")"
copy=$(mktemp -d)
trap 'rm -rf "$copy"' EXIT
cp -R package.json package-lock.json tsconfig.json vite.config.ts index.html src "$copy"
cd "$copy"
npm ci --ignore-scripts --no-audit --no-fund || {
	# A registry that cannot be reached is not this example's fault.
	npm ping >/dev/null 2>&1 && exit 1
	echo "examples/uikit-react: the npm registry does not answer; not checked" >&2
	exit 0
}
npm run check
npm run build
test -s dist/index.html
