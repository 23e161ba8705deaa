"""Fixtures of the cluster tests: a dataset in the object store, TrainingJobs that get deleted."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from trainyard_devtools import churn
from trainyard_devtools.kube import Kube

from .jobs import DATASET, Run, manifest
from .store import put_csv


@pytest.fixture(scope="session")
def dataset(kube: Kube) -> str:
    """The generated churn table in the object store; its s3:// URI."""
    return put_csv(kube, DATASET, churn.generate().frame)


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
