#!/usr/bin/env bash
# A short benchmark: that it runs, and figures to compare by eye. The machine is too noisy for a threshold.
set -euo pipefail
if [ -d internal/bench ]; then
	go run ./internal/bench -short
else
	echo "internal/bench does not exist yet"
fi
