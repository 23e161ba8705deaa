"""What the operator asks of the API server about TrainingJobs, their Jobs and their pods."""

from collections.abc import AsyncIterator, Collection
from urllib.parse import quote

from trainyard_schema import names

from trainyard_controller.client import Client, Document, collection
from trainyard_controller.errors import ConflictError

_OURS = f"{names.MANAGED_BY_LABEL}={names.MANAGED_BY}"
"""Label selector of the project's Jobs and pods."""


def _training_jobs(namespace: str) -> str:
    return collection(namespace, names.API_VERSION, names.PLURAL)


def _jobs(namespace: str) -> str:
    return collection(namespace, "batch/v1", "jobs")


def _pods(namespace: str) -> str:
    return collection(namespace, "v1", "pods")


def _events(namespace: str) -> str:
    return collection(namespace, "v1", "events")


class Api(Client):
    """Requests about TrainingJobs and what they own, and the posting of Events."""

    async def require_crd(self, namespace: str) -> None:
        """Make sure that TrainingJobs are served. Raises `RefusedError` if they are not."""
        await self._require(_training_jobs(namespace), plural=names.PLURAL)

    def training_jobs(self, namespace: str) -> AsyncIterator[Document]:
        """All TrainingJobs, read page by page."""
        return self._iterate(_training_jobs(namespace))

    async def get_training_job(self, namespace: str, name: str) -> Document | None:
        """The TrainingJob, or None if there is none."""
        return await self._get(f"{_training_jobs(namespace)}/{quote(name)}")

    async def replace_status(
        self, namespace: str, name: str, *, uid: str, resource_version: str, status: Document
    ) -> Document:
        """Write the whole status. Raises `ConflictError` if the object has changed since."""
        return await self._replace_status(
            _training_jobs(namespace),
            kind=names.KIND,
            resource=names.PLURAL,
            namespace=namespace,
            name=name,
            uid=uid,
            resource_version=resource_version,
            status=status,
        )

    def jobs(self, namespace: str) -> AsyncIterator[Document]:
        """All Jobs with the label of this project, read page by page."""
        return self._iterate(_jobs(namespace), labelSelector=_OURS)

    async def get_job(self, namespace: str, name: str) -> Document | None:
        """The Job, or None if there is none."""
        return await self._get(f"{_jobs(namespace)}/{name}")

    async def create_job(self, namespace: str, job: Document) -> Document:
        """Create the Job, or find the same one: a name taken by our own Job is a success.

        Raises `RefusedError` where the name belongs to a Job of someone else, `ConflictError` where
        the one with our name is being deleted.
        """
        return await self._create_owned(_jobs(namespace), resource="jobs", body=job)

    async def patch_job(self, namespace: str, name: str, patch: Document) -> Document:
        """Apply a merge patch to the Job."""
        return await self._write("PATCH", f"{_jobs(namespace)}/{name}", resource="jobs", body=patch)

    async def delete_job(self, namespace: str, name: str, *, uid: str) -> None:
        """Delete this Job and, after it, its pods. That it is gone already is no error."""
        await self._delete(f"{_jobs(namespace)}/{name}", resource="jobs", uid=uid)

    def pods(self, namespace: str) -> AsyncIterator[Document]:
        """All trainer pods, read page by page."""
        return self._iterate(_pods(namespace), labelSelector=_OURS)

    async def list_pods(self, namespace: str, uids: Collection[str]) -> Document:
        """A PodList of the pods of the TrainingJobs with these uids.

        The API server goes through all pods of the namespace for it, however few are asked for.
        """
        selector = f"{_OURS},{names.UID_LABEL} in ({','.join(uids)})"
        return await self._list(_pods(namespace), labelSelector=selector)

    async def list_failed_creates(self, namespace: str) -> list[Document]:
        """The Events by which the Job controller tells that it could not create a pod."""
        selector = "involvedObject.kind=Job,reason=FailedCreate"
        events = self._iterate(_events(namespace), fieldSelector=selector)
        return [event async for event in events]

    def priority_classes(self) -> AsyncIterator[Document]:
        """All PriorityClasses of the cluster."""
        return self._iterate("/apis/scheduling.k8s.io/v1/priorityclasses")

    async def create_event(self, namespace: str, event: Document) -> None:
        """Post an Event. Its name says what it tells, so telling it twice is no error."""
        try:
            await self._write("POST", _events(namespace), resource="events", body=event)
        except ConflictError:
            return
