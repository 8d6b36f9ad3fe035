"""Clients of AWS and of Iceberg, unmodified, against `northstar serve`; run by `make test`.

Needs NORTHSTAR_BIN, the path of the northstar program, and NORTHSTAR_SPARK_PYTHON and
NORTHSTAR_SPARK_JARS for Spark. With `--soak` the long forms run.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

HERE = Path(__file__).parent


def step(title: str, command: list[str | Path]) -> bool:
    """Runs one command; prints all that it prints only if it fails."""
    begun = time.monotonic()
    done = subprocess.run([str(part) for part in command], text=True, capture_output=True)
    if done.returncode != 0:
        print(done.stdout)
        print(done.stderr, file=sys.stderr)
        print(f"serve test FAILED: {title}", file=sys.stderr)
        return False
    shown = [f"serve test ok: {title} ({time.monotonic() - begun:.0f} s)"]
    shown += [f"  {line}" for line in done.stdout.splitlines()[-2:]]
    print("\n".join(shown), flush=True)
    return True


def in_turn(steps: list[tuple[str, list[str | Path]]]) -> int:
    """How many steps passed; each is tried."""
    return sum(step(title, command) for title, command in steps)


def main() -> None:
    binary = os.environ.get("NORTHSTAR_BIN")
    if not binary or not Path(binary).exists():
        sys.exit("serve tests need NORTHSTAR_BIN, the path of the northstar program: run `make test`")
    spark, jars = os.environ.get("NORTHSTAR_SPARK_PYTHON"), os.environ.get("NORTHSTAR_SPARK_JARS")
    if not spark or not jars:
        sys.exit("serve tests need NORTHSTAR_SPARK_PYTHON and NORTHSTAR_SPARK_JARS: run `make test`")
    python = sys.executable
    if "--soak" in sys.argv:
        passed = in_turn(
            [
                ("100,000 requests made at random", [python, HERE / "fuzz.py", binary, "--requests", "100000"]),
                (
                    "50 clients commit to 10 tables for a minute",
                    [python, HERE / "contention.py", binary, "--seconds", "60", "--moto"],
                ),
            ]
        )
        sys.exit(0 if passed == 2 else 1)
    with_spark = ["--spark-python", spark, "--jars", jars]
    lanes = [
        [
            ("boto3 and the Data Catalog, by the service model", [python, HERE / "glue_catalog.py", binary]),
            ("TLS, health, metrics, the log, refusals to start", [python, HERE / "operation.py", binary]),
            ("signatures and tokens", [python, HERE / "signatures.py", binary]),
            ("requests made at random", [python, HERE / "fuzz.py", binary]),
            ("many clients commit to few tables", [python, HERE / "contention.py", binary]),
            ("PyIceberg's Glue catalog", [python, HERE / "glue_pyiceberg.py", binary]),
        ],
        [
            ("boto3 and Glue's jobs", [python, HERE / "jobs_glue.py", binary]),
            ("boto3 and EMR Serverless", [python, HERE / "jobs_emr.py", binary]),
            ("Spark's Glue catalog", [python, HERE / "glue_spark.py", binary, *with_spark]),
        ],
    ]
    # Most steps wait for one process at a time, so two lanes take less than one.
    with ThreadPoolExecutor(len(lanes)) as threads:
        passed = sum(threads.map(in_turn, lanes))
    failed = sum(map(len, lanes)) - passed
    print(f"serve: {passed} passed; {failed} failed; 0 ignored")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
