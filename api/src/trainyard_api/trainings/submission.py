"""Create the TrainingJob of a request once, however often the request is sent."""

from collections.abc import Callable
from http import HTTPStatus
from typing import Any, Final

from trainyard_api.cluster import AlreadyExistsError, Document, NotFoundError
from trainyard_api.http.problems import FieldError, Problem, invalid
from trainyard_api.trainings import manifests
from trainyard_api.trainings.objects import TrainingJobs
from trainyard_api.trainings.training_job import TrainingJob

_ATTEMPTS: Final = 3


async def submit(
    manifest: Callable[[str], Document],
    *,
    name: str | None = None,
    model_type: str,
    key: str | None,
    requester: str | None,
    training_jobs: TrainingJobs,
) -> TrainingJob:
    """The TrainingJob of that manifest, created now or, with the same `key`, before.

    The API server decides who is first, so this holds with any number of replicas.
    Raises `Problem`: 422 where the key was used for another request, 409 where the name is taken;
    and what `create` raises.
    """
    for _ in range(_ATTEMPTS):
        wanted = name or _free_name(model_type, key, requester)
        document = manifest(wanted)
        try:
            return await training_jobs.create(document)
        except AlreadyExistsError:
            if name is None and key is None:
                continue
            try:
                existing = await training_jobs.get(wanted)
            except NotFoundError:
                # Deleted in between: the name is free again.
                continue
            if key is not None and _asks_for_the_same(existing, document):
                return existing
            if name is not None:
                raise Problem(
                    HTTPStatus.CONFLICT, f"There is a training job {name} already."
                ) from None
            raise invalid([_KEY_USED]) from None
    raise Problem(HTTPStatus.CONFLICT, "no free name was found for the training job; try again")


_KEY_USED: Final = FieldError(
    field="Idempotency-Key", message="was used for another request; take a new key"
)


def _free_name(model_type: str, key: str | None, requester: str | None) -> str:
    if key is None:
        return manifests.random_name(model_type)
    return manifests.keyed_name(requester, key)


def _asks_for_the_same(existing: dict[str, Any], manifest: Document) -> bool:
    annotations = existing["metadata"].get("annotations") or {}
    wanted = manifest["metadata"]["annotations"][manifests.REQUEST_ANNOTATION]
    return bool(annotations.get(manifests.REQUEST_ANNOTATION) == wanted)
