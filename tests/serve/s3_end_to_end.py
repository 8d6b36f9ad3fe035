"""A warehouse in a bucket from load to expiry, beside the same in a folder: rows, encryption, what is left behind.

Run as `python tests/serve/s3_end_to_end.py NORTHSTAR_BIN`.
"""

from __future__ import annotations

import json
import re
import sys
import tempfile
from pathlib import Path

from s3_northstar import Program, wide_rows
from s3_proxy import Proxy
from s3_server import KEY, Server, objects, uploads

BUCKET = "lake"
ENCRYPTED = {"Effect": "Deny", "Principal": "*", "Action": "s3:PutObject", "Resource": f"arn:aws:s3:::{BUCKET}/*"}


def every_object_is_encrypted(client) -> int:  # noqa: ANN001
    """Asks S3 for each object how it is encrypted; how many there are."""
    found = objects(client, BUCKET)
    assert found, "there are no objects"
    for key in found:
        head = client.head_object(Bucket=BUCKET, Key=key)
        assert head.get("ServerSideEncryption") == "aws:kms", f"{key}: {head.get('ServerSideEncryption')}"
        assert head.get("SSEKMSKeyId") == KEY, f"{key}: {head.get('SSEKMSKeyId')}"
    return len(found)


def tables(program: Program) -> list[str]:
    """The tables that there are, by name."""
    return sorted(row[0] for row in program.run("--output", "csv", "tables").ok().rows()[1:])


# What differs between two runs of one load, by intent.
OF_THE_RUN = {"_batch_id", "_loaded_at", "_arrived_at", "_ingested_at", "recorded_at", "quarantined_at"}


def without(rows: list[tuple[str, ...]], names: set[str]) -> list[tuple[str, ...]]:
    """Rows without the columns of some names, sorted; the header first."""
    header = rows[0]
    kept = [at for at, column in enumerate(header) if column not in names]
    return [tuple(header[at] for at in kept), *sorted(tuple(row[at] for at in kept) for row in rows[1:])]


def alike(local: Program, bucket: Program) -> int:
    """Compares all rows of all tables; how many there were."""
    names = tables(local)
    assert names == tables(bucket), (names, tables(bucket))
    count = 0
    for name in names:
        ours, theirs = without(local.table(name), OF_THE_RUN), without(bucket.table(name), OF_THE_RUN)
        assert ours == theirs, f"{name}: {[pair for pair in zip(ours, theirs) if pair[0] != pair[1]][:2]}"
        count += len(ours) - 1
    return count


def work(program: Program, emr: Path, big: Path) -> None:
    """Load, MERGE, row statements, compaction, expiry, orphans."""
    program.run("load", "csv", "--from", str(emr / "extract"), "--into", "bronze").ok()
    program.run("load", "csv", "--from", str(big), "--into", "bronze").ok()
    lab = "silver.lab_result"
    for day in (1, 2, 3):
        program.run("merge", lab, "--changes", str(emr / f"changes/day_{day}/lab_result.csv")).ok()
    program.sql("UPDATE bronze.lab_result SET comment = 'seen' WHERE lab_result_id % 7 = 3").ok()
    program.sql("DELETE FROM bronze.big WHERE id LIKE '%7'").ok()
    for table in (lab, "bronze.lab_result", "bronze.big"):
        program.run("maintain", "compact", table).ok()
        program.run("maintain", "expire", table, "--older-than", "0d", "--keep", "1").ok()
        program.run("maintain", "orphans", table, "--older-than", "1d", "--apply").ok()
    program.sql("DELETE FROM bronze.big WHERE id LIKE '%3'").ok()


def end_to_end(binary: Path, root: Path) -> None:
    """The same work in a folder and in a bucket."""
    emr, big = root / "emr", wide_rows(root / "wide", "big", 40_000, 7)
    Program(binary, root, "lake").run("generate", "--to", str(emr), "--patients", "150", "--seed", "7").ok()
    local = Program(binary, root, str(root / "local"))
    with Server.ministack(root) as server, Proxy(server.url) as proxy:
        client = server.client()
        client.create_bucket(Bucket=BUCKET)
        bucket = Program(binary, root, f"s3://{BUCKET}/a b/warehouse", proxy.url)
        work(local, emr, big)
        work(bucket, emr, big)
        rows = alike(local, bucket)
        looks_back(local, bucket)
        parts = [request for request in proxy.seen.requests if request.is_part]
        assert len(parts) >= 3, "no file was large enough for parts"
        count = every_object_is_encrypted(client)
        assert not uploads(client, BUCKET), uploads(client, BUCKET)
        print(f"  {rows} rows alike in {len(tables(local))} tables; {count} encrypted objects; {len(parts)} parts")
        told(bucket)
        refused(binary, root, proxy)


