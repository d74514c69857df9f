"""Starts each handler under the emulator, asks it twice, and prints medians and ratios."""

import http.client
import json
import os
import pathlib
import re
import socket
import statistics
import subprocess
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).parent.parent / "warm"))
from drive import event, own_name_server, stack  # noqa: E402

HANDLERS = {"gatepost": "gatepost", "Node 20": "node20", "Python 3.11": "python3"}
PATH = "/2015-03-31/functions/function/invocations"


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def ask(port, question):
    """Milliseconds of one invocation."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    begun = time.perf_counter()
    connection.request("POST", PATH, question)
    answer = json.loads(connection.getresponse().read())
    took = (time.perf_counter() - begun) * 1000
    assert answer.get("statusCode") == 200, answer
    assert json.loads(answer["body"])["verdict"] == "accept", answer
    return took


def peak_memory(parent):
    """Megabytes of the emulator's child at their most."""
    tasks = [pathlib.Path(path, "children").read_text().split() for path in pathlib.Path(f"/proc/{parent}/task").iterdir()]
    pids = [pid for task in tasks for pid in task]
    status = pathlib.Path(f"/proc/{pids[0]}/status").read_text()
    return int(re.search(r"VmHWM:\s+(\d+)", status)[1]) / 1024


def start(folder, emulator, services):
    port = free_port()
    environment = {
        "PATH": os.environ["PATH"],
        "AWS_REGION": "us-east-1",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_ACCESS_KEY_ID": "local",
        "AWS_SECRET_ACCESS_KEY": "local",
        "AWS_LAMBDA_FUNCTION_NAME": "validate",
        "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "256",
        "AWS_ENDPOINT_URL_DYNAMODB": services["dynamodb"],
        "AWS_ENDPOINT_URL_S3": services["s3"],
        "GATEPOST_AUTH_KEY_HASH_SECRET": "local-development-only",
        "GATEPOST_LIMITS_TIMEOUT_MS": "2000",
        "RUST_LOG": "off",
    }
    command = [emulator, "--runtime-interface-emulator-address", f"127.0.0.1:{port}", str(folder / "bootstrap")]
    process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)
    while True:
        try:
            socket.create_connection(("127.0.0.1", port)).close()
            return process, port
        except ConnectionRefusedError:
            time.sleep(0.01)


def cold(folder, emulator, services, question):
    """First answer, second answer, in milliseconds, and peak memory in megabytes."""
    process, port = start(folder, emulator, services)
    try:
        return ask(port, question), ask(port, question), peak_memory(process.pid)
    finally:
        os.killpg(process.pid, 9)
        process.wait()


def main():
    work, emulator, gatepost, rounds = pathlib.Path(sys.argv[1]), sys.argv[2], sys.argv[3], int(sys.argv[4])
    own_name_server()
    process, services = stack(gatepost)
    question = event(services["api key"])
    runs = {name: [] for name in HANDLERS}
    for _ in range(rounds):
        for name, folder in HANDLERS.items():
            runs[name].append(cold(work / folder, emulator, services, question))
    process.kill()
    print(f"Medians of {rounds} cold starts each, in turns")
    print("| | first answer, ms | times ours | second answer, ms | peak memory, MB |\n|---|---|---|---|---|")
    medians = {name: [statistics.median(column) for column in zip(*run)] for name, run in runs.items()}
    for name, (first, second, memory) in medians.items():
        print(f"| {name} | {first:.1f} | {first / medians['gatepost'][0]:.1f} | {second:.1f} | {memory:.1f} |")


main()
