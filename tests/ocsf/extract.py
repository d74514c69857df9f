"""Writes tests/data/ocsf/: the JSON schemas of the classes that our events use, from PyPI ocsf-json-schema, with the objects
that occur in our events and nothing below the others. Run it again for another version."""

import json
import pathlib
import sys

from ocsf_json_schema import OcsfJsonSchemaEmbedded, get_ocsf_schema

VERSION = sys.argv[1] if len(sys.argv) > 1 else "1.8.0"
CLASSES = {"detection_finding": [], "authentication": [], "email_activity": ["security_control"]}
OBJECTS = {"metadata", "product", "finding_info", "analytic", "observable", "evidences", "user", "service", "email", "email_auth"}
KEPT = ("type", "enum", "required", "additionalProperties", "anyOf")


def reduced(schema):
    """Without titles and descriptions; what refers to an object that we do not use is left out, so that it is refused."""
    small = {name: schema[name] for name in KEPT if name in schema}
    if "$ref" in schema:
        name = schema["$ref"].rsplit("/", 1)[1]
        return {"$ref": name} if name in OBJECTS else None
    if "items" in schema:
        items = reduced(schema["items"])
        if items is None:
            return None
        small["items"] = items
    if "properties" in schema:
        properties = {name: reduced(of) for name, of in sorted(schema["properties"].items())}
        small["properties"] = {name: of for name, of in properties.items() if of is not None}
    return small


embedded = OcsfJsonSchemaEmbedded(get_ocsf_schema(version=VERSION))
out = pathlib.Path(__file__).parent.parent / "data" / "ocsf"
out.mkdir(exist_ok=True)
for name, profiles in CLASSES.items():
    schema = embedded.get_class_schema(class_name=name, profiles=profiles)
    small = reduced(schema)
    small["objects"] = {of: reduced(schema["$defs"][of]) for of in sorted(OBJECTS & schema["$defs"].keys())}
    (out / f"{name}.json").write_text(json.dumps(small, separators=(",", ":"), sort_keys=True) + "\n")
