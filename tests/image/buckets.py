"""Buckets as the template makes them: `northstar doctor` finds all of it well, and their policies let it write.

Run as `python tests/image/buckets.py NORTHSTAR_BIN`. The template's properties are put onto servers that stand for
S3 by the calls that CloudFormation makes. ministack holds settings; moto enforces policies.
"""

from __future__ import annotations

import datetime
import json
import os
import sys
import tempfile
from pathlib import Path
from typing import Any, Callable

sys.path.insert(0, str(Path(__file__).parents[1] / "serve"))
from botocore.exceptions import ClientError  # noqa: E402
from expect import expect  # noqa: E402
from s3_northstar import Program  # noqa: E402
from s3_server import REGION, Server  # noqa: E402
from template import KEY, Template  # noqa: E402

DAYS = 2192
CHECKS = {
    "lake": ["reached", "default encryption", "public access", "TLS only", "access lists", "versions",
             "unfinished uploads", "older versions"],
    "records": ["reached", "default encryption", "public access", "TLS only", "access lists", "versions",
                "unfinished uploads", "Object Lock", "default retention"],
}
Client = Any


def lifecycle(client: Client, bucket: str, value: dict[str, Any]) -> None:
    """S3 calls a rule's name `ID`, has the marker of a removed object in `Expiration`, and wants a filter."""
    rules = []
    for rule in value["Rules"]:
        rule = {"Filter": {"Prefix": ""}, "ID": rule["Id"], **{name: of for name, of in rule.items() if name != "Id"}}
        if "ExpiredObjectDeleteMarker" in rule:
            rule["Expiration"] = {"ExpiredObjectDeleteMarker": rule.pop("ExpiredObjectDeleteMarker")}
        rules.append(rule)
    client.put_bucket_lifecycle_configuration(Bucket=bucket, LifecycleConfiguration={"Rules": rules})


def encryption(client: Client, bucket: str, value: dict[str, Any]) -> None:
    """S3 calls a rule's default `ApplyServerSideEncryptionByDefault`."""
    rules = [
        {
            "BucketKeyEnabled": rule["BucketKeyEnabled"],
            "ApplyServerSideEncryptionByDefault": rule["ServerSideEncryptionByDefault"],
        }
        for rule in value["ServerSideEncryptionConfiguration"]
    ]
    client.put_bucket_encryption(Bucket=bucket, ServerSideEncryptionConfiguration={"Rules": rules})


# A property that is not here fails the test: nothing of the template is left out unseen.
SETTINGS: dict[str, Callable[[Client, str, Any], object]] = {
    "BucketName": lambda *_: None,
    "ObjectLockEnabled": lambda *_: None,
    "BucketEncryption": encryption,
    "LifecycleConfiguration": lifecycle,
    "OwnershipControls": lambda client, bucket, value: client.put_bucket_ownership_controls(
        Bucket=bucket, OwnershipControls=value
    ),
    "PublicAccessBlockConfiguration": lambda client, bucket, value: client.put_public_access_block(
        Bucket=bucket, PublicAccessBlockConfiguration=value
    ),
    "VersioningConfiguration": lambda client, bucket, value: client.put_bucket_versioning(
        Bucket=bucket, VersioningConfiguration=value
    ),
    "ObjectLockConfiguration": lambda client, bucket, value: client.put_object_lock_configuration(
        Bucket=bucket, ObjectLockConfiguration=value
    ),
}


def make(client: Client, template: Template, resource: str) -> str:
    """Makes a bucket of the template; yields its name."""
    properties = template.properties(resource)
    bucket = properties["BucketName"]
    client.create_bucket(Bucket=bucket, ObjectLockEnabledForBucket=properties.get("ObjectLockEnabled", False))
    for name, value in properties.items():
        SETTINGS[name](client, bucket, value)
    return bucket


def policy(template: Template, resource: str, leaves: tuple[str, ...] = ()) -> str:
    """The policy of a bucket, without some of its statements."""
    document = template.properties(resource)["PolicyDocument"]
    kept = [statement for statement in document["Statement"] if statement["Sid"] not in leaves]
    expect("statements left out", len(document["Statement"]) - len(kept), len(leaves))
    return json.dumps({**document, "Statement": kept})


