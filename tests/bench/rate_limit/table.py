"""The lines of main.rs and peer.mjs side by side: table.py MEASURED SCENARIOS.json. Exits with 1 when ours misses its bar."""

import json
import sys

# What ours has to keep, in writes a decision.
BARS = {"hot key denied": 0.01, "hot key admitted": 0.05, "many keys": 1.0}
WRITES = ("UpdateItem", "PutItem", "DeleteItem", "TransactWriteItems")

measured, peers = {}, []
with open(sys.argv[1], encoding="utf-8") as lines:
    for row in map(json.loads, lines):
        measured[row["who"], row["scenario"]] = row
        if row["who"] not in peers:
            peers.append(row["who"])
with open(sys.argv[2], encoding="utf-8") as file:
    scenarios = json.load(file)


def decisions(row):
    return row["admitted"] + row["denied"] + row["failed"]


def writes(row):
    written = sum(row["calls"].get(operation, 0) for operation in WRITES)
    if row["scenario"] == "hot key denied":
        # What flows in meanwhile is admitted, by one write each.
        return (written - row["admitted"]) / max(row["denied"], 1)
    return written / decisions(row)


def calls(row):
    return sum(row["calls"].values()) / decisions(row)


def cell(scenario, show):
    return " | ".join(show(measured[peer, scenario]) for peer in peers)


window, limit = scenarios["window_s"], scenarios["limit"]
print("| | " + " | ".join(peers) + " |")
print("|---" * (len(peers) + 1) + "|")
for scenario in BARS:
    print(f"| {scenario}: writes a decision | {cell(scenario, lambda row: f'{writes(row):.4f}')} |")
    print(f"| {scenario}: decisions; CPU of the limiter, µs each | "
          + cell(scenario, lambda row: f"{decisions(row)}; {1e6 * row['cpu_seconds'] / decisions(row):.0f}") + " |")
flooded = "hot key denied"
print(f"| flood of {scenarios['flood_s']} s on a spent key: admitted, of a limit of {limit} in {window} s | "
      + cell(flooded, lambda row: str(row["admitted"])) + " |")
print(f"| boundary attack: most admitted in {window} s, of a limit of {limit} | "
      + cell("boundary attack", lambda row: str(row["fullest_window"])) + " |")
print("| every call throttled: calls and seconds a decision, and who decides | "
      + cell("every call throttled", lambda row: f"{calls(row):.1f}, {row['seconds'] / decisions(row):.3f}, "
             + ("an error" if row["failed"] else "a local limit")) + " |")

missed = [f"{scenario}: {writes(measured['gatepost', scenario]):.4f} writes a decision, more than {bar}"
          for scenario, bar in BARS.items() if bar < writes(measured["gatepost", scenario])]
missed += [f"{scenario}: more than {limit} in {window} s" for scenario in ("hot key denied", "boundary attack")
           if limit < measured["gatepost", scenario]["fullest_window"]]
missed += [f"{scenario}: {measured['gatepost', scenario]['failed']} decisions failed" for scenario in BARS
           if measured["gatepost", scenario]["failed"]]
if missed:
    sys.exit("gatepost misses: " + "; ".join(missed))
