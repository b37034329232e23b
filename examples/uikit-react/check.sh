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
npm ci --ignore-scripts --no-audit --no-fund
npm run check
npm run build
test -s dist/index.html
