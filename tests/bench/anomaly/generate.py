#!/usr/bin/env python3
"""Traffic of invented email flows with labelled attacks, to judge the anomaly detector on shapes it was not built on.

usage: generate.py SEED FOLDER [SERIES]

Writes per series 35 days of five-minute buckets (`ts,total,auth_fail,top1,distinct`, UTC), and labels.json (attacks), ignore.json
(lasting changes of level that nobody attacked), calendar.json (announced campaigns and holidays), as `gatepost backtest` and
the scoring script read them.

What differs from plain daily sine waves: five shapes of a day (office block with a lunch dip, two humps, evening peak, hourly jobs,
around the clock), log-level that wanders from day to day and within the day, gamma-Poisson noise, bursts that are natural, drift and
jumps of level, rows that are missing, and a clock that changes in the fourth week for half of the series. Eight kinds of attack from
day 15 on: flood, microburst, single_sender, domain_mix, dmarc, ramp, low_slow, outage. Their size is drawn in multiples of what
the series carries, never fitted to a detector.
"""
import json, math, os, random, sys
from datetime import datetime, timedelta

START, DAYS, PER_DAY = datetime(2026, 3, 2), 35, 288
KINDS = ["flood", "microburst", "single_sender", "domain_mix", "dmarc", "ramp", "low_slow", "outage"]


def poisson(rng, mean):
    if mean > 50:
        return max(0, round(rng.gauss(mean, math.sqrt(mean))))
    count, product, limit = 0, rng.random(), math.exp(-mean)
    while product > limit:
        count += 1
        product *= rng.random()
    return count


def binomial(rng, n, p):
    if n > 60:
        return min(n, max(0, round(rng.gauss(n * p, math.sqrt(max(0.0, n * p * (1 - p)))))))
    return sum(rng.random() < p for _ in range(n))


def bump(hour, centre, width):
    away = abs((hour - centre + 12) % 24 - 12)
    return math.exp(-0.5 * (away / width) ** 2)


SHAPES = [
    lambda h: 0.08 + (1.0 if 8 <= h < 18 else 0.0) * (0.65 if 12 <= h < 13 else 1.0),
    lambda h: 0.1 + bump(h, 10, 1.8) + 0.8 * bump(h, 16, 2.2),
    lambda h: 0.15 + bump(h, 20.5, 2.5) + 0.25 * bump(h, 8, 2),
    lambda h: 0.5 + (2.5 if h % 1 < 0.09 else 0.0) + 0.4 * bump(h, 14, 4),
    lambda h: 1.0,
]


