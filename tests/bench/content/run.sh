#!/usr/bin/env bash
# Messages a second through the whole content pass on one core, and the most memory it took; beside rspamd where it is installed.
#
#   tests/bench/content/run.sh [ROUNDS] [SECONDS]
#
# The peer is Debian's package rspamd, started here on loopback with one worker and without network lookups, and asked over HTTP as a
# mail server would; its rate has that in it, ours has not. Each round runs both one after another on the same core; the median of
# the rounds counts.
set -euo pipefail
here=$(realpath "$(dirname "${BASH_SOURCE[0]}")")
rounds=${1:-5} seconds=${2:-2}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir "$work/messages"
python3 "$here/messages.py" "$work/messages"
cd "$here/../../.."
bench=$(cargo bench --workspace --bench content --no-run --message-format=json 2>/dev/null |
    python3 -c 'import json,sys
for line in sys.stdin:
    made = json.loads(line)
    if made.get("executable") and made["target"]["name"] == "content": print(made["executable"])')
peer=
if command -v rspamd >/dev/null; then
    peer=yes
    bash "$here/rspamd.sh" "$work"
    trap 'kill "$(cat "$work/rspamd/pid")" || true; rm -rf "$work"' EXIT
fi
for ((round = 1; round <= rounds; round++)); do
    printf 'round %d of %d\n' "$round" "$rounds" >&2
    taskset -c 0 "$bench" "$work/messages" "$seconds" | sed 's/^/gatepost /'
    [[ -z $peer ]] || python3 "$here/ask.py" "$work/messages" "$seconds" | sed 's/^/rspamd /'
done >"$work/rates"
python3 - "$work/rates" <<'PYTHON'
import statistics
import sys

rates = {}
for line in open(sys.argv[1]):
    who, what, octets, rate = line.split()
    rates.setdefault(what, {"octets": int(octets)}).setdefault(who, []).append(float(rate))
for what, of in sorted(rates.items(), key=lambda item: item[1]["octets"]):
    ours = statistics.median(of["gatepost"])
    line = f"{what:10} {of['octets']:9} octets  gatepost {ours:8.1f}/s {ours * of['octets'] / 1e6:6.0f} MB/s"
    if "rspamd" in of:
        theirs = statistics.median(of["rspamd"])
        line += f"  rspamd {theirs:8.1f}/s  {ours / theirs:.1f} times"
    print(line)
PYTHON
for message in "$work"/messages/*.eml; do
    mkdir -p "$work/one" && cp "$message" "$work/one/"
    python3 -c 'import resource,subprocess,sys
subprocess.run(sys.argv[1:], check=True, stdout=subprocess.DEVNULL)
print(sys.argv[2].rsplit("/")[-1], resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss // 1024, "MB at most")' "$bench" "$work/one" |
        sed "s/^one/$(basename "$message" .eml)/"
    rm "$work/one/"*
done
