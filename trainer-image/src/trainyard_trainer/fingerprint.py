"""What a version is trained from, as one number."""

import hashlib
import json
from collections.abc import Iterable
from typing import NamedTuple

from trainyard_schema import ModelType, RunConfig
from trainyard_schema.artifacts import DataSource


class Part(NamedTuple):
    """An object that rows are read from, as a listing tells it: it need not be read for that."""

    uri: str
    etag: str
    size_bytes: int


def part(source: DataSource) -> Part:
    """An object that was read."""
    return Part(source.uri, source.etag, source.size_bytes)


def fingerprint(
    config: RunConfig, model_type: ModelType, data: Iterable[Part], holdout: Part | None
) -> str:
    """SHA-256, in hex, of data, spec and image as canonical JSON: keys sorted, no spaces.

    `holdout` is `spec.data.holdout`. The champion and the version that a run continues from are not
    in it: which versions they allow as an answer, `unchanged` tells.
    """
    # A gate makes no other model, but the holdout keeps the excluded columns that it looks at.
    sliced = {item.column for item in config.gate.slices} if config.gate else set()
    document = {
        "data": sorted(data),
        "holdout": holdout,
        "spec": {
            "modelType": model_type,
            "data": config.data.to_dict(),
            "mode": config.mode,
            "crossValidation": config.cross_validation and config.cross_validation.to_dict(),
            "hyperparameters": config.hyperparameters.get(model_type, {}),
            "seed": config.seed,
            "keptForSlices": sorted(sliced & set(config.data.exclude)),
        },
        "image": config.image,
    }
    text = json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()
