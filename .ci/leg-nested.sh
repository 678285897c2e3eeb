#!/usr/bin/env bash
# Every directory below the root with a go.mod of its own is built, vetted and tested.
set -euo pipefail
found=0
while IFS= read -r mod; do
	dir=$(dirname "$mod")
	found=1
	echo "$dir"
	go -C "$dir" mod verify
	if [ -z "$(go -C "$dir" list ./... 2>/dev/null)" ]; then
		echo "  it has no packages: its tools were built by the leg setup"
		continue
	fi
	go -C "$dir" build ./...
	go -C "$dir" vet ./...
	go -C "$dir" test ./...
done < <(find . -mindepth 2 -name go.mod -not -path '*/testdata/*' -not -path './.*' | sort)
[ "$found" = 1 ] || echo "there is none"
