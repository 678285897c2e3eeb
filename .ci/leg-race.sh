#!/usr/bin/env bash
# The whole suite with the race detector, which is the one thing here that needs a C compiler. Tests that are long because
# they try a thing many times try it less often, and attacks, which are races against the kernel, are left out.
set -euo pipefail
CAISSON_PATIENCE=10 CGO_ENABLED=1 go test -race -short -skip '^TestAttack' -count=1 ./... 2>&1 | tee "$CI_WORK/race.log"
