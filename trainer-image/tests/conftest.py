"""A real S3 protocol (moto's server), small made tables, and the trainer as the process that a pod
runs.
"""

import functools
import io
import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import boto3
import numpy as np
import pandas as pd
import pytest
from hypothesis import settings
from moto.server import ThreadedMotoServer
from trainyard_schema import (
    ModelType,
    ModelVersion,
    RunResult,
    StorageConfig,
    TrainingJobSpec,
    run_config,
)
from trainyard_schema.run import RunProgress

# The image's files cannot be written, so examples that failed cannot be kept for the next time.
settings.register_profile("image", database=None, deadline=None)
settings.load_profile("image")

BUCKET = "trainyard"
FAST = {
    "xgboost": {"n_estimators": 30, "learning_rate": 0.2},
    "random-forest": {"n_estimators": 20},
    "neural-net": {"max_epochs": 8, "ensemble_size": 2, "hidden_layer_sizes": [16]},
}


@pytest.fixture(scope="session")
def endpoint() -> Iterator[str]:
    os.environ.update(AWS_ACCESS_KEY_ID="test", AWS_SECRET_ACCESS_KEY="test")
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def s3(endpoint: str) -> Iterator[Any]:
    """A client, with an empty bucket."""
    client = boto3.client("s3", endpoint_url=endpoint, region_name="us-east-1")
    client.create_bucket(Bucket=BUCKET)
    yield client
    for upload in client.list_multipart_uploads(Bucket=BUCKET).get("Uploads", []):
        client.abort_multipart_upload(Bucket=BUCKET, Key=upload["Key"], UploadId=upload["UploadId"])
    for key in keys(client):
        client.delete_object(Bucket=BUCKET, Key=key)
    client.delete_bucket(Bucket=BUCKET)
    client.close()


def keys(client: Any, prefix: str = "") -> list[str]:
    listing = client.list_objects_v2(Bucket=BUCKET, Prefix=prefix)
    return [item["Key"] for item in listing.get("Contents", [])]


@pytest.fixture(name="keys")
def keys_fixture(s3: Any) -> Callable[..., list[str]]:
    return functools.partial(keys, s3)


def make_frame(task: str, rows: int = 400, seed: int = 0) -> pd.DataFrame:
    """A mixed table with missing values whose columns a, city and flag say much about y."""
    random = np.random.default_rng(seed)
    a, b = random.normal(size=rows), random.exponential(size=rows)
    city = random.choice(["Oslo", "Rome", "Lima", "Kyiv"], size=rows)
    flag = random.choice(["Yes", "No"], size=rows)
    score = 2 * a + (city == "Rome") * 2 - (flag == "No") + 0.3 * random.normal(size=rows)
    targets = {
        "binary": np.where(score > 0.3, "Yes", "No"),
        "multiclass": pd.cut(score, [-99, -1, 1, 99], labels=["low", "mid", "top"]).astype(str),
        "regression": score * 10 + 50,
    }
    frame = pd.DataFrame(
        {
            "id": [f"row-{i:05}" for i in range(rows)],
            "a": a,
            "b": b.round(3),
            "city": city,
            "flag": flag,
            "amount": [f"{v:.2f}" if v > 0.05 else " " for v in b * 10],
            "y": targets[task],
        }
    )
    frame.loc[random.random(rows) < 0.1, "a"] = np.nan
    frame.loc[random.random(rows) < 0.1, "city"] = None
    return frame


@pytest.fixture(name="make_frame")
def make_frame_fixture() -> Callable[..., pd.DataFrame]:
    return make_frame


@dataclass
class Outcome:
    """How a trainer process ended."""

    code: int
    result: RunResult
    log: list[dict[str, Any]]


