#!/usr/bin/env bash
# Tries the API against its own document with schemathesis: any 5xx, undocumented status, field or header, accepted
# nonsense or ignored credential is a failure.
#
#   tests/openapi/run.sh [EXAMPLES] [SEED]
#
# Needs python3 with venv; schemathesis is installed into a temporary folder. EXAMPLES are tried for each operation.
set -euo pipefail
here=$(realpath "$(dirname "${BASH_SOURCE[0]}")")
examples=${1:-300} seed=${2:-1}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet schemathesis==4.32.5 openapi-spec-validator==0.9.0
cd "$here/../.."
"$work/venv/bin/openapi-spec-validator" functions/validate/openapi.json
cargo build --workspace --bins --quiet
gatepost=$(cargo metadata --format-version 1 --no-deps |
    python3 -c 'import json,sys; print(json.load(sys.stdin)["target_directory"] + "/debug/gatepost")')

# Nobody answers at that name server, at once: the tried domains are not the business of any real one.
GATEPOST_LIMITS_REQUESTS_PER_MINUTE=1000000 GATEPOST_LIMITS_BURST=1000000 GATEPOST_DNS_TIMEOUT_MS=50 \
    "$gatepost" serve --port 0 --dns 127.0.0.1:9 >"$work/stack" 2>"$work/log" &
stack=$!
trap 'kill "$stack"; rm -rf "$work"' EXIT
until grep -q '^sns: ' "$work/stack"; do
    kill -0 "$stack" || { cat "$work/log"; exit 1; }
    sleep 0.1
done
url=$(sed -n 's/^listening on //p' "$work/stack")
GATEPOST_KEY=$(sed -n 's/^api key: //p' "$work/stack")
export GATEPOST_KEY
document=$PWD/functions/validate/openapi.json
cd "$work"
# From the file: of a document that it fetches, schemathesis leaves out the operation that serves it.
venv/bin/st --config-file "$here/schemathesis.toml" run "$document" --url "$url" \
    --checks all --max-examples "$examples" --seed "$seed" --continue-on-failure --phases examples,coverage,fuzzing
