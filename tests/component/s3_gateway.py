"""The S3 server that the chart bundles (versitygw), as a process that a test can take away.

Unlike moto it refuses a part whose hash is wrong, and shows no object before it is complete.
"""

import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config
from localcluster.cache import cached_file, key_of
from localcluster.commands import run
from localcluster.nodebinary import go_command

from .control_plane import free_ports, program, wait_for
from .object_store import BUCKET

_SOURCE = Path(__file__).resolve().parents[2] / "s3-server"
_PACKAGE = "github.com/versity/versitygw/cmd/versitygw"
CREDENTIALS = {"AWS_ACCESS_KEY_ID": "tests", "AWS_SECRET_ACCESS_KEY": "tests-secret"}


def gateway_binary(log: Path) -> Path:
    """The server, from the cache or built now (minutes), as its Dockerfile builds it."""
    module = [(_SOURCE / name).read_text() for name in ("go.mod", "go.sum")]

    def build(target: Path) -> None:
        go = go_command(module[0], log)
        run(
            (go, "build", "-trimpath", "-ldflags", "-s -w", "-o", str(target), _PACKAGE),
            cwd=_SOURCE,
            log=log,
            env={"CGO_ENABLED": "0", "GOFLAGS": "-mod=readonly", "GOTOOLCHAIN": "local"},
            advice="The build needs the Go module proxy.",
        )

    return cached_file("s3-gateway", key_of(module), build)


class Gateway:
    """An S3 server with an empty bucket. What it holds outlives `away`."""

    def __init__(self, binary: Path, folder: Path) -> None:
        self._binary = binary
        self._folder = folder
        (self._port,) = free_ports(1)
        self.url = f"http://127.0.0.1:{self._port}"
        self._running = ExitStack()
        self.client: Any = boto3.client(
            "s3",
            endpoint_url=self.url,
            region_name="us-east-1",
            aws_access_key_id=CREDENTIALS["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=CREDENTIALS["AWS_SECRET_ACCESS_KEY"],
            config=Config(s3={"addressing_style": "path"}, retries={"total_max_attempts": 1}),
        )

    def start(self) -> None:
        data = self._folder / "data"
        data.mkdir(exist_ok=True)
        environment = {
            "PATH": os.environ["PATH"],
            "ROOT_ACCESS_KEY": CREDENTIALS["AWS_ACCESS_KEY_ID"],
            "ROOT_SECRET_KEY": CREDENTIALS["AWS_SECRET_ACCESS_KEY"],
        }
        command = [str(self._binary), "--port", f"127.0.0.1:{self._port}", "posix", str(data)]
        log = self._folder / "versitygw.log"
        process = self._running.enter_context(
            program(command, log, env=environment, cwd=self._folder)
        )

        def answers() -> bool:
            assert process.poll() is None, log.read_text()
            try:
                self.client.list_buckets()
            except Exception:
                return False
            return True

        wait_for("the S3 server answers", answers)

    def stop(self) -> None:
        self._running.close()

    @contextmanager
    def away(self) -> Iterator[None]:
        """Connections are refused."""
        self.stop()
        try:
            yield
        finally:
            self.start()

    def empty(self) -> None:
        """Remove every object and every unfinished upload."""
        for upload in self.uploads():
            self.client.abort_multipart_upload(
                Bucket=BUCKET, Key=upload["Key"], UploadId=upload["UploadId"]
            )
        for key in self.keys():
            self.client.delete_object(Bucket=BUCKET, Key=key)

    def keys(self, prefix: str = "") -> list[str]:
        pages = self.client.get_paginator("list_objects_v2").paginate(Bucket=BUCKET, Prefix=prefix)
        return [item["Key"] for page in pages for item in page.get("Contents", [])]

    def uploads(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.client.list_multipart_uploads(Bucket=BUCKET).get(
            "Uploads", []
        )
        return found

    def get(self, key: str) -> bytes:
        body: bytes = self.client.get_object(Bucket=BUCKET, Key=key)["Body"].read()
        return body


@contextmanager
def gateway(binary: Path, folder: Path) -> Iterator[Gateway]:
    """A server that runs until the block ends."""
    server = Gateway(binary, folder)
    server.start()
    try:
        server.client.create_bucket(Bucket=BUCKET)
        yield server
    finally:
        server.stop()
