"""What the policies of the templates let whom do, and that none of them says more than it must.

Run as `python tests/image/policies.py`.
"""

from __future__ import annotations

import fnmatch
import re
import sys
from pathlib import Path
from typing import Any, Iterator

sys.path.insert(0, str(Path(__file__).parents[1] / "serve"))
from expect import expect  # noqa: E402
from template import ACCOUNT, APPLICATION, ARNS, KEY, REGION, Template  # noqa: E402

Statement = dict[str, Any]
# Statements that are wider than the rule, and why. One that is not needed any more fails the test.
WIDE = {
    "WarehouseBucketPolicy TlsOnly": "a Deny, of everything; `northstar doctor` looks for just this",
    "RecordsBucketPolicy TlsOnly": "a Deny, of everything; `northstar doctor` looks for just this",
    "Key TheAccountGovernsTheKey": "in the policy of a key `*` is that key",
    "Key PoliciesOfTheAccountLetReadersIn": "in the policy of a key `*` is that key",
    "Key JobsUseTheKey": "in the policy of a key `*` is that key",
    "Key LogsAreEncrypted": "in the policy of a key `*` is that key",
    "Key AlarmsAreEncrypted": "in the policy of a key `*` is that key",
    "Key EventsAreEncrypted": "in the policy of a key `*` is that key",
    "AlarmTopicPolicy Events": "EventBridge takes no condition in the policy of a topic",
    "DoctorPolicy NameDatabases": "GetDatabases asks for the right to every database; it tells their names",
    "ExecutionPolicy NameDatabases": "GetDatabases asks for the right to every database; it tells their names",
    "ExecutionPolicy FindLogGroups": "DescribeLogGroups lists; it asks for the right to every group",
}
# Kinds whose policies name no resource, because they stand at one.
OF_ONE = ("Repository", "ExecutionRole AssumeRole", "SubmitRole AssumeRole")
POLICIES = {
    "AWS::KMS::Key": ["KeyPolicy"],
    "AWS::S3::BucketPolicy": ["PolicyDocument"],
    "AWS::ECR::Repository": ["RepositoryPolicyText"],
    "AWS::IAM::Role": ["AssumeRolePolicyDocument", "Policies"],
    "AWS::IAM::RolePolicy": ["PolicyDocument"],
    "AWS::IAM::ManagedPolicy": ["PolicyDocument"],
    "AWS::SNS::TopicPolicy": ["PolicyDocument"],
}
LAKE, RECORDS, EXTRACTS = "arn:aws:s3:::lake", "arn:aws:s3:::records", "arn:aws:s3:::extracts"
GLUE, LOGS = f"arn:aws:glue:{REGION}:{ACCOUNT}", f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group"
RUN = f"{ARNS['Application']}/jobruns/1"
OTHER = f"arn:aws:emr-serverless:{REGION}:{ACCOUNT}:/applications/2"

