#!/usr/bin/env bash
# The other promise of the README, from the moment on that it is made.
set -euo pipefail
if [ -d examples/quickstart ] || grep -qs 'examples/quickstart' README.md; then
	go run ./examples/quickstart
else
	echo "examples/quickstart does not exist yet"
fi
