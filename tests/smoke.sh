#!/usr/bin/env bash
# Whether a deployed stack answers, refuses, judges and can alert. By hand, after a deploy; writes nothing but what a request does.
#
#   STACK=gatepost-dev API_KEY=.. tests/smoke.sh [RECIPIENT]
#
# Needs curl and the AWS command line with the rights to read the stack. With RECIPIENT, an address whose domain the receipt rule
# takes, and SENDER, an identity of SES here, one message is sent through SES and its disposition waited for.
set -euo pipefail
stack=${STACK:?the name of the stack} key=${API_KEY:?a key of gatepost keys create}
failed=0

output() {
    aws cloudformation describe-stacks --stack-name "$stack" --output text \
        --query "Stacks[0].Outputs[?OutputKey=='$1'].OutputValue"
}

check() {
    local what=$1 expected=$2 got=$3
    if [[ $got == "$expected" ]]; then
        printf 'ok      %s\n' "$what"
    else
        printf 'FAILED  %s: %s instead of %s\n' "$what" "$got" "$expected"
        failed=1
    fi
}

status() {
    curl -sS -o "$work/answer" -w '%{http_code}' -m 20 -H 'content-type: application/json' "$@" "$url"
}

member() {
    python3 -c 'import json, sys; print(json.load(open(sys.argv[1])).get(sys.argv[2]))' "$work/answer" "$1"
}

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
url=$(output ApiUrl)

check 'a good address is answered' 200 "$(status -H "x-api-key: $key" -d '{"email": "postmaster@amazon.com"}')"
check 'and accepted' accept "$(member verdict)"
check 'a line feed in an address is answered' 200 "$(status -H "x-api-key: $key" -d '{"email": "a\r\nBcc: b@example.com"}')"
check 'and refused' reject "$(member verdict)"
check 'nobody is let in without a key' 401 "$(status -d '{"email": "postmaster@amazon.com"}')"
check 'nor with a wrong one' 401 "$(status -H "x-api-key: ${key%?????}00000" -d '{"email": "postmaster@amazon.com"}')"

wait_for() {
    local id=$1 place
    for _ in {1..30}; do
        for place in delivered quarantine rejected; do
            aws s3api head-object --bucket "$bucket" --key "$place/$id.report.json" >/dev/null 2>&1 && echo "$place" && return
        done
        sleep 2
    done
    echo nowhere
}

if [[ -n ${1:-} ]]; then
    bucket=$(output BucketName)
    since=$(date -u +%Y-%m-%dT%H:%M:%SZ)
    aws ses send-email --from "${SENDER:?an identity of SES}" --to "$1" --subject 'gatepost smoke test' --text 'Nothing to do.' >/dev/null
    id=None
    for _ in {1..30}; do
        id=$(aws s3api list-objects-v2 --bucket "$bucket" --prefix inbound/ --output text \
            --query "Contents[?LastModified>='$since' && !ends_with(Key, '.json')].Key | [0]")
        [[ $id != None ]] && break
        sleep 2
    done
    check 'a message of our own is delivered' delivered "$(wait_for "${id#inbound/}")"
fi
exit "$failed"
