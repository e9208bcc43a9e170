#!/usr/bin/env bash
# Build the Go peer against Debian's own packages: golang-go and golang-github-jackc-pgx-v4-dev (apt-get install them first).
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
mkdir -p "${1:-$here/bin}"
out=$(cd "${1:-$here/bin}" && pwd)
if [ -z "${GOCACHE:-}" ]; then
  GOCACHE=$(mktemp -d)
  trap 'rm -rf "$GOCACHE"' EXIT
fi
export GO111MODULE=off GOPATH=/usr/share/gocode GOCACHE
for name in gateway client web wsload; do
  (cd "$here/$name" && go build -o "$out/$name" main.go)
done
ls -l "$out"
