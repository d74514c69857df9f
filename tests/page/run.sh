#!/bin/sh
# The page of an incident in a real browser: a flood against a fresh stack, then screenshots in light and dark.
#
#   tests/page/run.sh FOLDER [PROGRAM]
#
# Needs Chromium (Debian: `apt-get install chromium`) and curl. PROGRAM is `gatepost`; by default it is built. Fails when the page has
# no chart, or when it asks anybody for anything. The screenshots lie in FOLDER, for somebody to look at.
set -eu
cd "$(dirname "$0")/../.."
out=${1:?a folder for the screenshots}
program=${2:-}
[ -n "$program" ] || { cargo build --quiet --workspace --bins; program=${CARGO_TARGET_DIR:-target}/debug/gatepost; }
browser=$(command -v chromium || command -v chromium-browser || command -v google-chrome) || { echo "no Chromium" >&2; exit 1; }
mkdir -p "$out"
out=$(cd "$out" && pwd)
work=$(mktemp -d)

# Traffic of two weeks, ending now; a scan knows what is usual then.
awk -v now="$(date -u +%s)" -f tests/page/history.awk > "$work/signup.csv"
GATEPOST_LIMITS_REQUESTS_PER_MINUTE=6000 GATEPOST_LIMITS_BURST=6000 \
  "$program" serve --port 0 --counters "$work/signup.csv" > "$work/stdout" 2> "$work/stderr" &
server=$!
trap 'kill "$server" 2> /dev/null; rm -rf "$work"' EXIT
until grep -q '^sns:' "$work/stdout"; do kill -0 "$server"; sleep 0.2; done
url=$(sed -n 's/^listening on //p' "$work/stdout")
key=$(sed -n 's/^api key: //p' "$work/stdout")

curl -s -X POST "$url/local/scan" > /dev/null
seq 700 | xargs -P 8 -I{} curl -s -o /dev/null "$url/v1/validate" -H "x-api-key: $key" -H 'content-type: application/json' \
  -d '{"email": "user{}@throwaway.example"}'
curl -s -X POST "$url/local/scan?now=$(date -u -d '+5 minutes' +%FT%TZ)"
echo
page_key=$(curl -s "$url/local/alerts" | grep -o 'incidents/[0-9a-f]*-[0-9]*\.html' | tail -1)
"$program" incident "$page_key" --url "$url" --output "$out/incident.html"
grep -q '<polyline class=actual' "$out/incident.html"

# --blink-settings: 0 is dark, 1 is light. The net log would show any request of the page; hosts of the browser's maker are asked by the
# browser itself.
for scheme in light:1 dark:0; do
  "$browser" --headless --no-sandbox --disable-gpu --hide-scrollbars --window-size=1000,1100 --log-net-log="$work/net.json" \
    --blink-settings=preferredColorScheme="${scheme#*:}" --user-data-dir="$work/profile" \
    --screenshot="$out/incident-${scheme%:*}.png" "file://$out/incident.html" 2> "$work/browser"
  test -s "$out/incident-${scheme%:*}.png"
  if grep -o '"url":"https\?://[^"]*"' "$work/net.json" | grep -v 'google\|gstatic\|gvt1\.com'; then echo "the page asks outside" >&2; exit 1; fi
done
echo "screenshots in $out"
