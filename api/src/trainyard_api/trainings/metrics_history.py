"""How the metrics of a training moved: the `history.jsonl` of its versions."""

import json
from typing import Any

import structlog
from trainyard_schema import ModelType, VersionKey
from trainyard_schema.artifacts import HISTORY

from trainyard_api.store import ModelStore
from trainyard_api.trainings.training_job import TrainingJob

log = structlog.get_logger()


async def training_history(
    store: ModelStore, job: TrainingJob
) -> dict[ModelType, list[dict[str, Any]]]:
    """The records by model type, of those whose version is there. Raises `StoreError`."""
    models: list[dict[str, Any]] = (job.get("status") or {}).get("models") or []
    keys = [
        VersionKey(job.model, ModelType(model["modelType"]), model["version"])
        for model in models
        if model.get("modelType") in job.model_types
    ]
    bodies = await store.bucket.get_all([key.prefix + HISTORY for key in keys])
    return {
        key.model_type: _records(key, body)
        for key, body in zip(keys, bodies, strict=True)
        if body is not None
    }


def _records(key: VersionKey, body: bytes) -> list[dict[str, Any]]:
    try:
        # JSON has no NaN, which a diverging network leaves in its history.
        return [
            json.loads(line, parse_constant=lambda _: None) for line in body.splitlines() if line
        ]
    except ValueError:
        log.warning("unreadable history", key=key.prefix + HISTORY)
        return []
