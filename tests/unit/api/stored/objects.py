"""What trainers and the operator leave in the bucket."""

from typing import Any

from trainyard_schema import CurrentPointer, Manifest, ModelType, VersionKey

BUCKET = "trainyard"
V1, V2, V3 = (f"2026112{day}T100000Z-0000000{day}" for day in (1, 2, 3))


def put_version(
    s3: Any, version: str, *, model: str = "churn", model_type: str = "xgboost", **told: Any
) -> VersionKey:
    key = VersionKey(model, ModelType(model_type), version)
    manifest = Manifest.model_validate(
        {
            "model": model,
            "model_type": model_type,
            "version": version,
            "created_at": "2026-11-20T10:00:00Z",
            "task": "binary",
            "data": [],
            "rows": 7043,
            "training_rows": 5634,
            "holdout_rows": 1409,
            "target": "churned",
            "exclude": [],
            "holdout_fraction": 0.2,
            "hyperparameters": {},
            "seed": 42,
            "metrics": [
                {"model_type": model_type, "name": "roc_auc", "value": "0.8", "split": "holdout"}
            ],
            "files": [{"name": "model.ubj", "size_bytes": 10, "sha256": "ab"}],
            "duration_seconds": 2.5,
            "image": "trainer:1",
            "libraries": {},
            "training_job": "trainyard/train-1",
            "training_job_uid": "u1",
            **told,
        }
    )
    s3.put_object(Bucket=BUCKET, Key=key.prefix + "model.ubj", Body=b"0123456789")
    s3.put_object(Bucket=BUCKET, Key=key.manifest, Body=manifest.to_json())
    return key


def make_current(s3: Any, key: VersionKey) -> None:
    point(s3, key, key.current)


def make_champion(s3: Any, key: VersionKey) -> None:
    point(s3, key, key.champion)


def point(s3: Any, key: VersionKey, place: str) -> None:
    pointer = CurrentPointer(
        model_type=key.model_type,
        version=key.version,
        uri=f"s3://{BUCKET}/{key.prefix}",
        manifest_sha256="cd",
        updated_at="2026-11-20T10:00:00Z",
    )
    s3.put_object(Bucket=BUCKET, Key=place, Body=pointer.to_json())
