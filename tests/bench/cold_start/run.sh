#!/usr/bin/env bash
# First answer after a cold start, size and peak memory of validate, beside handlers in Node and Python that do the same work, under
# AWS's own Runtime Interface Emulator.
#
#   tests/bench/cold_start/run.sh [ROUNDS]
#
# Needs cargo, node, npm, python3 with venv, and unshare (util-linux); the peers and the emulator (it ships in the package aws-sam-cli)
# are installed into a temporary folder. Every round starts each of them once, in turns, so that a busy machine slows all alike; medians
# and the ratio of one run count. Table and name server are on loopback, without TLS, for all three. The peers speak to the Runtime API
# with twenty lines of their own instead of AWS's runtime clients, and their SDKs are bundled or installed beside them: that favours them.
set -euo pipefail
here=$(realpath "$(dirname "${BASH_SOURCE[0]}")")
rounds=${1:-10}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$here/../../.."
target=${CARGO_TARGET_DIR:-target}

python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet boto3==1.44.8 dnspython==2.8.0 email-validator==2.4.0
"$work/venv/bin/pip" download --quiet --no-deps --dest "$work" aws-sam-cli==1.170.0
(cd "$work" && python3 -m zipfile -e aws_sam_cli-*.whl sam && chmod +x sam/samcli/local/rapid/aws-lambda-rie-x86_64)
npm install --silent --no-audit --no-fund --prefix "$work/node" \
    @aws-sdk/client-dynamodb@3.1169.0 validator@13.15.35 esbuild@0.28.2 >/dev/null
cp "$here"/peer.mjs "$work/node"
(cd "$work/node" && npx esbuild peer.mjs --bundle --minify --platform=node --format=esm --outfile=handler.mjs --log-level=error \
    --banner:js='import{createRequire}from"node:module";const require=createRequire(import.meta.url);')

cargo build --locked --profile lambda -p gatepost-validate --bin validate
cargo build --locked --release --workspace --bin gatepost

mkdir "$work/gatepost" "$work/node20" "$work/python3"
cp "$target/lambda/validate" "$work/gatepost/bootstrap"
cp "$work/node/handler.mjs" "$work/node20/"
printf '#!/bin/sh\nexec node %s/node20/handler.mjs\n' "$work" >"$work/node20/bootstrap"
cp "$here/peer.py" "$work/python3/"
printf '#!/bin/sh\nexec %s/venv/bin/python %s/python3/peer.py\n' "$work" "$work" >"$work/python3/bootstrap"
chmod +x "$work"/*/bootstrap
(cd "$work/gatepost" && python3 - <<'ZIP'
import os, zipfile
with zipfile.ZipFile("validate.zip", "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
    archive.write("bootstrap")
print(f"validate: {os.path.getsize('bootstrap') / 1e6:.2f} MB, as a zip {os.path.getsize('validate.zip') / 1e6:.2f} MB")
ZIP
)
# A network and a resolv.conf of its own: the handlers ask the name server of the system. By its own process, so that the trap runs.
unshare --map-root-user --mount --net \
    python3 "$here/drive.py" "$work" "$work/sam/samcli/local/rapid/aws-lambda-rie-x86_64" "$target/release/gatepost" "$rounds"
