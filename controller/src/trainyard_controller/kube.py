"""What the operator asks of the API server about TrainingJobs, their Jobs and their pods."""

from collections.abc import AsyncIterator
from urllib.parse import quote

from kubernetes.aio import client
from trainyard_schema import names

from trainyard_controller.client import Client, Document
from trainyard_controller.errors import ConflictError


class Api(Client):
    """Requests about TrainingJobs and what they own, and the posting of Events."""

    def __init__(self, api_client: client.ApiClient, namespace: str) -> None:
        super().__init__(api_client, namespace)
        self._jobs = self._path("batch/v1", "jobs")
        self._pods = self._path("v1", "pods")
        self._events = self._path("v1", "events")
        self._training_jobs = self._path(names.API_VERSION, names.PLURAL)

    async def require_crd(self) -> None:
        """Make sure that TrainingJobs are served. Raises `RefusedError` if they are not."""
        await self._require(self._training_jobs, plural=names.PLURAL)

    def training_jobs(self) -> AsyncIterator[Document]:
        """All TrainingJobs, read page by page."""
        return self._iterate(self._training_jobs)

    async def get_training_job(self, name: str) -> Document | None:
        """The TrainingJob, or None if there is none."""
        return await self._get(f"{self._training_jobs}/{quote(name)}")

    async def replace_status(
        self, *, name: str, uid: str, resource_version: str, status: Document
    ) -> Document:
        """Write the whole status. Raises `ConflictError` if the object has changed since."""
        return await self._replace_status(
            self._training_jobs,
            kind=names.KIND,
            resource=names.PLURAL,
            name=name,
            uid=uid,
            resource_version=resource_version,
            status=status,
        )

    async def list_jobs(self) -> list[Document]:
        """All Jobs with the label of this project."""
        return await self._list(
            self._jobs, labelSelector=f"{names.MANAGED_BY_LABEL}={names.MANAGED_BY}"
        )

    async def get_job(self, name: str) -> Document | None:
        """The Job, or None if there is none."""
        return await self._get(f"{self._jobs}/{name}")

    async def create_job(self, job: Document) -> Document:
        """Create the Job, or find the same one: a name taken by our own Job is a success.

        Raises `RefusedError` where the name belongs to a Job of someone else, `ConflictError` where
        the one with our name is being deleted.
        """
        return await self._create_owned(self._jobs, resource="jobs", body=job)

    async def patch_job(self, name: str, patch: Document) -> Document:
        """Apply a merge patch to the Job."""
        return await self._write("PATCH", f"{self._jobs}/{name}", resource="jobs", body=patch)

    async def delete_job(self, name: str, *, uid: str) -> None:
        """Delete this Job and, after it, its pods. That it is gone already is no error."""
        await self._delete(f"{self._jobs}/{name}", resource="jobs", uid=uid)

    async def list_pods(self, *, uid: str | None = None) -> list[Document]:
        """The trainer pods: all of them, or those of the TrainingJob with this uid."""
        selector = f"{names.MANAGED_BY_LABEL}={names.MANAGED_BY}"
        if uid is not None:
            selector += f",{names.UID_LABEL}={uid}"
        return await self._list(self._pods, labelSelector=selector)

    async def list_failed_creates(self, job_uid: str) -> list[Document]:
        """The Events by which the Job controller tells that it could not create a pod of a Job."""
        return await self._list(
            self._events, fieldSelector=f"involvedObject.uid={job_uid},reason=FailedCreate"
        )

    async def create_event(self, event: Document) -> None:
        """Post an Event. Its name says what it tells, so telling it twice is no error."""
        try:
            await self._write("POST", self._events, resource="events", body=event)
        except ConflictError:
            return
