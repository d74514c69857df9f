#!/usr/bin/env bash
# What gatepost and checkdmarc (PyPI) find in the same zones, side by side, and what either does not see.
#
#   tests/bench/posture/run.sh [ZONE]
#
# ZONE is tests/posture/zone.txt unless another master file is named; its lines `; case DOMAIN: what` say which domains are
# judged. Needs python3 with venv; checkdmarc is installed into a temporary folder. Both ask the same name server on loopback.
set -euo pipefail
here=$(realpath "$(dirname "${BASH_SOURCE[0]}")")
zone=$(realpath "${1:-$here/../../posture/zone.txt}")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet checkdmarc==6.0.4
cd "$here/../../.."
built() {
    cargo "$@" --message-format=json 2>/dev/null | python3 -c 'import json,sys
for line in sys.stdin:
    made = json.loads(line)
    if made.get("executable") and made["target"]["name"] == sys.argv[1]: print(made["executable"])' "$name"
}
name=posture server_program=$(name=posture built bench --workspace --bench posture --no-run --profile dev)
gatepost=$(name=gatepost built build --workspace --bins)

mkfifo "$work/stdin"
"$server_program" "$zone" <"$work/stdin" >"$work/server" &
exec 3>"$work/stdin"
until [[ -s $work/server ]]; do sleep 0.1; done
"$work/venv/bin/python" "$here/compare.py" "$gatepost" "$zone" "$(cat "$work/server")"
exec 3>&-
wait
