#!/usr/bin/env bash
# The reliability drill: tests/drill/run.sh [SECONDS [SEED]]. Ten minutes and a seed of its own unless told otherwise.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

export DRILL_SECONDS=${1:-600}
[[ -z ${2:-} ]] || export DRILL_SEED=$2
exec cargo test --quiet --workspace --test gatepost drill::the_drill -- --ignored --exact --nocapture
