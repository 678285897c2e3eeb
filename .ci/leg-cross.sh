#!/usr/bin/env bash
# The library compiles, with its tests, on every system that it promises to compile on.
set -euo pipefail
for target in linux/amd64 linux/arm64 darwin/arm64 windows/amd64; do
	echo "$target"
	export CGO_ENABLED=0 GOOS=${target%/*} GOARCH=${target#*/}
	go build ./...
	go vet ./...
done
