"""Servers that speak S3's protocol, each on a free port of this machine, for one test.

ministack checks checksums and reads ranges quickly; moto enforces bucket policies. Neither checks signatures.
"""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from types import TracebackType

import boto3
from botocore.config import Config

HERE = Path(__file__).parent
REGION = "us-east-1"
KEY = "arn:aws:kms:us-east-1:111122223333:key/0a1b2c3d-0000-4000-8000-000000000000"


def client(url: str):  # noqa: ANN201 (boto3 has no types)
    """A client of a server."""
    return boto3.client(
        "s3",
        endpoint_url=url,
        region_name=REGION,
        aws_access_key_id="test",
        aws_secret_access_key="test",
        config=Config(s3={"addressing_style": "path"}),
    )


class Server:
    """A server that is stopped at the end of its block."""

    def __init__(self, command: list[str], log: Path) -> None:
        self.log = log
        self._out = log.open("wb")
        self._process = subprocess.Popen(command, stdout=self._out, stderr=subprocess.STDOUT, cwd=log.parent)
        self.url = self._wait_for_url()

    @classmethod
    def ministack(cls, folder: Path) -> Server:
        """The one whose port hypercorn tells."""
        command = [sys.executable, "-m", "hypercorn", "--bind", "127.0.0.1:0", "ministack.app:app"]
        return cls(command, folder / "ministack.log")

    @classmethod
    def moto(cls, folder: Path) -> Server:
        """The one that enforces bucket policies, their conditions on encryption included."""
        return cls([sys.executable, str(HERE / "s3_moto.py")], folder / "moto.log")

    def _wait_for_url(self) -> str:
        while self._process.poll() is None:
            found = re.search(r"Running on (http://127\.0\.0\.1:[1-9]\d*)", self.log.read_text(errors="replace"))
            if found:
                return found.group(1)
            try:
                self._process.wait(0.05)
            except subprocess.TimeoutExpired:
                pass
        raise SystemExit(f"the server ended:\n{self.log.read_text(errors='replace')}")

    def client(self):  # noqa: ANN201 (boto3 has no types)
        """A client that goes to the server by the straight way."""
        return client(self.url)

    def __enter__(self) -> Server:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.terminate()
        self._process.wait()
        self._out.close()


def objects(client, bucket: str) -> dict[str, int]:  # noqa: ANN001
    """The objects of a bucket and their sizes."""
    pages = client.get_paginator("list_objects_v2").paginate(Bucket=bucket)
    return {found["Key"]: found["Size"] for page in pages for found in page.get("Contents", [])}


def uploads(client, bucket: str) -> list[str]:  # noqa: ANN001
    """Parts of uploads that were neither completed nor given up.

    An upload whose beginning nobody was told of stays, without a part.
    """
    found = client.list_multipart_uploads(Bucket=bucket).get("Uploads", [])
    ids = [{"Bucket": bucket, "Key": upload["Key"], "UploadId": upload["UploadId"]} for upload in found]
    return [f"{of['Key']} part {part['PartNumber']}" for of in ids for part in client.list_parts(**of).get("Parts", [])]


def abort_all(client, bucket: str) -> None:  # noqa: ANN001
    """Does what a lifecycle rule does to uploads that were left."""
    for upload in client.list_multipart_uploads(Bucket=bucket).get("Uploads", []):
        client.abort_multipart_upload(Bucket=bucket, Key=upload["Key"], UploadId=upload["UploadId"])