def doctor(program: Program, *words: str) -> dict[tuple[str, str], str]:
    """The state of each check, by subject and check."""
    run = program.run("--output", "json", "doctor", *words)
    assert run.code in (0, 1), f"exit {run.code}\n{run.out}\n{run.err}"
    return {(line["subject"], line["check"]): line["state"] for line in map(json.loads, run.out.splitlines())}


def all_is_well(binary: Path, folder: Path, template: Template) -> None:
    """Every finding of both buckets is ok; a setting that is taken away is found."""
    with Server.ministack(folder) as s3:
        client = s3.client()
        options = ["--kms-key", KEY, "--audit", "s3://records/northstar", "--audit-days", str(DAYS)]
        program = Program(binary, folder, "s3://lake/lake", s3.url, options)
        extract = folder / "extract"
        extract.mkdir()
        (extract / "lab.csv").write_text("id,day\n1,2\n", encoding="utf-8")
        made = [make(client, template, of) for of in ("WarehouseBucket", "RecordsBucket")]
        expect("buckets", made, ["lake", "records"])
        # ministack takes a lock for any bucket; CloudFormation does so only if the bucket is made for it.
        expect("made for Object Lock", template.properties("RecordsBucket")["ObjectLockEnabled"], True)
        # ministack, which asks without TLS, enforces no policy: tables can be made before and after.
        for bucket, resource in (("lake", "WarehouseBucketPolicy"), ("records", "RecordsBucketPolicy")):
            client.put_bucket_policy(Bucket=bucket, Policy=policy(template, resource))
        program.run("load", "csv", "--from", str(extract), "--into", "northstar_bronze").ok()
        found = doctor(program, "--write", "--objects")
        of_buckets = {check: state for check, state in found.items() if check[0].startswith("bucket ")}
        expect("what is not ok", {check: state for check, state in of_buckets.items() if state != "ok"}, {})
        for bucket, checks in CHECKS.items():
            seen = [check for subject, check in found if subject == f"bucket {bucket}"]
            expect(f"checks of {bucket}", sorted(set(checks) - set(seen)), [])
        record = next(iter(client.list_objects_v2(Bucket="records")["Contents"]))
        got = client.head_object(Bucket="records", Key=record["Key"])
        expect("lock of a record", got["ObjectLockMode"], "COMPLIANCE")
        kept = got["ObjectLockRetainUntilDate"] - got["LastModified"]
        expect("days of a record", round(kept / datetime.timedelta(days=1)), DAYS)
        client.delete_bucket_policy(Bucket="records")
        expect("without a policy", doctor(program)["bucket records", "TLS only"], "failing")


def policies_let_northstar_in(binary: Path, folder: Path, template: Template) -> None:
    """What is not encrypted with the key is refused, and what Northstar writes is not."""
    with Server.moto(folder) as s3:
        client = s3.client()
        client.create_bucket(Bucket="lake")
        # The test's server has no TLS, and no retention is asked for here.
        client.put_bucket_policy(Bucket="lake", Policy=policy(template, "WarehouseBucketPolicy", ("TlsOnly",)))
        program = Program(binary, folder, "s3://lake/lake", s3.url, ["--kms-key", KEY])
        program.run("load", "csv", "--from", str(folder / "extract"), "--into", "northstar_silver").ok()
        expect("rows", program.table("northstar_silver.lab", "id"), [("id",), ("1",)])
        good = {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": KEY}
        client.put_object(Bucket="lake", Key="lake/1", Body=b"", **good)
        for asked in (
            {},
            {"ServerSideEncryption": "AES256"},
            {"ServerSideEncryption": "aws:kms"},
            {**good, "SSEKMSKeyId": KEY[:-1] + "f"},
        ):
            try:
                client.put_object(Bucket="lake", Key="lake/2", Body=b"", **asked)
            except ClientError as error:
                expect(f"refusal of {asked}", error.response["ResponseMetadata"]["HTTPStatusCode"], 403)
            else:
                raise AssertionError(f"an object was taken with {asked}")


def main() -> None:
    binary, template = Path(sys.argv[1]).resolve(), Template("storage.yaml")
    os.environ.update({"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_REGION": REGION})
    os.environ["AWS_EC2_METADATA_DISABLED"] = "true"
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        all_is_well(binary, folder, template)
        again = folder / "again"
        again.mkdir()
        (folder / "extract").rename(again / "extract")
        policies_let_northstar_in(binary, again, template)


if __name__ == "__main__":
    main()
