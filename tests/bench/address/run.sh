#!/usr/bin/env bash
# Addresses judged in a second on one core, all of them and those that a sign-up should take, and how many wrongly, beside the crate email_address,
# python-email-validator, emval and validator.js. No one asks DNS.
#
#   tests/bench/address/run.sh [ROUNDS] [SECONDS]
#
# Needs node, npm and python3 with venv; the peers are installed into a temporary folder. Each round runs all of them one
# after another on the same core, so that a busy machine slows them alike; the median of the rounds counts. Of the addresses
# in tests/data/address those that are disputed are judged and not scored.
set -euo pipefail
here=$(realpath "$(dirname "${BASH_SOURCE[0]}")")
rounds=${1:-3} seconds=${2:-2}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet email-validator==2.4.0 emval==0.1.13
npm install --silent --no-audit --no-fund --prefix "$work" validator@13.15.35 >/dev/null
cd "$here/../../.."
addresses=$PWD/tests/data/address/addresses.jsonl
# Well-formed, and not what anybody wants: misspelt, throw-away, look-alikes in digits and in Cyrillic, and a piece of SQL.
for address in ann@gmial.com ann@mailinator.com ann@paypa1.com ann@xn--pple-43d.com "x'or'1'='1@gmail.com"; do
    printf '{"address": "%s", "valid_for_signup": false}\n' "$address"
done >"$work/probes"
bench=$(cargo bench --workspace --bench address --no-run --message-format=json 2>/dev/null |
    python3 -c 'import json,sys
for line in sys.stdin:
    made = json.loads(line)
    if made.get("executable") and made["target"]["name"] == "address": print(made["executable"])')

grep '"valid_for_signup": true' "$addresses" >"$work/valid"
cp "$addresses" "$work/all"

for ((round = 1; round <= rounds; round++)); do
    printf 'round %d of %d\n' "$round" "$rounds" >&2
    for list in all valid; do
        {
            taskset -c 0 "$bench" "$work/$list" "$seconds"
            taskset -c 0 "$work/venv/bin/python" "$here/python.py" "$work/$list" "$seconds"
            taskset -c 0 node "$here/validator.mjs" "$work" "$work/$list" "$seconds"
        } | sed "s/^/$list /"
    done
done >"$work/rates"
{
    "$work/venv/bin/python" "$here/python.py" "$work/probes" 0.1
    node "$here/validator.mjs" "$work" "$work/probes" 0.1
    "$bench" "$work/probes" 0.1 | grep email_address
} | awk '{ print $1 " takes " $3 " of 5 addresses that are well-formed and misspelt, throw-away, look-alike or SQL" }'
python3 - "$work/rates" "$addresses" <<'EOF'
import json
import statistics
import sys

scored = sum(json.loads(line)["valid_for_signup"] is not None for line in open(sys.argv[2], encoding="utf-8"))
rates, wrong = {}, {}
for line in open(sys.argv[1]):
    which, who, rate, accepts, rejects = line.split()
    rates.setdefault((which, who), []).append(float(rate))
    if which == "all":
        wrong[who] = int(accepts), int(rejects)
rate = {key: statistics.median(measured) for key, measured in rates.items()}
print(f"{scored} scored              right  false accepts, rejects   all/s (ours: times)    valid/s (ours: times)")
for who, (accepts, rejects) in wrong.items():
    right = 100 * (1 - (accepts + rejects) / scored)
    shown = "  ".join(f"{rate[which, who]:9.0f} {rate[which, 'gatepost-syntax'] / rate[which, who]:9.2f}" for which in ("all", "valid"))
    print(f"{who:22} {right:6.1f} % {accepts:12d}, {rejects:<8d} {shown}")
EOF
