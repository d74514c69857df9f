"""Writes what CloudFormation is given of template.yaml once its transform has run, so that it can be looked at without an account.

    python3 .ci/expand.py template.yaml expanded.json
"""

import json
import sys

from samtranslator.translator.transform import transform
from samtranslator.yaml_helper import yaml_parse

# What `sam package` would upload.
CODE = {"Bucket": "code", "Key": "code.zip"}


class ManagedPolicies:
    """Of which the template names none by its name."""

    def load(self):
        return {}


def expanded(source):
    template = yaml_parse(source)
    for resource in template["Resources"].values():
        if resource["Type"] == "AWS::Serverless::Function":
            resource["Properties"]["CodeUri"] = CODE
    return transform(template, {}, ManagedPolicies())


def main():
    source, target = sys.argv[1:]
    with open(source) as file:
        template = expanded(file.read())
    with open(target, "w") as file:
        json.dump(template, file, indent=1, default=str)


main()
