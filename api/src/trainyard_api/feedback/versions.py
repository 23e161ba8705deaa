"""Which version feedback is about, and which columns it has."""

from http import HTTPStatus

from pydantic import ValidationError
from trainyard_schema.artifacts import SCHEMA

from trainyard_api.feedback.columns import Columns, VersionSchema
from trainyard_api.http.problems import Problem
from trainyard_api.store import ModelStore, StoredVersion
from trainyard_api.versions import evidence


async def find_version(store: ModelStore, model: str, version: str | None) -> StoredVersion:
    """A version; None: the one that consumers load. Raises `Problem` (404), `StoreError`."""
    name = version or await store.consumed(model)
    if name is None:
        raise Problem(
            HTTPStatus.NOT_FOUND,
            f"There is no champion and no current version of model {model}; name the version.",
        )
    return await evidence.find(store, model, name)


async def columns_of(store: ModelStore, version: StoredVersion) -> Columns:
    """The columns of a version. Raises `Problem` (409) where it does not tell, `StoreError`."""
    try:
        schema = VersionSchema.model_validate(await store.document(version.key, SCHEMA))
    except ValidationError:
        schema = None
    if schema is None or version.manifest is None:
        raise Problem(
            HTTPStatus.CONFLICT,
            f"The files of version {version.key.version} of model {version.key.model} were written "
            f"by another version of Trainyard, or {SCHEMA} is missing, so rows cannot be checked.",
        )
    return Columns.of(schema, excluded=version.manifest.exclude)