class Series:
    def __init__(self, rng, name):
        self.rng, self.name = rng, name
        self.base = math.exp(rng.uniform(math.log(0.04), math.log(2500)))
        self.shape = rng.choice(SHAPES)
        self.zone = rng.choice([-5, 0, 1, 3, 8])
        self.change = START + timedelta(days=rng.randint(22, 26)) if rng.random() < 0.5 else None
        self.weekend = rng.choice([0.15, 0.4, 0.8, 1.0, 1.3])
        self.noise = rng.uniform(0.005, 0.12)
        self.failures = rng.uniform(0.003, 0.08)
        self.first = rng.uniform(0.15, 0.6)
        self.spread = rng.uniform(0.6, 0.98)
        self.trend = rng.gauss(0, 0.004)
        self.labels, self.ignore, self.calendar, self.effects = [], [], [], []

    def expected(self, time, wander):
        local = time + timedelta(hours=self.zone)
        if self.change and time >= self.change:
            local += timedelta(hours=1)
        level = self.base * self.shape(local.hour + local.minute / 60) * math.exp(wander)
        return level * (self.weekend if local.weekday() > 4 else 1.0)

    def plan(self):
        rng, busy = self.rng, []

        def free(length, first=15.0):
            for _ in range(60):
                start = int(rng.uniform(first, DAYS - length / PER_DAY - 0.5) * PER_DAY)
                if all(start + length + 60 < a or b + 60 < start for a, b in busy):
                    busy.append((start, start + length))
                    return start
            return None

        for kind, chance, first in [("campaign", 0.6, 3), ("campaign", 0.6, 16), ("holiday", 0.5, 8), ("shift", 0.12, 17)]:
            if rng.random() > chance:
                continue
            length = {"campaign": rng.randint(12, 40), "holiday": PER_DAY, "shift": 3 * PER_DAY}[kind]
            start = free(length, first)
            if start is None:
                continue
            start = start // PER_DAY * PER_DAY if kind == "holiday" else start
            factor = {"campaign": rng.uniform(2, 6), "holiday": rng.uniform(0.2, 0.6), "shift": rng.choice([0.5, 1.6])}[kind]
            self.effects.append((kind, start, length, factor))
            entry = {**self.span(start, length), "kind": kind}
            if kind == "shift":
                self.ignore.append({**self.span(start, 4 * PER_DAY), "kind": "level_shift"})
            else:
                self.calendar.append(entry)
        for _ in range(rng.choice([0, 0, 1, 1, 2, 3])):
            kind = rng.choice(KINDS)
            if self.base < 0.5 and kind in ("outage", "low_slow", "domain_mix"):
                kind = rng.choice(["flood", "single_sender", "ramp"])
            length = {"flood": rng.randint(3, 30), "microburst": 1, "single_sender": rng.randint(4, 36), "dmarc": rng.randint(8, 48),
                      "domain_mix": rng.randint(10, 60), "ramp": rng.randint(30, 120), "low_slow": rng.randint(144, 432),
                      "outage": rng.randint(8, 48)}[kind]
            start = free(length)
            if start is not None:
                size = {"flood": rng.uniform(3, 15), "microburst": rng.uniform(4, 10), "single_sender": rng.uniform(0.8, 3),
                        "dmarc": rng.uniform(0.08, 0.4), "domain_mix": rng.uniform(0.35, 0.9), "ramp": rng.uniform(2, 6),
                        "low_slow": rng.uniform(0.3, 0.8), "outage": rng.uniform(0, 0.15)}[kind]
                self.effects.append((kind, start, length, size))
                self.labels.append({**self.span(start, length), "kind": kind})
        self.labels.sort(key=lambda it: it["start"])

    def span(self, start, length):
        text = lambda index: (START + timedelta(minutes=5 * index)).strftime("%Y-%m-%dT%H:%M")
        return {"start": text(start), "end": text(start + length - 1)}

    def rows(self):
        rng, wander, within = self.rng, 0.0, 0.0
        missing = {index for _ in range(rng.choice([0, 0, 0, 1, 2])) for start in [rng.randrange(DAYS * PER_DAY)]
                   for index in range(start, start + rng.randint(1, 30))}
        for index in range(DAYS * PER_DAY):
            if index % PER_DAY == 0:
                wander = 0.6 * wander + rng.gauss(0, 0.08)
            within = 0.97 * within + rng.gauss(0, 0.03)
            time = START + timedelta(minutes=5 * index)
            if index in missing:
                continue
            yield time, self.row(index, self.expected(time, wander + within + self.trend * index / PER_DAY))

    def row(self, index, mean):
        rng = self.rng
        floor = max(mean, self.base * 0.3)
        extra = lone = 0.0
        fail, first, spread, hostile = self.failures, self.first, self.spread, 0.1
        for kind, start, length, size in self.effects:
            at = index - start
            if kind == "shift" and at >= 0:
                mean *= size
            if not 0 <= at < length:
                continue
            if kind in ("campaign", "holiday", "outage"):
                mean *= size
            elif kind == "flood":
                extra, hostile = max(size * floor, 8.0) * rng.choice([1.0, 1.0, 0.4]), rng.choice([0.1, 0.5])
            elif kind == "microburst":
                extra = max(size * floor, 20.0)
            elif kind == "single_sender":
                lone = max(size * floor, 6.0)
            elif kind == "domain_mix":
                first, spread = first * (1 - size), min(1.0, spread + 0.7 * (1 - spread))
            elif kind == "dmarc":
                fail = min(0.9, fail + size)
            elif kind == "ramp":
                extra, hostile = max(size * floor, 6.0) * (at + 1) / length, 0.3
            elif kind == "low_slow":
                extra, hostile = size * mean, 0.25
        if rng.random() < 0.0015:
            mean *= rng.uniform(1.3, 2.2)
        usual = poisson(rng, rng.gammavariate(1 / self.noise, self.noise * mean)) if mean > 0 else 0
        more, one = poisson(rng, extra) if extra else 0, poisson(rng, lone) if lone else 0
        total = usual + more + one
        failed = binomial(rng, usual, fail) + binomial(rng, more, hostile)
        top = binomial(rng, usual, first) + binomial(rng, more, 0.1) + one
        distinct = min(total, max(1 if total else 0, binomial(rng, usual, spread) + binomial(rng, more, 0.8) + (1 if one else 0)))
        return total, failed, min(total, top), distinct


def main(seed, folder, count):
    rng = random.Random(seed)
    os.makedirs(folder, exist_ok=True)
    tables = {"labels": {}, "ignore": {}, "calendar": {}}
    for number in range(count):
        series = Series(rng, f"g{number:03}")
        series.plan()
        with open(os.path.join(folder, series.name + ".csv"), "w") as out:
            out.write("ts,total,auth_fail,top1,distinct\n")
            for time, row in series.rows():
                out.write(f"{time:%Y-%m-%dT%H:%M},{','.join(map(str, row))}\n")
        for table in tables:
            tables[table][series.name] = getattr(series, table)
    for table, content in tables.items():
        with open(os.path.join(folder, table + ".json"), "w") as out:
            json.dump(content, out, indent=1)


if __name__ == "__main__":
    if len(sys.argv) not in (3, 4):
        sys.exit(__doc__)
    main(int(sys.argv[1]), sys.argv[2], int(sys.argv[3]) if len(sys.argv) == 4 else 100)
