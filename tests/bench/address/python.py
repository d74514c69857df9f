"""What main.rs does, with python-email-validator and emval: python.py FILE SECONDS."""

import json
import sys
import time

import email_validator
import emval

rows = [json.loads(line) for line in open(sys.argv[1], encoding="utf-8")]
seconds = float(sys.argv[2])
with_emval = emval.EmailValidator(deliverable_address=False)


def strictly(address):
    try:
        email_validator.validate_email(address, check_deliverability=False, strict=True)
        return True
    except email_validator.EmailNotValidError:
        return False


def fast(address):
    try:
        with_emval.validate_email(address)
        return True
    except (SyntaxError, ValueError):
        return False


for name, takes in (("python-email-validator", strictly), ("emval", fast)):
    addresses = [row["address"] for row in rows]
    started, judged = time.perf_counter(), 0
    while time.perf_counter() - started < seconds:
        for address in addresses:
            takes(address)
        judged += len(addresses)
    rate = judged / (time.perf_counter() - started)
    wrongly = [sum(row["valid_for_signup"] is valid and takes(row["address"]) is not valid for row in rows)
               for valid in (False, True)]
    print(name, f"{rate:.0f}", *wrongly)
