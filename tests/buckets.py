"""Fixtures: a bucket of a service that speaks S3, in a process of its own."""

import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count
from typing import Any

import boto3
import httpx
import pytest
from botocore.exceptions import ClientError

from benchmarks.ports import HOST, free_port

REGION = "us-east-1"
ACCESS_KEY = "AKIATEST"
SECRET_KEY = "not-a-secret"
START_S = 60.0
_numbers = count(1)


class BucketService:
    """The service; it forgets everything when it is stopped."""

    def __init__(self) -> None:
        self.url = f"http://{HOST}:{free_port()}"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it on its port; returns once it answers."""
        port = self.url.rpartition(":")[2]
        self._process = subprocess.Popen(
            [sys.executable, "-m", "moto.server", "-H", HOST, "-p", port],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        give_up_at = time.monotonic() + START_S
        while True:
            try:
                httpx.get(f"{self.url}/moto-api/", timeout=5)
            except httpx.TransportError:
                assert time.monotonic() < give_up_at, "the service does not start"
                time.sleep(0.1)
            else:
                return

    def stop(self) -> None:
        """Stop it at once."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def client(self) -> Any:
        """Return an Amazon client of it."""
        return boto3.client(
            "s3",
            endpoint_url=self.url,
            region_name=REGION,
            aws_access_key_id=ACCESS_KEY,
            aws_secret_access_key=SECRET_KEY,
        )


@dataclass
class Bucket:
    """An empty bucket."""

    service: BucketService
    name: str

    def keys(self) -> list[str]:
        """Return what is in it, and of uploads in parts what was not finished."""
        client = self.service.client()
        try:
            found = client.list_objects_v2(Bucket=self.name)
            parts = client.list_multipart_uploads(Bucket=self.name)
        except ClientError as error:
            if error.response["Error"]["Code"] == "NoSuchBucket":
                return []
            raise
        begun = [f"{each['Key']} in parts" for each in parts.get("Uploads", ())]
        return sorted([each["Key"] for each in found.get("Contents", ())] + begun)

    def make(self) -> None:
        """Make it, also again after the service has forgotten it."""
        self.service.client().create_bucket(Bucket=self.name)


@pytest.fixture(scope="session")
def bucket_service() -> Iterator[BucketService]:
    """The service, for the whole run."""
    service = BucketService()
    service.start()
    yield service
    service.stop()


@pytest.fixture
def bucket(bucket_service: BucketService) -> Bucket:
    made = Bucket(bucket_service, f"kefu-{next(_numbers)}")
    made.make()
    return made
