"""TrainingJobs: reads from the watch cache, writes to the cluster."""

from trainyard_schema import TERMINAL_PHASES

from trainyard_api.cluster import TRAINING_JOB, Cluster
from trainyard_api.cluster.cache import ObjectCache
from trainyard_api.cluster.objects import Objects
from trainyard_api.trainings.training_job import TrainingJob


class TrainingJobs(Objects[TrainingJob]):
    """The TrainingJobs of the namespace."""

    def __init__(self, cluster: Cluster, cache: ObjectCache[TrainingJob]) -> None:
        super().__init__(cluster, TRAINING_JOB, cache)

    async def cancel(self, name: str) -> TrainingJob:
        """Ask for the end of a TrainingJob; one that has ended or is being cancelled is left alone.

        Returns it as it then is. Raises `NotFoundError`, `UnavailableError`.
        """
        job = await self.get(name)
        if job["spec"].get("cancel") or job.get("status", {}).get("phase") in TERMINAL_PHASES:
            return job
        # Without a precondition, or the operator's writes of the status would hold it up. To one
        # that ends in this moment it does nothing.
        return await self.patch(name, {"spec": {"cancel": True}})
