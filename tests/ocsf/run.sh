#!/usr/bin/env bash
# Validates the OCSF events of the product against the schema in PyPI ocsf-json-schema: those that the tests build, and those in the
# log of a running stack after a flood.
#
#   tests/ocsf/run.sh
#
# Needs python3 with venv, and curl; the schema is installed into a temporary folder.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet ocsf-json-schema==1.2.0 jsonschema==4.26.0

OCSF_EVENTS="$work/built" cargo test --workspace --quiet ocsf >"$work/tests" 2>&1 || { cat "$work/tests"; exit 1; }
echo "built by tests:"
"$work/venv/bin/python" tests/ocsf/validate.py <"$work/built"

cargo build --workspace --bins --quiet
gatepost=$(cargo metadata --format-version 1 --no-deps |
    python3 -c 'import json,sys; print(json.load(sys.stdin)["target_directory"] + "/debug/gatepost")')
GATEPOST_LIMITS_REQUESTS_PER_MINUTE=1 GATEPOST_LIMITS_BURST=4 "$gatepost" serve --port 0 >"$work/stack" 2>"$work/log" &
stack=$!
trap 'kill "$stack"; rm -rf "$work"' EXIT
until grep -q '^sns: ' "$work/stack"; do
    kill -0 "$stack" || { cat "$work/log"; exit 1; }
    sleep 0.1
done
url=$(sed -n 's/^listening on //p' "$work/stack") key=$(sed -n 's/^api key: //p' "$work/stack")
seq 300 | xargs -P 8 -I{} curl -s -o /dev/null "$url/v1/validate" -H "x-api-key: $key" -H 'content-type: application/json' \
    -d '{"email": "ann@example.com"}'
curl -s -o /dev/null -X POST "$url/local/scan?now=$(date -u -d '+5 minutes' +%FT%TZ)"
echo "in the log of a stack:"
"$work/venv/bin/python" tests/ocsf/validate.py <"$work/log"
