"""The scenario of `gatepost loadtest` for Locust: steady traffic, a surge of ten times as much, an attack inside the surge.

    LOAD_KEYS=keys.json locust --headless --only-summary -f tests/load/locustfile.py --host http://127.0.0.1:3000

LOAD_KEYS names a file {"customers": [KEY, ..], "hot": KEY}; keys.sh makes one. LOAD_RATE is the steady rate in requests a second
(30), LOAD_SECONDS how long it takes (300). Prints a table in Markdown at the end; of a local stack also what it wrote. Each user
asks once a second, whether or not the answer before was late: Locust has no open loop, `gatepost loadtest` has.
"""

import collections
import heapq
import json
import os
import random
import re
import time
import urllib.request

from locust import FastHttpUser, LoadTestShape, constant_throughput, events, task

RATE = int(os.environ.get("LOAD_RATE", "30"))
SECONDS = int(os.environ.get("LOAD_SECONDS", "300"))
with open(os.environ["LOAD_KEYS"], encoding="utf-8") as file:
    KEYS = json.load(file)

SOURCES = KEYS["customers"] + [KEYS["hot"]]
# Four customers have four fifths of the traffic.
LARGE, SMALL = KEYS["customers"][:4], KEYS["customers"][4:]
KNOWN = ["example.com", "example.net", "example.org", "mail.example", "implicit.example", "nullmx.example", "loopback.example"]
MALFORMED = ["ann", "ann@", "@example.com", "ann..b@example.com", "ann@exa mple.com"]
FLOWS = ["signup"] * 6 + ["login"] * 2 + ["password_reset", "newsletter"]
FLOOD = {f"x-flood-{field}": "0123456789abcdef" for field in range(300)}
ATTACKS = ("guessed_key", "header_flood")
PERMITS = {"validate": 1, "batch": 10, "posture": 10, "hot_key": 1}
WRITES = ("UpdateItem", "PutItem", "DeleteItem", "TransactWriteItems", "BatchWriteItem")
# `RateLimit-Policy` speaks about a minute.
WINDOW = 60

phase = "steady"
statuses = collections.defaultdict(collections.Counter)
unexpected = 0
# Of each key: the bound that it was promised, and (asked, answered, permits) of what it was granted.
bounds = {}
granted = collections.defaultdict(list)
calls_before = None


def address():
    choice = random.random()
    if choice < 0.08:
        return random.choice(MALFORMED)
    if choice < 0.2:
        return f"user{random.randrange(1_000)}@shop{random.randrange(5_000)}.example.org"
    return f"user{random.randrange(100_000)}@{random.choice(KNOWN)}"


def question():
    asked = {"email": address(), "flow": random.choice(FLOWS)}
    # Every other one names its end user, of which there are many.
    if random.random() < 0.5:
        asked["client_ip"] = f"2001:db8:{random.getrandbits(8):x}:{random.getrandbits(8):x}::1"
    return asked


class Caller(FastHttpUser):
    """Someone who asks once a second."""

    abstract = True
    wait_time = constant_throughput(1)

    def ask(self, kind, key, expected, path="/v1/validate", method="POST", headers=None, **body):
        global unexpected
        name, asked = f"{phase} {kind}", time.monotonic()
        # A local stack takes the first for where the request came from: attackers have addresses of their own.
        source = f"203.0.113.{random.randrange(8)}" if kind in ATTACKS else f"192.0.2.{1 + SOURCES.index(key)}"
        headers = {"x-local-source-ip": source, "x-api-key": key} | (headers or {})
        with self.client.request(method, path, name=name, headers=headers, catch_response=True, **body) as answer:
            statuses[name][answer.status_code] += 1
            if answer.status_code in expected:
                answer.success()
            else:
                answer.failure(f"{answer.status_code}")
                unexpected += 1
            if kind in PERMITS:
                note(key, asked, answer, PERMITS[kind])


def note(key, asked, answer, permits):
    policy = answer.headers.get("ratelimit-policy") or ""
    promised = re.match(rf'"default";q=(\d+);w={WINDOW}\b', policy)
    if promised:
        bounds[key] = int(promised[1])
    if answer.status_code == 200:
        granted[key].append((asked, time.monotonic(), permits))


