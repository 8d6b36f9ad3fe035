"""Sources in a bucket: loads, merges, reruns and backfills make of them what they make of the same files in a folder;
what S3 does on bad days loses and doubles nothing.

Run as `python tests/serve/s3_sources.py NORTHSTAR_BIN`.
"""

from __future__ import annotations

import random
import re
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import pyarrow
import pyarrow.parquet
from s3_end_to_end import alike
from s3_faults import Once, always
from s3_northstar import Program, Run, wide_rows
from s3_proxy import BUSY, CUT, DENIED, EXPIRED, LOST, PASS, UNSENT, Proxy, Request
from s3_server import REGION, Server, objects

BUCKET = "raw"
ROOT = f"s3://{BUCKET}/in coming"
LAB = "silver.lab_result"
CONTRACT = '[visit]\nkey = ["id"]\n[visit.columns]\nid = "long"\nsite = "string"\n'


class Bucket(Program):
    """A warehouse in a folder whose sources are in a bucket. No key is named, for nothing is written there."""

    endpoint_of_sources: str

    @classmethod
    def at(cls, binary: Path, folder: Path, url: str) -> Bucket:
        folder.mkdir()
        made = cls(binary, folder, str(folder / "lake"))
        made.endpoint_of_sources = url
        return made

    def run(self, *words: str) -> Run:
        return super().run("--s3-endpoint", self.endpoint_of_sources, "--s3-region", REGION, *words)


def put(client, folder: Path, prefix: str) -> None:  # noqa: ANN001
    """Puts all files of a folder into the bucket."""
    for path in folder.rglob("*"):
        if path.is_file():
            client.upload_file(str(path), BUCKET, f"in coming/{prefix}/{path.relative_to(folder)}")


