"""Writes rfc7208-tests.json from rfc7208-tests.yml, with the zones spelt out.

    pip install pyyaml && python3 convert.py

Spelt out means: an SPF record is copied to TXT where the name has no TXT of its own, `TXT: NONE` suppresses that, and a
bare TIMEOUT becomes the failure of every type that is not answered by an earlier entry of the name.
"""

import json
from pathlib import Path

import yaml

HERE = Path(__file__).parent
ASKED_TYPES = ["TXT", "A", "AAAA", "MX", "PTR", "CNAME"]


def octets(text):
    """YAML's \\xEF is an octet, which the text form of JSON can only hold as part of the character that it belongs to."""
    try:
        return text.encode("latin-1").decode("utf-8")
    except UnicodeError:
        return text


def data(value):
    if isinstance(value, list):
        return [data(item) for item in value]
    return octets(value) if isinstance(value, str) else value


def node(entries):
    records, fails = {}, False
    own_txt = any("TXT" in entry for entry in entries if isinstance(entry, dict))
    for entry in entries:
        if entry == "TIMEOUT":
            fails = True
            break
        for record_type, value in entry.items():
            name = "TXT" if record_type == "SPF" and not own_txt else record_type
            if name != "SPF" and value != "NONE":
                records.setdefault(name, []).append(data(value))
    if fails:
        records["_behavior"] = {name: "timeout" for name in ASKED_TYPES if name not in records}
    return records


def case(name, test):
    results = test["result"] if isinstance(test["result"], list) else [test["result"]]
    converted = {
        "id": name,
        "host": test["host"],
        "helo": test["helo"],
        "mailfrom": test["mailfrom"],
        "results": results,
        "spec": str(test["spec"]),
    }
    return converted | ({"explanation": test["explanation"]} if "explanation" in test else {})


def scenario(document):
    return {
        "description": document["description"],
        "zone": {name: node(entries) for name, entries in document["zonedata"].items()},
        "cases": [case(name, test) for name, test in document["tests"].items()],
    }


def main():
    documents = yaml.safe_load_all((HERE / "rfc7208-tests.yml").read_text(encoding="utf-8"))
    scenarios = [scenario(document) for document in documents if document]
    text = json.dumps(scenarios, indent=1, ensure_ascii=True)
    (HERE / "rfc7208-tests.json").write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
