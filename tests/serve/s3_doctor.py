"""What `northstar doctor` says of buckets, and the records that nobody can change.

Run as `python tests/serve/s3_doctor.py NORTHSTAR_BIN`.
"""

from __future__ import annotations

import datetime
import json
import os
import sys
import tempfile
from pathlib import Path

import server
from botocore.exceptions import ClientError
from expect import expect
from s3_northstar import Program
from s3_proxy import BUSY, LOST, PASS, Proxy
from s3_server import KEY, REGION, Server, objects

TABLES, RECORDS = "lake", "records"
TLS_ONLY = {
    "Effect": "Deny",
    "Principal": "*",
    "Action": "s3:*",
    "Condition": {"Bool": {"aws:SecureTransport": "false"}},
}
DAYS = 30


def findings(run, subject: str) -> dict[str, str]:  # noqa: ANN001
    """The state of each check of a subject."""
    lines = [json.loads(line) for line in run.out.splitlines()]
    return {line["check"]: line["state"] for line in lines if line["subject"] == subject}


def told(run, check: str) -> str:  # noqa: ANN001
    """What a check of any subject found."""
    return next(line["found"] for line in map(json.loads, run.out.splitlines()) if line["check"] == check)


def make_safe(client, bucket: str) -> None:  # noqa: ANN001
    """Sets a bucket up as `doctor` asks for."""
    default = {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": KEY}
    rule = {"ApplyServerSideEncryptionByDefault": default, "BucketKeyEnabled": True}
    client.put_bucket_encryption(Bucket=bucket, ServerSideEncryptionConfiguration={"Rules": [rule]})
    names = ["BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets"]
    block = dict.fromkeys(names, True)
    client.put_public_access_block(Bucket=bucket, PublicAccessBlockConfiguration=block)
    arns = [f"arn:aws:s3:::{bucket}", f"arn:aws:s3:::{bucket}/*"]
    policy = {"Version": "2012-10-17", "Statement": [{**TLS_ONLY, "Resource": arns}]}
    client.put_bucket_policy(Bucket=bucket, Policy=json.dumps(policy))
    enforced = {"Rules": [{"ObjectOwnership": "BucketOwnerEnforced"}]}
    client.put_bucket_ownership_controls(Bucket=bucket, OwnershipControls=enforced)
    client.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    rule = {"ID": "clean", "Status": "Enabled", "Filter": {"Prefix": ""}}
    rule["AbortIncompleteMultipartUpload"] = {"DaysAfterInitiation": 7}
    rule["NoncurrentVersionExpiration"] = {"NoncurrentDays": 35}
    client.put_bucket_lifecycle_configuration(Bucket=bucket, LifecycleConfiguration={"Rules": [rule]})


def settings_of_buckets(program: Program, client) -> None:  # noqa: ANN001
    """New buckets fail in each respect that S3 does not see to by itself; those that are set up do not."""
    doctor = lambda *words: program.run("--output", "json", "doctor", *words)  # noqa: E731
    # The settings come after the tables: ministack, which asks without TLS, holds no policy.
    found = doctor("--write", "--objects").fails(1)
    expect(
        "a new bucket",
        findings(found, f"bucket {TABLES}"),
        {
            "reached": "ok",
            "default encryption": "failing",
            "public access": "failing",
            "TLS only": "failing",
            "access lists": "ok",
            "versions": "warning",
            "unfinished uploads": "warning",
            "written": "ok",
            "objects": "ok",
        },
    )
    expect("Object Lock of a new bucket for records", findings(found, f"bucket {RECORDS}")["Object Lock"], "ok")
    expect("what is left of the probe", [key for key in objects(client, TABLES) if "doctor" in key], [])
    people = program.run("doctor").fails(1)
    assert "failing  TLS only: there is no policy" in people.out, people.out
    assert max(map(len, people.out.splitlines())) <= 100, people.out
    for bucket in (TABLES, RECORDS):
        make_safe(client, bucket)
    retention = {"DefaultRetention": {"Mode": "COMPLIANCE", "Days": DAYS}}
    lock = {"ObjectLockEnabled": "Enabled", "Rule": retention}
    client.put_object_lock_configuration(Bucket=RECORDS, ObjectLockConfiguration=lock)
    safe = doctor("--write", "--objects").ok()
    expect("states of buckets that are set up", {line["state"] for line in map(json.loads, safe.out.splitlines())}, {"ok"})
    half = {"BlockPublicAcls": True, "IgnorePublicAcls": False, "BlockPublicPolicy": True, "RestrictPublicBuckets": True}
    client.put_public_access_block(Bucket=TABLES, PublicAccessBlockConfiguration=half)
    expect("a half block", told(doctor().fails(1), "public access"), "not wholly blocked: no IgnorePublicAcls")
    client.delete_bucket_policy(Bucket=TABLES)
    narrow = {**TLS_ONLY, "Action": "s3:PutObject", "Resource": f"arn:aws:s3:::{TABLES}/*"}
    client.put_bucket_policy(Bucket=TABLES, Policy=json.dumps({"Version": "2012-10-17", "Statement": [narrow]}))
    expect("a narrow policy", told(doctor().fails(1), "TLS only"), "the policy lets requests without TLS in")
    make_safe(client, TABLES)


def single_objects(program: Program, client) -> None:  # noqa: ANN001
    """An object of another client, without the key, is found, and then encrypted where it stands."""
    doctor = lambda *words: program.run("--output", "json", "doctor", *words)  # noqa: E731
    keys = ["tables/foreign file.bin", "tables/ümlaut+plus.bin"]
    for key in keys:
        more = {"ServerSideEncryption": "AES256", "StorageClass": "STANDARD_IA"}
        client.put_object(Bucket=TABLES, Key=key, Body=b"as it was", **more)
    client.put_object(Bucket=TABLES, Key="tables-of-others/file.bin", Body=b"", ServerSideEncryption="AES256")
    found = doctor("--objects").fails(1)
    count = len([key for key in objects(client, TABLES) if key.startswith("tables/")])
    expect("objects", told(found, "objects"), f"2 of {count} are not encrypted with the key: {', '.join(keys)}")
    done = doctor("--objects", "--encrypt").ok()
    expect("objects", told(done, "objects"), f"2 of {count} were encrypted with the key just now")
    expect("objects", told(doctor("--objects").ok(), "objects"), f"{count} are encrypted with the key")
    for key in keys:
        got = client.get_object(Bucket=TABLES, Key=key)
        expect("key", got["SSEKMSKeyId"], KEY)
        expect("bytes", got["Body"].read(), b"as it was")
        expect("storage class", got.get("StorageClass"), "STANDARD_IA")
    other = client.head_object(Bucket=TABLES, Key="tables-of-others/file.bin")
    expect("an object beside the warehouse", other["ServerSideEncryption"], "AES256")


def locked(client, kind: str) -> dict[str, str]:  # noqa: ANN001
    """The records of a kind, each looked at: locked, for as long as asked for, encrypted."""
    found = {}
    for key in objects(client, RECORDS):
        if key.startswith(f"northstar/{kind}/"):
            got = client.get_object(Bucket=RECORDS, Key=key)
            expect(f"lock of {key}", got["ObjectLockMode"], "COMPLIANCE")
            kept = got["ObjectLockRetainUntilDate"] - got["LastModified"]
            expect(f"days of {key}", round(kept / datetime.timedelta(days=1)), DAYS)
            expect(f"key of {key}", got["SSEKMSKeyId"], KEY)
            found[key] = got["Body"].read().decode()
    return found


def records_of_accesses(program: Program, client) -> None:  # noqa: ANN001
    """Each line of the local record is a locked object too."""
    local = program.folder / "scratch" / "access.jsonl"
    program.sql("SELECT count(*) FROM bronze.lab").ok()
    found = locked(client, "access")
    expect("records", sorted(found.values()), sorted(local.read_text().splitlines()))
    expect("what was done", {json.loads(line)["action"] for line in found.values()}, {"create", "open"})
    key = min(found)
    day = datetime.datetime.now(datetime.UTC).date()
    assert key.split("/")[2] in (f"{day}", f"{day - datetime.timedelta(days=1)}"), key
    version = client.head_object(Bucket=RECORDS, Key=key)["VersionId"]
    try:
        client.delete_object(Bucket=RECORDS, Key=key, VersionId=version)
    except ClientError as error:
        expect("removal of a record", error.response["Error"]["Code"], "AccessDenied")
    else:
        raise AssertionError("a record was removed")


def records_on_bad_days(program: Program, proxied: Program, proxy: Proxy, client) -> None:  # noqa: ANN001
    """A record that cannot be kept ends the command before a row is told; lost answers are settled."""
    names = iter(range(100))
    client.create_bucket(Bucket="unlocked")
    query = "SELECT count(*) FROM bronze.lab"
    for bucket, says in (("unlocked", "Object Lock"), ("nowhere", "NoSuchBucket")):
        options = [*program.options]
        options[options.index("--audit") + 1] = f"s3://{bucket}/northstar"
        other = Program(program.binary, program.folder, program.warehouse, program.endpoint, options)
        failed = other.sql(query).fails(1, says)
        expect("rows told", failed.out, "")
    is_record = lambda request: request.method == "PUT" and request.path.startswith(f"/{RECORDS}/")  # noqa: E731
    for fault in (LOST, BUSY):
        before = len(locked(client, "access"))
        first = next(names)
        seen: list[str] = []

        def once(request, fault=fault, seen=seen):  # noqa: ANN001, ANN202
            if is_record(request) and not seen:
                seen.append(request.path)
                return fault
            return PASS

        proxy.with_rule(once)
        proxied.sql(query).ok()
        expect(f"faults {first}", len(seen), 1)
        expect(f"records after one {fault}", len(locked(client, "access")), before + 1)
    proxy.with_rule(lambda request: BUSY if is_record(request) else PASS)
    failed = proxied.sql(query).fails(3, "SlowDown")
    expect("rows told", failed.out, "")
    proxy.with_rule(lambda _: PASS)


def records_of_runs(program: Program, proxied: Program, proxy: Proxy, client) -> None:  # noqa: ANN001
    """What a job did and cost is a locked object too; a job whose record is not taken is done all the same."""
    local = program.folder / "scratch" / "runs.jsonl"
    lines = lambda: sorted(local.read_text().splitlines())  # noqa: E731
    expect("records", sorted(locked(client, "runs").values()), lines())
    load = json.loads(lines()[0])
    expect("job", (load["job"], load["outcome"], load["actor"]), ("load csv", "done", "tester"))
    expect("rows", (load["counts"]["read_rows"], load["counts"]["inserted_rows"]), (2, 2))
    expect("files", load["inputs"]["names"], ["lab.csv"])
    assert load["cost"]["s3"]["put"] > 0 and load["cost"]["s3"]["nanodollars"] > 0, load["cost"]
    is_run = lambda request: request.method == "PUT" and f"/{RECORDS}/northstar/runs/" in request.path  # noqa: E731
    before = len(locked(client, "runs"))
    proxy.with_rule(lambda request: BUSY if is_run(request) else PASS)
    done = proxied.run("maintain", "retention", "bronze.lab").ok()
    assert "not recorded whole" in done.err, done.err
    proxy.with_rule(lambda _: PASS)
    expect("records after one that was not taken", len(locked(client, "runs")), before)
    expect("the same on this machine", len(lines()), before + 1)


class Audited(server.Server):
    """`northstar serve` in a folder, which records in a bucket."""

    def __init__(self, binary: str, folder: Path, endpoint: str) -> None:
        super().__init__(binary, folder)
        audit = ["--audit", f"s3://{RECORDS}/northstar", "--audit-days", str(DAYS), "--kms-key", KEY]
        self.command[1:1] = [*audit, "--s3-endpoint", endpoint, "--s3-region", REGION, "--s3-retries", "0"]


def records_of_requests(binary: str, folder: Path, s3: Server, client) -> None:  # noqa: ANN001
    """The server's log goes into the bucket, also what a server that was killed has left."""
    lines = lambda: "".join(locked(client, "requests").values()).splitlines()  # noqa: E731
    actions = lambda: [json.loads(line)["action"] for line in lines()]  # noqa: E731
    here = lambda: sorted(path.name for path in northstar.warehouse.glob("requests*"))  # noqa: E731
    with Proxy(s3.url) as proxy:
        northstar = Audited(binary, folder, proxy.url)
        northstar.start()
        northstar.client("glue").get_databases()
        northstar.stop()
        expect("requests in the bucket", actions(), ["GetDatabases"])
        expect("log on this machine", here(), [])
        northstar.start()
        northstar.client("glue").get_databases()
        northstar.kill()
        expect("log of a server that was killed", here(), ["requests.jsonl"])
        # S3 does not answer: the server ends well, and the log stays.
        proxy.with_rule(lambda _: BUSY)
        northstar.start()
        northstar.client("glue").get_databases()
        northstar.stop()
        waiting = here()
        expect("pieces that wait", len(waiting), 1)
        assert "could not be put into the bucket" in northstar.log(), northstar.log()
        proxy.with_rule(lambda _: PASS)
        northstar.start()
        northstar.client("glue").create_database(DatabaseInput={"Name": "silver"})
        northstar.stop()
        expect("requests in the bucket", sorted(actions()), ["CreateDatabase"] + ["GetDatabases"] * 3)
        expect("log on this machine", here(), [])


def main() -> None:
    binary = Path(sys.argv[1])
    os.environ.update({"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_REGION": REGION})
    os.environ.update({"AWS_EC2_METADATA_DISABLED": "true"})
    with tempfile.TemporaryDirectory() as name, Server.ministack(Path(name)) as s3, Proxy(s3.url) as proxy:
        folder, client = Path(name), s3.client()
        client.create_bucket(Bucket=TABLES)
        client.create_bucket(Bucket=RECORDS, ObjectLockEnabledForBucket=True)
        options = ["--kms-key", KEY, "--audit", f"s3://{RECORDS}/northstar", "--audit-days", str(DAYS)]
        program = Program(binary, folder, f"s3://{TABLES}/tables", s3.url, options)
        proxied = Program(binary, folder, program.warehouse, proxy.url, [*options, "--s3-retries", "2"])
        (folder / "extract").mkdir()
        (folder / "extract" / "lab.csv").write_text("id,day\n1,2\n3,4\n", encoding="utf-8")
        program.run("load", "csv", "--from", str(folder / "extract"), "--into", "bronze").ok()
        settings_of_buckets(program, client)
        print("doctor test ok: settings of buckets", flush=True)
        single_objects(program, client)
        print("doctor test ok: single objects", flush=True)
        records_of_accesses(program, client)
        records_on_bad_days(program, proxied, proxy, client)
        print("doctor test ok: records of accesses", flush=True)
        records_of_runs(program, proxied, proxy, client)
        print("doctor test ok: records of runs", flush=True)
        records_of_requests(str(binary), folder / "serve", s3, client)
        print("doctor test ok: records of requests", flush=True)


if __name__ == "__main__":
    main()
