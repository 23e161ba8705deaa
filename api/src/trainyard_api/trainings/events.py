"""What followers of a training are told."""

import json
from collections.abc import AsyncGenerator

from trainyard_api.cluster import UnavailableError
from trainyard_api.cluster.cache import ObjectCache
from trainyard_api.http.sse import end_event
from trainyard_api.trainings.training_job import TrainingJob


async def job_events(
    jobs: ObjectCache[TrainingJob], name: str, *, seen: int
) -> AsyncGenerator[bytes]:
    """Its state now and after each change, as far as that is newer than version `seen`; its end.

    States that a slow reader has missed are left out. Ends early where the cluster is silent: who
    connects again is told why.
    """
    async with jobs.subscribe(name) as news:
        while True:
            try:
                job = jobs.get(name)
            except UnavailableError:
                return
            if job is None:
                yield end_event(json.dumps({"status": "deleted"}))
                return
            if int(job.resource_version) > seen:
                seen = int(job.resource_version)
                yield job.event
            if job.ended:
                yield end_event(json.dumps({"status": job.status}))
                return
            await anext(news)


def seen_version(last_event_id: str | None) -> int:
    """The version that a client has seen; 0 for one that has seen none of ours."""
    if last_event_id is None or not last_event_id.isascii() or not last_event_id.isdecimal():
        return 0
    return int(last_event_id)
