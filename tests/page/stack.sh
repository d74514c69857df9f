#!/bin/sh
# The page of the stack in a real browser: light, dark and 360 pixels wide, by keyboard alone, live and without script.
#
#   tests/page/stack.sh FOLDER [PROGRAM]
#
# Needs Chromium and Python (Debian: `apt-get install chromium python3`; nothing from PyPI). PROGRAM is `gatepost`; by default it is
# built. Fails with what is wrong. The screenshots lie in FOLDER, for somebody to look at.
set -eu
cd "$(dirname "$0")/../.."
out=${1:?a folder for the screenshots}
program=${2:-}
[ -n "$program" ] || { cargo build --quiet --workspace --bins; program=${CARGO_TARGET_DIR:-target}/debug/gatepost; }
browser=$(command -v chromium || command -v chromium-browser || command -v google-chrome) || { echo "no Chromium" >&2; exit 1; }
mkdir -p "$out"
out=$(cd "$out" && pwd)
work=$(mktemp -d)

start() {
  : > "$work/stdout"
  GATEPOST_LIMITS_REQUESTS_PER_MINUTE=6000 GATEPOST_LIMITS_BURST=6000 GATEPOST_PROTECTED_DOMAINS=bank.example \
    "$program" serve --port 0 "$@" > "$work/stdout" 2> "$work/stderr" &
  server=$!
  until grep -q '^sns:' "$work/stdout"; do kill -0 "$server"; sleep 0.2; done
  url=$(sed -n 's/^listening on //p' "$work/stdout")
  key=$(sed -n 's/^api key: //p' "$work/stdout")
}

server=
trap '[ -z "$server" ] || kill "$server" 2> /dev/null; rm -rf "$work"' EXIT
start
python3 tests/page/browser.py empty "$browser" "$out" "$url" "$key"
kill "$server"
# Traffic of two weeks, ending now; a scan knows what is usual then.
awk -v now="$(date -u +%s)" -f tests/page/history.awk > "$work/signup.csv"
start --counters "$work/signup.csv"
curl -s -X POST "$url/local/scan" > /dev/null
python3 tests/page/browser.py busy "$browser" "$out" "$url" "$key"
echo "screenshots in $out"
