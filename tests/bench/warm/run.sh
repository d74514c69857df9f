#!/usr/bin/env bash
# CPU of a warm validate beside a handler that does nothing, under the same Runtime API, interleaved in one run.
# Usage: tests/bench/warm/run.sh [ROUNDS]. Needs cargo, python3 and unshare (util-linux); no network, no root.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../../.."

target=${CARGO_TARGET_DIR:-target}
cargo build --locked --profile lambda -p gatepost-validate --bin validate --example noop
cargo build --locked --release --workspace --bin gatepost
# A network and a resolv.conf of its own: the bootstrap asks the name server of the system.
exec unshare --map-root-user --mount --net \
    python3 tests/bench/warm/drive.py "$target/lambda/validate" "$target/lambda/examples/noop" "$target/release/gatepost" "${1:-20}"
