#!/usr/bin/env bash
# The anomaly detector beside the rule of mean + 3 standard deviations, on one folder of labelled series and in one run.
#
# usage: run.sh FOLDER SCORE_EVENTS [GATEPOST]
#   FOLDER        CSV files with labels.json, ignore.json and calendar.json; `generate.py SEED FOLDER` makes one
#   SCORE_EVENTS  the script that scores alerts by events: FOLDER ALERTS.jsonl -> precision, recall, false alarms
#   GATEPOST      the binary (default: built here, in release)
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
[[ $# -ge 2 ]] || { sed -n '2,7p' "${BASH_SOURCE[0]}"; exit 2; }
folder=$1 score=$2 gatepost=${3:-}
if [[ -z $gatepost ]]; then
    (cd "$here/../../.." && cargo build --release --locked --workspace >&2)
    gatepost=${CARGO_TARGET_DIR:-$here/../../../target}/release/gatepost
fi
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
calendar=()
[[ -f $folder/calendar.json ]] && calendar=(--calendar "$folder/calendar.json")

python3 "$here/seed_rule.py" "$folder" >"$work/seed.jsonl"
"$gatepost" backtest "$folder" --alerts "$work/ours.jsonl" "${calendar[@]}" >"$work/summary"
for who in seed ours; do
    printf '== %s\n' "$who"
    python3 "$score" "$folder" "$work/$who.jsonl" | tee "$work/$who.score"
done
printf '== ours : seed\n'
number() { sed -n "s/.*$2 \([0-9.]*\).*/\1/p" "$work/$1.score" | head -1; }
for what in F1 precision recall 'false alarms per series-week'; do
    awk -v what="$what" -v ours="$(number ours "$what")" -v seed="$(number seed "$what")" \
        'BEGIN { printf "%-30s %s : %s = %s\n", what, ours, seed, (seed > 0 ? sprintf("%.3f", ours / seed) : "-") }'
done
