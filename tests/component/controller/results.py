"""What trainers leave, and the shortest life of a run."""

from trainyard_schema import ModelType, RunResult

from .conftest import Lab


def result(kind: ModelType = ModelType.XGBOOST, value: str = "0.84") -> str:
    return RunResult.model_validate(
        {
            "modelType": kind,
            "version": {
                "modelType": kind,
                "version": "20261123T090000Z-0badcafe",
                "uri": f"s3://trainyard/models/x/{kind}/20261123T090000Z-0badcafe/",
                "sha256": "ab" * 32,
                "sizeBytes": 1,
                "current": True,
                "durationSeconds": 1.5,
            },
            "metrics": [{"modelType": kind, "name": "roc_auc", "value": value, "split": "holdout"}],
        }
    ).to_json()


def succeed(lab: Lab, name: str) -> None:
    pod = lab.run_pod(name)
    lab.until(name, "Running")
    lab.end_pod(pod, 0, result())
    lab.until(name, "Succeeded")
