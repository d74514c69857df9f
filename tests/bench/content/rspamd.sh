#!/usr/bin/env bash
# Starts rspamd on 127.0.0.1:11999 with its own rules, one worker on core 0 and no lookups, in the folder FOLDER/rspamd.
set -euo pipefail
folder=$1/rspamd
mkdir -p "$folder"
cat >"$folder/rspamd.conf" <<CONF
.include "/etc/rspamd/common.conf"
options { tempdir = "$folder"; filters = "chartable,dkim,regexp,fuzzy_check"; max_message = 100Mb;
  dns { nameserver = ["127.0.0.1:9"]; timeout = 0.01s; retransmits = 1; } url_tld = "/usr/share/rspamd/effective_tld_names.dat";
  classify_headers = []; history_file = "$folder/history"; dynamic_conf = "$folder/dynamic"; rrd = ""; }
logging { type = "file"; filename = "$folder/log"; level = "error"; }
worker "normal" { bind_socket = "127.0.0.1:11999"; count = 1; max_tasks = 1; task_timeout = 60s; }
CONF
taskset -c 0 rspamd -c "$folder/rspamd.conf" --insecure --no-fork --var=DBDIR="$folder" --var=RUNDIR="$folder" >"$folder/out" 2>&1 &
echo $! >"$folder/pid"
for _ in $(seq 240); do
    if python3 -c 'import urllib.request; urllib.request.urlopen("http://127.0.0.1:11999/ping", timeout=1)' 2>/dev/null; then exit; fi
    sleep 0.5
done
echo 'rspamd did not start:' >&2
tail -5 "$folder/out" "$folder/log" >&2
exit 1
