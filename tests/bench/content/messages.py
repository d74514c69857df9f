"""Writes a small letter, one of 1 MB and one of 20 MB into a folder: a page with links, a picture, a zip archive of noise."""
import io
import random
import sys
import zipfile
from email.message import EmailMessage
from pathlib import Path


def letter(octets):
    noise = random.Random(octets)
    message = EmailMessage()
    message["From"] = "Ann Lee <ann@sender.example>"
    message["To"] = "bob@receiver.example"
    message["Subject"] = "The documents"
    message["Date"] = "Fri, 20 Nov 2026 10:00:00 +0000"
    message["Message-ID"] = f"<{octets}@sender.example>"
    message.set_content("Hello Bob,\n\nhttps://sender.example/documents has them too.\n\nAnn\n")
    rows = "".join(f'<tr><td><a href="https://sender.example/d/{n}">Document {n}</a></td></tr>' for n in range(40))
    message.add_alternative(f"<html><body><table>{rows}</table></body></html>", subtype="html")
    if octets:
        packed = io.BytesIO()
        with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("notes.txt", noise.randbytes(octets * 3 // 8))
        message.add_attachment(packed.getvalue(), maintype="application", subtype="zip", filename="notes.zip")
        picture = b"\x89PNG\r\n\x1a\n" + noise.randbytes(octets * 3 // 8)
        message.add_attachment(picture, maintype="image", subtype="png", filename="picture.png")
    return message.as_bytes().replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")


folder = Path(sys.argv[1])
for name, octets in (("small", 0), ("one-mb", 1_000_000), ("twenty-mb", 20_000_000)):
    (folder / f"{name}.eml").write_bytes(letter(octets))
