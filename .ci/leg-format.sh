#!/usr/bin/env bash
# Every Go file is as gofmt would have it.
set -euo pipefail
wrong=$(gofmt -l .)
if [ -n "$wrong" ]; then
	printf 'gofmt -w wants to change:\n%s\n' "$wrong"
	exit 1
fi