# What jobs do (docs/s3.md, docs/glue.md, docs/doctor.md), and what they must not be able to.
JOBS_MAY = [
    ("s3:ListBucket", EXTRACTS),
    ("s3:GetObject", f"{EXTRACTS}/emr/daily/2026/lab.csv"),
    ("s3:ListBucket", LAKE),
    *[(f"s3:{action}", f"{LAKE}/lake/bronze/lab/data/1.parquet") for action in
      ("GetObject", "PutObject", "DeleteObject", "AbortMultipartUpload")],
    ("s3:GetObject", f"{LAKE}/program/launcher.py"),
    ("s3:PutObject", f"{RECORDS}/northstar/access/2026-01-01/1.json"),
    ("s3:PutObjectRetention", f"{RECORDS}/northstar/access/2026-01-01/1.json"),
    ("kms:GenerateDataKey", KEY),
    ("kms:Decrypt", KEY),
    ("glue:GetDatabases", f"{GLUE}:catalog"),
    ("glue:GetDatabases", f"{GLUE}:database/other"),
    *[(f"glue:{action}", resource) for action in ("CreateTable", "GetTable", "GetTables", "UpdateTable") for resource in
      (f"{GLUE}:catalog", f"{GLUE}:database/northstar_bronze", f"{GLUE}:table/northstar_bronze/lab")],
    ("glue:CreateDatabase", f"{GLUE}:database/northstar_silver"),
    ("logs:PutLogEvents", f"{LOGS}:/aws/emr-serverless/northstar:log-stream:driver"),
]
JOBS_MAY_NOT = [
    ("s3:GetObject", f"{EXTRACTS}/emr/weekly/lab.csv"),
    ("s3:PutObject", f"{EXTRACTS}/emr/daily/lab.csv"),
    ("s3:GetObject", f"{LAKE}/lakes/1"),
    ("s3:PutObject", f"{LAKE}/program/launcher.py"),
    ("s3:DeleteObjectVersion", f"{LAKE}/lake/bronze/lab/data/1.parquet"),
    ("s3:PutBucketPolicy", LAKE),
    ("s3:GetObject", f"{RECORDS}/northstar/access/2026-01-01/1.json"),
    ("s3:DeleteObject", f"{RECORDS}/northstar/access/2026-01-01/1.json"),
    ("s3:BypassGovernanceRetention", f"{RECORDS}/northstar/access/2026-01-01/1.json"),
    ("kms:ScheduleKeyDeletion", KEY),
    ("kms:Decrypt", KEY[:-1] + "f"),
    ("glue:GetTables", f"{GLUE}:table/other/lab"),
    ("glue:UpdateTable", f"{GLUE}:table/other/lab"),
    ("glue:DeleteTable", f"{GLUE}:table/northstar_bronze/lab"),
    ("logs:PutLogEvents", f"{LOGS}:/aws/emr-serverless/other:log-stream:driver"),
    ("iam:PassRole", ARNS["ExecutionRole"]),
    ("emr-serverless:StartJobRun", ARNS["Application"]),
]
AIRFLOW_MAY = [
    *[(f"emr-serverless:{action}", ARNS["Application"]) for action in
      ("StartJobRun", "GetApplication", "StartApplication")],
    *[(f"emr-serverless:{action}", RUN) for action in ("GetJobRun", "CancelJobRun")],
    ("iam:PassRole", ARNS["ExecutionRole"]),
]
AIRFLOW_MAY_NOT = [
    ("emr-serverless:StartJobRun", OTHER),
    ("emr-serverless:CancelJobRun", f"{OTHER}/jobruns/1"),
    ("emr-serverless:UpdateApplication", ARNS["Application"]),
    ("iam:PassRole", f"arn:aws:iam::{ACCOUNT}:role/administrator"),
    ("s3:GetObject", f"{LAKE}/lake/bronze/lab/data/1.parquet"),
    ("kms:Decrypt", KEY),
]


def listed(value: Any) -> list[Any]:
    """The members of a list, or the one that stands without a list."""
    return [] if value is None else value if isinstance(value, list) else [value]


def statements(template: Template) -> Iterator[tuple[str, Statement]]:
    """Each statement of a template's policies, by whose it is."""
    for kind, members in POLICIES.items():
        for resource in template.resources(kind):
            properties = template.properties(resource)
            for member in members:
                for policy in listed(properties.get(member)):
                    of = f"{resource} AssumeRole" if member.startswith("Assume") else resource
                    for statement in policy.get("PolicyDocument", policy)["Statement"]:
                        yield of, statement


def is_of_all(resource: str) -> bool:
    """Whether a resource is all there are of a kind: `*`, `BUCKET/*`, `database/*`."""
    if resource == "*":
        return True
    parts = re.split("[:/]", resource.split(":", 5)[-1])
    first = next((at for at, part in enumerate(parts) if "*" in part), None)
    return first is not None and first <= 1 and parts[first] == "*"


def faults(of: str, statement: Statement) -> list[str]:
    """What a statement says that no statement should."""
    found = [f"has {name}" for name in ("NotAction", "NotResource", "NotPrincipal") if name in statement]
    if any("*" in action for action in listed(statement.get("Action"))):
        found.append("has an action with a wildcard")
    resources = listed(statement.get("Resource"))
    if not resources and of not in OF_ONE:
        found.append("names no resource")
    allows = statement["Effect"] == "Allow"
    if any(resource == "*" or (allows and is_of_all(resource)) for resource in resources):
        found.append("is of all resources")
    principal = statement.get("Principal")
    if allows and (principal == "*" or "*" in listed((principal or {}).get("AWS"))):
        found.append("lets everybody in")
    if allows and isinstance(principal, dict) and "Service" in principal and "Condition" not in statement:
        found.append("lets a service in for whichever account")
    if allows and "iam:PassRole" in listed(statement["Action"]) and "Condition" not in statement:
        found.append("passes a role to whichever service")
    return found


def nothing_too_wide(templates: list[Template]) -> None:
    """No wildcards but those that are listed, and none listed in vain."""
    wide: dict[str, list[str]] = {}
    count = 0
    for template in templates:
        for of, statement in statements(template):
            count += 1
            if found := faults(of, statement):
                wide.setdefault(f"{of} {statement['Sid']}", []).extend(found)
    expect("statements that are wider than the rule", sorted(wide), sorted(WIDE))
    assert count >= 30, f"only {count} statements were found"
    resources = [of for template in templates for of in template.text["Resources"].values()]
    expect("kinds with policies", sorted({of["Type"] for of in resources if "Statement" in str(of)}), sorted(POLICIES))


