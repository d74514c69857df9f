#!/usr/bin/env bash
# Size, cold start and first answer of the `validate` bootstrap under AWS's own Runtime Interface Emulator.
#
#   cargo build --profile lambda -p gatepost-validate && cargo build
#   tests/bench/cold_start.sh PATH/TO/aws-lambda-rie
#
# The emulator is in the package aws-sam-cli (samcli/local/rapid/aws-lambda-rie-x86_64). Prints one line a round:
# milliseconds of init (as the emulator reports it), of the first answer with init, of a second answer, and peak memory.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
emulator=$(realpath "$1")
rounds=${2:-5}
target=${CARGO_TARGET_DIR:-target}
bootstrap=$target/lambda/validate
work=$(mktemp -d)
pids=()
trap 'kill "${pids[@]}" 2>/dev/null || true; rm -rf "$work"' EXIT

target/debug/gatepost serve --port 0 >"$work/stack" 2>/dev/null &
pids+=($!)
until grep -q '^sns: ' "$work/stack"; do sleep 0.1; done
key=$(sed -n 's/^api key: //p' "$work/stack")
sed "s/gp_[0-9a-f_]*/$key/" events/validate.json >"$work/event"

cp "$bootstrap" "$work/bootstrap"
(cd "$work" && python3 -m zipfile -c bootstrap.zip bootstrap)
stat -c '%n: %s octets' "$bootstrap" "$work/bootstrap.zip" | sed "s|$work/||"

export AWS_REGION=us-east-1 AWS_ACCESS_KEY_ID=local AWS_SECRET_ACCESS_KEY=local-development-only
export AWS_LAMBDA_FUNCTION_NAME=validate AWS_LAMBDA_FUNCTION_VERSION=1 AWS_LAMBDA_FUNCTION_MEMORY_SIZE=256
export GATEPOST_AUTH_KEY_HASH_SECRET=local-development-only GATEPOST_LIMITS_TIMEOUT_MS=2000
AWS_ENDPOINT_URL_DYNAMODB=$(sed -n 's/^dynamodb: //p' "$work/stack")
export AWS_ENDPOINT_URL_DYNAMODB

invoke() {
    curl -s -o "$work/answer" -w '%{time_total}' -d @"$work/event" \
        "http://127.0.0.1:$1/2015-03-31/functions/function/invocations"
    grep -q '"statusCode":200' "$work/answer" || { cat "$work/answer" >&2; exit 1; }
}

for round in $(seq "$rounds"); do
    port=$((18000 + round))
    "$emulator" --runtime-interface-emulator-address "127.0.0.1:$port" "$work/bootstrap" >"$work/log" 2>&1 &
    pid=$!
    pids+=("$pid")
    until (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null; do sleep 0.05; done
    first=$(invoke "$port")
    second=$(invoke "$port")
    init=$(sed -n 's/.*INIT REPORT(durationMs: \([0-9.]*\)).*/\1/p' "$work/log" | head -1)
    child=$(pgrep -P "$pid" | head -1)
    memory=$(awk '/VmHWM/ {print $2}' "/proc/$child/status")
    awk -v i="$init" -v f="$first" -v s="$second" -v m="$memory" \
        'BEGIN {printf "init %.1f ms, first answer %.1f ms, second %.1f ms, peak memory %.1f MB\n", i, f * 1000, s * 1000, m / 1024}'
    kill "$child" "$pid" 2>/dev/null || true
done
