"""Hands every message of a folder to rspamd again and again for so many seconds: name, octets, messages a second."""
import http.client
import sys
import time
from pathlib import Path

folder, seconds = Path(sys.argv[1]), float(sys.argv[2])
for file in sorted(folder.glob("*.eml")):
    message = file.read_bytes()
    started, count = time.monotonic(), 0
    while time.monotonic() - started < seconds:
        connection = http.client.HTTPConnection("127.0.0.1", 11999, timeout=60)
        connection.request("POST", "/checkv2", message)
        connection.getresponse().read()
        connection.close()
        count += 1
    print(file.stem, len(message), round(count / (time.monotonic() - started), 1))
