"""Create the TrainingJob of a request once, however often the request is sent."""

from http import HTTPStatus
from typing import Any, Final

from trainyard_api import manifests
from trainyard_api.cluster import AlreadyExistsError, NotFoundError
from trainyard_api.objects import TrainingJobs
from trainyard_api.problems import FieldError, Problem, invalid
from trainyard_api.requests import TrainingRequest
from trainyard_api.settings import Settings

_ATTEMPTS: Final = 3


async def submit(
    request: TrainingRequest,
    *,
    key: str | None,
    requester: str | None,
    settings: Settings,
    training_jobs: TrainingJobs,
) -> str:
    """The name of the request's TrainingJob, created now or, with the same `key`, before.

    The API server decides who is first, so this holds with any number of replicas.
    Raises `Problem` (422) where the key was used for another request, and what `create` raises.
    """
    for _ in range(_ATTEMPTS):
        name = (
            manifests.random_name(request.model_type)
            if key is None
            else manifests.keyed_name(requester, key)
        )
        manifest = manifests.training_job(
            request, name=name, requester=requester, settings=settings
        )
        try:
            await training_jobs.create(manifest)
        except AlreadyExistsError:
            if key is None:
                continue
            try:
                existing = await training_jobs.get(name)
            except NotFoundError:
                # Deleted in between: the key is free again.
                continue
            if not _asks_for_the_same(existing, manifest):
                raise invalid([_KEY_USED]) from None
        return name
    raise Problem(HTTPStatus.CONFLICT, "no free name was found for the training job; try again")


_KEY_USED: Final = FieldError(
    field="Idempotency-Key", message="was used for another request; take a new key"
)


def _asks_for_the_same(existing: dict[str, Any], manifest: dict[str, Any]) -> bool:
    annotations = existing["metadata"].get("annotations") or {}
    wanted = manifest["metadata"]["annotations"][manifests.REQUEST_ANNOTATION]
    return bool(annotations.get(manifests.REQUEST_ANNOTATION) == wanted)
