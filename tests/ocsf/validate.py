"""Validates OCSF events, one JSON object a line on standard input, against the schema of PyPI ocsf-json-schema.

A line of our log counts as well: its field `ocsf` holds the event as a text. Fails when there is no event at all.
"""

import json
import sys

from jsonschema import Draft202012Validator
from ocsf_json_schema import OcsfJsonSchemaEmbedded, get_ocsf_schema


def events(lines):
    for line in lines:
        line = line.strip()
        if not line.startswith("{"):
            continue
        value = json.loads(line)
        value = value.get("fields", value)
        if "ocsf" in value:
            value = value["ocsf"]
        if "class_uid" in value:
            yield value


def main():
    classes = {2004: "detection_finding", 3002: "authentication", 4009: "email_activity"}
    schemas, count, bad = {}, {}, 0
    for event in events(sys.stdin):
        name = classes[event["class_uid"]]
        profiles = event["metadata"].get("profiles", [])
        key = (name, tuple(profiles), event["metadata"]["version"])
        if key not in schemas:
            embedded = OcsfJsonSchemaEmbedded(get_ocsf_schema(version=key[2]))
            schemas[key] = Draft202012Validator(embedded.get_class_schema(class_name=name, profiles=profiles))
        count[name] = count.get(name, 0) + 1
        for error in schemas[key].iter_errors(event):
            bad += 1
            print(f"{name}: {'/'.join(map(str, error.path))}: {error.message[:200]}", file=sys.stderr)
    print(f"events: {count}, faults: {bad}")
    sys.exit(1 if bad or not count else 0)


main()
