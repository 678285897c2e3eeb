#!/usr/bin/env bash
# The promise of the README: on a machine with nothing but Go, this command runs the tests.
set -euo pipefail
go test ./...
