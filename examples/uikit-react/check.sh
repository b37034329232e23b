#!/bin/sh
# Installs, types and builds this example; nothing that git would see stays behind.
# By installing, npm fetches Sendbird's SDK (@sendbird/chat, a dependency of the UIKit),
# whose licence is accepted by doing so; it is neither run here nor kept.
set -eu
cd "$(dirname "$0")"
npm ci --ignore-scripts --no-audit --no-fund
npm run check
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT
npm run build -- --outDir "$out" --emptyOutDir
test -s "$out/index.html"
