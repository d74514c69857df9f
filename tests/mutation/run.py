#!/usr/bin/env python3
"""Removes one check after another from the files that decide about a message, and sees whether a test fails.

    tests/mutation/run.py [--list] [--only TEXT] [--full]

A mutant is one of: a condition that is never met, a function that always says yes or no, a check that is not called, a weight
that is none. Each is compiled with the unit tests of its own file and of everything around it (`src/lib.rs` lists them), in
seconds. `--full` gives each survivor to the attacks and conformance suites of the workspace as well, which takes a minute.
Prints the survivors; exits with 1 when there is one that is not among those in `survivors.txt`.
"""

import argparse
import os
import pathlib
import re
import signal
import subprocess
import sys
import time

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent
FILES = [
    "arc/chain.rs", "arc/fault.rs", "arc/fields.rs", "authentication.rs", "authentication_results.rs", "author.rs",
    "display_name.rs", "disposition.rs", "dkim/canonical.rs", "dkim/key.rs", "dkim/signature.rs", "dkim/verify.rs",
    "dmarc/evaluate.rs", "dmarc/identifier.rs", "dmarc/policy.rs", "dmarc/record.rs", "dmarc/tree_walk.rs",
    "envelope.rs", "header_section.rs", "rsa_key.rs", "spf/client_name.rs", "spf/evaluate.rs", "spf/explanation.rs", "spf/record.rs",
    "spf/session.rs", "tag_list.rs",
]
# The shortest condition before a brace first, so that `if a { b } else { c }` on one line is one too; then one with braces in it.
CONDITIONS = [
    re.compile(r"^(?P<head>(?:.*[ (=])?if )(?!let )(?P<condition>[^{}]+?)(?P<tail> \{)(?P<rest>.*)$"),
    re.compile(r"^(?P<head>\s*(?:\} else )?if )(?!let )(?P<condition>.+)(?P<tail> \{)(?P<rest>.*)$"),
]
GUARD = re.compile(r"^(?P<head>.* if )(?!let )(?P<condition>[^{}]+)(?P<tail> => .*)$")
CALL = re.compile(r"^\s*(?:self\.)?(?:check|refuse|count)_\w+\(.*\)\?;$")
YES_NO = re.compile(r"^\s*(?:pub(?:\(\w+\))? )?(?:const )?fn (?P<name>\w+).*-> bool \{$")
WEIGHT = re.compile(r"Severity::(?:Reject|Quarantine)\b")


def mutants(path):
    """(line number, description, lines) of each mutant of a file."""
    lines = path.read_text().split("\n")
    end = next((at for at, line in enumerate(lines) if line == "#[cfg(test)]"), len(lines))
    for at, line in enumerate(lines[:end]):
        if line.lstrip().startswith("//"):
            continue
        changed = None
        if (found := GUARD.match(line)) and " let " not in found["condition"]:
            changed = [f"{found['head']}false && ({found['condition']}){found['tail']}"]
        elif (found := next(filter(None, (form.match(line) for form in CONDITIONS)), None)) and " let " not in found["condition"]:
            changed = [f"{found['head']}false && ({found['condition']}){found['tail']}{found['rest']}"]
        elif CALL.match(line):
            changed = [""]
        elif YES_NO.match(line):
            changed = [line + " return true;", line + " return false;"]
        elif WEIGHT.search(line) and "=>" in line or WEIGHT.search(line) and "Finding::new" in line:
            changed = [WEIGHT.sub("Severity::Info", line)]
        for text in changed or []:
            yield at + 1, text.strip() or "(not called)", lines[:at] + [text] + lines[at + 1 :]


def outcome(command, folder, within=90):
    """What the tests make of the mutant: killed, survived, or no program. One that runs on and on is noticed, and so killed."""
    done = subprocess.Popen(
        command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True
    )
    try:
        output, _ = done.communicate(timeout=within)
    except subprocess.TimeoutExpired:
        os.killpg(done.pid, signal.SIGKILL)
        done.wait()
        return "killed"
    if done.returncode == 0:
        return "survived"
    return "killed" if "test result" in output or "panicked" in output else "no program"


def main():
    # Whoever ends the run gets the file back that was being changed.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--list", action="store_true", help="only print the mutants")
    options.add_argument("--only", default="", help="only mutants whose file or line has this text")
    options.add_argument("--full", action="store_true", help="try survivors on the suites of the workspace")
    options = options.parse_args()
    unit = ["cargo", "test", "--quiet", "--offline", "--lib", "--", "--test-threads=2"]
    suites = ["cargo", "test", "--quiet", "--offline", "--workspace", "--test", "gatepost", "--", "attacks::", "conformance::"]
    known = {line.split("  ")[0] for line in (HERE / "survivors.txt").read_text().splitlines() if line[:1] not in ("", "#")}
    if not options.list and outcome(unit, HERE, within=900) != "survived":
        sys.exit("the tests fail without any mutant")
    counts, survivors, started = {}, [], time.monotonic()
    for name in FILES:
        path = ROOT / "shared/src" / name
        original = path.read_text()
        for line, text, changed in mutants(path):
            label = f"{name}:{line} {text}"
            if options.only not in label:
                continue
            if options.list:
                print(label)
                continue
            try:
                path.write_text("\n".join(changed))
                result = outcome(unit, HERE)
                if result == "survived" and options.full:
                    result = outcome(suites, ROOT, within=900)
            finally:
                path.write_text(original)
            counts[result] = counts.get(result, 0) + 1
            if result == "survived":
                survivors.append((name, text, label))
            print(f"{time.monotonic() - started:6.0f} s  {result:10}  {label}", flush=True)
    print(", ".join(f"{count} {result}" for result, count in sorted(counts.items())))
    new = [label for name, text, label in survivors if f"{name} {text}" not in known]
    print("\n".join(f"survived, and is not in survivors.txt: {label}" for label in new))
    sys.exit(1 if new else 0)


main()
