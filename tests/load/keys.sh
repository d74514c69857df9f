#!/usr/bin/env bash
# Keys for tests/load/locustfile.py in a running stack, as JSON: 32 customers who may more than they will ask for, and a hot key
# that may a tenth.
#
#   tests/load/keys.sh GATEPOST URL RATE >keys.json
set -euo pipefail
gatepost=$1 url=$2 rate=$3
key() {
    "$gatepost" keys create --url "$url" --name 'load test' --requests-per-minute "$1" --burst "$2" |
        python3 -c 'import json,sys; print(json.load(sys.stdin)["api_key"])'
}
at_least() { echo $(($1 < $2 ? $2 : $1)); }
customers=()
for index in $(seq 32); do
    # The first four have four fifths of the traffic.
    needed=$((rate * (index <= 4 ? 360 : 13)))
    customers+=("$(key "$(at_least "$needed" 200)" "$(at_least "$needed" 140)")")
done
hot=$(key $((6 * rate)) "$(at_least "$rate" 4)")
python3 -c 'import json,sys; print(json.dumps({"customers": sys.argv[2:], "hot": sys.argv[1]}))' "$hot" "${customers[@]}"
