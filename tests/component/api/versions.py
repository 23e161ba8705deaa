"""Versions of a model in an object store, as far as feedback looks at them."""

import hashlib
import json
from collections.abc import Sequence
from typing import Any

from trainyard_schema import CurrentPointer, Manifest, ModelType, VersionKey
from trainyard_schema.artifacts import SCHEMA

from ..object_store import BUCKET

V1, V2 = "20261121T100000Z-00000001", "20261122T100000Z-00000002"
FEATURES = {"age": "number", "code": "category", "member": "boolean", "since": "time"}


def put_version(
    s3: Any,
    version: str = V1,
    *,
    model_type: str = "xgboost",
    classes: Sequence[Any] = ("no", "yes"),
    **features: str,
) -> VersionKey:
    key = VersionKey("churn", ModelType(model_type), version)
    schema = {
        "schemaVersion": 1,
        "modelType": model_type,
        "task": "binary",
        "target": "churned",
        "classes": list(classes),
        "features": [{"name": name, "kind": kind} for name, kind in (features or FEATURES).items()],
        "threshold": 0.4,
    }
    text = json.dumps(schema).encode()
    file = {"name": SCHEMA, "size_bytes": len(text), "sha256": hashlib.sha256(text).hexdigest()}
    manifest = Manifest.model_validate(
        {
            "model": "churn", "model_type": model_type, "version": version,
            "created_at": "2026-11-20T10:00:00Z", "task": "binary", "data": [],
            "rows": 70, "training_rows": 56, "holdout_rows": 14, "target": "churned",
            "exclude": ["customer_id"], "holdout_fraction": 0.2, "hyperparameters": {}, "seed": 42,
            "metrics": [], "files": [file], "duration_seconds": 2.5, "image": "trainer:1",
            "libraries": {}, "training_job": "trainyard/train-1", "training_job_uid": "u1",
        }
    )  # fmt: skip
    for name, body in (
        (key.prefix + SCHEMA, text),
        (key.manifest, manifest.to_json()),
    ):
        s3.client.put_object(Bucket=BUCKET, Key=name, Body=body)
    return key


def point(s3: Any, place: str, key: VersionKey) -> None:
    pointer = CurrentPointer(
        model_type=key.model_type,
        version=key.version,
        uri=f"s3://{BUCKET}/{key.prefix}",
        manifest_sha256="cd",
        updated_at="2026-11-20T10:00:00Z",
    )
    s3.client.put_object(Bucket=BUCKET, Key=place, Body=pointer.to_json())