@dataclass
class Trainer:
    """Starts the trainer as a pod would."""

    endpoint: str
    client: Any
    folder: Path
    environment: dict[str, str] = field(default_factory=dict)
    document: str = ""
    bucket: str = BUCKET
    preamble: str = ""
    """Python that the process runs first."""
    _number: int = 0

    def put(self, frame: pd.DataFrame, key: str = "data/table.csv") -> None:
        if key.endswith(".parquet"):
            buffer = io.BytesIO()
            frame.to_parquet(buffer, index=False)
            body = buffer.getvalue()
        else:
            body = frame.to_csv(index=False).encode()
        self.client.put_object(Bucket=self.bucket, Key=key, Body=body)

    def start(self, model_type: str, *, port: int = 0, **fields: Any) -> subprocess.Popen[str]:
        data = {"uri": f"s3://{self.bucket}/data/table.csv", "target": "y", "exclude": ["id"]}
        data |= fields.pop("data", {})
        hyperparameters = FAST[model_type] | fields.pop("hyperparameters", {})
        config = run_config(
            TrainingJobSpec.model_validate({"modelType": model_type, "data": data, **fields}),
            namespace="test",
            name="made",
            uid="0000",
            storage=StorageConfig(bucket=self.bucket, endpoint_url=self.endpoint),
            image="test-image",
        ).model_copy(update={"hyperparameters": {ModelType(model_type): hyperparameters}})
        self.document = config.to_json()
        self._number += 1
        self.termination = self.folder / f"termination-{self._number}"
        return self._popen(port)

    def start_again(self, document: str, *, port: int = 0) -> subprocess.Popen[str]:
        """Another run of a RunConfig given as JSON."""
        self.document = document
        return self._popen(port)

    def _popen(self, port: int) -> subprocess.Popen[str]:
        environment = os.environ | {
            "TRAINYARD_RUN": self.document,
            "JOB_COMPLETION_INDEX": "0",
            "POD_UID": "pod-1",
            "TERMINATION_LOG": str(self.termination),
            "TRAINER_PORT": str(port),
            "PYTHONWARNINGS": "ignore",
        }
        return subprocess.Popen(
            [
                sys.executable,
                "-c",
                f"{self.preamble}\nfrom trainyard_trainer import main; main.main()",
            ],
            env=environment | self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def wait(
        self,
        process: subprocess.Popen[str],
        timeout: float = 60,
        termination: Path | None = None,
    ) -> Outcome:
        output, _ = process.communicate(timeout=timeout)
        sys.stdout.write(output)
        lines = [json.loads(line) for line in output.splitlines() if line.startswith("{")]
        text = (termination or self.termination).read_text()
        assert len(text.encode()) < 4096
        return Outcome(process.returncode, RunResult.model_validate_json(text), lines)

    def run(self, model_type: str, **fields: Any) -> Outcome:
        return self.wait(self.start(model_type, **fields))

    def download(self, result: RunResult) -> Path:
        """A published version in a folder of its own."""
        assert result.version is not None
        prefix = result.version.uri.removeprefix(f"s3://{self.bucket}/")
        folder = self.folder / result.version.version
        folder.mkdir()
        for item in self.client.list_objects_v2(Bucket=self.bucket, Prefix=prefix)["Contents"]:
            name = item["Key"].rpartition("/")[2]
            self.client.download_file(self.bucket, item["Key"], str(folder / name))
        return folder


@dataclass
class Filed:
    """Versions to load, by model type, and "prices"."""

    endpoint: str
    client: Any
    versions: dict[str, ModelVersion]
    folders: dict[str, Path]
    """Copies of them."""


@pytest.fixture
def trainer(endpoint: str, s3: Any, tmp_path: Path) -> Trainer:
    return Trainer(endpoint, s3, tmp_path)


@pytest.fixture(scope="session")
def filed(endpoint: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Filed]:
    """The model "made" of every type, and the regression "prices", in a bucket that is only read.

    The table has a column of codes, which are text since one of them is not a number.
    """
    client = boto3.client("s3", endpoint_url=endpoint, region_name="us-east-1")
    client.create_bucket(Bucket="filed")
    trainer = Trainer(endpoint, client, tmp_path_factory.mktemp("filed"), bucket="filed")
    versions, folders = {}, {}
    for name, task, model_type in [
        *(("made", "binary", str(model_type)) for model_type in ModelType),
        ("prices", "regression", "xgboost"),
    ]:
        frame = make_frame(task)
        frame["code"] = np.where(
            frame["flag"] == "Yes", "007", np.where(frame.index % 2, "08", "X")
        )
        trainer.put(frame)
        outcome = trainer.run(model_type, model=name)
        assert outcome.result.version is not None, outcome.result
        key = model_type if name == "made" else name
        versions[key], folders[key] = outcome.result.version, trainer.download(outcome.result)
    yield Filed(endpoint, client, versions, folders)
    client.close()


def wait_for_line(process: subprocess.Popen[str], text: str) -> str:
    """Everything up to the log line that contains `text`."""
    assert process.stdout is not None
    seen = ""
    for line in process.stdout:
        seen += line
        if text in line:
            return seen
    raise AssertionError(f"{text!r} never came:\n{seen}")


def unused_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_for_units(process: subprocess.Popen[str], port: int, units: int) -> int:
    """The units done, once they are at least `units`, as the trainer on this port serves them."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        assert process.poll() is None, process.communicate()
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/progress", timeout=2) as answer:
                done = RunProgress.model_validate_json(answer.read()).done
        except OSError:
            # Not there yet, or too busy to answer in time.
            done = None
        if done is not None and done >= units:
            return done
        time.sleep(0.02)
    raise AssertionError(f"{units} units were never done")


def stop(process: subprocess.Popen[str]) -> float:
    """Seconds from SIGTERM to the end of the process."""
    since = time.monotonic()
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=20)
    return time.monotonic() - since


@pytest.fixture(name="wait_for_line")
def wait_for_line_fixture() -> Callable[..., str]:
    return wait_for_line


@pytest.fixture(name="wait_for_units")
def wait_for_units_fixture() -> Callable[..., int]:
    return wait_for_units


@pytest.fixture
def port() -> int:
    return unused_port()


@pytest.fixture(name="stop")
def stop_fixture() -> Callable[..., float]:
    return stop
