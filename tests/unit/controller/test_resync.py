import time
from collections.abc import AsyncIterator, Collection
from typing import Any

import pytest
from trainyard_controller.cache import Cache
from trainyard_controller.kube import Api
from trainyard_controller.models.cache import ModelCache
from trainyard_controller.models.kube import ModelApi
from trainyard_controller.objects import Document
from trainyard_controller.resync import Resync
from trainyard_controller.watchclock import JOBS, TRAINING_JOBS, WatchClock
from trainyard_controller.workqueue import WorkQueue

from .samples import JOB_NAME, UID, job, training_job_document

NOBODY: Any = None
"""Instead of a connection."""


class Cluster(Api):
    """Two TrainingJobs, the first of which has a Job, and when they were asked for."""

    def __init__(self) -> None:
        super().__init__(NOBODY)
        self.asked: dict[str, float] = {}

    async def training_jobs(self, namespace: str) -> AsyncIterator[Document]:
        for number in (1, 2):
            self.asked[f"TrainingJob {number}"] = time.monotonic()
            document = training_job_document()
            if number == 2:
                document["metadata"] |= {"name": "another", "uid": UID[:-1] + "2"}
            yield document

    async def get_job(self, namespace: str, name: str) -> Document | None:
        self.asked[f"Job {1 if name == JOB_NAME else 2}"] = time.monotonic()
        return job() if name == JOB_NAME else None

    async def list_pods(self, namespace: str, uids: Collection[str]) -> Document:
        return {"metadata": {"resourceVersion": "300"}, "items": []}


class NoModels(ModelApi):
    async def models(self, namespace: str) -> AsyncIterator[Document]:
        nothing: list[Document] = []
        for document in nothing:
            yield document


@pytest.fixture
def cluster() -> Cluster:
    return Cluster()


@pytest.fixture
def resync(cluster: Cluster) -> Resync:
    return Resync(
        api=cluster,
        cache=Cache(),
        queue=WorkQueue(),
        model_api=NoModels(NOBODY),
        models=ModelCache(),
        model_queue=WorkQueue(),
        clock=WatchClock(["lab"]),
        namespaces=["lab"],
        interval=1,
    )


async def test_news_is_of_the_moment_that_brings_it(cluster: Cluster, resync: Resync) -> None:
    """Else a watch that tells of it while all else is read has told it too early, and is dead."""
    news = await resync.look()
    assert news[TRAINING_JOBS] <= cluster.asked["TrainingJob 2"]
    assert news[JOBS] <= cluster.asked["Job 2"]
