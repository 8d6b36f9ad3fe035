"""A fan-out of Spark tasks over a bucket: sources and tables in it, the catalog behind `northstar serve` as a Glue.

Run as `python tests/serve/s3_fanout.py NORTHSTAR_BIN --spark-python PYTHON`.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import server
from s3_clients import BUCKET, Northstar
from s3_server import KEY, REGION, Server, client, objects

LAUNCHED = Path(__file__).parents[1] / "emr/fanout_bucket.py"
PREFIX = "raw/history"


def put(url: str, contract: str, history: str) -> None:
    """Puts units and their contract into the bucket; run by what makes them."""
    bucket = client(url)
    bucket.upload_file(contract, BUCKET, "raw/tables.toml")
    for path in Path(history).rglob("*.csv"):
        bucket.upload_file(str(path), BUCKET, f"{PREFIX}/{path.relative_to(history)}")


def main() -> None:
    if sys.argv[1] == "put":
        return put(*sys.argv[2:])
    parser = argparse.ArgumentParser()
    parser.add_argument("northstar")
    parser.add_argument("--spark-python", required=True)
    parser.add_argument("--jars")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, Server.ministack(Path(folder)) as s3:
        s3.client().create_bucket(Bucket=BUCKET)
        with Northstar(asked.northstar, Path(folder) / "serve", s3.url) as northstar:
            options = ["--warehouse", f"s3://{BUCKET}/tables", "--kms-key", KEY]
            options += ["--catalog", f"glue://{REGION}/?endpoint={northstar.url}"]
            options += ["--s3-endpoint", s3.url, "--s3-region", REGION]
            command = [asked.spark_python, str(LAUNCHED), asked.northstar, *options]
            command += ["--", f"s3://{BUCKET}/{PREFIX}", sys.executable, __file__, "put", s3.url]
            environment = {
                **{name: value for name, value in os.environ.items() if not name.startswith("AWS_")},
                "AWS_ACCESS_KEY_ID": server.KEY_ID,
                "AWS_SECRET_ACCESS_KEY": server.SECRET,
                "AWS_EC2_METADATA_DISABLED": "true",
            }
            subprocess.run(command, env=environment, cwd=folder, check=True)
        bucket = s3.client()
        tables = [key for key in objects(bucket, BUCKET) if key.startswith("tables/")]
        plain = [key for key in tables if bucket.head_object(Bucket=BUCKET, Key=key).get("SSEKMSKeyId") != KEY]
        assert tables and not plain, f"objects without the key: {plain[:3]}"
    print("  tasks that share no folder loaded 24 units of a bucket; a driver that was killed cost and doubled nothing")


if __name__ == "__main__":
    main()
