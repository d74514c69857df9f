"""Writes rsa2048.eml, ed25519.eml (6.5 KB each), zone.txt and zone.json into the folder named on the command line."""

import base64
import json
import pathlib
import sys

import dkim
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from nacl.signing import SigningKey

folder = pathlib.Path(sys.argv[1])
domain = "bookshop.example"
rsa_key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
rsa_private = rsa_key.private_bytes(
    serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()
)
rsa_public = rsa_key.public_key().public_bytes(
    serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
)
seed = SigningKey.generate()
texts = {
    domain: "v=spf1 ip4:192.0.2.0/24 -all",
    f"_dmarc.{domain}": "v=DMARC1; p=reject",
    f"rsa2048._domainkey.{domain}": "v=DKIM1; k=rsa; p=" + base64.b64encode(rsa_public).decode(),
    f"ed25519._domainkey.{domain}": "v=DKIM1; k=ed25519; p=" + base64.b64encode(bytes(seed.verify_key)).decode(),
}
line = "A line of a letter as people write them, about seventy octets a line.\r\n"
message = (
    f"From: Ann Lee <ann@{domain}>\r\nTo: bob@receiver.test\r\nSubject: Your order\r\n"
    f"Date: Fri, 20 Nov 2026 10:00:00 +0000\r\nMessage-ID: <1@{domain}>\r\nMIME-Version: 1.0\r\n"
    f"Content-Type: text/plain; charset=utf-8\r\n\r\n{line * 80}"
).encode()
for selector, key, algorithm in (
    ("rsa2048", rsa_private, b"rsa-sha256"),
    ("ed25519", base64.b64encode(bytes(seed)), b"ed25519-sha256"),
):
    signature = dkim.sign(
        message, selector.encode(), domain.encode(), key, canonicalize=(b"relaxed", b"relaxed"),
        signature_algorithm=algorithm,
        include_headers=[b"from", b"to", b"subject", b"date", b"message-id", b"mime-version", b"content-type"],
    )
    (folder / f"{selector}.eml").write_bytes(signature + message)


def strings(text):
    return " ".join(f'"{text[at:at + 250]}"' for at in range(0, len(text), 250))


(folder / "zone.txt").write_text("".join(f"{name}. 3600 IN TXT {strings(text)}\n" for name, text in texts.items()))
(folder / "zone.json").write_text(json.dumps(texts))
