#!/usr/bin/env bash
# Messages a second on one core, beside mailauth (Node) and dkimpy + pyspf (Python), and the ratios. gatepost asks a name server
# on loopback once and then its own cache; the peers have none, and ask that name server (on the other core) for each message.
# The second line of each pair hands them the answers from memory instead.
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

"$bench" "$work" serve >"$work/server" &
server=$!
trap 'kill "$server"; rm -rf "$work"' EXIT
until [[ -s $work/server ]]; do sleep 0.1; done
for ((round = 1; round <= rounds; round++)); do
    printf 'round %d of %d\n' "$round" "$rounds" >&2
    taskset -c 0 "$bench" "$work" "$seconds" | sed 's/^/gatepost - /'
    for dns in "$(cat "$work/server")" memory; do
        label=$([[ $dns = memory ]] && echo memory || echo asked)
        taskset -c 0 "$work/node_modules/node/bin/node" "$here/mailauth.mjs" "$work" "$seconds" "$dns" | sed "s/^/mailauth $label /"
        taskset -c 0 "$work/venv/bin/python" "$here/python.py" "$work" "$seconds" "$dns" | sed "s/^/python $label /"
    done
done >"$work/rates"
python3 - "$work/rates" <<'EOF'
import statistics
import sys

rates = {}
for line in open(sys.argv[1]):
    who, dns, what, rate = line.split()
    rates.setdefault((who, dns, what), []).append(float(rate))
print("messages/s, one core        gatepost  mailauth  dkimpy + pyspf  times")
for what in ("rsa2048", "ed25519"):
    ours = statistics.median(rates["gatepost", "-", what])
    for dns, label in (("asked", "DNS over loopback"), ("memory", "DNS from memory")):
        node, python = (statistics.median(rates[who, dns, what]) for who in ("mailauth", "python"))
        print(f"{what}, {label:18} {ours:8.0f} {node:9.0f} {python:15.0f}  {ours / node:.1f} and {ours / python:.1f}")
EOF