class Customer(Caller):
    @task(940)
    def validate(self):
        self.ask("validate", self.key(), {200}, json=question())

    @task(40)
    def batch(self):
        self.ask("batch", self.key(), {200}, "/v1/validate/batch", json={"emails": [address() for _ in range(10)]})

    @task(5)
    def posture(self):
        self.ask("posture", self.key(), {200}, "/v1/domains/example.com/posture", "GET")

    @task(15)
    def malformed(self):
        self.ask("malformed", self.key(), {400}, json={"email": 5})

    @staticmethod
    def key():
        return random.choice(LARGE if random.random() < 0.8 else SMALL)


class Guesser(Caller):
    """Has no key. Without the checksum of a real one, so that the store is not even asked."""

    weight = 4

    @task
    def guess(self):
        key = f"gp_{random.getrandbits(64):016x}_{random.getrandbits(192):048x}"
        self.ask("guessed_key", key, {401, 429}, json=question())


class Hasty(Caller):
    """One customer with ten times what it may."""

    weight = 2

    @task
    def validate(self):
        self.ask("hot_key", KEYS["hot"], {200, 429}, json=question())


class Flooder(Caller):
    """More header fields than anybody needs."""

    weight = 1

    @task
    def flood(self):
        self.ask("header_flood", random.choice(SMALL), range(400, 500), headers=FLOOD, json=question())


class Peak(LoadTestShape):
    """Phase, its part of the time, users in multiples of the steady rate, and of which classes the users are that come."""

    phases = [
        ("steady", 0.40, 1.0, [Customer]),
        ("surge", 0.15, 10.0, [Customer]),
        ("attack", 0.30, 13.5, [Guesser, Hasty, Flooder]),
        ("recovery", 0.15, 1.0, [Customer]),
    ]

    def tick(self):
        global phase
        end = 0.0
        for name, part, times, classes in self.phases:
            end += part * SECONDS
            if self.get_run_time() < end:
                phase = name
                users = round(times * RATE)
                return users, 10 * RATE, classes
        return None


def most_within(admissions):
    """Permits that were both asked for and granted within the fullest minute."""
    most = held = 0
    within = []
    for asked, answered, permits in sorted(admissions, key=lambda admission: admission[1]):
        heapq.heappush(within, (asked, permits))
        held += permits
        while within[0][0] <= answered - WINDOW:
            held -= heapq.heappop(within)[1]
            if not within:
                break
        most = max(most, held)
    return most


@events.test_start.add_listener
def begin(environment, **_):
    global calls_before
    calls_before = calls(environment)


def calls(environment):
    """What a local stack asked of its table so far; nothing of a deployed one."""
    try:
        with urllib.request.urlopen(f"{environment.host}/local/calls", timeout=10) as answer:
            return json.load(answer)
    except OSError:
        return None


@events.test_stop.add_listener
def report(environment, **_):
    order = {name: index for index, (name, *_) in enumerate(Peak.phases)}
    entries = sorted(environment.stats.entries.values(), key=lambda entry: (order[entry.name.split()[0]], entry.name))
    print("| phase | kind | requests | p50 ms | p90 | p99 | p99.9 | max | answers |")
    print("|---|---|---|---|---|---|---|---|---|")
    for entry in entries:
        percentiles = " | ".join(f"{entry.get_response_time_percentile(p):.0f}" for p in (0.5, 0.9, 0.99, 0.999, 1.0))
        answers = ", ".join(f"{status}: {count}" for status, count in sorted(statuses[entry.name].items()))
        print(f"| {entry.name.replace(' ', ' | ')} | {entry.num_requests} | {percentiles} | {answers} |")
    total = environment.stats.total
    print(f"\n{total.num_requests} requests, {unexpected} with an answer that they should not get")
    decided = sum(count for name, counts in statuses.items() if name.split()[1] in PERMITS
                  for status, count in counts.items() if status in (200, 429))
    after = calls(environment)
    if calls_before is not None and after is not None:
        spent = {operation: count - calls_before.get(operation, 0) for operation, count in after.items()}
        writes = sum(spent.get(operation, 0) for operation in WRITES)
        print(f"DynamoDB: {writes} writes for {decided} decisions, {writes / max(decided, 1):.3f} each ({spent})")
    over = sum(max(0, most_within(granted[key]) - bound) for key, bound in bounds.items())
    hot = granted[KEYS["hot"]]
    print(f"limits: {over} permits of {len(bounds)} callers beyond the published bound; the hot key got {len(hot)}, "
          f"at most {most_within(hot)} in {WINDOW} s of {bounds.get(KEYS['hot'])}", flush=True)