def the_rule_finds_faults() -> None:
    """Each fault is found in a statement that has it."""
    good = {"Effect": "Allow", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::lake/lake/*"}
    expect("a good statement", faults("x", good), [])
    for change in (
        {"Action": "s3:*"},
        {"Action": ["s3:GetObject", "s3:Put*"]},
        {"Resource": "*"},
        {"Resource": "arn:aws:s3:::lake/*"},
        {"Resource": "arn:aws:s3:::*"},
        {"Resource": f"{GLUE}:table/*/*"},
        {"NotAction": "s3:GetObject"},
        {"Principal": "*"},
        {"Principal": {"AWS": "*"}},
        {"Principal": {"Service": "events.amazonaws.com"}},
        {"Action": "iam:PassRole", "Resource": ARNS["ExecutionRole"]},
    ):
        assert faults("x", {**good, **change}), f"no fault was found in {change}"


def may(given: list[Statement], action: str, resource: str) -> bool:
    """Whether statements allow an action on a resource. Conditions are taken for true."""
    return any(
        statement["Effect"] == "Allow"
        and action in listed(statement["Action"])
        and any(fnmatch.fnmatchcase(resource, pattern) for pattern in listed(statement["Resource"]))
        for statement in given
    )


def rights(template: Template) -> None:
    """Jobs and Airflow may do what they do, and no more."""
    for of, allowed, refused in (
        ("ExecutionPolicy", JOBS_MAY, JOBS_MAY_NOT),
        ("SubmitRole", AIRFLOW_MAY, AIRFLOW_MAY_NOT),
    ):
        given = [statement for whose, statement in statements(template) if whose == of]
        expect(f"refused by {of}", [pair for pair in allowed if not may(given, *pair)], [])
        expect(f"allowed by {of}", [pair for pair in refused if may(given, *pair)], [])
    with_key = Template("northstar.yaml", SourceKeyArn=KEY[:-1] + "f")
    given = [statement for whose, statement in statements(with_key) if whose == "ExecutionPolicy"]
    assert may(given, "kms:Decrypt", KEY[:-1] + "f"), "extracts with a key of their own cannot be read"
    lists = {statement["Sid"]: statement["Condition"] for statement in given if statement["Action"] == "s3:ListBucket"}
    wanted = {
        "ListSources": {"StringLike": {"s3:prefix": ["emr/daily", "emr/daily/*"]}},
        "ListTables": {"StringLikeIfExists": {"s3:prefix": ["lake", "lake/*"]}},
    }
    expect("listings", lists, wanted)


def the_application(template: Template) -> None:
    """Image and network are there if they are named; no log goes anywhere but to the group with the key."""
    plain = template.properties("Application")
    without_value = {"ImageConfiguration", "NetworkConfiguration"} & set(plain)
    expect("parts without a value", without_value, set())
    monitoring = plain["MonitoringConfiguration"]
    expect("managed logs", monitoring["ManagedPersistenceMonitoringConfiguration"], {"Enabled": False})
    expect("key of the logs", template.properties("LogGroup")["KmsKeyId"], KEY)
    named = Template("northstar.yaml", Image="a/b:1", SubnetIds=["subnet-1"], SecurityGroupIds=["sg-1"])
    found = named.properties("Application")
    expect("image", found["ImageConfiguration"], {"ImageUri": "a/b:1"})
    expect("network", found["NetworkConfiguration"], {"SubnetIds": ["subnet-1"], "SecurityGroupIds": ["sg-1"]})
    for alarm in named.resources("AWS::CloudWatch::Alarm"):
        of = named.properties(alarm)
        dimensions = {one["Name"]: one["Value"] for one in of["Dimensions"]}
        expect(f"dimensions of {alarm}", dimensions, {"ApplicationId": APPLICATION, "ApplicationName": "northstar"})
        expect(f"whom {alarm} tells", of["AlarmActions"], [ARNS["AlarmTopic"]])
    expect("key of the alarms", named.properties("AlarmTopic")["KmsMasterKeyId"], KEY)


def main() -> None:
    storage, application = Template("storage.yaml"), Template("northstar.yaml")
    the_rule_finds_faults()
    nothing_too_wide([storage, application])
    rights(application)
    the_application(application)


if __name__ == "__main__":
    main()
