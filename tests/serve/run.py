"""Clients of AWS and of Iceberg, unmodified, against `northstar serve`; run by `make test`.

Needs NORTHSTAR_BIN, the path of the northstar program, and NORTHSTAR_SPARK_PYTHON and
NORTHSTAR_SPARK_JARS for Spark. With `--soak` the long forms run.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent))
from steps import in_lanes  # noqa: E402


def main() -> None:
    binary = os.environ.get("NORTHSTAR_BIN")
    if not binary or not Path(binary).exists():
        sys.exit("serve tests need NORTHSTAR_BIN, the path of the northstar program: run `make test`")
    spark, jars = os.environ.get("NORTHSTAR_SPARK_PYTHON"), os.environ.get("NORTHSTAR_SPARK_JARS")
    if not spark or not jars:
        sys.exit("serve tests need NORTHSTAR_SPARK_PYTHON and NORTHSTAR_SPARK_JARS: run `make test`")
    python = sys.executable
    if "--soak" in sys.argv:
        fuzz = [python, HERE / "fuzz.py", binary, "--requests", "100000"]
        contention = [python, HERE / "contention.py", binary, "--seconds", "60", "--moto"]
        finish([[("100,000 requests made at random", fuzz), ("50 clients for a minute", contention)]])
    with_spark = ["--spark-python", spark, "--jars", jars]
    lanes = [
        [
            ("boto3 and the Data Catalog, by the service model", [python, HERE / "glue_catalog.py", binary]),
            ("TLS, health, metrics, the log, refusals to start", [python, HERE / "operation.py", binary]),
            ("signatures and tokens", [python, HERE / "signatures.py", binary]),
            ("a calibration, and plans recomputed from it", [python, HERE / "plans.py", binary]),
            ("requests made at random", [python, HERE / "fuzz.py", binary]),
            ("many clients commit to few tables", [python, HERE / "contention.py", binary]),
            ("PyIceberg's Glue catalog", [python, HERE / "glue_pyiceberg.py", binary]),
            ("a warehouse in a bucket, from load to expiry", [python, HERE / "s3_end_to_end.py", binary]),
            ("sources in a bucket", [python, HERE / "s3_sources.py", binary]),
            ("a fan-out over a bucket", [python, HERE / "s3_fanout.py", binary, *with_spark]),
        ],
        [
            ("the calls of both job APIs, over moto and ministack too", [python, HERE / "jobs_api.py", binary]),
            ("boto3 and Glue's jobs", [python, HERE / "jobs_glue.py", binary]),
            ("boto3 and EMR Serverless", [python, HERE / "jobs_emr.py", binary]),
            ("northstar submit, status, cancel, logs and cost", [python, HERE / "submit.py", binary]),
            ("doctor, and records that nobody can change", [python, HERE / "s3_doctor.py", binary]),
            ("what S3 does on bad days", [python, HERE / "s3_faults.py", binary]),
            ("Glue clients of a bucket", [python, HERE / "s3_clients.py", binary, *with_spark]),
            ("Spark's Glue catalog", [python, HERE / "glue_spark.py", binary, *with_spark]),
        ],
    ]
    # Most steps wait for one process at a time, so two lanes take less than one.
    finish(lanes)


def finish(lanes: list) -> None:
    """Runs the steps, tells how many passed, and ends."""
    passed = in_lanes("serve", lanes, lambda line: True, goes_on=True)
    failed = sum(map(len, lanes)) - passed
    print(f"serve: {passed} passed; {failed} failed; 0 ignored")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
