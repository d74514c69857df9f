#!/usr/bin/env python3
"""Downloads the current third-party lists from PyPI and npm and rewrites their snapshots in `sources/`.

    shared/data/refresh.py            (needs pip and npm; then: cargo run -p gatepost-data)

What each list is, its version and its licence: sources/README.md. The versions below are the ones in the tree.
"""

import datetime
import glob
import json
import pathlib
import re
import subprocess
import sys
import tempfile

SOURCES = pathlib.Path(__file__).resolve().parent / "sources"
PYPI = {"disposable-email-domains": "0.0.293", "disposable-email-detector": "0.1.2"}
NPM = {"mailchecker": "6.0.21", "free-email-domains": "1.12.6", "email-providers": "2.26.0", "freemail": "1.7.0", "tlds": "1.261.0"}


def download(folder):
    for name, version in PYPI.items():
        subprocess.run(["pip", "download", "--quiet", "--no-deps", f"{name}=={version}"], cwd=folder, check=True)
    for wheel in glob.glob(f"{folder}/*.whl"):
        subprocess.run(["unzip", "-qo", wheel, "-d", folder], check=True)
    for name, version in NPM.items():
        subprocess.run(["npm", "pack", "--silent", f"{name}@{version}"], cwd=folder, check=True, stdout=subprocess.DEVNULL)
        (folder / name).mkdir()
        archive = next(folder.glob(f"{name}-{version}.tgz"))
        subprocess.run(["tar", "xzf", archive, "-C", folder / name, "--strip-components=1"], check=True)


def write(name, domains):
    listed = sorted({domain.strip().lower().rstrip(".") for domain in domains if domain.strip()})
    (SOURCES / f"{name}.txt").write_text("\n".join(listed) + "\n")
    print(f"{len(listed):7} {name}", file=sys.stderr)


def disposable(folder):
    text = (folder / "disposable_email_domains/__init__.py").read_text()
    names = {}
    exec(text, names)  # a module of nothing but literal sets
    write("disposable-email-domains", names["blocklist"])
    data = folder / "disposable_email_detector/data"
    listed = json.loads((data / "disposable-domains.json").read_text())["domains"]
    observed = json.loads((data / "personally-observed-domains.json").read_text())["entries"]
    write("disposable-email-detector", [*listed, *(entry["domain"] for entry in observed)])
    text = (folder / "mailchecker/platform/node/index.js").read_text()
    start = text.index("blacklist")
    write("mailchecker", re.findall(r'"([^"\s]+\.[^"\s]+)"', text[start : text.index("]", start)]))


def free(folder):
    lists = [
        set(json.loads((folder / "free-email-domains/domains.json").read_text())),
        set(json.loads((folder / "email-providers/all.json").read_text())),
        set((folder / "freemail/data/free.txt").read_text().split()),
    ]
    # Each of them alone names throw-away providers, too.
    write("free-providers", (name for name in set().union(*lists) if 2 <= sum(name in one for one in lists)))


def top_level(folder):
    write("top-level-domains", json.loads((folder / "tlds/index.json").read_text()))


with tempfile.TemporaryDirectory() as scratch:
    folder = pathlib.Path(scratch)
    download(folder)
    disposable(folder)
    free(folder)
    top_level(folder)
(SOURCES / "date.txt").write_text(datetime.date.today().isoformat() + "\n")
