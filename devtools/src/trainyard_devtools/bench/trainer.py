"""The trainer beside the same work as a plain script: same image, limits, data and parameters."""

from trainyard_schema import (
    DataSpec,
    ModelType,
    StorageConfig,
    TrainingJobSpec,
    run_config,
)

from trainyard_devtools.bench.programs import Case, measure
from trainyard_devtools.jobs import CHURN_DATA
from trainyard_devtools.kube import S3_PORT, S3_SERVICE, Kube
from trainyard_devtools.repo import BUCKET

_REPEATS = 3
_LIMITS = {"cpu": "1", "memory": "2Gi"}


def measure_trainer(kube: Kube, image: str) -> dict[str, dict[str, float]]:
    """Overhead ratio and peak memory by model type, in the stage `bench` of the trainer's image."""
    figures = measure(kube, image, [_case(kube, model_type) for model_type in ModelType], _LIMITS)
    return {
        "trainer_overhead_ratio": {
            name: round(figures.ratio(name, "seconds"), 2) for name in ModelType
        },
        "trainer_seconds": {
            name: round(figures.median(name, "trainer", "seconds"), 1) for name in ModelType
        },
        "trainer_peak_rss_mb": {
            name: round(max(figures.values(name, "trainer", "peakMb"))) for name in ModelType
        },
    }


def _case(kube: Kube, model_type: ModelType) -> Case:
    run = run_config(
        TrainingJobSpec(model_type=model_type.value, data=DataSpec.model_validate(CHURN_DATA)),
        namespace=kube.namespace,
        name="bench",
        uid=f"bench-{model_type}",
        storage=StorageConfig(bucket=BUCKET, endpoint_url=f"http://{S3_SERVICE}:{S3_PORT}"),
        image="bench",
    )
    return Case(model_type, run, _REPEATS)
