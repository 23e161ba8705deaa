"""Fixtures of the cluster tests: a dataset in the object store, TrainingJobs that get deleted."""

import io
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from trainyard_devtools import churn
from trainyard_devtools.kube import Kube
from trainyard_devtools.repo import BUCKET

from .jobs import DATASET, Run, manifest


@pytest.fixture(scope="session")
def dataset(kube: Kube) -> str:
    """The generated churn table in the object store; its s3:// URI."""
    buffer = io.StringIO()
    churn.generate().frame.to_csv(buffer, index=False)
    with kube.s3() as s3:
        s3.put_object(Bucket=BUCKET, Key=DATASET, Body=buffer.getvalue().encode())
    return f"s3://{BUCKET}/{DATASET}"


Submit = Callable[..., Run]


@pytest.fixture
def submit(kube: Kube, dataset: str) -> Iterator[Submit]:
    """Create TrainingJobs on the churn table; they are deleted when the test ends."""
    runs: list[Run] = []

    def create(**spec: Any) -> Run:
        body = manifest(dataset, **spec)
        runs.append(Run(kube, body["metadata"]["name"]))
        kube.create_training_job(body)
        return runs[-1]

    yield create
    for run in runs:
        kube.delete_training_job(run.name)
