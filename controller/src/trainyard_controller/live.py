"""What TrainingJobs own, read past the cache: watches may be late, or dead.

Each tells whether that brought news.
"""

from collections.abc import Collection

from trainyard_controller.cache import Cache
from trainyard_controller.kube import Api
from trainyard_controller.objects import TrainingJob


async def read_job(api: Api, cache: Cache, training_job: TrainingJob) -> bool:
    """Look at the Job of a TrainingJob."""
    name = training_job.job_name
    known = cache.job(training_job)
    live = await api.get_job(training_job.namespace, name)
    if live is not None:
        return cache.put_job(live)
    return known is not None and cache.drop_job(name, known["metadata"]["uid"])


async def read_pods(api: Api, cache: Cache, namespace: str, uids: Collection[str]) -> bool:
    """Look at the pods of the TrainingJobs with these uids."""
    return cache.replace_pods(uids, await api.list_pods(namespace, uids))
