#!/usr/bin/env bash
# Messages a second on one core, beside mailauth (Node) and dkimpy + pyspf (Python), and the ratios.
#
#   tests/bench/sender_authentication/run.sh [ROUNDS] [SECONDS]
#
# Needs npm and python3 with venv; the peers are installed into a temporary folder. Each round runs all three one
# after another on the same core, so that a busy machine slows them alike; the median of the rounds counts.
set -euo pipefail
here=$(realpath "$(dirname "${BASH_SOURCE[0]}")")
rounds=${1:-5} seconds=${2:-2}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet dkimpy==1.1.8 pyspf==2.0.14 dnspython pynacl cryptography
npm install --silent --no-audit --no-fund --prefix "$work" node@22.23.3 mailauth@7.1.0 >/dev/null
"$work/venv/bin/python" "$here/messages.py" "$work"
cd "$here/../../.."
bench=$(cargo bench --workspace --bench sender_authentication --no-run --message-format=json 2>/dev/null |
    python3 -c 'import json,sys
for line in sys.stdin:
    made = json.loads(line)
    if made.get("executable") and made["target"]["name"] == "sender_authentication": print(made["executable"])')

for ((round = 1; round <= rounds; round++)); do
    printf 'round %d of %d\n' "$round" "$rounds" >&2
    taskset -c 0 "$bench" "$work" "$seconds" | sed 's/^/gatepost /'
    taskset -c 0 "$work/node_modules/node/bin/node" "$here/mailauth.mjs" "$work" "$seconds" | sed 's/^/mailauth /'
    taskset -c 0 "$work/venv/bin/python" "$here/python.py" "$work" "$seconds" | sed 's/^/python /'
done >"$work/rates"
python3 - "$work/rates" <<'EOF'
import statistics
import sys

rates = {}
for line in open(sys.argv[1]):
    who, what, rate = line.split()
    rates.setdefault((who, what), []).append(float(rate))
print("messages/s, one core   gatepost   mailauth   dkimpy + pyspf   ratios")
for what in ("rsa2048", "ed25519"):
    ours, node, python = (statistics.median(rates[who, what]) for who in ("gatepost", "mailauth", "python"))
    print(f"{what:22} {ours:8.0f} {node:10.0f} {python:16.0f}   {ours / node:.1f}  {ours / python:.1f}")
EOF