def looks_back(local: Program, bucket: Program) -> None:
    """Rows of the past, changes between snapshots and the history of a key."""
    ids = local.sql("SELECT max(lab_result_id) FROM silver.lab_result").ok().rows()[1]
    keys = local.folder / "keys"
    keys.write_text("\n".join(ids) + "\n")
    answers = []
    for program in (local, bucket):
        header, *snapshots = program.run("--output", "csv", "snapshots", "bronze.big").ok().out.splitlines()
        first = dict(zip(header.split(","), snapshots[0].split(",")))["snapshot"]
        past = program.sql(f"SELECT count(*) FROM bronze.big VERSION AS OF {first}").ok().rows()
        diff = ("--output", "csv", "diff", "bronze.big", "--from", first, "--key", "id")
        # The first two are ids of snapshots.
        changes = program.run(*diff).ok().rows()[1][2:]
        history = ("--output", "csv", "history", "silver.lab_result", "--key-from", str(keys))
        versions = without(program.run(*history).ok().rows(), {"_snapshot", "_committed", "_batch_id"})
        assert len(versions) > 1, "a key has no history"
        answers.append((len(snapshots), past, changes, versions))
    assert answers[0] == answers[1], answers


def told(bucket: Program) -> None:
    """A job says what it asked of S3, and what that costs."""
    err = bucket.sql("SELECT count(*) FROM silver.lab_result").ok().err
    line = next(line for line in err.splitlines() if "S3:" in line)
    assert re.search(r"\d+ GET", line) and re.search(r"about \$0\.\d{6} for requests", line), line


def refused(binary: Path, root: Path, proxy: Proxy) -> None:
    """What is not safe is refused before anything is sent."""
    before = len(proxy.seen.requests)
    place = f"s3://{BUCKET}/other"
    no_key = Program(binary, root, place, proxy.url, options=[])
    no_key.run("tables").fails(1, "--kms-key", "--allow-unencrypted")
    clear = Program(binary, root, place, "http://s3.example.org")
    clear.run("tables").fails(1, "https", "--s3-allow-http")
    Program(binary, root, place).run("tables").fails(1, "--catalog URL")
    assert len(proxy.seen.requests) == before


def bucket_policy(binary: Path, root: Path) -> None:
    """A bucket that takes nothing unencrypted refuses a writer without a key, and says what to check."""
    small = wide_rows(root / "small", "small", 50, 3)
    with Server.moto(root) as server:
        client = server.client()
        client.create_bucket(Bucket=BUCKET)
        condition = {"StringNotEquals": {"s3:x-amz-server-side-encryption": "aws:kms"}}
        policy = {"Version": "2012-10-17", "Statement": [{**ENCRYPTED, "Condition": condition}]}
        client.put_bucket_policy(Bucket=BUCKET, Policy=json.dumps(policy))
        folder = root / "policy"
        folder.mkdir()
        load = ("load", "csv", "--from", str(small), "--into", "bronze")
        program = Program(binary, folder, f"s3://{BUCKET}/w", server.url, options=["--allow-unencrypted"])
        # moto gives no code.
        program.run(*load).fails(1, "status 403", "bucket's policy", "kms:GenerateDataKey")
        assert not objects(client, BUCKET)
        program.options = ["--kms-key", KEY]
        program.run(*load).ok()
        assert len(program.table("bronze.small")) == 51
        every_object_is_encrypted(client)


def main() -> None:
    """Runs all, or those that are named."""
    binary = Path(sys.argv[1]).resolve()
    checks = [end_to_end, bucket_policy]
    named = sys.argv[2:] or [check.__name__ for check in checks]
    for check in [check for check in checks if check.__name__ in named]:
        with tempfile.TemporaryDirectory() as folder:
            check(binary, Path(folder))
        print(f"s3 test ok: {check.__name__}", flush=True)


if __name__ == "__main__":
    main()
