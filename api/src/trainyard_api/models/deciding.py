"""Writes a decision about a champion on its Model, after the checks that can be made before."""

from http import HTTPStatus
from typing import Any, Final

from trainyard_api.cluster import ConflictError, NotFoundError, UnavailableError
from trainyard_api.http.problems import Problem
from trainyard_api.models.objects import Models
from trainyard_api.models.requests import Decision, annotations, new_id, unanswered
from trainyard_api.models.views import status_of
from trainyard_api.store import ModelStore

_ATTEMPTS: Final = 5


async def find_model(models: Models, name: str) -> dict[str, Any]:
    """A Model. Raises `Problem` (404), `UnavailableError`."""
    try:
        return await models.find(name)
    except NotFoundError:
        raise _no_such_model(name) from None


async def decide(
    models: Models,
    store: ModelStore,
    name: str,
    decision: Decision,
    *,
    version: str | None,
    reason: str | None,
    by: str,
) -> str:
    """The id of the request, once it stands on the Model.

    Raises `Problem`: 404 for no such Model, 409 for what the operator would refuse; `StoreError`,
    `UnavailableError`.
    """
    request_id = new_id()
    if decision == "promote" and version is not None:
        await _check_stored(store, name, version)
    written = annotations(decision, request_id, version=version, reason=reason, by=by)
    for _ in range(_ATTEMPTS):
        try:
            model = await models.get(name)
            _check(model, decision, version)
            version_of_model = model["metadata"]["resourceVersion"]
            await models.annotate(name, written, resource_version=version_of_model)
        except ConflictError:
            # The operator writes the status all the time.
            continue
        except NotFoundError:
            raise _no_such_model(name) from None
        return request_id
    raise UnavailableError(f"the Model {name} changes too fast to be written")


async def _check_stored(store: ModelStore, model: str, version: str) -> None:
    found = await store.find(model, version)
    if found is None:
        raise _conflict(f"There is no version {version} of model {model} in the object store.")
    if found.manifest is not None and found.manifest.partial:
        raise _conflict(f"Version {version} is partial: its run was cancelled.")


def _check(model: dict[str, Any], decision: Decision, version: str | None) -> None:
    status = status_of(model)
    waiting = unanswered(model)
    if waiting is not None:
        raise _conflict(
            f"The operator has not answered the request {waiting.value!r} yet; try again."
        )
    if decision == "rollback" and status.previous is None:
        raise _conflict("There is no previous champion to go back to.")
    if decision in ("approve", "reject") and version not in {
        one.version for one in status.candidates
    }:
        raise _conflict(f"Version {version} does not await approval.")
    champion = status.champion.version if status.champion else None
    if decision in ("promote", "approve") and version == champion:
        raise _conflict(f"Version {version} is the champion already.")


def _conflict(detail: str) -> Problem:
    return Problem(HTTPStatus.CONFLICT, detail)


def _no_such_model(name: str) -> Problem:
    return Problem(HTTPStatus.NOT_FOUND, f"There is no Model {name}.")
