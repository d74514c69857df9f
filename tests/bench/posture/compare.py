"""For each `; case` of a zone: what gatepost finds, what checkdmarc says, and who of the two sees the fault that the case is
named for. Nothing but the name server is asked; checkdmarc would fetch the MTA-STS policy and the BIMI logo over HTTPS, and is
answered that they could not be had."""

import contextlib
import io
import json
import logging
import re
import subprocess
import sys

import dns.nameserver
import requests

gatepost, zone, server = sys.argv[1:]
address, port = server.rsplit(":", 1)

asked = [dns.nameserver.Do53Nameserver(address, int(port))]


def offline(*_arguments, **_options):
    raise requests.ConnectionError("offline")


requests.Session.send = offline
logging.disable(logging.CRITICAL)
import checkdmarc  # noqa: E402

# The sections of both, by the first label of a case.
SECTIONS = {"mx": "mx", "spf": "spf", "dmarc": "dmarc", "dkim": "dkim", "mta-sts": "mta_sts", "tls-rpt": "tls_rpt",
            "bimi": "bimi", "dnssec": "dnssec"}
THEIRS = {"tls_rpt": "smtp_tls_reporting"}
# Of what checkdmarc says, this is about the lack of a connection.
OFFLINE = re.compile(r"offline", re.I)


def ours(domain):
    made = subprocess.run([gatepost, "posture", domain, "--dns", server], capture_output=True, check=True)
    return [(finding["code"], finding["severity"]) for finding in json.loads(made.stdout)["findings"]]


def texts(value, under=""):
    """Errors and warnings, wherever they are."""
    if isinstance(value, dict):
        for name, below in value.items():
            if name in ("error", "errors", "warnings") and below:
                yield from ([below] if isinstance(below, str) else [str(text) for text in below])
            else:
                yield from texts(below, name)
    elif isinstance(value, list):
        for below in value:
            yield from texts(below, under)


def theirs(domain):
    """By section; `dnssec` is a bool there."""
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        result = checkdmarc.check_domains([domain], nameservers=asked, timeout=3, retries=0)
    result = json.loads(checkdmarc.results_to_json(result))
    found = {}
    for section in SECTIONS.values():
        part = result.get(THEIRS.get(section, section))
        if section == "dnssec":
            found[section] = ["no DNSKEY"] if part is False else []
        else:
            found[section] = [text for text in texts(part) if not OFFLINE.search(text)]
    return found


def section_of(domain):
    label = domain.split(".")[0]
    return next((section for prefix, section in SECTIONS.items() if label.startswith(prefix)), None)


counts = {"both": 0, "only gatepost": 0, "only checkdmarc": 0, "neither": 0}
agree_on_clean = {"gatepost": True, "checkdmarc": True}
lacking = {"only gatepost": [], "only checkdmarc": [], "neither": []}
for domain, what in re.findall(r"^; case ([^:\s]+): (.*)$", open(zone).read(), re.M):
    found, said = ours(domain), theirs(domain)
    section = section_of(domain)
    print(f"\n{domain}: {what}")
    if section is None:
        print("  gatepost  ", ", ".join(code for code, _ in found) or "-")
        print("  checkdmarc", " | ".join(f"{name}: {text}" for name, texts in said.items() for text in texts) or "-")
        if domain.startswith("protected."):
            # Its zone has a DS record and no signatures, and its certificate cannot be fetched; checkdmarc looks at both.
            del said["dnssec"], said["bimi"]
            agree_on_clean = {"gatepost": not found, "checkdmarc": not any(said.values())}
        continue
    prefix = "dns_unanswered" if "unanswered" in domain else section
    codes = [code for code, _ in found if code.startswith(prefix)]
    lines = said[section]
    print("  gatepost  ", ", ".join(codes) or "-")
    print("  checkdmarc", " | ".join(" ".join(line.split()) for line in lines) or "-")
    which = {(True, True): "both", (True, False): "only gatepost", (False, True): "only checkdmarc"}.get(
        (bool(codes), bool(lines)), "neither")
    counts[which] += 1
    if which != "both":
        lacking[which].append(domain)

print(f"\ncases with one fault: {sum(counts.values())}; " + ", ".join(f"{name}: {count}" for name, count in counts.items()))
for which, domains in lacking.items():
    if domains:
        print(f"{which}: " + ", ".join(domains))
print("nothing to say about the protected domain: " + ", ".join(f"{who}: {'yes' if so else 'no'}" for who, so in agree_on_clean.items()))
