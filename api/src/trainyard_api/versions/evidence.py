"""What the object store has about a version, read at once."""

from http import HTTPStatus

import anyio
from pydantic import ValidationError
from trainyard_schema import Verdict, VersionKey
from trainyard_schema.artifacts import METRICS, VERDICT

from trainyard_api.http.problems import Problem
from trainyard_api.store import ModelStore, StoredVersion
from trainyard_api.versions.comparison import Evidence


async def find(store: ModelStore, model: str, version: str) -> StoredVersion:
    """A version. Raises `Problem` (404) where there is none."""
    found = await store.find(model, version)
    if found is None:
        raise Problem(HTTPStatus.NOT_FOUND, f"There is no version {version} of model {model}.")
    return found


async def verdict_of(store: ModelStore, key: VersionKey) -> Verdict | None:
    """The gate's verdict of a version; None where there is none, or none that can be read."""
    return _verdict(await store.document(key, VERDICT) or {})


async def evidence(store: ModelStore, model: str, version: str) -> Evidence:
    """What is compared. Raises `Problem`: 404 for no version, 409 for one that is unreadable."""
    stored = await find(store, model, version)
    if stored.manifest is None:
        raise Problem(
            HTTPStatus.CONFLICT,
            f"The manifest of version {version} was written by another version of Trainyard, "
            "so there is nothing to compare.",
        )
    files: dict[str, dict[str, object]] = {}

    async def read(name: str) -> None:
        files[name] = await store.document(stored.key, name) or {}

    try:
        async with anyio.create_task_group() as tasks:
            for name in (METRICS, VERDICT):
                tasks.start_soon(read, name)
    except ExceptionGroup as group:
        raise group.exceptions[0] from None
    return Evidence(
        stored=stored,
        manifest=stored.manifest,
        metrics=files[METRICS],
        assessment=files[VERDICT],
        verdict=_verdict(files[VERDICT]),
    )


def _verdict(assessment: dict[str, object]) -> Verdict | None:
    try:
        return Verdict.model_validate(assessment.get("verdict"), extra="ignore")
    except ValidationError:
        return None
