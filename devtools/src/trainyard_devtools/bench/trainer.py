"""The trainer beside the same work as a plain script: same image, limits, data and parameters."""

import json

from trainyard_schema import (
    DataSpec,
    ModelType,
    StorageConfig,
    TrainingJobSpec,
    names,
    run_config,
)

from trainyard_devtools.jobs import CHURN_DATA
from trainyard_devtools.kube import S3_PORT, S3_SERVICE, Kube
from trainyard_devtools.pods import run_in_pod
from trainyard_devtools.repo import BUCKET
from trainyard_devtools.steps import StepError

_REPEATS = 3

_TIMER = """
import json, os, statistics, sys, time

def timed(command):
    started = time.monotonic()
    child = os.posix_spawnp(command[0], command, os.environ)
    _, status, usage = os.wait4(child, 0)
    if status != 0:
        sys.exit(f"{command} ended with {status}")
    return time.monotonic() - started, usage.ru_maxrss / 1024

runs = {
    "trainer": ["python", "-m", "trainyard_trainer.main"],
    "plain": ["python", "/opt/bench/plain.py"],
}
measured = {name: [] for name in runs}
for _ in range(int(os.environ["REPEATS"])):
    for name, command in runs.items():
        measured[name].append(timed(command))
seconds = {name: statistics.median(s for s, _ in rows) for name, rows in measured.items()}
print("FIGURES " + json.dumps({
    "seconds": seconds["trainer"],
    "overhead_ratio": seconds["trainer"] / seconds["plain"],
    "peak_rss_mb": max(megabytes for _, megabytes in measured["trainer"]),
}))
"""


def measure_trainer(kube: Kube, image: str) -> dict[str, dict[str, float]]:
    """Overhead ratio and peak memory by model type, in the stage `bench` of the trainer's image."""
    measured = {str(model_type): _measure(kube, image, model_type) for model_type in ModelType}
    return {
        "trainer_overhead_ratio": {
            name: round(figures["overhead_ratio"], 2) for name, figures in measured.items()
        },
        "trainer_seconds": {
            name: round(figures["seconds"], 1) for name, figures in measured.items()
        },
        "trainer_peak_rss_mb": {
            name: round(figures["peak_rss_mb"]) for name, figures in measured.items()
        },
    }


def _measure(kube: Kube, image: str, model_type: ModelType) -> dict[str, float]:
    run = run_config(
        TrainingJobSpec(model_type=model_type.value, data=DataSpec.model_validate(CHURN_DATA)),
        namespace=kube.namespace,
        name="bench",
        uid=f"bench-{model_type}",
        storage=StorageConfig(bucket=BUCKET, endpoint_url=f"http://{S3_SERVICE}:{S3_PORT}"),
        image=image,
    )
    log = run_in_pod(
        kube,
        image,
        ["python", "-c", _TIMER],
        environment={
            names.RUN_CONFIG_ENV: run.to_json(),
            "REPEATS": str(_REPEATS),
        },
        limits={"cpu": "1", "memory": "2Gi"},
        timeout_seconds=600,
    )
    marked = [line for line in log.splitlines() if line.startswith("FIGURES ")]
    if not marked:
        raise StepError(f"the trainer benchmark ended without figures:\n{log}")
    figures: dict[str, float] = json.loads(marked[0].removeprefix("FIGURES "))
    return figures
