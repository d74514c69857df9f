"""Writes signup.csv: fourteen days of sign-ups in 5-minute buckets, a history for a fresh stack.

Nothing is wrong in it. Traffic follows the hour of the day and the day of the week; counts are Poisson. The generator is
seeded, so every run writes the same file. Columns: the start of the bucket (UTC), all addresses judged, those rejected,
those of the busiest client network, and the number of different mail domains.
"""

import csv
import math
import random
from datetime import datetime, timedelta
from pathlib import Path

FIRST = datetime(2026, 11, 9)
LAST = datetime(2026, 11, 22, 23, 55)
BUCKET = timedelta(minutes=5)
SEED = 20261109

BUSIEST_MEAN = 26.0
QUIETEST_SHARE = 0.12
REJECTED_SHARE = 0.04
# Monday to Sunday.
DAY_SHARE = [1.0, 1.04, 1.02, 0.98, 0.9, 0.62, 0.66]


def mean_total(at):
    """Quietest at four in the morning, busiest at four in the afternoon, with a smaller peak in the evening."""
    hour = at.hour + at.minute / 60
    day = 0.5 - 0.5 * math.cos((hour - 4) / 24 * 2 * math.pi)
    evening = 0.25 * math.exp(-((hour - 20.5) ** 2) / 3)
    share = QUIETEST_SHARE + (1 - QUIETEST_SHARE) * min(1.0, day + evening)
    return BUSIEST_MEAN * DAY_SHARE[at.weekday()] * share


def poisson(chance, mean):
    limit, product, count = math.exp(-mean), chance.random(), 0
    while product > limit:
        product *= chance.random()
        count += 1
    return count


def share_of(chance, total, share):
    return sum(chance.random() < share for _ in range(total))


def bucket(chance, at):
    total = poisson(chance, mean_total(at))
    rejected = share_of(chance, total, REJECTED_SHARE)
    busiest = max(min(total, 1), share_of(chance, total, 0.12))
    domains = len({min(int(chance.expovariate(0.18)), 40) for _ in range(total)})
    return total, rejected, busiest, domains


def main():
    chance = random.Random(SEED)
    with open(Path(__file__).with_name("signup.csv"), "w", newline="") as file:
        rows = csv.writer(file, lineterminator="\n")
        rows.writerow(["ts", "total", "auth_fail", "top1", "distinct"])
        at = FIRST
        while at <= LAST:
            rows.writerow([at.strftime("%Y-%m-%dT%H:%M"), *bucket(chance, at)])
            at += BUCKET


if __name__ == "__main__":
    main()
