"""The manifest of a version, for tests that train none."""

from typing import Any

from trainyard_schema import Manifest, VersionKey


def manifest_of(key: VersionKey, **more: Any) -> Manifest:
    """A small whole one; `more` is named as in the document."""
    document = {
        "model": key.model,
        "modelType": key.model_type,
        "version": key.version,
        "createdAt": "2026-11-20T10:00:00Z",
        "task": "binary",
        "data": [],
        "rows": 10,
        "trainingRows": 8,
        "holdoutRows": 2,
        "target": "churned",
        "exclude": [],
        "holdoutFraction": 0.2,
        "hyperparameters": {},
        "seed": 42,
        "metrics": [
            {"modelType": key.model_type, "name": "roc_auc", "value": "0.84", "split": "holdout"}
        ],
        "files": [{"name": "model.ubj", "sizeBytes": 1, "sha256": "ab" * 32}],
        "durationSeconds": 2.5,
        "image": "trainer:1",
        "libraries": {},
        "trainingJob": "lab/by-hand",
        "trainingJobUid": "u1",
        **more,
    }
    return Manifest.model_validate(document)