def changes(path: Path, rows: int) -> None:
    """Changes as Parquet, long enough for several ranges."""
    draw = random.Random(rows)
    columns = {
        "op": pyarrow.array([2] * rows, pyarrow.int32()),
        "commit_lsn": [f"{at // 100:020x}" for at in range(rows)],
        "command_id": pyarrow.array([1] * rows, pyarrow.int64()),
        "seqval": [f"{at:020x}" for at in range(rows)],
        "id": pyarrow.array(range(rows), pyarrow.int64()),
        "site": [draw.randbytes(300).hex() for _ in range(rows)],
    }
    path.parent.mkdir(parents=True)
    pyarrow.parquet.write_table(pyarrow.table(columns), path, row_group_size=rows // 4)


def without_ids(out: str) -> str:
    """What was printed, without the ids of snapshots, which are drawn."""
    return re.sub(r"\d{16,}", "ID", out)


def work(program: Program, emr: str) -> list[tuple]:
    """Load, merges, and what is told of both; `emr` is where the sources are."""
    program.run("load", "csv", "--from", f"{emr}/extract", "--into", "bronze").ok()
    program.run("merge", LAB, "--changes", f"{emr}/changes/day_1/lab_result.csv").ok()
    days = [f"{emr}/changes/day_{day}/lab_result.csv" for day in (2, 3)]
    program.run("merge", LAB, "--changes", *days).ok()
    told = []
    for words in (
        ("load", "csv", "--from", f"{emr}/extract", "--into", "bronze"),
        ("merge", LAB, "--changes", *days),
        ("merge", LAB, "--changes", *days, "--explain"),
        ("reconcile", LAB, "--changes", f"{emr}/changes", "--extract", f"{emr}/extract"),
        ("rerun", LAB, "--facility", "3", "--from", "2023-01-01", "--to", "2025-01-01", "--changes", f"{emr}/changes"),
    ):
        run = program.run("--output", "csv", *words)
        told.append((words[0], run.code, without_ids(run.out.replace(emr, "EMR"))))
    return told


def alike_from_both(binary: Path, root: Path, server: Server, proxy: Proxy) -> None:
    emr = root / "emr"
    Program(binary, root, "lake").run("generate", "--to", str(emr), "--patients", "120", "--seed", "11").ok()
    put(server.client(), emr, "emr")
    local = Program(binary, root, str(root / "local"))
    bucket = Bucket.at(binary, root / "sources", proxy.url)
    ours, theirs = work(local, str(emr)), work(bucket, f"{ROOT}/emr")
    for one, other in zip(ours, theirs):
        assert one == other, f"{one}\n{other}"
    rows = alike(local, bucket)
    methods = {request.method for request in proxy.seen.requests}
    assert methods <= {"GET", "HEAD"}, methods
    print(f"  {rows} rows alike; {len(proxy.seen.requests)} requests, none that writes")


def parquet(binary: Path, root: Path, server: Server, proxy: Proxy) -> None:
    """A Parquet file is read by ranges; what S3 does while it is read is no damage of the file."""
    folder = root / "parquet-changes"
    changes(folder / "day/visit.parquet", 30_000)
    (folder / "tables.toml").write_text(CONTRACT)
    put(server.client(), folder, "changes")
    local = Program(binary, root, str(root / "local-parquet"))
    local.run("merge", "silver.visit", "--changes", str(folder / "day/visit.parquet")).ok()
    bucket = Bucket.at(binary, root / "parquet", proxy.url)
    words = ("merge", "silver.visit", "--changes", f"{ROOT}/changes/day/visit.parquet")
    reads = lambda request: request.method == "GET" and request.path.endswith(".parquet")  # noqa: E731
    proxy.with_rule(lambda _: PASS)
    bucket.run(*words).ok()
    assert local.table("silver.visit", "id, site") == bucket.table("silver.visit", "id, site")
    count = sum(map(reads, proxy.seen.requests))
    for number in (1, 2, count // 2, count):
        seen = 0

        def from_there_on(request: Request) -> str:
            nonlocal seen
            seen += reads(request)
            return BUSY if seen >= number and reads(request) else PASS  # noqa: B023

        bucket = Bucket.at(binary, root / f"parquet-{number}", proxy.with_rule(from_there_on).url)
        bucket.run("--s3-retries", "0", *words).fails(3, "run this again later")
    proxy.with_rule(lambda _: PASS)
    bucket.run(*words).ok()
    assert local.table("silver.visit", "id, site") == bucket.table("silver.visit", "id, site")
    print(f"  30000 rows of Parquet; S3 is away from each of {count} requests on: told, and then done")


def units(folder: Path) -> None:
    """Units of one table: five groups with four periods, one of them a folder of two files, one with a bad record."""
    (folder / "history").mkdir(parents=True)
    (folder / "tables.toml").write_text(CONTRACT)
    for group in range(5):
        for period in range(1, 5):
            first = group * 10_000 + period * 1_000
            rows = [f"{first + at},site {at % 7}" for at in range(300)]
            rows += ["x"] if period == 2 else []
            path = folder / f"history/visit/g{group}/2024-0{period}.csv"
            if period == 3:
                path = path.with_suffix("") / "a.csv"
                path.parent.mkdir(parents=True)
                (path.parent / "b.csv").write_text(f"id,site\n{first + 999},late\n")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text("id,site\n" + "\n".join(rows) + "\n")
    (folder / "history/loose.csv").write_text("id\n1\n")


def backfill(binary: Path, root: Path, server: Server, proxy: Proxy) -> None:
    """Units of a bucket, in one process and in steps."""
    units(root / "units")
    put(server.client(), root / "units", "units")
    # What consoles put where a folder is made that holds nothing yet.
    (root / "units/history/later").mkdir()
    server.client().put_object(Bucket=BUCKET, Key="in coming/units/history/later/", Body=b"")
    answers = []
    local = Program(binary, root, str(root / "local-units"))
    bucket = Bucket.at(binary, root / "backfill", proxy.url)
    for program, place in ((local, str(root / "units/history")), (bucket, f"{ROOT}/units/history")):
        options = ("--from", place, "--into", "bronze")
        told = [program.run("--output", "csv", "backfill", "units", *options).ok()]
        first = ("--unit", "visit/g1/2024-03", "--unit", "visit/g0/2024-02")
        wave = program.run("backfill", "plan", *options, *first).ok().out.strip()
        descriptors = str(program.folder / "descriptors")
        program.run("backfill", "write", *options, *first, "--wave", wave, "--to", descriptors).ok()
        told.append(program.run("--output", "csv", "backfill", "commit", *options, "--descriptors", descriptors).ok())
        told.append(program.run("--output", "csv", "backfill", "run", *options, "--commit-units", "7").ok())
        told.append(program.run("--output", "csv", "backfill", "units", *options).ok())
        if program is bucket:
            proxy.with_rule(lambda _: PASS)
        told.append(program.run("--output", "csv", "backfill", "units", *options, "--by-name").ok())
        if program is bucket:
            read = [one.path for one in proxy.seen.requests if one.path.endswith(".csv") and one.method == "GET"]
            assert not read, f"files are read although they are known by name: {read[:3]}"
        told.append(program.run("backfill", "run", *options).ok())
        answers.append([(without_ids(run.out), "loose.csv" in run.err) for run in told])
    for one, other in zip(*answers):
        assert one == other, f"{one}\n{other}"
    rows = "id, site, _source_file, _source_line"
    assert local.table("bronze.visit", rows) == bucket.table("bronze.visit", rows)
    count = len(bucket.table("bronze.visit")) - 1
    assert count == 5 * (4 * 300 + 1), count
    assert len(bucket.table("bronze.quarantine")) - 1 == 5
    print(f"  {count} rows of 20 units")


def unreadable(binary: Path, root: Path, proxy: Proxy) -> None:
    """Objects that may be listed and not read: each is refused with its reason; S3 that is away ends the job."""
    options = ("--from", f"{ROOT}/units/history", "--into", "bronze")
    read = lambda request: request.path.endswith(".csv")  # noqa: E731
    bucket = Bucket.at(binary, root / "unreadable", proxy.with_rule(always(DENIED, read)).url)
    bucket.run("backfill", "run", *options).fails(1, "visit/g0/2024-01.csv", "check the s3 rights")
    proxy.with_rule(always(BUSY, read))
    bucket.run("--s3-retries", "0", "backfill", "run", *options).fails(3, "run this again later")
    one = always(BUSY, lambda request: request.path.endswith("visit/g3/2024-04.csv"))
    proxy.with_rule(one)
    bucket.run("--s3-retries", "0", "backfill", "run", *options).fails(3, "run this again later")
    proxy.with_rule(lambda _: PASS)
    bucket.run("backfill", "run", *options).ok()
    assert len(bucket.table("bronze.visit")) - 1 == 5 * (4 * 300 + 1)
    print("  unreadable: told, and then done")


def bad_days(binary: Path, root: Path, server: Server, proxy: Proxy) -> None:
    """Faults of reading: those that retries outlast, and those that last."""
    wide_rows(root / "wide" / "big", "1", 12_000, 3)
    put(server.client(), root / "wide", "wide")
    local = Program(binary, root, str(root / "local-wide"))
    local.run("load", "csv", "--from", str(root / "wide"), "--into", "bronze").ok()
    wanted = local.table("bronze.big", "id, text")
    words = ("load", "csv", "--from", f"{ROOT}/wide", "--into", "bronze")

    def read(request: Request) -> bool:
        return request.method == "GET" and request.path.endswith("/1.csv")

    faults: list[tuple[str, Callable[[Request], str | float], tuple[str, ...]]] = [
        ("busy", lambda request: BUSY if request.number % 3 == 0 else PASS, ()),
        ("cut", Once(CUT, read), ()),
        ("lost", Once(LOST, lambda request: True), ()),
        ("unsent", Once(UNSENT, lambda request: True), ()),
        ("late", Once(1.5, read), ("--s3-timeout", "1")),
        ("expired", Once(EXPIRED, read), ()),
    ]
    for name, rule, options in faults:
        bucket = Bucket.at(binary, root / name, proxy.with_rule(rule).url)
        bucket.run(*options, *words).ok()
        assert proxy.seen.faults, f"{name}: nothing was hit"
        proxy.with_rule(lambda _: PASS)
        assert bucket.table("bronze.big", "id, text") == wanted, name
        print(f"  {name}: done", flush=True)
    for name, what, of, says in (
        ("busy-for-good", BUSY, read, "run this again later"),
        ("unlisted", BUSY, lambda request: "list-type" in request.query, "run this again later"),
        ("expired-for-good", EXPIRED, read, "sign in again"),
    ):
        bucket = Bucket.at(binary, root / name, proxy.with_rule(always(what, of)).url)
        run = bucket.run("--s3-retries", "1", *words)
        assert run.code in (1, 3) and says in run.err, f"{name}: exit {run.code}\n{run.err}"
        proxy.with_rule(lambda _: PASS)
        bucket.run(*words).ok()
        assert bucket.table("bronze.big", "id, text") == wanted, name
        print(f"  {name}: exit {run.code}, then done", flush=True)


def replaced(binary: Path, root: Path, server: Server, proxy: Proxy) -> None:
    """An object that is replaced while it is read: nothing of either is loaded; the next load has the new one."""
    client, key = server.client(), "in coming/replaced/big/1.csv"
    lines = [f"{at},{'old' * 100}" for at in range(30_000)]
    old = "id,text\n" + "\n".join(lines) + "\n"
    client.put_object(Bucket=BUCKET, Key=key, Body=old.encode())
    for number in (2, 4, 6):
        seen = 0

        def rule(request: Request) -> str:
            nonlocal seen
            if request.method == "GET" and request.path.endswith("/1.csv"):
                seen += 1
                if seen == number:  # noqa: B023
                    client.put_object(Bucket=BUCKET, Key=key, Body=old.replace("old", "new").encode())
            return PASS

        bucket = Bucket.at(binary, root / f"replaced-{number}", proxy.with_rule(rule).url)
        words = ("load", "csv", "--from", f"{ROOT}/replaced", "--into", "bronze")
        bucket.run(*words).fails(1, "changed while it was read")
        bucket.run(*words).ok()
        rows = bucket.sql("SELECT count(*), min(text), max(text) FROM bronze.big").ok().rows()[1]
        assert rows == ("30000", "new" * 100, "new" * 100), rows
        client.put_object(Bucket=BUCKET, Key=key, Body=old.encode())
    print("  replaced: told, and the next load has the new file")


def refused(binary: Path, root: Path, server: Server, proxy: Proxy) -> None:
    """What is not there or may not be seen is told before a warehouse is made."""
    bucket = Bucket.at(binary, root / "refused", proxy.with_rule(lambda _: PASS).url)
    into = ("--into", "bronze")
    bucket.run("load", "csv", "--from", f"{ROOT}/nothing", *into).fails(1, "nothing of that name is there", "nothing")
    bucket.run("load", "csv", "--from", "s3://elsewhere/x", *into).fails(1, "elsewhere")
    bucket.run("load", "csv", "--from", "gs://elsewhere/x", *into).fails(1, "s3://BUCKET/PREFIX")
    bucket.run("merge", LAB, "--changes", f"{ROOT}/no.csv").fails(1, "no.csv")
    bucket.run("backfill", "units", "--from", f"{ROOT}/nothing", *into).fails(1, "nothing of that name is there")
    assert not Path(bucket.warehouse).exists(), "a warehouse was made for nothing"
    # A role that may see the folder alone: rows do not go without a contract that may lie beside it.
    above = always(DENIED, lambda request: "list-type" in request.query and "history" not in request.query)
    proxy.with_rule(above)
    words = ("backfill", "units", "--from", f"{ROOT}/units/history", *into)
    bucket.run(*words).fails(1, "name it with --contract")
    bucket.run(*words, "--contract", f"{ROOT}/units/tables.toml").ok()
    # Without a key nothing is written to a bucket, whatever the catalog says.
    proxy.with_rule(lambda _: PASS)
    before = objects(server.client(), BUCKET)
    program = Program(binary, root, f"s3://{BUCKET}/lake", proxy.url, options=[])
    program.run("load", "csv", "--from", f"{ROOT}/units/history", *into).fails(1, "--kms-key")
    assert objects(server.client(), BUCKET) == before
    print("  refused: nothing was made")


def main() -> None:
    binary = Path(sys.argv[1]).resolve()
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        with Server.ministack(root) as server, Proxy(server.url) as proxy:
            server.client().create_bucket(Bucket=BUCKET)
            for step in (alike_from_both, parquet, backfill):
                step(binary, root, server, proxy)
            unreadable(binary, root, proxy)
            for step in (bad_days, replaced, refused):
                step(binary, root, server, proxy)


if __name__ == "__main__":
    main()
