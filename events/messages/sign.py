"""Signs the messages of this folder anew, with fresh keys.

Strips the signatures of each message named below, makes a key for each signer, signs, and writes the public keys into the
marked section of ../dns.zone. Private keys live in memory only. Run it after changing a signed message:

    pip install dkimpy cryptography pynacl && python sign.py

It ends by verifying what it wrote, with the keys of the zone.
"""

import base64
import re
from email.utils import parsedate_to_datetime
from pathlib import Path
from unittest import mock

import dkim
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from nacl.signing import SigningKey

FOLDER = Path(__file__).parent
ZONE = FOLDER.parent / "dns.zone"
KEYS_BEGIN = "; --- keys, written by messages/sign.py ---\n"
KEYS_END = "; --- end of keys ---\n"

# Message: (signer, algorithm).
SIGNED = {
    "aligned": ("bookshop.example", "rsa"),
    "aligned-ed25519": ("transit.example", "ed25519"),
    "dmarc-quarantine": ("mailer.example", "rsa"),
    "executable-attachment": ("supplier.example", "rsa"),
}

# From is named twice, so that no second one can be added (RFC 6376 section 8.15).
SIGNED_FIELDS = [b"from", b"from", b"to", b"subject", b"date", b"message-id", b"mime-version", b"content-type"]

# What the list did to the message that its author had signed.
LIST_SUBJECT = (b"Subject: [Observers] ", b"Subject: ")
LIST_FOOTER = b"-- \r\nObservers mailing list, https://lists.example/observers\r\n"
LIST_FIELD = b"List-Id: <observers.lists.example>\r\n"
LIST_RESULTS = (
    b"Authentication-Results: lists.example; spf=pass smtp.mailfrom=society.example;"
    b" dkim=pass header.d=society.example; dmarc=pass header.from=society.example\r\n"
)

GENERATED = re.compile(rb"^(?:DKIM-Signature|ARC-[A-Za-z-]+):.*(?:\r\n[ \t].*)*\r\n", re.MULTILINE | re.IGNORECASE)


class Signer:
    """One domain with one fresh key under one selector."""

    def __init__(self, domain, algorithm):
        self.domain = domain
        self.algorithm = algorithm
        self.selector = f"{algorithm}-2026"
        self.private, self.record = rsa_key() if algorithm == "rsa" else ed25519_key()

    def dkim_signature(self, message):
        with signing_time(message):
            return dkim.sign(
                message,
                self.selector.encode(),
                self.domain.encode(),
                self.private,
                canonicalize=(b"relaxed", b"relaxed"),
                signature_algorithm={"rsa": b"rsa-sha256", "ed25519": b"ed25519-sha256"}[self.algorithm],
                include_headers=[*SIGNED_FIELDS],
            )

    def arc_set(self, message):
        with signing_time(message):
            fields = [*SIGNED_FIELDS, b"list-id"]
            return b"".join(
                dkim.arc_sign(
                    message,
                    self.selector.encode(),
                    self.domain.encode(),
                    self.private,
                    self.domain.encode(),
                    include_headers=fields,
                )
            )

    def zone_line(self):
        strings = " ".join(f'"{self.record[at : at + 250]}"' for at in range(0, len(self.record), 250))
        return f"{self.selector}._domainkey.{self.domain}. 300 IN TXT {strings}\n"


def rsa_key():
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()
    )
    public = key.public_key().public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    return private, f"v=DKIM1; k=rsa; p={base64.b64encode(public).decode()}"


def ed25519_key():
    key = SigningKey.generate()
    private = base64.b64encode(bytes(key))
    return private, f"v=DKIM1; k=ed25519; p={base64.b64encode(bytes(key.verify_key)).decode()}"


def signing_time(message):
    """The clock that the signatures carry: the Date field of the message."""
    date = re.search(rb"^Date: (.*)\r\n", message, re.MULTILINE).group(1).decode()
    return mock.patch("dkim.time.time", return_value=parsedate_to_datetime(date).timestamp())


def sign_message(name, signer):
    path = FOLDER / f"{name}.eml"
    bare = GENERATED.sub(b"", path.read_bytes())
    path.write_bytes(signer.dkim_signature(bare) + bare)


def sign_forwarded(author, sealer):
    """The author signs what he wrote; the list changes it and seals what it makes of it."""
    path = FOLDER / "forwarded-arc.eml"
    forwarded = GENERATED.sub(b"", path.read_bytes())
    original = forwarded.replace(*LIST_SUBJECT).replace(LIST_FIELD, b"").removesuffix(LIST_FOOTER)
    assert len(original) == len(forwarded) - len(LIST_FOOTER) - len(LIST_FIELD) - len("[Observers] ")
    forwarded = author.dkim_signature(original) + forwarded
    path.write_bytes(sealer.arc_set(LIST_RESULTS + forwarded) + forwarded)


def write_keys(signers):
    before, rest = ZONE.read_text().split(KEYS_BEGIN)
    _, after = rest.split(KEYS_END)
    lines = "".join(signer.zone_line() for signer in signers)
    ZONE.write_text(before + KEYS_BEGIN + lines + KEYS_END + after)


def key_from_zone(name, timeout=5):
    for line in ZONE.read_text().splitlines():
        if line.startswith(name.decode()) and " TXT " in line:
            return "".join(re.findall(r'"([^"]*)"', line)).encode()
    return None


def verify():
    for name in SIGNED:
        assert dkim.verify((FOLDER / f"{name}.eml").read_bytes(), dnsfunc=key_from_zone), name
    forwarded = (FOLDER / "forwarded-arc.eml").read_bytes()
    assert dkim.arc_verify(forwarded, dnsfunc=key_from_zone)[0] == b"pass"
    assert not dkim.verify(forwarded, dnsfunc=key_from_zone), "the list must have broken the author's signature"


def main():
    signers = {name: Signer(*signer) for name, signer in SIGNED.items()}
    author, sealer = Signer("society.example", "rsa"), Signer("lists.example", "rsa")
    for name, signer in signers.items():
        sign_message(name, signer)
    sign_forwarded(author, sealer)
    write_keys([*signers.values(), author, sealer])
    verify()


if __name__ == "__main__":
    main()
