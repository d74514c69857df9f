#!/usr/bin/env bash
# Fuzzes every target, or the one that is named, for so many seconds each.
#
#   cargo install cargo-fuzz && tests/fuzz/run.sh [SECONDS] [TARGET]
#
# Needs no nightly compiler: coverage without sanitizers. What breaks a target belongs into tests/fuzz/broken/TARGET, where
# every test run tries it again.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
seconds=${1:-120}
targets=${2:-header_section from_field spf_record tag_list trust_boundary message bearer_token mime_walk links archive ole pdf picture}
for target in $targets; do
    mkdir -p "corpus/$target"
    echo "== $target"
    (cd ../.. && cargo fuzz run --fuzz-dir tests/fuzz --sanitizer none "$target" \
        "tests/fuzz/corpus/$target" "tests/fuzz/seeds/$target" -- \
        -max_total_time="$seconds" -timeout=10 -rss_limit_mb=2048 -print_final_stats=1 -verbosity=0)
done
