#!/usr/bin/env bash
# The whole suite with the race detector, which is the one thing here that needs a C compiler.
set -euo pipefail
CAISSON_PATIENCE=10 CGO_ENABLED=1 go test -race -count=1 ./... 2>&1 | tee "$CI_WORK/race.log"
