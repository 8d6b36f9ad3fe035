"""CloudFormation templates, with what their functions come to for given parameters."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import yaml

EMR = Path(__file__).parents[2] / "jobs" / "emr"
REGION, ACCOUNT = "us-east-1", "111122223333"
KEY = f"arn:aws:kms:{REGION}:{ACCOUNT}:key/0a1b2c3d-0000-4000-8000-000000000000"
PSEUDO = {"Partition": "aws", "Region": REGION, "AccountId": ACCOUNT, "URLSuffix": "amazonaws.com"}
APPLICATION = "00f0example01"
# What the tests set up; parameters with a default have that.
PARAMETERS = {
    "SourceBucket": "extracts",
    "SourcePrefix": "emr/daily",
    "WarehouseBucketName": "lake",
    "RecordsBucketName": "records",
    "KeyArn": KEY,
    "SubmitterArn": f"arn:aws:iam::{ACCOUNT}:role/airflow-worker",
}
ARNS = {
    "Key": KEY,
    "Application": f"arn:aws:emr-serverless:{REGION}:{ACCOUNT}:/applications/{APPLICATION}",
    "LogGroup": f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group:/aws/emr-serverless/northstar:*",
    "ExecutionRole": f"arn:aws:iam::{ACCOUNT}:role/northstar-execution",
    "AlarmTopic": f"arn:aws:sns:{REGION}:{ACCOUNT}:northstar-alarms",
}
REFERRED = {"Application": APPLICATION, "AlarmTopic": ARNS["AlarmTopic"]}
NO_VALUE = object()


class Loader(yaml.SafeLoader):
    """YAML with CloudFormation's short forms."""


def short(loader: Loader, name: str, node: yaml.Node) -> dict[str, Any]:
    """`!Sub x` as `{"Fn::Sub": x}`."""
    if isinstance(node, yaml.ScalarNode):
        value: Any = loader.construct_scalar(node)
    elif isinstance(node, yaml.SequenceNode):
        value = loader.construct_sequence(node, deep=True)
    else:
        value = loader.construct_mapping(node, deep=True)
    return {name if name == "Ref" else f"Fn::{name}": value}


Loader.add_multi_constructor("!", short)


class Template:
    """One template and its parameters' values."""

    def __init__(self, name: str, **parameters: str) -> None:
        self.text = yaml.load((EMR / name).read_text(encoding="utf-8"), Loader)
        asked = self.text["Parameters"]
        self.values = {key: of["Default"] for key, of in asked.items() if "Default" in of}
        self.values.update({key: value for key, value in PARAMETERS.items() if key in asked})
        self.values.update(parameters)
        missing = sorted(set(asked) - set(self.values))
        assert not missing, f"parameters without a value: {missing}"

    def properties(self, resource: str) -> dict[str, Any]:
        """The properties of a resource."""
        return self.come_to(self.text["Resources"][resource]["Properties"])

    def resources(self, kind: str) -> list[str]:
        """The resources of a kind."""
        return [name for name, of in self.text["Resources"].items() if of["Type"] == kind]

    def come_to(self, value: Any) -> Any:
        """A value without functions."""
        if isinstance(value, list):
            return [found for found in map(self.come_to, value) if found is not NO_VALUE]
        if not isinstance(value, dict):
            return value
        if len(value) == 1:
            [(name, of)] = value.items()
            if name == "Ref":
                return self._ref(of)
            if name.startswith("Fn::"):
                return self._function(name[4:], of)
        found = {key: self.come_to(of) for key, of in value.items()}
        return {key: of for key, of in found.items() if of is not NO_VALUE}

    def _ref(self, name: str) -> Any:
        if name == "AWS::NoValue":
            return NO_VALUE
        if name.startswith("AWS::"):
            return PSEUDO[name[5:]]
        return self.values[name] if name in self.values else REFERRED.get(name, name)

    def _function(self, name: str, of: Any) -> Any:
        if name == "Sub":
            return re.sub(r"\$\{([\w.:]+)}", lambda found: self._substitute(found.group(1)), of)
        if name == "GetAtt":
            return self._attribute(of)
        if name == "If":
            return self.come_to(of[1] if self._function("Condition", of[0]) else of[2])
        if name == "Condition":
            return self.come_to(self.text["Conditions"][of])
        if name == "Not":
            return not self.come_to(of[0])
        if name == "Equals":
            first, second = self.come_to(of)
            return first == second
        if name == "Join":
            between, parts = self.come_to(of)
            return between.join([parts] if isinstance(parts, str) else parts)
        raise NotImplementedError(name)

    def _substitute(self, name: str) -> str:
        return self._attribute(name) if "." in name else str(self._ref(name))

    def _attribute(self, of: str) -> str:
        resource, attribute = of.split(".", 1)
        return ARNS[resource] if attribute == "Arn" else f"{resource}.{attribute}"
