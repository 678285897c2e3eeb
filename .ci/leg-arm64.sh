#!/usr/bin/env bash
# The machine code and the tape for arm64, run for real under user mode emulation. CAISSON_EMULATOR tells the tests to
# start their programs under the emulator as well: nothing has to be registered with this machine's kernel.
set -euo pipefail
packages=(./internal/tape/)
emulator=$(command -v qemu-aarch64-static)
export GOOS=linux GOARCH=arm64 CGO_ENABLED=0 CAISSON_EMULATOR=$emulator
go test -count=1 -exec "$emulator" "${packages[@]}"
