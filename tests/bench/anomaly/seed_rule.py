#!/usr/bin/env python3
"""The rule that most tutorials begin with, as a peer: a bucket above mean + 3 standard deviations of the last day is an alert.

usage: seed_rule.py FOLDER > ALERTS.jsonl
"""
import collections, csv, json, math, os, sys

DAY = 288


def alerts(path):
    window, total, squares, spans = collections.deque(), 0.0, 0.0, []
    for row in csv.DictReader(open(path)):
        value = float(row["total"])
        if len(window) == DAY:
            mean = total / DAY
            spread = math.sqrt(max(0.0, squares / DAY - mean * mean))
            if value > mean + 3 * spread:
                spans.append(row["ts"])
            oldest = window.popleft()
            total, squares = total - oldest, squares - oldest * oldest
        window.append(value)
        total, squares = total + value, squares + value * value
    return spans


for name in sorted(os.listdir(sys.argv[1])):
    if name.endswith(".csv"):
        for time in alerts(os.path.join(sys.argv[1], name)):
            print(json.dumps({"series": name[:-4], "start": time, "end": time}))
