#!/usr/bin/env bash
# What a limit costs and admits, beside rate-limiter-flexible (npm): writes a decision on a hot key that is denied, on one that
# is admitted, and on 10,000 keys; what is admitted at the edge of a window; and what a decision costs when every call is
# throttled. Both ask the same table through the same proxy, which counts.
#
#   tests/bench/rate_limit/run.sh
#
# Needs node (20 or later), npm and python3; the peer is installed into a temporary folder. Takes about five minutes, most of
# which are windows that have to pass. Exits with 1 when gatepost misses its bar.
set -euo pipefail
here=$(realpath "$(dirname "${BASH_SOURCE[0]}")")
scenarios=$here/scenarios.json
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

npm install --silent --no-audit --no-fund --prefix "$work" rate-limiter-flexible@11.4.0 @aws-sdk/client-dynamodb@3.1169.0 >/dev/null
cd "$here/../../.."
bench=$(cargo bench --workspace --bench rate_limit --no-run --message-format=json 2>/dev/null |
    python3 -c 'import json,sys
for line in sys.stdin:
    made = json.loads(line)
    if made.get("executable") and made["target"]["name"] == "rate_limit": print(made["executable"])')

mkfifo "$work/stdin"
"$bench" serve <"$work/stdin" >"$work/server" &
exec 3>"$work/stdin"
until [[ -s $work/server ]]; do sleep 0.1; done
"$bench" ours "$(cat "$work/server")" "$scenarios" >"$work/measured"
node "$here/peer.mjs" "$work" "$(cat "$work/server")" "$scenarios" >>"$work/measured"
exec 3>&-
wait
python3 "$here/table.py" "$work/measured" "$scenarios"
