"""Invokes validate and a handler that does nothing in turns, and compares the CPU time that the processes used."""

import http.server
import json
import os
import queue
import socket
import statistics
import struct
import subprocess
import sys
import tempfile
import threading
import time

INVOCATIONS = 250  # of each process in one round
EMAIL = "ann.example@mail.gatepost-bench.com"
DOMAIN = "mail.gatepost-bench.com"

IN_ADVANCE = {"GATEPOST_LIMITS_REQUESTS_PER_MINUTE": "6000000", "GATEPOST_LIMITS_BURST": "6000000"}
EACH = {"GATEPOST_LIMITS_REQUESTS_PER_MINUTE": "999", "GATEPOST_LIMITS_BURST": "90000000"}
SILENT = {"RUST_LOG": "off"}

# Settings of validate by what is measured; the differences say what takes the time.
VARIANTS = {
    "one write a request": EACH,
    "a write for 64 requests": IN_ADVANCE,
    "the same, without the log": IN_ADVANCE | SILENT,
    "a refusal at the door, without the log": None,
}


class RuntimeApi(http.server.ThreadingHTTPServer):
    """Lambda's Runtime API for one process; there is no Extensions API."""

    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Exchange)
        self.events, self.answers, self.count = queue.Queue(), queue.Queue(), 0
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def invoke(self, event):
        self.events.put(event)
        return self.answers.get(timeout=30)


class Exchange(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def do_GET(self):
        event = self.server.events.get()
        self.server.count += 1
        fields = {
            "Lambda-Runtime-Aws-Request-Id": f"request-{self.server.count}",
            "Lambda-Runtime-Deadline-Ms": str(int(time.time() * 1000) + 30_000),
            "Lambda-Runtime-Invoked-Function-Arn": "arn:aws:lambda:us-east-1:000000000000:function:bench",
        }
        self.answer(200, event, fields)

    def do_POST(self):
        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        if "/extension/" in self.path:
            return self.answer(404, b"")
        self.answer(202, b"")
        self.server.answers.put((self.path.rsplit("/", 1)[-1], body))

    def answer(self, status, body, fields=()):
        self.send_response(status)
        for name, value in dict(fields).items():
            self.send_header(name, value)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


class NameServer(threading.Thread):
    """Answers MX and A of one domain, for an hour."""

    def __init__(self):
        super().__init__(daemon=True)
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind(("127.0.0.1", 53))
        self.questions = 0

    def run(self):
        while True:
            query, client = self.socket.recvfrom(1500)
            self.questions += 1
            self.socket.sendto(self.answer(query), client)

    def answer(self, query):
        end = query.index(b"\0", 12) + 5
        name, kind = query[12 : end - 4], struct.unpack("!H", query[end - 4 : end - 2])[0]
        host = b"\x02mx" + b"".join(bytes([len(label)]) + label.encode() for label in DOMAIN.split(".")) + b"\0"
        data = {15: struct.pack("!H", 10) + host, 1: bytes([203, 0, 113, 5])}.get(kind)
        records = b"" if data is None else name + struct.pack("!HHIH", kind, 1, 3600, len(data)) + data
        head = query[:2] + b"\x85\x80" + struct.pack("!HHHH", 1, 1 if data else 0, 0, 0)
        return head + query[12:end] + records


class Function:
    def __init__(self, program, environment, expected=200):
        self.api, self.expected = RuntimeApi(), expected
        lambda_environment = {
            "AWS_LAMBDA_FUNCTION_NAME": "bench",
            "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
            "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "256",
            "AWS_LAMBDA_RUNTIME_API": f"127.0.0.1:{self.api.server_port}",
            "AWS_REGION": "us-east-1",
            "AWS_ACCESS_KEY_ID": "local",
            "AWS_SECRET_ACCESS_KEY": "local",
        }
        self.process = subprocess.Popen([program], env=lambda_environment | environment, stderr=subprocess.DEVNULL)

    def cpu_ns(self):
        tasks = f"/proc/{self.process.pid}/task"
        return sum(int(open(f"{tasks}/{task}/schedstat").read().split()[0]) for task in os.listdir(tasks))

    def round(self, event):
        """Microseconds of CPU an invocation."""
        before = self.cpu_ns()
        for _ in range(INVOCATIONS):
            kind, answer = self.api.invoke(event)
            status = json.loads(answer).get("statusCode")
            assert (kind, status) == ("response", self.expected), answer
        return (self.cpu_ns() - before) / INVOCATIONS / 1000


def stack(program):
    """The table, in a process of its own, and a key that it knows."""
    process = subprocess.Popen([program, "serve", "--port", "0"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    lines = [process.stdout.readline().strip() for _ in range(5)]
    values = dict(line.rsplit(": ", 1) for line in lines if ": " in line)
    return process, values


def event(api_key):
    path = os.path.join(os.path.dirname(__file__), "../../../events/validate.json")
    event = json.load(open(path))
    event["headers"]["x-api-key"] = api_key
    event["body"] = json.dumps({"email": EMAIL, "flow": "signup"})
    return json.dumps(event).encode()


def own_name_server():
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    with tempfile.NamedTemporaryFile("w", delete=False) as file:
        file.write("nameserver 127.0.0.1\noptions ndots:1\n")
    subprocess.run(["mount", "--bind", file.name, os.path.realpath("/etc/resolv.conf")], check=True)
    server = NameServer()
    server.start()
    return server


def measure(name, validate, noop, question, rounds, name_server):
    for function in (validate, noop):
        function.round(question)
    asked = name_server.questions
    pairs = [(validate.round(question), noop.round(question)) for _ in range(rounds)]
    assert name_server.questions == asked, "DNS was not cached"
    ours, least = (statistics.median(column) for column in zip(*pairs))
    print(f"| {name} | {ours:.0f} | {least:.0f} | {ours / least:.2f} |", flush=True)


def main():
    validate_program, noop_program, gatepost, rounds = sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4])
    name_server = own_name_server()
    print(f"CPU of one warm invocation, us; medians of {rounds} rounds of {INVOCATIONS}, in turns")
    print("| what | validate | no-op | ratio |\n|---|---|---|---|")
    for name, settings in VARIANTS.items():
        # A table of its own: the arrival times of another limit mean nothing to this one.
        process, services = stack(gatepost)
        environment = {
            "AWS_ENDPOINT_URL_DYNAMODB": services["dynamodb"],
            "AWS_ENDPOINT_URL_S3": services["s3"],
            "GATEPOST_AUTH_KEY_HASH_SECRET": "local-development-only",
            "GATEPOST_LIMITS_TIMEOUT_MS": "5000",
            "GATEPOST_LIMITS_FAILURES_PER_MINUTE": "60000000",
        }
        if settings is None:
            validate, asked = Function(validate_program, environment | SILENT, expected=401), event("garbage")
        else:
            validate, asked = Function(validate_program, environment | settings), event(services["api key"])
        noop = Function(noop_program, {})
        measure(name, validate, noop, asked, rounds, name_server)
        for started in (validate.process, noop.process, process):
            started.kill()


if __name__ == "__main__":
    main()
