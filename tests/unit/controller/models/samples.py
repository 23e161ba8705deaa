"""Small Models and their runs as the API server has them."""

from datetime import datetime
from typing import Any

from trainyard_controller.models.objects import Model
from trainyard_controller.models.plan import Start
from trainyard_controller.models.run import build_run
from trainyard_controller.objects import TrainingJob
from trainyard_schema import Champion, ModelSpec, ModelType, names

UID = "7a3c9b1e-0000-4000-8000-00000000000a"
CREATED = "2026-11-20T12:00:00Z"
TEMPLATE = {
    "spec": {"modelType": "xgboost", "data": {"uri": "s3://trainyard/churn.csv", "target": "y"}}
}


def model_document(
    *,
    status: dict[str, Any] | None = None,
    retrain: str | None = None,
    mode: str | None = None,
    requester: str | None = None,
    generation: int = 1,
    version: int = 100,
    **spec: Any,
) -> dict[str, Any]:
    annotations = {
        names.RETRAIN_ANNOTATION: retrain,
        names.RETRAIN_MODE_ANNOTATION: mode,
        names.RETRAIN_REQUESTER_ANNOTATION: requester,
    }
    return {
        "metadata": {
            "namespace": "lab",
            "name": "churn",
            "uid": UID,
            "resourceVersion": str(version),
            "generation": generation,
            "creationTimestamp": CREATED,
            "annotations": {key: value for key, value in annotations.items() if value is not None},
        },
        "spec": {"template": TEMPLATE, **spec},
        **({} if status is None else {"status": {"observedGeneration": generation, **status}}),
    }


def model(**more: Any) -> Model:
    return Model.from_document(model_document(**more))


def spec_of(one: Model) -> ModelSpec:
    return ModelSpec.model_validate(one.spec)


def run_document(
    name: str,
    created: str,
    *,
    version: int = 200,
    status: dict[str, Any] | None = None,
    **spec: Any,
) -> dict[str, Any]:
    one = model()
    start = Start(name=name, request=None, scheduled_time=None)
    document = build_run(one, spec_of(one), start)
    document["metadata"] |= {
        "uid": f"uid-of-{name}",
        "resourceVersion": str(version),
        "creationTimestamp": created,
    }
    document["spec"] |= spec
    return {**document, "status": status or {}}


def run(name: str, created: str, phase: str | None = "Running", **more: Any) -> TrainingJob:
    status = {"phase": phase, **more.pop("status", {})} if phase else {}
    return TrainingJob.from_document(run_document(name, created, status=status, **more))


def at(text: str) -> datetime:
    """A time of November 2026, written as `23T03:00`."""
    return datetime.fromisoformat(f"2026-11-{text}:00+00:00")


V1, V2, V3, V4 = (f"2026112{day}T030500Z-0000000{day}" for day in (1, 2, 3, 4))


def uri_of(version: str, kind: ModelType = ModelType.XGBOOST) -> str:
    return f"s3://trainyard/models/churn/{kind}/{version}/"


def champion(version: str = V1, transition: int = 1, **more: Any) -> Champion:
    return Champion.model_validate(
        {
            "modelType": "xgboost",
            "version": version,
            "uri": uri_of(version),
            "sha256": "ab" * 32,
            "run": f"run-of-{version[:8]}",
            "metric": "roc_auc=0.8400",
            "since": "2026-11-21T03:10:00Z",
            "transition": transition,
            **more,
        }
    )
