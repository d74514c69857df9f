"""What gatepost costs in a month, from what was measured of it and the list prices of us-east-1.

    python3 tests/bench/cost/cost.py [millions of validations a month]

Prints the tables of docs/COST.md. No account is asked: prices and figures are those below.
"""

import sys

# ---- Measured of gatepost; the command that shows each
WRITES = {  # table writes a validation: tests/bench/rate_limit/run.sh
    "a write a validation": 1.0,
    "leases (1,000 a minute and more)": 1 / 64,
}
LOG_OCTETS = 600  # one event with its metrics: `gatepost serve` with AWS_LAMBDA_FUNCTION_NAME set
ACCESS_LOG_OCTETS = 300  # the format in template.yaml
MEMORY_GB = 0.25  # template.yaml
METRICS = 48  # names and outcomes that shared/src/metric.rs tells apart, with nine statuses of refusals
ALARMS = 15  # template.yaml

# ---- Assumed: nobody can measure it without an account
BILLED_MS = 20  # mostly the way to the table and DNS; of CPU a warm validation needs less than one

# ---- List prices, dollars
HTTP_API, REST_API = 1.00, 3.50  # a million requests
LAMBDA_REQUESTS = 0.20  # a million
LAMBDA_GB_SECOND = 0.0000133334  # arm64
WRITE_UNITS = 0.625  # a million, on demand
LOG_GB = 0.50
TRACES = 5.00  # a million recorded; 5 % are, and one a second
METRIC, ALARM, DASHBOARD, KMS_KEY, SECRET = 0.30, 0.10, 3.00, 1.00, 0.40  # a month
# A million, by https://www.neverbounce.com/help/how-does-pricing-and-billing-work: one by one, and bulk credits of 50,000
NEVERBOUNCE = {"one by one": 8000, "bulk credits": 5000}


def rows(writes):
    """Dollars a million validations, by what they go to."""
    return {
        "API Gateway (HTTP API)": HTTP_API,
        "Lambda, requests": LAMBDA_REQUESTS,
        f"Lambda, {BILLED_MS} ms of {int(MEMORY_GB * 1024)} MB": BILLED_MS * 1000 * MEMORY_GB * LAMBDA_GB_SECOND,
        "DynamoDB, writes": writes * WRITE_UNITS,
        "CloudWatch, logs": (LOG_OCTETS + ACCESS_LOG_OCTETS) * 1e6 / 1e9 * LOG_GB,
        "X-Ray, one of twenty": 0.05 * TRACES,
    }


def fixed():
    """Dollars a month without any traffic."""
    return {
        f"{METRICS} metrics": METRICS * METRIC,
        f"{ALARMS} alarms": ALARMS * ALARM,
        "dashboard, KMS key, secret": DASHBOARD + KMS_KEY + SECRET,
    }


def table(columns, lines):
    yield "| " + " | ".join(columns) + " |"
    yield "|---" * len(columns) + "|"
    for line in lines:
        yield "| " + " | ".join(line) + " |"


def main():
    millions = float(sys.argv[1]) if len(sys.argv) == 2 else 10
    kinds = {name: rows(writes) for name, writes in WRITES.items()}
    first = next(iter(kinds.values()))
    lines = [[what, *(f"{kind[what]:.2f}" for kind in kinds.values())] for what in first]
    totals = {name: sum(kind.values()) for name, kind in kinds.items()}
    lines.append(["**together**", *(f"**{total:.2f}**" for total in totals.values())])
    print("\n".join(table(["dollars a million", *kinds], lines)))
    print()
    standing = sum(fixed().values())
    lines = [[what, f"{dollars:.2f}"] for what, dollars in fixed().items()]
    print("\n".join(table(["dollars a month, with no traffic", ""], [*lines, ["**together**", f"**{standing:.2f}**"]])))
    print()
    dearest = max(totals.values())
    for way, dollars in NEVERBOUNCE.items():
        print(f"A million at NeverBounce, {way}: {dollars} $, {dollars / dearest:.0f} times as much.")
    print()
    print(f"{millions:g} million validations a month: ", end="")
    print(", ".join(f"{standing + millions * total:.0f} $ ({name})" for name, total in totals.items()) + ".")


main()
