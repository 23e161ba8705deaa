"""What the operator asks of the API server about Models and their TrainingJobs."""

from collections.abc import AsyncIterator
from urllib.parse import quote

from trainyard_schema import names

from trainyard_controller.client import Client, Document, collection
from trainyard_controller.errors import RefusedError


def _models(namespace: str) -> str:
    return collection(namespace, names.API_VERSION, names.MODEL_PLURAL)


def _training_jobs(namespace: str) -> str:
    return collection(namespace, names.API_VERSION, names.PLURAL)


class ModelApi(Client):
    """Requests about Models, and about TrainingJobs as their runs."""

    async def require_crd(self, namespace: str) -> None:
        """Make sure that Models are served. Raises `RefusedError` if they are not."""
        await self._require(_models(namespace), plural=names.MODEL_PLURAL)

    def models(self, namespace: str) -> AsyncIterator[Document]:
        """All Models, read page by page."""
        return self._iterate(_models(namespace))

    async def get_model(self, namespace: str, name: str) -> Document | None:
        """The Model, or None if there is none."""
        return await self._get(f"{_models(namespace)}/{quote(name)}")

    async def replace_status(
        self, namespace: str, name: str, *, uid: str, resource_version: str, status: Document
    ) -> Document:
        """Write the whole status. Raises `ConflictError` if the object has changed since."""
        return await self._replace_status(
            _models(namespace),
            kind=names.MODEL_KIND,
            resource=names.MODEL_PLURAL,
            namespace=namespace,
            name=name,
            uid=uid,
            resource_version=resource_version,
            status=status,
        )

    def runs(self, namespace: str) -> AsyncIterator[Document]:
        """The TrainingJobs of all Models, read page by page."""
        return self._iterate(_training_jobs(namespace), labelSelector=names.MODEL_UID_LABEL)

    async def list_runs(self, namespace: str, *, uid: str) -> list[Document]:
        """The TrainingJobs of the Model with this uid."""
        selector = f"{names.MODEL_UID_LABEL}={uid}"
        found = await self._list(_training_jobs(namespace), labelSelector=selector)
        return list(found["items"])

    async def create_run(self, namespace: str, training_job: Document) -> Document:
        """Create the TrainingJob, or find the same one.

        Raises `RefusedError` where the API server does not want it, or the name belongs to
        something else, `ConflictError` where the one with our name is being deleted.
        """
        return await self._create_owned(
            _training_jobs(namespace), resource=names.PLURAL, body=training_job
        )

    async def cancel_run(self, namespace: str, name: str) -> Document | None:
        """Have the TrainingJob cancelled; None if there is none any more."""
        try:
            return await self._write(
                "PATCH",
                f"{_training_jobs(namespace)}/{quote(name)}",
                resource=names.PLURAL,
                body={"spec": {"cancel": True}},
            )
        except RefusedError as error:
            if error.status != 404:
                raise
            return None

    async def delete_run(self, namespace: str, name: str, *, uid: str) -> None:
        """Delete this TrainingJob. That it is gone already is no error."""
        await self._delete(
            f"{_training_jobs(namespace)}/{quote(name)}", resource=names.PLURAL, uid=uid
        )
