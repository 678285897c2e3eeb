#!/usr/bin/env bash
# go vet, and staticcheck with all of its checks but the one for names: constants keep the kernel's spelling.
set -euo pipefail
go vet ./...
tool=$CI_WORK/bin/staticcheck
[ -x "$tool" ] || GOBIN=$CI_WORK/bin go -C tools install honnef.co/go/tools/cmd/staticcheck
"$tool" -checks 'all,-ST1003' ./...
