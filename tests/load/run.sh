#!/usr/bin/env bash
# A peak with an attack inside, by Locust against a release build on this machine, as a table in Markdown.
#
#   tests/load/run.sh [RATE] [SECONDS]
#
# RATE is the steady rate in requests a second (30), of which the surge has ten times as much. Needs python3 with venv; Locust
# is installed into a temporary folder.
set -euo pipefail
here=$(realpath "$(dirname "${BASH_SOURCE[0]}")")
export LOAD_RATE=${1:-30} LOAD_SECONDS=${2:-300}
work=$(mktemp -d)
trap 'kill "$stack" 2>/dev/null || true; rm -rf "$work"' EXIT
stack=

python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet locust==2.47.0
cd "$here/../.."
gatepost=$(cargo build --release --workspace --bins --message-format=json 2>"$work/build" |
    python3 -c 'import json,sys
for line in sys.stdin:
    made = json.loads(line)
    if made.get("executable") and made["target"]["name"] == "gatepost": print(made["executable"])') ||
    { cat "$work/build" >&2; exit 1; }

"$gatepost" serve --port 0 >"$work/stack" 2>"$work/log" &
stack=$!
until grep -q '^sns: ' "$work/stack" 2>/dev/null; do
    kill -0 "$stack" || { cat "$work/log" >&2; exit 1; }
    sleep 0.1
done
url=$(sed -n 's/^listening on //p' "$work/stack")
"$here/keys.sh" "$gatepost" "$url" "$LOAD_RATE" >"$work/keys.json"
LOAD_KEYS=$work/keys.json "$work/venv/bin/locust" --headless --only-summary --exit-code-on-error 0 \
    -f "$here/locustfile.py" --host "$url" 2>"$work/locust" | sed -n '/^| phase/,/^limits:/p'
grep -E 'CPU usage|Traceback|Error' "$work/locust" >&2 || true
awk '/VmHWM/ { printf "peak memory of the stack: %.0f MB\n", $2 / 1024 }' "/proc/$stack/status"
