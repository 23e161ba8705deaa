"""From a request to the TrainingJob that does what it asks for. Nothing here does I/O."""

import hashlib
import json
import secrets
from typing import Any, Final

from pydantic import ValidationError
from trainyard_schema import DataSpec, TrainingJobSpec, names, validate_hyperparameters
from trainyard_schema.hyperparameters import HyperparameterError

from trainyard_api.http.problems import FieldError, invalid
from trainyard_api.settings import Settings
from trainyard_api.trainings.requests import TrainingRequest

REQUEST_ANNOTATION: Final = f"{names.GROUP}/request-sha256"
"""What a TrainingJob was asked for with; tells a repeated request from another one."""

_RANDOM_BYTES = 4
_KEYED_HEX = 20


def random_name(model_type: str) -> str:
    """A name for the TrainingJob of a request without an idempotency key."""
    return f"train-{model_type}-{secrets.token_hex(_RANDOM_BYTES)}"


def keyed_name(requester: str | None, key: str) -> str:
    """The one name that a requester's idempotency key leads to, whatever is asked for with it."""
    digest = hashlib.sha256(json.dumps([requester, key]).encode()).hexdigest()
    return f"train-{digest[:_KEYED_HEX]}"


def fingerprint(document: Any) -> str:
    """The same for two JSON documents that say the same, however they are written."""
    return hashlib.sha256(json.dumps(document, sort_keys=True).encode()).hexdigest()


def training_job(
    request: TrainingRequest, *, name: str, requester: str | None, settings: Settings
) -> dict[str, Any]:
    """The TrainingJob of a request. What that leaves out comes from the settings, then the CRD.

    Raises `Problem` (422) for what cannot be trained.
    """
    data = _data(request, settings)
    spec: dict[str, Any] = {
        "model": request.model or names.model_of_table(data.uri),
        "modelType": request.model_type,
        "data": data.to_dict(),
        "overwrite": request.retrain,
    }
    if request.use_cv:
        spec["crossValidation"] = settings.cross_validation.to_dict()
    if request.hyperparameters:
        spec["hyperparameters"] = request.hyperparameters
    if request.seed is not None:
        spec["seed"] = request.seed
    if settings.resources is not None:
        spec["resources"] = settings.resources.to_dict()
    check_spec(spec)
    return _manifest(
        spec,
        name=name,
        requester=requester,
        request_sha256=fingerprint(request.model_dump(mode="json")),
        settings=settings,
    )


def training_job_of_spec(
    spec: TrainingJobSpec,
    *,
    name: str,
    requester: str,
    key: str | None,
    settings: Settings,
) -> dict[str, Any]:
    """The TrainingJob with that spec. What it leaves out comes from the CRD.

    Raises `Problem` (422) for what cannot be trained.
    """
    document = spec.model_dump(mode="json", by_alias=True, exclude_unset=True, exclude_none=True)
    check_spec(document, within="spec.")
    return _manifest(
        document,
        name=name,
        requester=requester,
        request_sha256=fingerprint([document, requester, key]),
        settings=settings,
    )


def _manifest(
    spec: dict[str, Any],
    *,
    name: str,
    requester: str | None,
    request_sha256: str,
    settings: Settings,
) -> dict[str, Any]:
    annotations = {REQUEST_ANNOTATION: request_sha256}
    if requester is not None:
        annotations[names.REQUESTER_ANNOTATION] = requester
    return {
        "apiVersion": names.API_VERSION,
        "kind": names.KIND,
        "metadata": {
            "name": name,
            "namespace": settings.namespace,
            "annotations": annotations,
        },
        "spec": spec,
    }


def _data(request: TrainingRequest, settings: Settings) -> DataSpec:
    if request.dataset is not None:
        return DataSpec.model_validate(request.dataset.model_dump())
    if settings.default_data is None:
        raise invalid(
            [
                FieldError(
                    field="dataset",
                    message="this server has no default dataset: send dataset.uri and "
                    "dataset.target, or set api.defaults.data in the chart's values",
                )
            ]
        )
    return settings.default_data


def check_spec(spec: dict[str, Any], *, within: str = "") -> None:
    """Raises `Problem` (422) for a TrainingJob's spec that the CRD or its operator would refuse."""
    try:
        parsed = TrainingJobSpec.model_validate(spec)
        validate_hyperparameters(parsed.model_types, parsed.hyperparameters)
    except HyperparameterError as error:
        field, _, message = str(error).partition(": ")
        raise invalid([FieldError(field=within + field, message=message)]) from None
    except ValidationError as error:
        raise invalid(
            [
                FieldError(field=within + ".".join(map(str, item["loc"])), message=item["msg"])
                for item in error.errors()
            ]
        ) from None
