"""The same work by dkimpy and pyspf, without DMARC, which they do not have. DNS is asked through dnspython, which both use,
at ADDRESS:PORT, or answered from memory where that is `memory`."""

import json
import pathlib
import sys
import time

import dkim
import dns.resolver
import spf

folder, seconds, server = pathlib.Path(sys.argv[1]), float(sys.argv[2]), sys.argv[3]
zone = json.loads((folder / "zone.json").read_text())
asked = dns.resolver.Resolver(configure=False)
if server != "memory":
    address, port = server.split(":")
    asked.nameservers, asked.port = [address], int(port)


def text(name):
    name = name.rstrip(".").lower()
    if server == "memory":
        return zone.get(name, "").encode()
    return b"".join(asked.resolve(name, "TXT")[0].strings)


def lookup(name, qtype, *_arguments, **_options):
    return [((name, qtype), (text(name),))] if qtype == "TXT" else []


spf.DNSLookup = lookup


def key(name, timeout=5):
    return text(name.decode())


for name in ("rsa2048", "ed25519"):
    message = (folder / f"{name}.eml").read_bytes()
    count, started = 0, time.perf_counter()
    while time.perf_counter() - started < seconds:
        assert dkim.verify(message, dnsfunc=key)
        assert spf.check2("192.0.2.1", "b@bookshop.example", "mail.bookshop.example")[0] == "pass"
        count += 1
    print(name, round(count / (time.perf_counter() - started)))
