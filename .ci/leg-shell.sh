#!/usr/bin/env bash
# The scripts of continuous integration pass shellcheck themselves.
set -euo pipefail
shellcheck .ci/run .ci/*.sh
